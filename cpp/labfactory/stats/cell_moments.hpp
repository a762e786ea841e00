// Co-moments of several numbers by cell (arm, or arm and group), from a stream of rows.
// Owner: its own sums, and a copy of the rows of the block that is not full yet; nothing borrowed is kept.
// Threads: one caller; add() spreads its blocks over threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "labfactory/arrow/column.hpp"
#include "labfactory/stats/block_rows.hpp"
#include "labfactory/stats/block_sums.hpp"
#include "labfactory/stats/cell_totals.hpp"
#include "labfactory/stats/moment_layout.hpp"

namespace labfactory {

// Rows are cut into blocks by their position in the stream alone, and blocks are merged by a fixed binary
// tree. So for the same rows in the same order every bit of the result is the same, however the stream is
// split into batches and however many threads work. Another order of the rows, or a merge of separately
// summed parts, changes rounding only.
class CellMoments {
 public:
  // 2048 rows: the columns of a block stay inside L2, a column of one cell inside L1. Among many cells a
  // longer block has enough rows of each to be worth its sums.
  static constexpr std::int64_t kBlockRows = 2'048;
  static constexpr std::int64_t kGroupedBlockRows = 16'384;

  CellMoments(MomentLayout layout, std::int64_t block_rows);

  // cells[i] is the cell of row i, below `count`, negative where the row belongs to none. One column for each
  // of the layout, as long as `cells`.
  void add(std::span<const std::int32_t> cells, std::int32_t count, std::span<const Column* const> columns,
           int threads);

  // The sums of all rows so far.
  [[nodiscard]] CellTotals totals() const;
  [[nodiscard]] const MomentLayout& layout() const { return layout_; }

 private:
  void push(CellTotals block);

  MomentLayout layout_;
  std::int64_t block_rows_;
  std::int32_t cells_ = 0;
  std::int64_t pushed_ = 0;
  std::vector<CellTotals> tree_;  // tree_[i] is the sum of 2^i blocks where bit i of pushed_ is set
  BlockRows pending_;
  std::int64_t pending_rows_ = 0;
};

}  // namespace labfactory
