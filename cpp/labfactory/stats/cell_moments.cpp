#include "labfactory/stats/cell_moments.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "labfactory/base/parallel.hpp"

namespace labfactory {

CellMoments::CellMoments(MomentLayout layout, std::int64_t block_rows)
    : layout_(std::move(layout)), block_rows_(block_rows), pending_(layout_.columns().size(), block_rows) {}

void CellMoments::add(std::span<const std::int32_t> cells, std::int32_t count,
                      std::span<const Column* const> columns, int threads) {
  cells_ = std::max(cells_, count);
  const std::int64_t rows = pending_rows_ + static_cast<std::int64_t>(cells.size());
  const std::int64_t blocks = rows / block_rows_;
  // What one worker needs, made when it first gets a block.
  struct Desk {
    BlockRows rows;
    BlockSums sums;
  };
  std::vector<CellTotals> reduced(static_cast<std::size_t>(blocks));
  std::vector<std::unique_ptr<Desk>> desks(static_cast<std::size_t>(std::max(threads, 1)));
  // Block b starts at row b * block_rows_ - pending_rows_ of this batch; the first one begins with the
  // pending rows.
  parallel_for(threads, blocks, [&](std::int64_t block, int worker) {
    std::unique_ptr<Desk>& desk = desks[static_cast<std::size_t>(worker)];
    if (!desk) {
      desk = std::make_unique<Desk>(Desk{BlockRows(layout_.columns().size(), block_rows_),
                                         BlockSums(layout_, static_cast<std::size_t>(block_rows_))});
    }
    if (block == 0 && pending_rows_ > 0) {
      desk->rows = pending_;
      desk->rows.copy(layout_, cells, columns, 0, pending_rows_, block_rows_);
    } else {
      desk->rows.borrow(layout_, cells, columns, block * block_rows_ - pending_rows_);
    }
    reduced[static_cast<std::size_t>(block)] = desk->sums.reduce(desk->rows.view(block_rows_), cells_);
  });
  for (CellTotals& block : reduced) push(std::move(block));

  const std::int64_t first = blocks == 0 ? pending_rows_ : 0;
  pending_.copy(layout_, cells, columns, blocks * block_rows_ - pending_rows_ + first, first,
                rows - blocks * block_rows_);
  pending_rows_ = rows - blocks * block_rows_;
}

CellTotals CellMoments::totals() const {
  CellTotals sum =
      BlockSums(layout_, static_cast<std::size_t>(block_rows_)).reduce(pending_.view(pending_rows_), cells_);
  for (std::size_t level = 0; level < tree_.size(); ++level) {
    if (((pushed_ >> level) & 1) != 0) sum = merged(layout_, tree_[level], sum);
  }
  return sum;
}

void CellMoments::push(CellTotals block) {
  // A binary counter: two sums of 2^i blocks become one of 2^(i+1), so rounding grows with the logarithm of
  // the rows.
  std::size_t level = 0;
  for (; ((pushed_ >> level) & 1) != 0; ++level) block = merged(layout_, std::move(tree_[level]), block);
  if (level == tree_.size()) tree_.emplace_back();
  tree_[level] = std::move(block);
  ++pushed_;
}

}  // namespace labfactory
