// The rows of a block by cell: which cells occur, and which rows each has, in the order of the block.
// Owner: its own lists; reused from block to block.
// Threads: one each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace labfactory {

class CellRows {
 public:
  // A row of a negative cell belongs to none; all others are below `cells`. At most 65,536 rows.
  void sort(std::span<const std::int32_t> cell_of_row, std::int32_t cells);

  // Cells that have a row, ascending.
  [[nodiscard]] std::span<const std::int32_t> cells() const { return cells_; }
  // The rows of cells()[place].
  [[nodiscard]] std::span<const std::uint16_t> rows(std::size_t place) const {
    return std::span(order_).subspan(starts_[place], starts_[place + 1] - starts_[place]);
  }

 private:
  void pick(std::span<const std::int32_t> cell_of_row, std::int32_t cells);
  void count(std::span<const std::int32_t> cell_of_row, std::int32_t cells);

  std::vector<std::int32_t> cells_;
  std::vector<std::size_t> starts_;
  std::vector<std::uint16_t> order_;
  std::vector<std::uint32_t> next_;
};

}  // namespace labfactory
