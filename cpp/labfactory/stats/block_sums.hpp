// The sums of one block of rows by cell.
// Owner: the workspace of one worker, reused from block to block; the block is borrowed for the call.
// Threads: one worker each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "labfactory/stats/block_rows.hpp"
#include "labfactory/stats/cell_rows.hpp"
#include "labfactory/stats/cell_totals.hpp"
#include "labfactory/stats/moment_layout.hpp"
#include "labfactory/stats/sum_kernels.hpp"

namespace labfactory {

class BlockSums {
 public:
  BlockSums(const MomentLayout& layout, std::size_t block_rows);

  // `cells` is above every cell of the block.
  [[nodiscard]] CellTotals reduce(const BlockView& block, std::int32_t cells);

 private:
  void add_cell(const BlockView& block, std::span<const std::uint16_t> rows, CellTotals& totals);
  void gather_columns(const BlockView& block, std::span<const std::uint16_t> rows);
  void write_set(const BlockView& block, std::span<const std::uint16_t> rows, std::size_t set,
                 std::int64_t* counts, double* figures);
  void write_figures(std::size_t set, std::size_t count, const double* sums, const double* products,
                     double* figures) const;
  std::size_t keep_complete(const BlockView& block, std::span<const std::uint16_t> rows,
                            const MomentSet& set);
  [[nodiscard]] bool is_complete(const BlockView& block, const MomentSet& set) const;
  void write_range(const BlockView& block, std::span<const std::uint16_t> rows, double* figures);
  [[nodiscard]] std::int64_t invalid(const BlockView& block, std::span<const std::uint16_t> rows,
                                     std::size_t column) const;
  [[nodiscard]] double* centred(std::size_t column) { return centred_.data() + column * block_rows_; }
  [[nodiscard]] double* kept(std::size_t column) { return kept_.data() + column * block_rows_; }

  const MomentLayout& layout_;
  std::size_t block_rows_;
  const SumKernels& kernels_;
  CellRows by_cell_;
  std::vector<double> centred_;  // by column: values of the cell's rows, less the shift
  std::vector<double> shifts_;
  std::vector<double> sums_;      // by column
  std::vector<double> products_;  // by pair of the layout
  std::vector<double> kept_;      // as centred_, without the rows that a set leaves out
  std::vector<std::uint16_t> places_;
};

}  // namespace labfactory
