// Values as JSON, as `|tojson` prints them: json.dumps with sorted keys, safe within HTML.
// Owner: the result lies in the scope's arena.
// Threads: one scope belongs to one thread.
#pragma once

#include <optional>
#include <string_view>

#include "labfactory/values/operators.hpp"

namespace labfactory {

// htmlsafe_json_dumps(value, sort_keys=True); with an indent each entry gets its line.
[[nodiscard]] Outcome to_json(const Scope& scope, const Value& value, std::optional<std::string_view> indent,
                              std::string_view& out);

}  // namespace labfactory
