// Methods of Python's values that templates call: what `value.method(arguments)` does.
// Owner: results borrow from their arguments, from the bound batch or from the scope's arena.
// Threads: one scope belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "labfactory/values/operators.hpp"

namespace labfactory {

// How many arguments follow the value, defaults filled in; None stands for what Python leaves out.
enum class Method : std::uint8_t {
  capitalize,
  casefold,
  center,    // width, fill
  count,     // part, start, end; of a list: value
  endswith,  // suffix or a tuple of them, start, end
  find,      // part, start, end
  format,    // names of the last arguments, and all arguments
  get,       // key, default
  index,     // part, start, end; of a list likewise
  isalnum,
  isalpha,
  isascii,
  isdecimal,
  isdigit,
  islower,
  isnumeric,
  isspace,
  istitle,
  isupper,
  is_integer,
  items,
  join,  // pieces
  keys,
  ljust,  // width, fill
  lower,
  lstrip,     // characters
  partition,  // separator
  removeprefix,
  removesuffix,
  replace,  // old, new, count
  rfind,
  rindex,
  rjust,
  rpartition,
  rsplit,  // separator, most
  rstrip,
  split,
  splitlines,  // keepends
  startswith,
  strip,
  striptags,
  swapcase,
  title,
  unescape,
  upper,
  values,
  zfill,  // width
  date,
  isoformat,  // separator, timespec
  isoweekday,
  replace_parts,  // of a date or time: year to microsecond, None where one is left out
  strftime,       // format
  time,
  timestamp,
  total_seconds,
  weekday,
};

struct MethodShape {
  std::string_view name;
  std::int8_t arguments;
  bool takes_more = false;
};

inline constexpr std::array kMethods = {
    MethodShape{"capitalize", 0},    MethodShape{"casefold", 0},     MethodShape{"center", 2},
    MethodShape{"count", 3},         MethodShape{"endswith", 3},     MethodShape{"find", 3},
    MethodShape{"format", 1, true},  MethodShape{"get", 2},          MethodShape{"index", 3},
    MethodShape{"isalnum", 0},       MethodShape{"isalpha", 0},      MethodShape{"isascii", 0},
    MethodShape{"isdecimal", 0},     MethodShape{"isdigit", 0},      MethodShape{"islower", 0},
    MethodShape{"isnumeric", 0},     MethodShape{"isspace", 0},      MethodShape{"istitle", 0},
    MethodShape{"isupper", 0},       MethodShape{"is_integer", 0},   MethodShape{"items", 0},
    MethodShape{"join", 1},          MethodShape{"keys", 0},         MethodShape{"ljust", 2},
    MethodShape{"lower", 0},         MethodShape{"lstrip", 1},       MethodShape{"partition", 1},
    MethodShape{"removeprefix", 1},  MethodShape{"removesuffix", 1}, MethodShape{"replace", 3},
    MethodShape{"rfind", 3},         MethodShape{"rindex", 3},       MethodShape{"rjust", 2},
    MethodShape{"rpartition", 1},    MethodShape{"rsplit", 2},       MethodShape{"rstrip", 1},
    MethodShape{"split", 2},         MethodShape{"splitlines", 1},   MethodShape{"startswith", 3},
    MethodShape{"strip", 1},         MethodShape{"striptags", 0},    MethodShape{"swapcase", 0},
    MethodShape{"title", 0},         MethodShape{"unescape", 0},     MethodShape{"upper", 0},
    MethodShape{"values", 0},        MethodShape{"zfill", 1},        MethodShape{"date", 0},
    MethodShape{"isoformat", 2},     MethodShape{"isoweekday", 0},   MethodShape{"replace_parts", 7},
    MethodShape{"strftime", 1},      MethodShape{"time", 0},         MethodShape{"timestamp", 0},
    MethodShape{"total_seconds", 0}, MethodShape{"weekday", 0},
};

static_assert(kMethods.size() == static_cast<std::size_t>(Method::weekday) + 1);

// Calls a method; `arguments` holds the value and then `count` - 1 more, as many as its shape says or more
// where that allows.
[[nodiscard]] Outcome call_method(const Scope& scope, Method method, const Value* arguments,
                                  std::uint32_t count, Value& out);

}  // namespace labfactory
