// Methods of dates, times and timedeltas.
// Owner: results are plain values, or text in the scope's arena.
// Threads: one scope belongs to one thread.
#pragma once

#include <string_view>

#include "labfactory/values/methods.hpp"

namespace labfactory {

// A method of what is_temporal; undefined where it has none of that name.
[[nodiscard]] Outcome call_moment_method(const Scope& scope, Method method, const Value* a, Value& out);

// value.strftime(format) in the C locale, also format(value, format); unsupported for directives whose text
// depends on the machine, and for years that C libraries pad as they like.
[[nodiscard]] Outcome strftime_text(const Scope& scope, const Value& value, std::string_view format,
                                    std::string_view& out);

}  // namespace labfactory
