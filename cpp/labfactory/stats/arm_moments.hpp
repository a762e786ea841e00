// Moments of several outcomes by arm, from a stream of rows.
// Owner: its own sums, and a copy of the rows of the block that is not full yet; nothing borrowed is kept.
// Threads: one caller; add() spreads its blocks over threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "labfactory/arrow/column.hpp"
#include "labfactory/stats/moments.hpp"

namespace labfactory {

// What an outcome may be: any finite number, or only 0 and 1.
enum class OutcomeKind : std::uint8_t { number, zero_or_one };

struct ArmOutcome {
  Moments moments;           // of the values that are neither missing nor invalid
  std::int64_t missing = 0;  // nulls
  std::int64_t invalid = 0;  // NaN, infinite, or neither 0 nor 1 where only these are allowed

  friend bool operator==(const ArmOutcome&, const ArmOutcome&) = default;
};

// By arm; outcomes by arm, then by outcome.
struct ArmTotals {
  std::vector<std::int64_t> rows;
  std::vector<ArmOutcome> outcomes;

  friend bool operator==(const ArmTotals&, const ArmTotals&) = default;
};

// Rows are cut into blocks by their position in the stream alone, and blocks are merged by a fixed binary
// tree. So for the same rows in the same order every bit of the result is the same, however the stream is
// split into batches and however many threads work. Another order of the rows, or a merge of separately
// summed parts, changes rounding only.
class ArmMoments {
 public:
  // 2048 rows: a block of three outcomes and its sorted copy stay inside L2, an outcome of one arm inside L1.
  static constexpr std::int64_t kBlockRows = 2048;

  ArmMoments(std::int32_t arms, std::vector<OutcomeKind> outcomes);

  // arms[i] is the arm of row i, negative where the row belongs to none. One column per outcome, as long as
  // `arms`.
  void add(std::span<const std::int32_t> arms, std::span<const Column* const> outcomes, int threads);

  // The sums of all rows so far.
  [[nodiscard]] ArmTotals totals() const;

 private:
  // Up to a block of rows, copied out of their batch.
  struct Rows {
    explicit Rows(std::size_t outcomes);

    // Rows from `from` on of a batch become rows [first, last) of this block.
    void copy(std::span<const std::int32_t> from_arms, std::span<const Column* const> outcomes,
              std::int64_t from, std::int64_t first, std::int64_t last);

    std::vector<std::int32_t> arms;
    std::vector<double> values;           // by outcome, kBlockRows each
    std::vector<std::uint8_t> valid;      // likewise
    std::vector<std::uint8_t> has_nulls;  // by outcome
  };

  [[nodiscard]] ArmTotals reduce(const Rows& block, std::int64_t rows) const;
  void push(ArmTotals block);

  std::size_t arms_;
  std::vector<OutcomeKind> kinds_;
  std::int64_t pushed_ = 0;
  std::vector<ArmTotals> tree_;  // tree_[i] is the sum of 2^i blocks where bit i of pushed_ is set
  Rows pending_;
  std::int64_t pending_rows_ = 0;
};

}  // namespace labfactory
