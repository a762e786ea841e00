#include "labfactory/select/mask.hpp"

#include <algorithm>
#include <cstring>

#include "labfactory/base/error.hpp"

namespace labfactory::select {

namespace {

constexpr std::uint64_t kAll = ~std::uint64_t{0};

std::uint64_t lowest_bits(std::int64_t count) {
  return count >= 64 ? kAll : (std::uint64_t{1} << count) - 1;
}

}  // namespace

Mask::Mask(std::vector<std::vector<std::int32_t>> needed) : needed_(std::move(needed)) {
  for (const std::vector<std::int32_t>& own : needed_) {
    flat_.insert(flat_.end(), own.begin(), own.end());
    ends_.push_back(flat_.size());
  }
}

void Mask::fill(std::span<const std::uint64_t> conditions, std::int64_t rows, std::uint64_t* eligible) const {
  const std::uint64_t all = lowest_bits(rows);
  std::size_t i = 0;
  for (std::size_t c = 0; c < ends_.size(); ++c) {
    std::uint64_t word = all;
    for (; i < ends_[c]; ++i) word &= conditions[static_cast<std::size_t>(flat_[i])];
    eligible[c] = word;
  }
}

void apply_rules(std::span<const Rule> rules, std::span<const std::uint64_t> conditions,
                 const std::uint64_t* eligible, std::span<std::uint64_t> picks) {
  std::ranges::fill(picks, 0);
  std::uint64_t taken = 0;
  for (const Rule& rule : rules) {
    const std::uint64_t holds =
        rule.condition < 0 ? kAll : conditions[static_cast<std::size_t>(rule.condition)];
    const std::uint64_t rows = holds & eligible[rule.candidate] & ~taken;
    picks[static_cast<std::size_t>(rule.candidate)] |= rows;
    taken |= rows;
  }
}

std::uint64_t part_of(const std::uint8_t* bits, std::int64_t first, std::int64_t rows) {
  const std::uint8_t* const from = bits + (first >> 3);
  const auto shift = static_cast<int>(first & 7);
  std::uint64_t word = 0;
  const auto bytes = static_cast<std::size_t>((shift + rows + 7) >> 3);
  std::memcpy(&word, from, std::min<std::size_t>(bytes, 8));
  word >>= shift;
  if (bytes == 9) word |= std::uint64_t{from[8]} << (64 - shift);
  return word & lowest_bits(rows);
}

std::uint64_t valid_rows(const Column& column, std::int64_t first, std::int64_t rows) {
  if (!column.has_nulls()) return kAll;
  if (column.validity_bits() == nullptr) return 0;
  return word_of(column.validity_bits(), column.first_bit() + first, rows);
}

Condition::Condition(const Column& column) : first_bit_(column.first_bit()) {
  if (column.layout() == Layout::null) return;
  if (column.layout() != Layout::boolean) {
    throw Error(ErrorKind::selection, "condition_type",
                "expected a boolean condition, found " + type_name(column.type()));
  }
  if (column.has_nulls() && column.validity_bits() == nullptr) return;
  values_ = column.value_bits();
  validity_ = column.has_nulls() ? column.validity_bits() : nullptr;
}

}  // namespace labfactory::select
