#include "labfactory/values/decimal.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <system_error>
#include <utility>

#include "labfactory/values/text.hpp"
#include "labfactory/values/wide.hpp"

namespace labfactory {

namespace {

__extension__ using Signed128 = __int128;

// decimal.DefaultContext
constexpr int kPrecision = 28;
// Far inside Emax and Emin, where other rules begin. No content comes near.
constexpr std::int64_t kMostExponent = 900'000;

// Bits of Value::reserved.
constexpr std::uint8_t kIsWide = 1;
constexpr std::uint8_t kIsNegativeZero = 2;

int count_digits(Coefficient value) {
  int digits = 1;
  for (; value >= kPowersOfTen[19]; value /= kPowersOfTen[19]) digits += 19;
  while (digits % 19 != 0 && value >= kPowersOfTen[static_cast<std::size_t>(digits % 19)]) ++digits;
  return digits;
}

// The value rounded to the context.
Outcome fix(bool is_negative, Wide coefficient, std::int64_t exponent, Decimal& out) {
  int digits = coefficient.digits();
  if (digits > kPrecision) {
    const int dropped = digits - kPrecision;
    coefficient.shrink(dropped);
    exponent += dropped;
    digits = coefficient.digits();
    if (digits > kPrecision) {
      coefficient.shrink(1);
      ++exponent;
    }
  }
  if (exponent > kMostExponent || exponent < -kMostExponent) return Outcome::unsupported;
  out = {is_negative, coefficient.low(), static_cast<std::int32_t>(exponent)};
  return Outcome::ok;
}

// The operand of smaller exponent may be so small that only its being there counts; the decimal module's
// _normalize.
void align(Decimal& large, Decimal& small) {
  const int digits = count_digits(large.coefficient);
  const std::int64_t least = large.exponent + std::min(-1, digits - kPrecision - 2);
  if (count_digits(small.coefficient) + std::int64_t{small.exponent} - 1 < least) {
    small.coefficient = 1;
    small.exponent = static_cast<std::int32_t>(least);
  }
}

// A zero beside another number gives it digits behind its point, as far as the precision goes.
Outcome add_zero(const Decimal& value, std::int32_t zero, Decimal& out) {
  const std::int64_t exponent =
      std::max<std::int64_t>(std::min(value.exponent, zero), std::int64_t{value.exponent} - kPrecision - 1);
  Wide coefficient(value.coefficient);
  coefficient.grow(static_cast<int>(value.exponent - exponent));
  return fix(value.is_negative, coefficient, exponent, out);
}

// Exponent of the first digit; of zero its own.
std::int64_t adjusted(const Decimal& value) {
  return std::int64_t{value.exponent} + count_digits(value.coefficient) - 1;
}

// The whole number that the value has at an exponent not above its own.
Wide scaled(const Decimal& value, std::int64_t exponent) {
  Wide result(value.coefficient);
  if (value.coefficient != 0) result.grow(static_cast<int>(value.exponent - exponent));
  return result;
}

// The digits of a double, exactly: at most 767, and the exponent of the first.
struct Digits {
  char text[800];
  std::size_t count = 0;
  std::int64_t exponent = 0;
};

void write_digits(double magnitude, Digits& out) {
  char text[800];
  const char* const end =
      std::to_chars(text, text + sizeof text, magnitude, std::chars_format::scientific, 766).ptr;
  const char* const mark = std::find(static_cast<const char*>(text), end, 'e');
  for (const char* at = text; at != mark; ++at) {
    if (*at != '.') out.text[out.count++] = *at;
  }
  int exponent = 0;
  std::from_chars(mark[1] == '+' ? mark + 2 : mark + 1, end, exponent);
  out.exponent = exponent;
}

char* write_coefficient(char* out, Coefficient value) {
  const Coefficient high = value / kPowersOfTen[19];
  if (high == 0) return write_unsigned(out, static_cast<std::uint64_t>(value));
  out = write_unsigned(out, static_cast<std::uint64_t>(high));
  return write_padded(out, static_cast<std::uint64_t>(value % kPowersOfTen[19]), 19);
}

std::strong_ordering compare_magnitudes(const Decimal& left, const Decimal& right) {
  if (left.coefficient == 0 || right.coefficient == 0) return left.coefficient <=> right.coefficient;
  if (adjusted(left) != adjusted(right)) return adjusted(left) <=> adjusted(right);
  const std::int32_t least = std::min(left.exponent, right.exponent);
  return scaled(left, least) <=> scaled(right, least);
}

std::partial_ordering compare_magnitudes(const Decimal& left, double right) {
  if (right == 0 || left.coefficient == 0) return (left.coefficient != 0) <=> (right != 0);
  Digits theirs;
  write_digits(right, theirs);
  if (adjusted(left) != theirs.exponent) return adjusted(left) <=> theirs.exponent;
  char ours[48];
  char* const end = write_coefficient(ours, left.coefficient);
  const auto count = static_cast<std::size_t>(end - ours);
  if (const int found = std::memcmp(ours, theirs.text, count); found != 0) return found <=> 0;
  const bool has_more =
      std::any_of(theirs.text + count, theirs.text + theirs.count, [](char c) { return c != '0'; });
  return has_more ? std::partial_ordering::less : std::partial_ordering::equivalent;
}

}  // namespace

Decimal decimal_of(const Value& value) {
  Decimal out;
  if (value.kind != Kind::decimal || (value.reserved & kIsWide) == 0) {
    const std::int64_t integer = value.payload.integer;
    out.is_negative = integer < 0 || (value.kind == Kind::decimal && (value.reserved & kIsNegativeZero) != 0);
    out.coefficient =
        integer < 0 ? 0 - static_cast<std::uint64_t>(integer) : static_cast<std::uint64_t>(integer);
  } else {
    Signed128 wide = 0;
    std::memcpy(&wide, value.payload.text, sizeof wide);
    out.is_negative = wide < 0;
    out.coefficient =
        wide < 0 ? Coefficient{0} - static_cast<Coefficient>(wide) : static_cast<Coefficient>(wide);
  }
  if (value.kind == Kind::decimal) out.exponent = static_cast<std::int32_t>(value.length);
  return out;
}

Value decimal_value(const Decimal& decimal, Arena& arena) {
  Value out;
  out.kind = Kind::decimal;
  out.length = static_cast<std::uint32_t>(decimal.exponent);
  if (decimal.coefficient <= static_cast<Coefficient>(std::numeric_limits<std::int64_t>::max())) {
    const auto magnitude = static_cast<std::int64_t>(decimal.coefficient);
    out.payload.integer = decimal.is_negative ? -magnitude : magnitude;
    if (decimal.is_negative && magnitude == 0) out.reserved = kIsNegativeZero;
    return out;
  }
  const auto magnitude = static_cast<Signed128>(decimal.coefficient);
  const Signed128 wide = decimal.is_negative ? -magnitude : magnitude;
  char* const kept = arena.allocate(sizeof wide);
  std::memcpy(kept, &wide, sizeof wide);
  out.reserved = kIsWide;
  out.payload.text = kept;
  return out;
}

Value decimal_value(const char* coefficient, std::int32_t exponent) {
  Value out;
  out.kind = Kind::decimal;
  out.length = static_cast<std::uint32_t>(exponent);
  Signed128 wide = 0;
  std::memcpy(&wide, coefficient, sizeof wide);
  if (wide >= std::numeric_limits<std::int64_t>::min() && wide <= std::numeric_limits<std::int64_t>::max()) {
    out.payload.integer = static_cast<std::int64_t>(wide);
  } else {
    out.reserved = kIsWide;
    out.payload.text = coefficient;
  }
  return out;
}

Outcome add(const Decimal& left, const Decimal& right, Decimal& out) {
  const std::int32_t least = std::min(left.exponent, right.exponent);
  if (left.coefficient == 0 && right.coefficient == 0) {
    return fix(left.is_negative && right.is_negative, Wide(0), least, out);
  }
  if (left.coefficient == 0) return add_zero(right, left.exponent, out);
  if (right.coefficient == 0) return add_zero(left, right.exponent, out);
  Decimal a = left;
  Decimal b = right;
  if (a.exponent < b.exponent) std::swap(a, b);
  align(a, b);
  Wide one = scaled(a, b.exponent);
  Wide other(b.coefficient);
  if (a.is_negative == b.is_negative) {
    one.add(other);
    return fix(a.is_negative, one, b.exponent, out);
  }
  if (one == other) return fix(false, Wide(0), least, out);
  const bool is_less = one < other;
  if (is_less) std::swap(one, other);
  one.subtract(other);
  return fix(is_less ? b.is_negative : a.is_negative, one, b.exponent, out);
}

Outcome subtract(const Decimal& left, const Decimal& right, Decimal& out) {
  Decimal negated = right;
  negated.is_negative = !right.is_negative;
  return add(left, negated, out);
}

Outcome multiply(const Decimal& left, const Decimal& right, Decimal& out) {
  // The coefficients' halves: 38 digits have at most 127 bits.
  Wide product(left.coefficient);
  product.multiply(static_cast<std::uint64_t>(right.coefficient));
  Wide high(left.coefficient);
  high.multiply(static_cast<std::uint64_t>(right.coefficient >> 64));
  high.multiply(std::uint64_t{1} << 32);
  high.multiply(std::uint64_t{1} << 32);
  product.add(high);
  return fix(left.is_negative != right.is_negative, product, std::int64_t{left.exponent} + right.exponent,
             out);
}

Outcome divide(const Decimal& left, const Decimal& right, Decimal& out) {
  if (right.coefficient == 0) {
    return left.coefficient == 0 ? Outcome::invalid_operation : Outcome::zero_division;
  }
  const bool is_negative = left.is_negative != right.is_negative;
  const std::int64_t ideal = std::int64_t{left.exponent} - right.exponent;
  if (left.coefficient == 0) return fix(is_negative, Wide(0), ideal, out);
  const int shift = count_digits(right.coefficient) - count_digits(left.coefficient) + kPrecision + 1;
  Wide dividend(left.coefficient);
  Wide divisor(right.coefficient);
  if (shift >= 0) {
    dividend.grow(shift);
  } else {
    divisor.grow(-shift);
  }
  Wide quotient = dividend.divide(divisor);
  std::int64_t exponent = ideal - shift;
  if (!dividend.is_zero()) {
    // A digit that is neither 0 nor 5 tells the rounding that more follows.
    if (Wide(quotient).divide(5) == 0) quotient.add(Wide(1));
    return fix(is_negative, quotient, exponent, out);
  }
  while (exponent < ideal) {
    Wide shorter = quotient;
    if (shorter.divide(10) != 0) break;
    quotient = shorter;
    ++exponent;
  }
  return fix(is_negative, quotient, exponent, out);
}

Outcome divide_whole(const Decimal& left, const Decimal& right, Decimal& quotient, Decimal& rest) {
  if (right.coefficient == 0) {
    return left.coefficient == 0 ? Outcome::invalid_operation : Outcome::zero_division;
  }
  const bool is_negative = left.is_negative != right.is_negative;
  const std::int32_t least = std::min(left.exponent, right.exponent);
  const std::int64_t wider = adjusted(left) - adjusted(right);
  quotient = {is_negative, 0, 0};
  if (left.coefficient == 0 || wider <= -2) {
    return fix(left.is_negative, scaled(left, least), least, rest);
  }
  if (wider > kPrecision) return Outcome::invalid_operation;
  Wide dividend = scaled(left, least);
  const Wide whole = dividend.divide(scaled(right, least));
  if (whole.digits() > kPrecision) return Outcome::invalid_operation;
  quotient.coefficient = whole.low();
  return fix(left.is_negative, dividend, least, rest);
}

Outcome positive(const Decimal& value, Decimal& out) {
  return fix(value.is_negative && value.coefficient != 0, Wide(value.coefficient), value.exponent, out);
}

Outcome negate(const Decimal& value, Decimal& out) {
  return fix(!value.is_negative && value.coefficient != 0, Wide(value.coefficient), value.exponent, out);
}

Outcome absolute(const Decimal& value, Decimal& out) {
  return fix(false, Wide(value.coefficient), value.exponent, out);
}

Outcome round_decimal(const Decimal& value, std::int64_t places, Decimal& out) {
  if (places > kMostExponent || places < -kMostExponent) return Outcome::unsupported;
  const std::int64_t exponent = -places;
  out = {value.is_negative, 0, static_cast<std::int32_t>(exponent)};
  if (value.coefficient == 0) return Outcome::ok;
  if (adjusted(value) - exponent + 1 > kPrecision) return Outcome::invalid_operation;
  // Below half a unit nothing is left.
  if (adjusted(value) < exponent - 1) return Outcome::ok;
  Wide coefficient(value.coefficient);
  if (value.exponent >= exponent) {
    coefficient.grow(static_cast<int>(value.exponent - exponent));
  } else {
    coefficient.shrink(static_cast<int>(exponent - value.exponent));
  }
  if (coefficient.digits() > kPrecision) return Outcome::invalid_operation;
  out.coefficient = coefficient.low();
  return Outcome::ok;
}

Outcome whole(const Decimal& value, Whole how, std::int64_t& out) {
  constexpr int kInt64Digits = 19;
  out = 0;
  if (value.coefficient == 0) return Outcome::ok;
  if (adjusted(value) >= kInt64Digits) return Outcome::int_overflow;
  Wide magnitude(value.coefficient);
  bool is_cut = false;
  if (value.exponent >= 0) {
    magnitude.grow(value.exponent);
  } else if (adjusted(value) < 0) {
    magnitude = Wide(0);
    is_cut = true;
  } else {
    Wide power(1);
    power.grow(-value.exponent);
    const Wide quotient = magnitude.divide(power);
    is_cut = !magnitude.is_zero();
    magnitude = quotient;
  }
  if (is_cut && how == (value.is_negative ? Whole::floor : Whole::ceil)) magnitude.add(Wide(1));
  const Coefficient room = (Coefficient{1} << 63) - (value.is_negative ? 0 : 1);
  if (magnitude.low() > room) return Outcome::int_overflow;
  const auto bits = static_cast<std::uint64_t>(magnitude.low());
  out = static_cast<std::int64_t>(value.is_negative ? 0 - bits : bits);
  return Outcome::ok;
}

double to_double(const Decimal& value) {
  char text[kDecimalBound];
  char* at = value.is_negative ? text + 1 : text;
  text[0] = '-';
  at = write_coefficient(at, value.coefficient);
  *at++ = 'e';
  at = write_integer(at, value.exponent);
  double result = 0;
  const auto [end, error] = std::from_chars(text, at, result);
  if (error != std::errc::result_out_of_range) return result;
  const double limit = adjusted(value) > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  return value.is_negative ? -limit : limit;
}

std::strong_ordering compare(const Decimal& left, const Decimal& right) {
  if (left.coefficient == 0 && right.coefficient == 0) return std::strong_ordering::equal;
  const bool left_below = left.is_negative && left.coefficient != 0;
  const bool right_below = right.is_negative && right.coefficient != 0;
  if (left_below != right_below) return right_below <=> left_below;
  return left_below ? compare_magnitudes(right, left) : compare_magnitudes(left, right);
}

std::partial_ordering compare(const Decimal& left, double right) {
  if (std::isnan(right)) return std::partial_ordering::unordered;
  if (std::isinf(right)) return 0.0 <=> right;
  const bool left_below = left.is_negative && left.coefficient != 0;
  const bool right_below = right < 0;
  if (left_below != right_below) return right_below <=> left_below;
  const std::partial_ordering found = compare_magnitudes(left, std::fabs(right));
  return left_below ? 0 <=> found : found;
}

char* write_decimal(char* out, const Decimal& value) {
  if (value.is_negative) *out++ = '-';
  char digits[48];
  const auto count = write_coefficient(digits, value.coefficient) - digits;
  const std::int64_t before = value.exponent + count;
  const bool is_plain = value.exponent <= 0 && before > -6;
  const std::int64_t point = is_plain ? before : 1;
  const auto copy = [&](std::int64_t first, std::int64_t last) {
    std::memcpy(out, digits + first, static_cast<std::size_t>(last - first));
    out += last - first;
  };
  if (point <= 0) {
    std::memcpy(out, "0.", 2);
    std::memset(out + 2, '0', static_cast<std::size_t>(-point));
    out += 2 - point;
    copy(0, count);
  } else {
    copy(0, std::min<std::int64_t>(point, count));
    if (point < count) {
      *out++ = '.';
      copy(point, count);
    }
  }
  if (before == point) return out;
  *out++ = 'E';
  if (before > point) *out++ = '+';
  return write_integer(out, before - point);
}

char* write_fixed(char* out, const Decimal& value, int places) {
  Wide scaled_up(value.coefficient);
  const int dropped = -value.exponent - places;
  if (dropped > 0 && dropped > count_digits(value.coefficient)) {
    scaled_up = Wide(0);
  } else if (dropped > 0) {
    scaled_up.shrink(dropped);
  } else if (dropped < 0) {
    scaled_up.grow(-dropped);
  }
  // From the last digit on; one stands before the point at least.
  char digits[128];
  char* at = digits + sizeof digits;
  for (int i = 0; i <= places || !scaled_up.is_zero(); ++i) {
    if (i == places && places > 0) *--at = '.';
    *--at = static_cast<char>('0' + scaled_up.divide(10));
  }
  const auto size = static_cast<std::size_t>(digits + sizeof digits - at);
  std::memcpy(out, at, size);
  return out + size;
}

}  // namespace labfactory
