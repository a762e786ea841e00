#include "labfactory/stats/block_rows.hpp"

#include <algorithm>

#include "labfactory/stats/numbers.hpp"

namespace labfactory {

namespace {

// Whether the column's own memory is what is to be summed: doubles without nulls, aligned, with no bounds.
bool is_plain(const Column& column, const NumberColumn& as) {
  return column.layout() == Layout::float64 && !column.has_nulls() && !as.is_bounded() &&
         reinterpret_cast<std::uintptr_t>(column.values()) % alignof(double) == 0;
}

}  // namespace

BlockRows::BlockRows(std::size_t columns, std::int64_t rows)
    : block_rows_(rows),
      cells_(static_cast<std::size_t>(rows)),
      values_(columns * static_cast<std::size_t>(rows)),
      valid_(columns * static_cast<std::size_t>(rows)),
      has_nulls_(columns),
      borrowed_(columns) {}

void BlockRows::copy(const MomentLayout& layout, std::span<const std::int32_t> from_cells,
                     std::span<const Column* const> columns, std::int64_t from, std::int64_t first,
                     std::int64_t last) {
  std::copy_n(from_cells.begin() + from, last - first, cells_.begin() + first);
  borrowed_cells_ = {};
  for (std::size_t k = 0; k < columns.size(); ++k) {
    widen_column(layout, *columns[k], k, from, first, last);
    borrowed_[k] = nullptr;
  }
}

void BlockRows::borrow(const MomentLayout& layout, std::span<const std::int32_t> from_cells,
                       std::span<const Column* const> columns, std::int64_t from) {
  borrowed_cells_ = from_cells.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(block_rows_));
  for (std::size_t k = 0; k < columns.size(); ++k) {
    if (is_plain(*columns[k], layout.columns()[k])) {
      has_nulls_[k] = 0;
      borrowed_[k] = reinterpret_cast<const double*>(columns[k]->values()) + from;
    } else {
      widen_column(layout, *columns[k], k, from, 0, block_rows_);
      borrowed_[k] = nullptr;
    }
  }
}

void BlockRows::widen_column(const MomentLayout& layout, const Column& column, std::size_t index,
                             std::int64_t from, std::int64_t first, std::int64_t last) {
  const auto at = static_cast<std::size_t>(static_cast<std::int64_t>(index) * block_rows_ + first);
  const auto count = static_cast<std::size_t>(last - first);
  const std::span<double> out = std::span(values_).subspan(at, count);
  const std::span<std::uint8_t> known = std::span(valid_).subspan(at, count);
  const bool nulls = widen(column, from, out, known);
  has_nulls_[index] = static_cast<std::uint8_t>(nulls || (first > 0 && has_nulls_[index] != 0));
  if (const NumberColumn& as = layout.columns()[index]; as.is_bounded()) {
    // Written so that NaN stays.
    for (double& value : out) value = value < as.lower ? as.lower : value > as.upper ? as.upper : value;
  }
  if (nulls) {
    for (std::size_t i = 0; i < count; ++i) out[i] = known[i] != 0 ? out[i] : 0.0;
  }
}

BlockView BlockRows::view(std::int64_t rows) const {
  BlockView block;
  block.cells =
      borrowed_cells_.empty() ? std::span(cells_).first(static_cast<std::size_t>(rows)) : borrowed_cells_;
  for (std::size_t k = 0; k < borrowed_.size(); ++k) {
    const std::size_t at = k * static_cast<std::size_t>(block_rows_);
    block.values.push_back(borrowed_[k] != nullptr ? borrowed_[k] : values_.data() + at);
    block.valid.push_back(has_nulls_[k] != 0 ? valid_.data() + at : nullptr);
  }
  return block;
}

}  // namespace labfactory
