// Who may get what: conditions, bit by bit, into the eligible candidates of a block of rows.
// Owner: lists inside; the columns that are read belong to their batch.
// Threads: immutable.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "labfactory/arrow/column.hpp"
#include "labfactory/base/prefetch.hpp"

namespace labfactory::select {

// A candidate is eligible for a row when each of its conditions is true there; a null is not true.
class Mask {
 public:
  // For each candidate the conditions it needs, as positions in what fill() is given.
  explicit Mask(std::vector<std::vector<std::int32_t>> needed);

  // Bit i of eligible[c]: candidate c is eligible in row `first` + i; bits from `rows` on are 0.
  void fill(std::span<const std::uint64_t> conditions, std::int64_t rows, std::uint64_t* eligible) const;

  [[nodiscard]] const std::vector<std::vector<std::int32_t>>& needed() const { return needed_; }

 private:
  std::vector<std::vector<std::int32_t>> needed_;
  std::vector<std::int32_t> flat_;  // of all candidates, one after the other
  std::vector<std::size_t> ends_;   // where each one's end in it
};

// Rules choose: the first whose condition holds and whose candidate is eligible.
struct Rule {
  std::int32_t condition = -1;  // -1: holds for every row
  std::int32_t candidate = 0;
};

// Leaves in picks[c] the rows for which a rule chose candidate c.
void apply_rules(std::span<const Rule> rules, std::span<const std::uint64_t> conditions,
                 const std::uint64_t* eligible, std::span<std::uint64_t> picks);

// Bits [first, first + rows) of a bitmap, rows <= 64; reads no byte that holds none of them.
[[nodiscard]] std::uint64_t part_of(const std::uint8_t* bits, std::int64_t first, std::int64_t rows);
[[nodiscard]] inline std::uint64_t word_of(const std::uint8_t* bits, std::int64_t first, std::int64_t rows) {
  static_assert(std::endian::native == std::endian::little);
  if ((first & 7) != 0 || rows != 64) return part_of(bits, first, rows);
  std::uint64_t word = 0;
  std::memcpy(&word, bits + (first >> 3), sizeof word);
  return word;
}

// The rows among [first, first + rows) that are not null; all ones also beyond them where the column has no
// nulls.
[[nodiscard]] std::uint64_t valid_rows(const Column& column, std::int64_t first, std::int64_t rows);

// A boolean column as words of the rows in which it is true; a null is not true. A column without a type is
// null throughout. Error(selection, "condition_type") when it is not boolean.
class Condition {
 public:
  explicit Condition(const Column& column);

  [[nodiscard]] std::uint64_t word(std::int64_t first, std::int64_t rows) const {
    if (values_ == nullptr) return 0;
    // Every eighth block begins another line of the cache: the next one, before it is asked for.
    if ((first & 511) == 0) prefetch<2>(values_ + ((first_bit_ + first) >> 3), 64);
    const std::uint64_t word = word_of(values_, first_bit_ + first, rows);
    return validity_ == nullptr ? word : word & word_of(validity_, first_bit_ + first, rows);
  }

 private:
  const std::uint8_t* values_ = nullptr;
  const std::uint8_t* validity_ = nullptr;
  std::int64_t first_bit_ = 0;
};

}  // namespace labfactory::select
