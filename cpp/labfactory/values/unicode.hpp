// What CPython's str methods do, over UTF-8, by tables generated from the interpreter that the extension is
// built for. Owner: results lie in the arena, or are views of the input where the comment says so. Input that
// is not UTF-8 is safe: a byte that starts no sequence is one character without case. Threads: any; pure
// functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "labfactory/base/arena.hpp"

namespace labfactory {

// The Unicode version of the tables, as unicodedata.unidata_version.
extern const std::string_view kUnicodeVersion;

// str.strip() and str.strip(characters); a view of the input.
[[nodiscard]] std::string_view strip_text(std::string_view text);
[[nodiscard]] std::string_view strip_text(std::string_view text, std::string_view characters);
// str.lstrip and str.rstrip; views of the input.
[[nodiscard]] std::string_view strip_start(std::string_view text);
[[nodiscard]] std::string_view strip_start(std::string_view text, std::string_view characters);
[[nodiscard]] std::string_view strip_end(std::string_view text);
[[nodiscard]] std::string_view strip_end(std::string_view text, std::string_view characters);

// len(str)
[[nodiscard]] std::int64_t count_code_points(std::string_view text);

// The first `count` code points; the whole text when it has fewer, none when count < 0. A view of the input.
[[nodiscard]] std::string_view first_code_points(std::string_view text, std::int64_t count);

// text[start:stop] with Python's clamping, negative counts from the end; a view of the input. An open end is
// 0 or INT64_MAX.
[[nodiscard]] std::string_view slice_text(std::string_view text, std::int64_t start, std::int64_t stop);

// text[index], negative counts from the end; nothing where Python raises IndexError. A view of the input.
[[nodiscard]] std::optional<std::string_view> index_text(std::string_view text, std::int64_t index);

// Of one code point: str.isspace, str.isprintable, and the value of a decimal digit of any script or -1.
// Where a part first stands in a text from an offset on; npos where it does not. Linear in both.
[[nodiscard]] std::size_t find_text(std::string_view text, std::string_view part, std::size_t from = 0);

[[nodiscard]] bool is_space_beyond_ascii(char32_t code_point);
[[nodiscard]] inline bool is_space(char32_t code_point) {
  if (code_point >= 0x80) return is_space_beyond_ascii(code_point);
  return code_point == U' ' || (code_point >= 0x09 && code_point <= 0x0d) ||
         (code_point >= 0x1c && code_point <= 0x1f);
}
[[nodiscard]] bool is_printable(char32_t code_point);
[[nodiscard]] int decimal_digit(char32_t code_point);
[[nodiscard]] bool is_alpha(char32_t code_point);
[[nodiscard]] bool is_alphanumeric(char32_t code_point);
// What \w finds.
[[nodiscard]] inline bool is_word(char32_t code_point) {
  if (code_point >= 0x80) return is_alphanumeric(code_point);
  const char32_t lower = code_point | 0x20;
  return (lower >= U'a' && lower <= U'z') || (code_point >= U'0' && code_point <= U'9') || code_point == U'_';
}

// str.isalnum and its like: the text is not empty (isascii aside) and all its characters are of a class.
enum class CharacterClass : std::uint8_t { alphanumeric, alphabetic, ascii, decimal, digit, numeric, space };
[[nodiscard]] bool is_all(CharacterClass wanted, std::string_view text);
// str.isupper (upper) and str.islower, str.istitle.
[[nodiscard]] bool is_cased_as(bool upper, std::string_view text);
[[nodiscard]] bool is_titled(std::string_view text);

[[nodiscard]] bool is_ascii(std::string_view text);

// Marks a byte that starts no UTF-8 sequence; above every code point.
inline constexpr char32_t kNotUtf8 = 0x110000;

struct CodePoint {
  char32_t value;     // or kNotUtf8
  std::size_t bytes;  // 1 to 4; 1 with kNotUtf8
};

// The code point at the start of a text that is not empty; the first function where it is not ASCII.
[[nodiscard]] CodePoint decode_beyond_ascii(std::string_view text);
[[nodiscard]] inline CodePoint decode_code_point(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  return first < 0x80 ? CodePoint{first, 1} : decode_beyond_ascii(text);
}

// The code point at the end of a text that is not empty.
[[nodiscard]] CodePoint last_code_point(std::string_view text);

// Writes 1 to 4 bytes and returns their end.
char* write_code_point(char* out, char32_t code_point);

}  // namespace labfactory
