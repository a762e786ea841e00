// Numbers from text, as Python's int(text, base) and float(text) read them.
// Owner: nothing.
// Threads: any; pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "labfactory/base/arena.hpp"
#include "labfactory/values/text.hpp"

namespace labfactory {

// int(text, base); a base other than 0 and 2 to 36 is invalid.
[[nodiscard]] ParsedInteger parse_based_integer(std::string_view text, std::int64_t base,
                                                std::int64_t& value);

// float(text); nothing where it raises ValueError.
[[nodiscard]] std::optional<double> parse_floating(std::string_view text, Arena& arena);

}  // namespace labfactory
