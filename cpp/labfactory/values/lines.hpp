// Cutting text into lines, words and fields, and laying it out in columns, as Python's str and textwrap do.
// Owner: pieces are views of the input; lists of them and new text lie in the arena.
// Threads: any; pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "labfactory/base/arena.hpp"

namespace labfactory {

using Pieces = std::span<const std::string_view>;

// str.splitlines(keepends)
[[nodiscard]] Pieces split_lines(std::string_view text, bool keep_ends, Arena& arena);

// str.split() and str.rsplit() at white space; most < 0 cuts everywhere.
[[nodiscard]] Pieces split_words(std::string_view text, std::int64_t most, bool from_end, Arena& arena);

// str.split(separator) and str.rsplit(separator); the separator is not empty.
[[nodiscard]] Pieces split_fields(std::string_view text, std::string_view separator, std::int64_t most,
                                  bool from_end, Arena& arena);

// The last place of a part in a text; npos where there is none.
[[nodiscard]] std::size_t find_last_text(std::string_view text, std::string_view part, Arena& arena);

enum class Alignment : std::uint8_t { left, right, center };

// str.ljust, rjust and center: `fill` is one character. Nothing, and no memory taken, past `limit` bytes.
[[nodiscard]] std::optional<std::string_view> aligned(std::string_view text, Alignment alignment,
                                                      std::int64_t width, std::string_view fill, Arena& arena,
                                                      std::size_t limit);

// str.zfill
[[nodiscard]] std::optional<std::string_view> zero_filled(std::string_view text, std::int64_t width,
                                                          Arena& arena, std::size_t limit);

// `text|indent` with an indention of any text.
[[nodiscard]] std::optional<std::string_view> indented(std::string_view text, std::string_view indention,
                                                       bool first, bool blank, Arena& arena,
                                                       std::size_t limit);

struct Wrapping {
  std::int64_t width = 0;  // above 0
  bool break_long_words = false;
  bool break_on_hyphens = false;  // within a word that is too long for any line
  bool split_at_hyphens = false;  // wherever a word has some
};

// textwrap.wrap of one line, white space left as it is.
[[nodiscard]] Pieces wrapped(std::string_view line, const Wrapping& wrapping, Arena& arena);

// len(re.findall(r'\w+', text))
[[nodiscard]] std::int64_t count_words(std::string_view text);

}  // namespace labfactory
