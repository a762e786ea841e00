// What single characters of a finished text say: where lines break, what XML forbids, what JSON escapes.
// Owner: nothing; texts are read in place.
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace labfactory {

// The character at `at` of UTF-8, and `at` moved behind it. Bytes that are no UTF-8 give some character
// beyond ASCII, U+FFFD where they cannot be put together; nothing behind the text is read.
[[nodiscard]] char32_t next_character(std::string_view text, std::size_t* at);

// Whether a line may not go on somewhere: CR, LF, VT, FF, NEL, LS or PS.
[[nodiscard]] bool has_line_break(std::string_view text);

// Whether a character is in it that XML 1.0 forbids: C0 controls save tab, LF and CR, U+FFFE and U+FFFF.
[[nodiscard]] bool has_control(std::string_view text);

// The bytes of the text as a JSON string in UTF-8, quotation marks and escapes included.
[[nodiscard]] std::int64_t json_bytes(std::string_view text);

}  // namespace labfactory
