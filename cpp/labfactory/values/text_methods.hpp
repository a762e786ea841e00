// Methods of str and Markup.
// Owner: results borrow from their arguments or from the scope's arena.
// Threads: one scope belongs to one thread.
#pragma once

#include <cstdint>

#include "labfactory/values/methods.hpp"

namespace labfactory {

// A method of a text, format aside.
[[nodiscard]] Outcome call_text_method(const Scope& scope, Method method, const Value* a, Value& out);

// Where a slice begins and ends; `last` holds the length before. None leaves a bound as it is.
[[nodiscard]] Outcome slice_bounds(const Value& start, const Value& stop, std::int64_t& first,
                                   std::int64_t& last);

}  // namespace labfactory
