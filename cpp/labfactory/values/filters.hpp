// Jinja2's filters over str, and Python's repr(str).
// Owner: results lie in the arena, or are views of an input where nothing changes.
// Threads: any; pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "labfactory/base/arena.hpp"

namespace labfactory {

// Whether truncate shortens a text: it has more than length + leeway code points, neither of them negative.
[[nodiscard]] bool is_truncated(std::string_view text, std::int64_t length, std::int64_t leeway);

// `text|truncate(length, killwords, end, leeway)`, all counts in code points. With escape_end (text is Markup
// and end is not) the end is counted as given and written escaped. Nothing where Jinja2's assertions fail:
// length < len(end) or leeway < 0.
[[nodiscard]] std::optional<std::string_view> truncate_text(std::string_view text, std::int64_t length,
                                                            bool killwords, std::string_view end,
                                                            std::int64_t leeway, bool escape_end,
                                                            Arena& arena);

// str.replace(from, to, count); count < 0 replaces all; an empty `from` stands before every character and at
// the end. Nothing, and no memory taken, when the result has more than `limit` bytes.
[[nodiscard]] std::optional<std::string_view> replace_text(std::string_view text, std::string_view from,
                                                           std::string_view to, std::int64_t count,
                                                           Arena& arena, std::size_t limit);

// str.join; nothing, and no memory taken, when the result has more than `limit` bytes.
[[nodiscard]] std::optional<std::string_view> join_text(std::span<const std::string_view> pieces,
                                                        std::string_view separator, Arena& arena,
                                                        std::size_t limit);

// repr(str). The writer needs repr_text_bound(text.size()) bytes.
[[nodiscard]] constexpr std::size_t repr_text_bound(std::size_t n) {
  return 4 * n + 2;
}
char* write_text_repr(char* out, std::string_view text);
[[nodiscard]] std::string_view repr_text(std::string_view text, Arena& arena);

}  // namespace labfactory
