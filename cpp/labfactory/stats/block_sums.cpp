#include "labfactory/stats/block_sums.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "labfactory/stats/co_moments.hpp"

namespace labfactory {

namespace {

bool is_allowed(double value, NumberKind kind) {
  switch (kind) {
    case NumberKind::zero_or_one:
      return value == 0.0 || value == 1.0;
    case NumberKind::count:
      return value >= 0.0 && value == std::floor(value) && std::isfinite(value);
    case NumberKind::finite:
      break;
  }
  return std::isfinite(value);
}

}  // namespace

BlockSums::BlockSums(const MomentLayout& layout, std::size_t block_rows)
    : layout_(layout),
      block_rows_(block_rows),
      kernels_(sum_kernels()),
      centred_(layout.columns().size() * block_rows),
      shifts_(layout.columns().size()),
      sums_(layout.columns().size()),
      products_(layout.pairs().size()),
      kept_(layout.columns().size() * block_rows),
      places_(block_rows + 1) {}

CellTotals BlockSums::reduce(const BlockView& block, std::int32_t cells) {
  by_cell_.sort(block.cells, cells);
  CellTotals totals;
  totals.cells.assign(by_cell_.cells().begin(), by_cell_.cells().end());
  totals.counts.reserve(totals.cells.size() * layout_.counts());
  totals.figures.reserve(totals.cells.size() * layout_.figures());
  for (std::size_t place = 0; place < totals.cells.size(); ++place)
    add_cell(block, by_cell_.rows(place), totals);
  return totals;
}

void BlockSums::add_cell(const BlockView& block, std::span<const std::uint16_t> rows, CellTotals& totals) {
  totals.counts.resize(totals.counts.size() + layout_.counts());
  totals.figures.resize(totals.figures.size() + layout_.figures());
  std::int64_t* const counts = totals.counts.data() + totals.counts.size() - layout_.counts();
  double* const figures = totals.figures.data() + totals.figures.size() - layout_.figures();
  gather_columns(block, rows);
  counts[0] = std::ssize(rows);
  for (std::size_t set = 0; set < layout_.sets().size(); ++set) write_set(block, rows, set, counts, figures);
  write_range(block, rows, figures + layout_.starts().back());
  std::int64_t* const nulls = counts + 1 + layout_.sets().size();
  std::int64_t* const invalids = nulls + layout_.columns().size();
  for (std::size_t column = 0; column < layout_.columns().size(); ++column) {
    if (const std::uint8_t* const valid = block.valid[column]; valid != nullptr) {
      nulls[column] = std::ranges::count_if(rows, [valid](std::uint16_t row) { return valid[row] == 0; });
    }
    // A value that is not finite makes the sum of squares so, which spares a look at most columns.
    if (layout_.columns()[column].kind != NumberKind::finite ||
        !std::isfinite(products_[layout_.square(column)]))
      invalids[column] = invalid(block, rows, column);
  }
}

void BlockSums::gather_columns(const BlockView& block, std::span<const std::uint16_t> rows) {
  for (std::size_t column = 0; column < shifts_.size(); ++column) {
    // Distances from one of the values: the squared distance of that value from the mean is itself a part of
    // the variance, so taking the mean's part out again cancels at most a factor of the block's rows.
    shifts_[column] = block.values[column][rows.front()];
    kernels_.gather(block.values[column], rows.data(), rows.size(), shifts_[column], centred(column));
    sums_[column] = kernels_.sum(centred(column), rows.size());
  }
  for (std::size_t place = 0; place < products_.size(); ++place) {
    const auto [a, b] = layout_.pairs()[place];
    products_[place] =
        kernels_.dot(centred(static_cast<std::size_t>(a)), centred(static_cast<std::size_t>(b)), rows.size());
  }
}

void BlockSums::write_set(const BlockView& block, std::span<const std::uint16_t> rows, std::size_t set,
                          std::int64_t* counts, double* figures) {
  const MomentSet& mine = layout_.sets()[set];
  const std::vector<std::int32_t>& pairs = layout_.set_pairs(set);
  std::vector<double> sums(mine.columns.size());
  std::vector<double> products(pairs.size());
  std::size_t count = rows.size();
  if (is_complete(block, mine)) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = sums_[static_cast<std::size_t>(mine.columns[i])];
    for (std::size_t i = 0; i < pairs.size(); ++i)
      products[i] = products_[static_cast<std::size_t>(pairs[i])];
  } else {
    count = keep_complete(block, rows, mine);
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = kernels_.sum(kept(i), count);
    std::size_t place = 0;
    for (std::size_t a = 0; a < sums.size(); ++a) {
      for (std::size_t b = a; b < sums.size(); ++b, ++place)
        products[place] = kernels_.dot(kept(a), kept(b), count);
    }
  }
  counts[1 + set] = static_cast<std::int64_t>(count);
  if (count > 0) write_figures(set, count, sums.data(), products.data(), figures + layout_.starts()[set]);
}

void BlockSums::write_figures(std::size_t set, std::size_t count, const double* sums, const double* products,
                              double* figures) const {
  const std::vector<std::int32_t>& columns = layout_.sets()[set].columns;
  const std::size_t numbers = columns.size();
  const auto rows = static_cast<double>(count);
  for (std::size_t i = 0; i < numbers; ++i) {
    const TwoSum mean = two_sum(shifts_[static_cast<std::size_t>(columns[i])], sums[i] / rows);
    figures[i] = mean.value;
    figures[numbers + i] = mean.rest;
  }
  double* const out = figures + 2 * numbers;
  std::size_t place = 0;
  for (std::size_t a = 0; a < numbers; ++a) {
    for (std::size_t b = a; b < numbers; ++b, ++place) {
      out[place] = products[place] - sums[a] * (sums[b] / rows);
      // Rounding alone can make a square negative; NaN stays.
      if (a == b && out[place] < 0.0) out[place] = 0.0;
    }
  }
}

std::size_t BlockSums::keep_complete(const BlockView& block, std::span<const std::uint16_t> rows,
                                     const MomentSet& set) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    bool is_kept = true;
    for (std::int32_t k = 0; k < set.required; ++k) {
      const std::uint8_t* const valid =
          block.valid[static_cast<std::size_t>(set.columns[static_cast<std::size_t>(k)])];
      is_kept = is_kept && (valid == nullptr || valid[rows[i]] != 0);
    }
    places_[count] = static_cast<std::uint16_t>(i);
    count += static_cast<std::size_t>(is_kept);
  }
  for (std::size_t k = 0; k < set.columns.size(); ++k) {
    // Gathered from the centred values, which have their shift already.
    kernels_.gather(centred(static_cast<std::size_t>(set.columns[k])), places_.data(), count, 0.0, kept(k));
  }
  return count;
}

bool BlockSums::is_complete(const BlockView& block, const MomentSet& set) const {
  return std::ranges::all_of(
      set.columns.begin(), set.columns.begin() + set.required,
      [&block](std::int32_t column) { return block.valid[static_cast<std::size_t>(column)] == nullptr; });
}

void BlockSums::write_range(const BlockView& block, std::span<const std::uint16_t> rows, double* figures) {
  const std::size_t columns = layout_.columns().size();
  for (std::size_t column = 0; column < columns; ++column) {
    // Infinite where every row is null.
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    if (const std::uint8_t* const valid = block.valid[column]; valid == nullptr) {
      kernels_.widen_range(centred(column), rows.size(), &low, &high);
    } else {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (valid[rows[i]] == 0) continue;
        low = std::min(low, centred(column)[i]);
        high = std::max(high, centred(column)[i]);
      }
    }
    figures[column] = shifts_[column] + low;
    figures[columns + column] = shifts_[column] + high;
  }
}

std::int64_t BlockSums::invalid(const BlockView& block, std::span<const std::uint16_t> rows,
                                std::size_t column) const {
  const NumberKind kind = layout_.columns()[column].kind;
  const double* const values = block.values[column];
  const std::uint8_t* const valid = block.valid[column];
  std::int64_t count = 0;
  for (const std::uint16_t row : rows) {
    const bool counts = valid == nullptr || valid[row] != 0;
    count += static_cast<std::int64_t>(counts && !is_allowed(values[row], kind));
  }
  return count;
}

}  // namespace labfactory
