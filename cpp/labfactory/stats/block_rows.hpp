// Up to a block of rows as doubles, cut from batches of a stream.
// Owner: copies of what is not plain doubles; a whole block's plain doubles are borrowed from its batch.
// Threads: one worker each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "labfactory/arrow/column.hpp"
#include "labfactory/stats/moment_layout.hpp"

namespace labfactory {

// Rows of a block: their cells and, by column, their values (0 where null) and which are not null.
struct BlockView {
  std::span<const std::int32_t> cells;
  std::vector<const double*> values;
  std::vector<const std::uint8_t*> valid;  // null pointer: none of the column is null
};

class BlockRows {
 public:
  BlockRows(std::size_t columns, std::int64_t block_rows);

  // Rows from `from` on of a batch become rows [first, last) of this block.
  void copy(const MomentLayout& layout, std::span<const std::int32_t> from_cells,
            std::span<const Column* const> columns, std::int64_t from, std::int64_t first, std::int64_t last);
  // A whole block of a batch, of which only what needs it is copied.
  void borrow(const MomentLayout& layout, std::span<const std::int32_t> from_cells,
              std::span<const Column* const> columns, std::int64_t from);
  [[nodiscard]] BlockView view(std::int64_t rows) const;

 private:
  void widen_column(const MomentLayout& layout, const Column& column, std::size_t index, std::int64_t from,
                    std::int64_t first, std::int64_t last);

  std::int64_t block_rows_;
  std::vector<std::int32_t> cells_;
  std::vector<double> values_;           // by column, block_rows_ each
  std::vector<std::uint8_t> valid_;      // likewise
  std::vector<std::uint8_t> has_nulls_;  // by column
  std::vector<const double*> borrowed_;  // by column; null pointer where values_ holds it
  std::span<const std::int32_t> borrowed_cells_;
};

}  // namespace labfactory
