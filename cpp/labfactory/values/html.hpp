// Taking HTML out of text, as MarkupSafe's striptags and Python's html.unescape do, and text into URLs.
// Owner: results lie in the arena, or are views of the input where nothing changes.
// Threads: any; pure functions.
#pragma once

#include <cstddef>
#include <string_view>

#include "labfactory/base/arena.hpp"

namespace labfactory {

// Markup(text).striptags(): no comments, no tags, white space collapsed, entities read. No longer than the
// text, save where an entity of few letters names two characters: at most twice its bytes.
[[nodiscard]] std::string_view strip_tags(std::string_view text, Arena& arena);

// html.unescape
[[nodiscard]] std::string_view unescape_html(std::string_view text, Arena& arena);

// urllib.parse.quote; for a query "/" is quoted too and a blank becomes "+". At most 3 bytes for each byte.
[[nodiscard]] std::string_view quote_url(std::string_view text, bool for_query, Arena& arena);

}  // namespace labfactory
