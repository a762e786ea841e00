#include "labfactory/stats/arm_names.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "labfactory/base/error.hpp"
#include "labfactory/base/parallel.hpp"

namespace labfactory {

namespace {

// Enough rows that handing out a task costs nothing beside them.
constexpr std::int64_t kTaskRows = 16'384;

// Indices without nulls, of one width: nothing but loads.
template <class Index>
void encode_indices(const Column& variant, std::span<const std::int32_t> arm_of_entry, std::int64_t first,
                    std::span<std::int32_t> arms) {
  const char* const indices = variant.values() + first * static_cast<std::int64_t>(sizeof(Index));
  for (std::size_t i = 0; i < arms.size(); ++i) {
    Index entry;
    std::memcpy(&entry, indices + i * sizeof(Index), sizeof(Index));
    arms[i] = arm_of_entry[static_cast<std::size_t>(entry)];
  }
}

void encode_entries(const Column& variant, std::span<const std::int32_t> arm_of_entry, std::int64_t first,
                    std::span<std::int32_t> arms) {
  if (!variant.has_nulls()) {
    switch (variant.type().index) {
      case Layout::int8:
      case Layout::uint8:
        return encode_indices<std::uint8_t>(variant, arm_of_entry, first, arms);
      case Layout::int32:
      case Layout::uint32:
        return encode_indices<std::uint32_t>(variant, arm_of_entry, first, arms);
      default:
        break;
    }
  }
  for (std::size_t i = 0; i < arms.size(); ++i) {
    const std::int64_t row = first + static_cast<std::int64_t>(i);
    arms[i] =
        variant.is_valid(row) ? arm_of_entry[static_cast<std::size_t>(variant.entry(row))] : ArmNames::kNone;
  }
}

}  // namespace

ArmNames::ArmNames(std::vector<std::string> names) : names_(std::move(names)) {}

void ArmNames::encode(const Column& variant, std::int64_t first_row, std::span<std::int32_t> arms,
                      int threads) const {
  if (variant.layout() == Layout::null) {
    std::ranges::fill(arms, kNone);
    return;
  }
  // Names of a dictionary are looked up once each, unless it has more of them than there are rows.
  const bool by_entry =
      variant.layout() == Layout::dictionary && variant.dictionary().length() <= variant.length();
  std::vector<std::int32_t> arm_of_entry;
  if (by_entry) {
    arm_of_entry.resize(static_cast<std::size_t>(variant.dictionary().length()));
    encode_rows(variant.dictionary(), 0, arm_of_entry);
  }
  const std::int64_t tasks = (variant.length() + kTaskRows - 1) / kTaskRows;
  parallel_for(threads, tasks, [&](std::int64_t task, int) {
    const std::int64_t first = task * kTaskRows;
    const auto mine = arms.subspan(static_cast<std::size_t>(first),
                                   static_cast<std::size_t>(std::min(kTaskRows, variant.length() - first)));
    if (by_entry) {
      encode_entries(variant, arm_of_entry, first, mine);
    } else {
      encode_rows(variant, first, mine);
    }
  });
  const auto unknown = std::ranges::find(arms, kUnknown);
  if (unknown == arms.end()) return;
  const std::int64_t row = unknown - arms.begin();
  refuse(variant.text(row), first_row + row);
}

std::int32_t ArmNames::find(std::string_view name) const {
  const auto found = std::ranges::find(names_, name);
  return found == names_.end() ? kUnknown : static_cast<std::int32_t>(found - names_.begin());
}

void ArmNames::encode_rows(const Column& variant, std::int64_t first, std::span<std::int32_t> arms) const {
  for (std::size_t i = 0; i < arms.size(); ++i) {
    const std::int64_t row = first + static_cast<std::int64_t>(i);
    arms[i] = variant.is_valid(row) ? find(variant.text(row)) : kNone;
  }
}

void ArmNames::refuse(std::string_view name, std::int64_t row) const {
  std::string known;
  for (const std::string& each : names_) known += (known.empty() ? "'" : ", '") + each + "'";
  throw Error(
      ErrorKind::statistics, "unknown_variant",
      "expected a variant of the experiment, found '" + std::string(name) + "' in row " + std::to_string(row),
      "its variants are " + known + "; drop other rows, or name the variant in the experiment");
}

}  // namespace labfactory
