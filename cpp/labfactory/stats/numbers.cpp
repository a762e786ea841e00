#include "labfactory/stats/numbers.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace labfactory {

namespace {

double number(const Column& column, std::int64_t i) {
  switch (column.value_layout()) {
    case Layout::float32:
    case Layout::float64:
      return column.floating(i);
    case Layout::uint64:
      return static_cast<double>(static_cast<std::uint64_t>(column.integer(i)));
    case Layout::decimal128: {
      const Decimal128 decimal = column.decimal(i);
      const DataType& type =
          column.layout() == Layout::dictionary ? column.type().values.front() : column.type();
      const double digits =
          std::ldexp(static_cast<double>(decimal.high), 64) + static_cast<double>(decimal.low);
      return digits / std::pow(10.0, type.scale);
    }
    default:
      return static_cast<double>(column.integer(i));
  }
}

// Compiled once per width: the test above the loop lets the compiler drop the column's own switch and use
// vectors.
template <Layout kLayout>
void widen_plain(const Column& column, std::int64_t first, std::span<double> out) {
  if (column.layout() != kLayout) return;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t row = first + static_cast<std::int64_t>(i);
    if constexpr (is_floating(kLayout)) {
      out[i] = column.floating(row);
    } else if constexpr (kLayout == Layout::boolean) {
      out[i] = column.boolean(row) ? 1.0 : 0.0;
    } else {
      out[i] = static_cast<double>(column.integer(row));
    }
  }
}

// Rows that are null are left at 0: their values are unspecified, and an index of a null row need not be in
// bounds.
void widen_checked(const Column& column, std::int64_t first, std::span<double> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t row = first + static_cast<std::int64_t>(i);
    out[i] = column.is_valid(row) ? number(column, row) : 0.0;
  }
}

}  // namespace

bool is_number(const Column& column) {
  const Layout layout = column.value_layout();
  return layout == Layout::null || layout == Layout::boolean || layout == Layout::decimal128 ||
         is_integer(layout) || is_floating(layout);
}

bool widen(const Column& column, std::int64_t first, std::span<double> out, std::span<std::uint8_t> valid) {
  switch (column.layout()) {
    case Layout::float64:
      widen_plain<Layout::float64>(column, first, out);
      break;
    case Layout::float32:
      widen_plain<Layout::float32>(column, first, out);
      break;
    case Layout::int64:
      widen_plain<Layout::int64>(column, first, out);
      break;
    case Layout::int32:
      widen_plain<Layout::int32>(column, first, out);
      break;
    case Layout::boolean:
      widen_plain<Layout::boolean>(column, first, out);
      break;
    default:
      widen_checked(column, first, out);
      break;
  }
  if (!column.has_nulls()) {
    std::ranges::fill(valid, std::uint8_t{1});
    return false;
  }
  for (std::size_t i = 0; i < valid.size(); ++i) {
    valid[i] = static_cast<std::uint8_t>(column.is_valid(first + static_cast<std::int64_t>(i)));
  }
  return true;
}

}  // namespace labfactory
