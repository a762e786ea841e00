// Format specifications as `format(value, spec)` reads them: what stands behind the colon of "{:>8.2f}".
// Owner: a specification borrows from its text; what is written lies in the scope's arena.
// Threads: one scope belongs to one thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "labfactory/values/arena_text.hpp"
#include "labfactory/values/operators.hpp"

namespace labfactory {

struct FormatSpec {
  std::string_view fill = " ";  // one character
  char align = '\0';            // < > ^ =, or none given
  char sign = '\0';             // + - blank, or none given
  bool no_negative_zero = false;
  bool is_alternate = false;
  bool has_zero = false;
  char grouping = '\0';  // , or _
  char type = '\0';
  std::int64_t width = -1;
  std::int64_t precision = -1;
};

// value_error where Python raises ValueError for every kind of value.
[[nodiscard]] Outcome parse_format_spec(std::string_view text, FormatSpec& out);

// format(value, text) appended to a text.
[[nodiscard]] Outcome format_value(const Scope& scope, const Value& value, std::string_view text,
                                   ArenaText& out);

}  // namespace labfactory
