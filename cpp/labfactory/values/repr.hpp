// repr() of every value, as Python prints what stands inside lists and dicts.
// Owner: results lie in the scope's arena. Threads: one scope belongs to one thread.
#pragma once

#include <string_view>

#include "labfactory/values/operators.hpp"

namespace labfactory {

// repr(value); of a list, tuple or dict also str(value).
[[nodiscard]] Outcome repr(const Scope& scope, const Value& value, std::string_view& out);

}  // namespace labfactory
