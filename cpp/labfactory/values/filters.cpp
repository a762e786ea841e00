#include "labfactory/values/filters.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "labfactory/values/escape.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

char* append(char* out, std::string_view text) {
  return std::copy(text.begin(), text.end(), out);
}

std::string_view span_between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

std::int64_t saturated_sum(std::int64_t a, std::int64_t b) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  return a > kLargest - b ? kLargest : a + b;  // b is not negative
}

// True when more than `count` code points stand in the text.
bool is_longer(std::string_view text, std::int64_t count) {
  // Neither a text of so few bytes, nor one of more than four for each allowed code point, needs a count.
  if (text.size() <= static_cast<std::uint64_t>(count)) return false;
  if (text.size() / 4 > static_cast<std::uint64_t>(count)) return true;
  return count_code_points(text) > count;
}

// True when the text and `count` pieces of `size` bytes have at most `limit` bytes together.
bool fits(std::size_t text, std::size_t count, std::size_t size, std::size_t limit) {
  if (text > limit) return false;
  return size == 0 || count <= (limit - text) / size;
}

std::size_t count_occurrences(std::string_view text, std::string_view part, std::size_t most) {
  std::size_t count = 0;
  for (std::size_t at = 0; count < most; ++count) {
    at = find_text(text, part, at);
    if (at == std::string_view::npos) break;
    at += part.size();
  }
  return count;
}

// str.replace with an empty old part: `to` before each of the first `count` places between characters.
std::optional<std::string_view> insert_between(std::string_view text, std::string_view to, std::size_t most,
                                               Arena& arena, std::size_t limit) {
  const std::size_t count =
      std::min<std::size_t>(most, static_cast<std::size_t>(count_code_points(text)) + 1);
  if (!fits(text.size(), count, to.size(), limit)) return std::nullopt;
  char* const begin = arena.allocate(text.size() + count * to.size());
  char* out = begin;
  for (std::size_t i = 0; i < count; ++i) {
    out = append(out, to);
    const std::string_view character = first_code_points(text, 1);
    out = append(out, character);
    text.remove_prefix(character.size());
  }
  return span_between(begin, append(out, text));
}

constexpr std::array kHexDigits = {'0', '1', '2', '3', '4', '5', '6', '7',
                                   '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};

char* write_hex(char* out, char32_t value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) *out++ = kHexDigits[(value >> shift) & 0xf];
  return out;
}

char* write_escape_sequence(char* out, char32_t code_point) {
  *out++ = '\\';
  switch (code_point) {
    case U'\t':
      *out++ = 't';
      return out;
    case U'\n':
      *out++ = 'n';
      return out;
    case U'\r':
      *out++ = 'r';
      return out;
    default:
      break;
  }
  const int digits = code_point < 0x100 ? 2 : code_point < 0x10000 ? 4 : 8;
  *out++ = digits == 2 ? 'x' : digits == 4 ? 'u' : 'U';
  return write_hex(out, code_point, digits);
}

}  // namespace

bool is_truncated(std::string_view text, std::int64_t length, std::int64_t leeway) {
  return is_longer(text, saturated_sum(length, leeway));
}

std::optional<std::string_view> truncate_text(std::string_view text, std::int64_t length, bool killwords,
                                              std::string_view end, std::int64_t leeway, bool escape_end,
                                              Arena& arena) {
  const std::int64_t end_length = count_code_points(end);
  if (length < end_length || leeway < 0) return std::nullopt;
  if (!is_truncated(text, length, leeway)) return text;
  std::string_view kept = first_code_points(text, length - end_length);
  if (!killwords) kept = kept.substr(0, kept.rfind(' '));
  char* const begin = arena.allocate(kept.size() + (escape_end ? escaped_bound(end.size()) : end.size()));
  char* out = append(begin, kept);
  out = escape_end ? write_escaped(out, end) : append(out, end);
  return span_between(begin, out);
}

std::optional<std::string_view> replace_text(std::string_view text, std::string_view from,
                                             std::string_view to, std::int64_t count, Arena& arena,
                                             std::size_t limit) {
  const std::size_t most =
      count < 0 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(count);
  if (from.empty() && most > 0) return insert_between(text, to, most, arena, limit);
  const std::size_t found = from == to ? 0 : count_occurrences(text, from, most);
  if (found == 0) {
    if (text.size() > limit) return std::nullopt;
    return text;
  }
  const std::size_t rest = text.size() - found * from.size();
  if (!fits(rest, found, to.size(), limit)) return std::nullopt;
  char* const begin = arena.allocate(rest + found * to.size());
  char* out = begin;
  for (std::size_t i = 0; i < found; ++i) {
    const std::size_t at = find_text(text, from);
    out = append(out, text.substr(0, at));
    out = append(out, to);
    text.remove_prefix(at + from.size());
  }
  return span_between(begin, append(out, text));
}

std::optional<std::string_view> join_text(std::span<const std::string_view> pieces,
                                          std::string_view separator, Arena& arena, std::size_t limit) {
  if (pieces.empty()) return std::string_view{};
  std::size_t size = 0;
  for (const std::string_view piece : pieces) {
    if (piece.size() > limit - size) return std::nullopt;
    size += piece.size();
  }
  if (!fits(size, pieces.size() - 1, separator.size(), limit)) return std::nullopt;
  if (pieces.size() == 1) return pieces[0];
  char* const begin = arena.allocate(size + (pieces.size() - 1) * separator.size());
  char* out = append(begin, pieces[0]);
  for (const std::string_view piece : pieces.subspan(1)) {
    out = append(out, separator);
    out = append(out, piece);
  }
  return span_between(begin, out);
}

char* write_text_repr(char* out, std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  *out++ = quote;
  while (!text.empty()) {
    const CodePoint next = decode_code_point(text);
    if (next.value == static_cast<unsigned char>(quote) || next.value == U'\\') {
      *out++ = '\\';
      *out++ = text[0];
    } else if (next.value == kNotUtf8) {
      *out++ = text[0];
    } else if (is_printable(next.value)) {
      out = append(out, text.substr(0, next.bytes));
    } else {
      out = write_escape_sequence(out, next.value);
    }
    text.remove_prefix(next.bytes);
  }
  *out++ = quote;
  return out;
}

std::string_view repr_text(std::string_view text, Arena& arena) {
  char* const begin = arena.allocate(repr_text_bound(text.size()));
  return span_between(begin, write_text_repr(begin, text));
}

}  // namespace labfactory
