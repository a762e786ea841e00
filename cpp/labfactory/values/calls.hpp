// Jinja2's filters and tests over values: what `x | filter(...)` and `x is test` call.
// Owner: results borrow from their arguments, from the bound batch or from the scope's arena.
// Threads: one scope belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "labfactory/values/operators.hpp"

namespace labfactory {

// Filters of the language and how many arguments follow the value (in Jinja2's order, defaults filled in);
// behind them what filters by attribute are lowered to.
enum class Filter : std::uint8_t {
  default_,  // default value, boolean
  upper,
  lower,
  title,
  capitalize,
  trim,  // characters or None
  escape,
  safe,
  round,  // precision or None, method ('common', 'ceil', 'floor')
  length,
  join,      // separator; attribute is lowered by the compiler
  replace,   // old, new, count or None
  truncate,  // length, killwords, end, leeway
  string,
  abs,
  batch,           // count, fill or None
  center,          // width
  dictsort,        // case_sensitive, by, reverse
  filesizeformat,  // binary
  first,
  float_,  // default
  forceescape,
  indent,  // width, first, blank
  int_,    // default, base
  items,
  last,
  list,
  reverse,
  slice,  // count, fill or None
  striptags,
  sum,     // start, whether floats are compensated
  tojson,  // indent or None
  urlencode,
  wordcount,
  wordwrap,  // width, break_long_words, wrapstring or None, break_on_hyphens
  xmlattr,   // autospace
  // a key that compares without case, unless the argument is true
  sort_key,
  sort_by,   // keys, reverse
  group_by,  // keys, groupers
  min_by,    // keys
  max_by,    // keys
  is_new,    // of a list of keys: whether it lacks the argument
  divisible,
  range,   // of a start: stop, step
  format,  // a tuple or dict: what `%` formats
};

struct FilterShape {
  std::string_view name;
  std::int8_t arguments;
  bool autoescape;  // takes one more, last argument: whether autoescape is on
};

inline constexpr std::array kFilters = {
    FilterShape{"default", 2, false},
    FilterShape{"upper", 0, false},
    FilterShape{"lower", 0, false},
    FilterShape{"title", 0, false},
    FilterShape{"capitalize", 0, false},
    FilterShape{"trim", 1, false},
    FilterShape{"escape", 0, false},
    FilterShape{"safe", 0, false},
    FilterShape{"round", 2, false},
    FilterShape{"length", 0, false},
    FilterShape{"join", 1, true},
    FilterShape{"replace", 3, true},
    FilterShape{"truncate", 4, false},
    FilterShape{"string", 0, false},
    FilterShape{"abs", 0, false},
    FilterShape{"batch", 2, false},
    FilterShape{"center", 1, false},
    FilterShape{"dictsort", 3, false},
    FilterShape{"filesizeformat", 1, false},
    FilterShape{"first", 0, false},
    FilterShape{"float", 1, false},
    FilterShape{"forceescape", 0, false},
    FilterShape{"indent", 3, false},
    FilterShape{"int", 2, false},
    FilterShape{"items", 0, false},
    FilterShape{"last", 0, false},
    FilterShape{"list", 0, false},
    FilterShape{"reverse", 0, false},
    FilterShape{"slice", 2, false},
    FilterShape{"striptags", 0, false},
    FilterShape{"sum", 2, false},
    FilterShape{"tojson", 1, false},
    FilterShape{"urlencode", 0, false},
    FilterShape{"wordcount", 0, false},
    FilterShape{"wordwrap", 4, false},
    FilterShape{"xmlattr", 1, true},
    FilterShape{"sort_key", 1, false},
    FilterShape{"sort_by", 2, false},
    FilterShape{"group_by", 2, false},
    FilterShape{"min_by", 1, false},
    FilterShape{"max_by", 1, false},
    FilterShape{"is_new", 1, false},
    FilterShape{"divisible", 1, false},
    FilterShape{"range", 2, false},
    FilterShape{"format", 1, false},
};

static_assert(kFilters.size() == static_cast<std::size_t>(Filter::format) + 1);

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
  escaped,
  iterable,
  lower,
  mapping,
  upper,
};

inline constexpr std::array<std::string_view, 18> kTests = {
    "defined", "undefined", "none", "boolean", "integer", "float",    "number", "string",  "sequence",
    "even",    "odd",       "true", "false",   "escaped", "iterable", "lower",  "mapping", "upper"};

// Runs a filter; `arguments` holds the value and then as many as its shape says.
[[nodiscard]] Outcome call_filter(const Scope& scope, Filter filter, const Value* arguments, Value& out);

[[nodiscard]] Outcome call_test(const Scope& scope, Test test, const Value& value, bool& out);

}  // namespace labfactory
