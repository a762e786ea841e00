// "Hello {name}".format(...), and Markup's, which escapes what it fills in.
// Owner: the result lies in the scope's arena.
// Threads: one scope belongs to one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "labfactory/values/operators.hpp"

namespace labfactory {

// Arguments of a call: those without a name first.
struct FormatArguments {
  std::span<const Value> values;
  std::span<const Value> names;  // texts, of the last values
};

[[nodiscard]] Outcome format_template(const Scope& scope, const Value& text, const FormatArguments& arguments,
                                      Value& out);

}  // namespace labfactory
