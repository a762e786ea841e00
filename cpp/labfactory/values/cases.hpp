// Upper, lower and title case as CPython's str and Jinja2 know them: ASCII sixteen bytes at a time, other
// characters one by one, each function beside its plain twin, which takes all of them one by one.
// Owner: results lie in the arena; at most 3 bytes out for each byte in.
// Threads: any; pure functions. Input that is not UTF-8 is safe: such a byte is a character without case.
#pragma once

#include <string_view>

#include "labfactory/base/arena.hpp"

namespace labfactory {

// str.upper, str.lower and str.capitalize
[[nodiscard]] std::string_view upper_text(std::string_view text, Arena& arena);
[[nodiscard]] std::string_view lower_text(std::string_view text, Arena& arena);
[[nodiscard]] std::string_view capitalize_text(std::string_view text, Arena& arena);
// str.swapcase, str.title (words begin after what has no case) and str.casefold
[[nodiscard]] std::string_view swapcase_text(std::string_view text, Arena& arena);
[[nodiscard]] std::string_view title_words(std::string_view text, Arena& arena);
[[nodiscard]] std::string_view casefold_text(std::string_view text, Arena& arena);
// `text|title`: words begin after - ( { [ < and white space, their first character is in upper case.
[[nodiscard]] std::string_view title_text(std::string_view text, Arena& arena);

[[nodiscard]] std::string_view upper_text_plain(std::string_view text, Arena& arena);
[[nodiscard]] std::string_view lower_text_plain(std::string_view text, Arena& arena);
[[nodiscard]] std::string_view capitalize_text_plain(std::string_view text, Arena& arena);
[[nodiscard]] std::string_view swapcase_text_plain(std::string_view text, Arena& arena);
[[nodiscard]] std::string_view title_words_plain(std::string_view text, Arena& arena);
[[nodiscard]] std::string_view casefold_text_plain(std::string_view text, Arena& arena);
[[nodiscard]] std::string_view title_text_plain(std::string_view text, Arena& arena);

}  // namespace labfactory
