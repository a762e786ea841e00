// Columns of numbers of any width, read as doubles.
// Owner: nothing; columns are borrowed for the call.
// Threads: any.
#pragma once

#include <cstdint>
#include <span>

#include "labfactory/arrow/column.hpp"

namespace labfactory {

// Booleans, integers, floats, decimals, dictionaries of these, and columns of nothing but nulls.
[[nodiscard]] bool is_number(const Column& column);

// Writes rows [first, first + out.size()) as doubles, and 1 into `valid` for each that is not null; false
// promises that none is null. What does not fit a double (integers beyond 2^53, most decimals) is rounded to
// the nearest, decimals within two units in the last place.
[[nodiscard]] bool widen(const Column& column, std::int64_t first, std::span<double> out,
                         std::span<std::uint8_t> valid);

}  // namespace labfactory
