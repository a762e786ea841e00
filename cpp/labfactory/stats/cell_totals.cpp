#include "labfactory/stats/cell_totals.hpp"

#include <algorithm>
#include <utility>

#include "labfactory/stats/co_moments.hpp"

namespace labfactory {

namespace {

void add_row(const MomentLayout& layout, std::int64_t* counts, double* figures,
             const std::int64_t* other_counts, const double* other_figures) {
  for (std::size_t set = 0; set < layout.sets().size(); ++set) {
    const std::size_t start = layout.starts()[set];
    const std::size_t size = layout.starts()[set + 1] - start;
    merge_co_moments(layout.sets()[set].columns.size(), counts[1 + set], {figures + start, size},
                     other_counts[1 + set], {other_figures + start, size});
  }
  for (std::size_t i = 0; i < layout.counts(); ++i) counts[i] += other_counts[i];
  const std::size_t lowest = layout.starts().back();
  const std::size_t highest = lowest + layout.columns().size();
  for (std::size_t i = 0; i < layout.columns().size(); ++i) {
    figures[lowest + i] = std::min(figures[lowest + i], other_figures[lowest + i]);
    figures[highest + i] = std::max(figures[highest + i], other_figures[highest + i]);
  }
}

void append_row(const MomentLayout& layout, CellTotals& to, const CellTotals& from, std::size_t place) {
  const auto counts = from.counts.begin() + static_cast<std::ptrdiff_t>(place * layout.counts());
  const auto figures = from.figures.begin() + static_cast<std::ptrdiff_t>(place * layout.figures());
  to.cells.push_back(from.cells[place]);
  to.counts.insert(to.counts.end(), counts, counts + static_cast<std::ptrdiff_t>(layout.counts()));
  to.figures.insert(to.figures.end(), figures, figures + static_cast<std::ptrdiff_t>(layout.figures()));
}

}  // namespace

CellTotals merged(const MomentLayout& layout, CellTotals earlier, const CellTotals& later) {
  if (earlier.cells == later.cells) {
    for (std::size_t i = 0; i < later.cells.size(); ++i) {
      add_row(layout, &earlier.counts[i * layout.counts()], earlier.figures.data() + i * layout.figures(),
              &later.counts[i * layout.counts()], later.figures.data() + i * layout.figures());
    }
    return earlier;
  }
  CellTotals sum;
  std::size_t left = 0;
  std::size_t right = 0;
  while (left < earlier.cells.size() || right < later.cells.size()) {
    const bool has_left = left < earlier.cells.size() &&
                          (right == later.cells.size() || earlier.cells[left] <= later.cells[right]);
    const bool has_right =
        right < later.cells.size() && (!has_left || later.cells[right] == earlier.cells[left]);
    append_row(layout, sum, has_left ? earlier : later, has_left ? left : right);
    if (has_left && has_right) {
      add_row(layout, &*(sum.counts.end() - static_cast<std::ptrdiff_t>(layout.counts())),
              sum.figures.data() + sum.figures.size() - layout.figures(),
              &later.counts[right * layout.counts()], later.figures.data() + right * layout.figures());
    }
    left += static_cast<std::size_t>(has_left);
    right += static_cast<std::size_t>(has_right);
  }
  return sum;
}

CellTotals collapsed(const MomentLayout& layout, std::span<const std::int32_t> target_of_row,
                     std::int32_t targets, std::span<const std::int64_t> counts,
                     std::span<const double> figures) {
  std::vector<std::vector<std::size_t>> rows(static_cast<std::size_t>(targets));
  for (std::size_t row = 0; row < target_of_row.size(); ++row)
    rows[static_cast<std::size_t>(target_of_row[row])].push_back(row);
  std::vector<std::int64_t> sum_counts(counts.begin(), counts.end());
  std::vector<double> sums(figures.begin(), figures.end());
  CellTotals out;
  for (std::size_t target = 0; target < rows.size(); ++target) {
    std::vector<std::size_t>& mine = rows[target];
    if (mine.empty()) continue;
    for (std::size_t step = 1; step < mine.size(); step *= 2) {
      for (std::size_t i = 0; i + step < mine.size(); i += 2 * step) {
        add_row(layout, &sum_counts[mine[i] * layout.counts()], sums.data() + mine[i] * layout.figures(),
                &sum_counts[mine[i + step] * layout.counts()],
                sums.data() + mine[i + step] * layout.figures());
      }
    }
    const std::size_t row = mine.front();
    out.cells.push_back(static_cast<std::int32_t>(target));
    out.counts.insert(out.counts.end(), &sum_counts[row * layout.counts()],
                      &sum_counts[row * layout.counts()] + layout.counts());
    out.figures.insert(out.figures.end(), sums.data() + row * layout.figures(),
                       sums.data() + (row + 1) * layout.figures());
  }
  return out;
}

}  // namespace labfactory
