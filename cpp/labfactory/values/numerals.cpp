#include "labfactory/values/numerals.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

// The text with digits of any script as ASCII and spaces of any kind as blanks, other characters as they
// are; stripped as C's isspace strips.
std::string_view plain(std::string_view text, Arena& arena) {
  char* const begin = arena.allocate(text.size());
  char* out = begin;
  while (!text.empty()) {
    const CodePoint next = decode_code_point(text);
    if (next.bytes == 1) {
      *out++ = text.front();
    } else if (is_space(next.value)) {
      *out++ = ' ';
    } else if (const int digit = decimal_digit(next.value); digit >= 0) {
      *out++ = static_cast<char>('0' + digit);
    } else {
      *out++ = '?';
    }
    text.remove_prefix(next.bytes);
  }
  std::string_view found(begin, static_cast<std::size_t>(out - begin));
  constexpr std::string_view kSpaces = " \t\n\v\f\r";
  found.remove_prefix(std::min(found.find_first_not_of(kSpaces), found.size()));
  return found.substr(0, found.find_last_not_of(kSpaces) + 1);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int digit_value(char c) {
  if (is_digit(c)) return c - '0';
  const char low = static_cast<char>(c | 0x20);
  return low >= 'a' && low <= 'z' ? low - 'a' + 10 : 36;
}

bool equals_ignoring_case(std::string_view text, std::string_view low) {
  if (text.size() != low.size()) return false;
  for (std::size_t i = 0; i < low.size(); ++i) {
    if ((text[i] | 0x20) != low[i]) return false;
  }
  return true;
}

// A number without its underscores, each of which must stand between digits; empty where one does not.
std::string_view without_underscores(std::string_view text, Arena& arena) {
  if (text.find('_') == std::string_view::npos) return text;
  char* const begin = arena.allocate(text.size());
  char* out = begin;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      *out++ = text[i];
      continue;
    }
    const bool between = i > 0 && i + 1 < text.size() && is_digit(text[i - 1]) && is_digit(text[i + 1]);
    if (!between) return {};
  }
  return {begin, static_cast<std::size_t>(out - begin)};
}

// Whether text is digits with a point among, before or behind them, and perhaps an exponent.
bool is_decimal_number(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t from = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - from;
  };
  std::size_t count = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    count += digits();
  }
  if (count == 0) return false;
  if (at < text.size() && (text[at] | 0x20) == 'e') {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

// Whether a number that no double holds is too large, and not too small: by its exponent of ten.
bool is_too_large(std::string_view text) {
  const std::size_t mark = std::min(text.find_first_of("eE"), text.size());
  const std::size_t point = std::min(text.substr(0, mark).find('.'), mark);
  std::int64_t exponent = 0;
  if (mark < text.size()) {
    std::string_view digits = text.substr(mark + 1);
    if (digits.front() == '+') digits.remove_prefix(1);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    constexpr std::int64_t kHuge = std::int64_t{1} << 40;
    if (read.ec != std::errc{}) exponent = digits.front() == '-' ? -kHuge : kHuge;
  }
  const std::size_t first = text.substr(0, mark).find_first_not_of("0.");
  if (first == std::string_view::npos) return false;
  const auto places = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  return places + exponent > 0;
}

}  // namespace

ParsedInteger parse_based_integer(std::string_view text, std::int64_t base, std::int64_t& value) {
  if (base == 10) return parse_integer(text, value);
  if (base != 0 && (base < 2 || base > 36)) return ParsedInteger::invalid;
  Arena arena;
  text = plain(text, arena);
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  const char mark = text.size() > 1 && text[0] == '0' ? static_cast<char>(text[1] | 0x20) : '\0';
  const std::int64_t marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
  bool after_digit = false;
  const bool is_plain_zero = base == 0 && marked == 0 && text.starts_with('0');
  if (marked != 0 && (base == 0 || base == marked)) {
    base = marked;
    text.remove_prefix(2);
    // One underscore may follow the mark.
    after_digit = true;
  } else if (base == 0) {
    base = 10;
  }
  bool any = false;
  bool overflows = false;
  std::uint64_t magnitude = 0;
  for (const char c : text) {
    if (c == '_') {
      if (!after_digit) return ParsedInteger::invalid;
      after_digit = false;
      continue;
    }
    const int digit = digit_value(c);
    if (digit >= base) return ParsedInteger::invalid;
    any = after_digit = true;
    overflows = overflows ||
                __builtin_mul_overflow(magnitude, static_cast<std::uint64_t>(base), &magnitude) ||
                __builtin_add_overflow(magnitude, static_cast<std::uint64_t>(digit), &magnitude);
  }
  if (!any || !after_digit) return ParsedInteger::invalid;
  // Under base 0 only zero itself begins with one.
  if (is_plain_zero && (magnitude != 0 || overflows)) return ParsedInteger::invalid;
  constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
  if (overflows || magnitude > kSignBit - (is_negative ? 0 : 1)) return ParsedInteger::overflow;
  value = static_cast<std::int64_t>(is_negative ? 0 - magnitude : magnitude);
  return ParsedInteger::ok;
}

std::optional<double> parse_floating(std::string_view text, Arena& arena) {
  text = without_underscores(plain(text, arena), arena);
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  if (equals_ignoring_case(text, "inf") || equals_ignoring_case(text, "infinity")) {
    value = std::numeric_limits<double>::infinity();
  } else if (equals_ignoring_case(text, "nan")) {
    value = std::numeric_limits<double>::quiet_NaN();
  } else if (is_decimal_number(text)) {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec == std::errc::result_out_of_range) {
      value = is_too_large(text) ? std::numeric_limits<double>::infinity() : 0.0;
    }
  } else {
    return std::nullopt;
  }
  return is_negative ? -value : value;
}

}  // namespace labfactory
