#include "labfactory/stats/cell_rows.hpp"

namespace labfactory {

namespace {

// Up to here a pass for each cell without a branch beats counting, where rows of one cell in a row wait for
// each other's store.
constexpr std::int32_t kFewCells = 6;

}  // namespace

void CellRows::sort(std::span<const std::int32_t> cell_of_row, std::int32_t cells) {
  cells_.clear();
  starts_.assign(1, 0);
  // One place more: a pass writes each row, and keeps it only if it is of the cell.
  order_.resize(cell_of_row.size() + 1);
  if (cells <= kFewCells) {
    pick(cell_of_row, cells);
  } else {
    count(cell_of_row, cells);
  }
}

void CellRows::pick(std::span<const std::int32_t> cell_of_row, std::int32_t cells) {
  std::uint16_t* const order = order_.data();
  const std::size_t rows = cell_of_row.size();
  std::size_t kept = 0;
  for (std::int32_t cell = 0; cell < cells; ++cell) {
    for (std::size_t row = 0; row < rows; ++row) {
      order[kept] = static_cast<std::uint16_t>(row);
      kept += static_cast<std::size_t>(cell_of_row[row] == cell);
    }
    if (kept == starts_.back()) continue;
    cells_.push_back(cell);
    starts_.push_back(kept);
  }
}

void CellRows::count(std::span<const std::int32_t> cell_of_row, std::int32_t cells) {
  next_.assign(static_cast<std::size_t>(cells), 0);
  for (const std::int32_t cell : cell_of_row) {
    if (cell >= 0) ++next_[static_cast<std::size_t>(cell)];
  }
  std::uint32_t start = 0;
  for (std::size_t cell = 0; cell < next_.size(); ++cell) {
    const std::uint32_t rows = next_[cell];
    next_[cell] = start;
    if (rows == 0) continue;
    start += rows;
    cells_.push_back(static_cast<std::int32_t>(cell));
    starts_.push_back(start);
  }
  for (std::size_t row = 0; row < cell_of_row.size(); ++row) {
    if (cell_of_row[row] >= 0)
      order_[next_[static_cast<std::size_t>(cell_of_row[row])]++] = static_cast<std::uint16_t>(row);
  }
}

}  // namespace labfactory
