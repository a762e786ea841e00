// Python's decimal.Decimal in its default context: 28 digits, ties to even, the exponent carried by each
// value. Owner: a Decimal is plain data; as a Value its coefficient borrows from a column, the constants or
// the arena where it needs more than 64 bits. Threads: any; pure functions.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "labfactory/base/arena.hpp"
#include "labfactory/values/outcome.hpp"
#include "labfactory/values/value.hpp"

namespace labfactory {

__extension__ using Coefficient = unsigned __int128;

struct Decimal {
  bool is_negative = false;
  Coefficient coefficient = 0;  // at most 38 digits, as decimal128 holds them
  std::int32_t exponent = 0;
};

// "-0.00000" and 38 digits, or 38 digits, a point and "E+1000000"
inline constexpr std::size_t kDecimalBound = 64;
// Digits of a constant or a column's value.
inline constexpr int kMostDecimalDigits = 38;

// The value of a decimal, an integer or a boolean.
[[nodiscard]] Decimal decimal_of(const Value& value);
// A decimal as a value; a coefficient past 64 bits goes to the arena.
[[nodiscard]] Value decimal_value(const Decimal& decimal, Arena& arena);
// The decimal whose coefficient lies at `coefficient`: 16 bytes, two's complement, as decimal128.
[[nodiscard]] Value decimal_value(const char* coefficient, std::int32_t exponent);

[[nodiscard]] Outcome add(const Decimal& left, const Decimal& right, Decimal& out);
[[nodiscard]] Outcome subtract(const Decimal& left, const Decimal& right, Decimal& out);
[[nodiscard]] Outcome multiply(const Decimal& left, const Decimal& right, Decimal& out);
[[nodiscard]] Outcome divide(const Decimal& left, const Decimal& right, Decimal& out);
// `//` and `%`: the quotient is cut, the rest has the sign of the dividend.
[[nodiscard]] Outcome divide_whole(const Decimal& left, const Decimal& right, Decimal& quotient,
                                   Decimal& rest);
// +x, -x and abs(x) round to the context, and lose the sign of zero.
[[nodiscard]] Outcome positive(const Decimal& value, Decimal& out);
[[nodiscard]] Outcome negate(const Decimal& value, Decimal& out);
[[nodiscard]] Outcome absolute(const Decimal& value, Decimal& out);

// round(value, places)
[[nodiscard]] Outcome round_decimal(const Decimal& value, std::int64_t places, Decimal& out);
enum class Whole : std::uint8_t { cut, floor, ceil };
// int(value), math.floor(value) and math.ceil(value); int_overflow past 64 bits.
[[nodiscard]] Outcome whole(const Decimal& value, Whole how, std::int64_t& out);
// float(value)
[[nodiscard]] double to_double(const Decimal& value);

// By exact values; unordered beside NaN.
[[nodiscard]] std::strong_ordering compare(const Decimal& left, const Decimal& right);
[[nodiscard]] std::partial_ordering compare(const Decimal& left, double right);

// str(value). Needs kDecimalBound bytes.
char* write_decimal(char* out, const Decimal& value);

// The digits with so many behind the point, ties to even, of a value that is not negative. Places and
// exponents of up to 30; needs 4 * kDecimalBound bytes.
char* write_fixed(char* out, const Decimal& value, int places);

}  // namespace labfactory
