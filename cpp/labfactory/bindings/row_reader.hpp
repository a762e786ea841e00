// Python's values set into a row as pyarrow would set them into arrays of one.
// Owner: long texts stay Python's: what holds them must outlive the row. Threads: with the GIL.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <vector>

#include "labfactory/arrow/row_values.hpp"

namespace labfactory::bindings {

// Sets a value and adds to `held` what it borrows from; false where the value is of another type than the
// places, does not fit as it is or has too many items: pyarrow then decides whether it can be the column's
// value.
[[nodiscard]] bool set_value(RowPlaces& places, std::int64_t at, pybind11::handle value,
                             std::vector<pybind11::object>& held);

}  // namespace labfactory::bindings
