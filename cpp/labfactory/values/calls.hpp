// Jinja2's filters and tests over values: what `x | filter(...)` and `x is test` call.
// Owner: results borrow from their arguments, from the bound batch or from the scope's arena.
// Threads: one scope belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "labfactory/values/operators.hpp"

namespace labfactory {

// Filters of the language and how many arguments follow the value (in Jinja2's order, defaults filled in).
enum class Filter : std::uint8_t {
  default_,  // default value, boolean
  upper,
  lower,
  title,
  capitalize,
  trim,  // characters or None
  escape,
  safe,
  round,  // precision, method ('common', 'ceil', 'floor')
  length,
  join,      // separator; attribute is lowered by the compiler
  replace,   // old, new, count or None
  truncate,  // length, killwords, end, leeway
  string,
};

struct FilterShape {
  std::string_view name;
  std::int8_t arguments;
  bool autoescape;  // takes one more, last argument: whether autoescape is on
};

inline constexpr std::array kFilters = {
    FilterShape{"default", 2, false},  FilterShape{"upper", 0, false},      FilterShape{"lower", 0, false},
    FilterShape{"title", 0, false},    FilterShape{"capitalize", 0, false}, FilterShape{"trim", 1, false},
    FilterShape{"escape", 0, false},   FilterShape{"safe", 0, false},       FilterShape{"round", 2, false},
    FilterShape{"length", 0, false},   FilterShape{"join", 1, true},        FilterShape{"replace", 3, true},
    FilterShape{"truncate", 4, false}, FilterShape{"string", 0, false},
};

static_assert(kFilters.size() == static_cast<std::size_t>(Filter::string) + 1);

enum class Test : std::uint8_t {
  defined,
  undefined,
  none,
  boolean,
  integer,
  float_,
  number,
  string,
  sequence,
  even,
  odd,
  true_,
  false_,
};

inline constexpr std::array<std::string_view, 13> kTests = {
    "defined", "undefined", "none", "boolean", "integer", "float", "number",
    "string",  "sequence",  "even", "odd",     "true",    "false"};

// Runs a filter; `arguments` holds the value and then as many as its shape says.
[[nodiscard]] Outcome call_filter(const Scope& scope, Filter filter, const Value* arguments, Value& out);

[[nodiscard]] Outcome call_test(const Scope& scope, Test test, const Value& value, bool& out);

}  // namespace labfactory
