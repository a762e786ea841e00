// Python's values set into a row as pyarrow would set them into arrays of one.
// Owner: long texts stay Python's: their str must outlive the row. Threads: with the GIL.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>

#include "labfactory/arrow/row_values.hpp"

namespace labfactory::bindings {

// Sets a column; false where the value is of another type than the column's own, does not fit as it is, or
// would need arrays: pyarrow then decides whether it can be the column's value.
[[nodiscard]] bool set_value(RowValues& row, std::size_t column, pybind11::handle value);

}  // namespace labfactory::bindings
