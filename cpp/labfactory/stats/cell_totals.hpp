// Sums by cell: counts and figures of those cells that have rows.
// Owner: values.
// Threads: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "labfactory/stats/moment_layout.hpp"

namespace labfactory {

// Cells ascending; by cell, MomentLayout::counts() counts and MomentLayout::figures() figures.
struct CellTotals {
  std::vector<std::int32_t> cells;
  std::vector<std::int64_t> counts;
  std::vector<double> figures;

  friend bool operator==(const CellTotals&, const CellTotals&) = default;
};

// The sums of both, cell by cell.
[[nodiscard]] CellTotals merged(const MomentLayout& layout, CellTotals earlier, const CellTotals& later);

// Merges rows of sums into their targets, 0 up to `targets`: rows of one target pairwise, neighbours first,
// in the order given, so that rounding grows with the logarithm of their number.
[[nodiscard]] CellTotals collapsed(const MomentLayout& layout, std::span<const std::int32_t> target_of_row,
                                   std::int32_t targets, std::span<const std::int64_t> counts,
                                   std::span<const double> figures);

}  // namespace labfactory
