// Numbers to text as Python prints them, whole numbers from text, and Python's round().
// Owner: the caller's buffer, which must hold the bound named beside each writer; writers return the end of
// the text. Threads: any; pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace labfactory {

// "-9223372036854775808"
inline constexpr std::size_t kIntegerBound = 20;
// The longest repr of a double has 24 bytes ("-2.2250738585072014e-308"); the rest is slack for wide stores.
inline constexpr std::size_t kReprBound = 32;

// str(int). Needs kIntegerBound bytes.
char* write_integer(char* out, std::int64_t value);
char* write_unsigned(char* out, std::uint64_t value);
// Exactly `count` digits of a value that has no more than that.
char* write_padded(char* out, std::uint64_t value, int count);

// repr(float), which is also str(float). Needs kReprBound bytes.
char* write_repr(char* out, double value);

// Bytes that write_fixed may touch: sign, digits before the point by the value's size, point, digits after
// it.
[[nodiscard]] std::size_t fixed_bound(double value, int precision);

// '%.Nf' % x for precision >= 0. Needs fixed_bound(value, precision) bytes.
char* write_fixed(char* out, double value, int precision);

enum class ParsedInteger : std::uint8_t {
  ok,
  invalid,   // where int(text) raises ValueError
  overflow,  // a whole number beyond 64 bits
};

// int(text): surrounding white space, a sign, single underscores between digits, digits of any script.
[[nodiscard]] ParsedInteger parse_integer(std::string_view text, std::int64_t& value);

// round(float, precision): correctly rounded, exact ties to even, negative precision too. Infinite for a
// finite value where Python raises OverflowError.
[[nodiscard]] double round_to(double value, int precision);

// round(int, precision): ties to even. Sets overflow (never clears it) when the result needs more than 64
// bits.
[[nodiscard]] std::int64_t round_integer(std::int64_t value, int precision, bool& overflow);

}  // namespace labfactory
