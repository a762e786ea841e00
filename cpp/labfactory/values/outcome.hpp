// What came of one operation on one row: ok, or the code of the row's error as docs/errors.md lists it.
// Owner: constants only.
// Threads: any.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace labfactory {

enum class Outcome : std::uint8_t {
  ok,
  undefined,          // Jinja2's UndefinedError
  type_error,         // Python's TypeError
  value_error,        // Python's ValueError
  zero_division,      // Python's ZeroDivisionError
  invalid_operation,  // Python's decimal.InvalidOperation
  index_error,        // Python's IndexError
  key_error,          // Python's KeyError
  attribute_error,    // Python's AttributeError
  filter_argument,    // Jinja2's FilterArgumentError
  int_overflow,       // an integer past 64 bits: the documented difference
  float_overflow,     // Python's OverflowError
  out_of_range,       // a date or timestamp outside Python's years 1 to 9999, or finer than a microsecond
  encoding,           // bytes that are not UTF-8
  unsupported,        // Jinja2 would print it, this version does not
  no_component,       // no component was decided for a slot
  work_limit,         // the row's loops take more steps than the plan allows
  asset_too_large,    // the row's asset has more bytes than the plan allows
  function_failed,    // a function that the template calls raised for these arguments
  suspended,          // no error: the row waits for what a function gives, and runs again
};

// Their names, suspended left out: no row ends with it.
inline constexpr std::array<std::string_view, 19> kOutcomes = {"ok",
                                                               "undefined",
                                                               "type_error",
                                                               "value_error",
                                                               "zero_division",
                                                               "invalid_operation",
                                                               "index_error",
                                                               "key_error",
                                                               "attribute_error",
                                                               "filter_argument",
                                                               "int_overflow",
                                                               "float_overflow",
                                                               "out_of_range",
                                                               "encoding",
                                                               "unsupported",
                                                               "no_component",
                                                               "work_limit",
                                                               "asset_too_large",
                                                               "function_failed"};

}  // namespace labfactory
