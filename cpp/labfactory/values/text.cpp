#include "labfactory/values/text.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <system_error>

#include "labfactory/values/unicode.hpp"
#include "labfactory/values/wide.hpp"

namespace labfactory {

namespace {

__extension__ using Unsigned128 = unsigned __int128;

constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;

// Digits are handled as words whose first byte is the first digit.
static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t kEightDigits = 100'000'000;
constexpr std::uint64_t kAsciiZeros = 0x3030303030303030;

void store_word(char* out, std::uint64_t word) {
  std::memcpy(out, &word, sizeof word);
}

// The digits of a number below 10^8, zeros in front, one in each byte: halves, then pairs, then digits, all
// lanes at once. The factors stand for division by 100 and by 10, exact over the range of their lanes.
std::uint64_t eight_digits(std::uint64_t value) {
  const std::uint64_t high = value / 10000;
  const std::uint64_t halves = high | (value - high * 10000) << 32;
  const std::uint64_t hundreds = (halves * 10486 >> 20) & 0x0000007f0000007f;
  const std::uint64_t pairs = hundreds | (halves - hundreds * 100) << 16;
  const std::uint64_t tens = (pairs * 103 >> 10) & 0x000f000f000f000f;
  return tens | (pairs - tens * 10) << 8;
}

// Zeros in front of the digits of a word; 8 for none but zeros.
int leading_zeros(std::uint64_t digits) {
  return std::countr_zero(digits) / 8;
}

// Writes a number below 10^8 without zeros in front; touches 8 bytes.
char* write_short(char* out, std::uint64_t value) {
  const std::uint64_t digits = eight_digits(value);
  const int skipped = std::min(leading_zeros(digits), 7);
  store_word(out, (digits | kAsciiZeros) >> (8 * skipped));
  return out + 8 - skipped;
}

struct Scaled {
  bool is_exact = false;  // whether the count below could be had in 64 bits
  std::uint64_t count = 0;
};

// value / 2^shift, rounded to a whole number with ties to even; shift is above 0.
template <typename Word>
Word shift_to_even(Word value, int shift) {
  const Word half = Word{1} << (shift - 1);
  const Word rest = value & ((half << 1) - 1);
  const Word whole = value >> shift;
  return whole + static_cast<Word>(rest + (whole & 1) > half);
}

// A significand of 53 bits times 10^3 stays below 2^63, so the cheaper word does.
constexpr int kShortPrecision = 3;

// |value| * 10^precision, rounded to a whole number with ties to even. The product of the significand and the
// power is exact in 128 bits, so the rounding sees every bit of the value.
Scaled scale(std::uint64_t bits, int precision) {
  const int biased = static_cast<int>((bits >> 52) & 0x7ff);
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << 52) - 1);
  if (biased == 0x7ff || precision > 19) return {};
  const std::uint64_t significand = biased == 0 ? fraction : fraction | (std::uint64_t{1} << 52);
  const int exponent = (biased == 0 ? 1 : biased) - 1075;
  if (exponent > 11) return {};
  const std::uint64_t power = kPowersOfTen[static_cast<std::size_t>(precision)];
  const int shift = -exponent;
  if (precision <= kShortPrecision && shift > 0 && shift < 64) {
    return {true, shift_to_even(significand * power, shift)};
  }
  const Unsigned128 product = Unsigned128{significand} * power;
  // The product is below 2^117, so at this shift it is below one half.
  if (shift >= 120) return {true, 0};
  const Unsigned128 count = shift > 0 ? shift_to_even(product, shift) : product << exponent;
  if ((count >> 64) != 0) return {};
  return {true, static_cast<std::uint64_t>(count)};
}

// The repr of a value that is a decimal of at most 15 digits, null when it is none: such decimals never round
// to the same double, so the one that rounds to the value is its shortest. Scale is a power of ten up to
// 10^8.
template <std::uint64_t Scale>
char* write_decimal(char* out, double magnitude) {
  // What rounding gets wrong here, the comparison refuses. NOLINTNEXTLINE(bugprone-incorrect-roundings)
  const auto scaled = static_cast<std::uint64_t>(magnitude * static_cast<double>(Scale) + 0.5);
  if (static_cast<double>(scaled) / static_cast<double>(Scale) != magnitude) return nullptr;
  const std::uint64_t whole = scaled / Scale;
  const std::uint64_t digits = eight_digits((scaled - whole * Scale) * (kEightDigits / Scale));
  out = write_unsigned(out, whole);
  *out++ = '.';
  store_word(out, digits | kAsciiZeros);
  return out + std::max(8 - std::countl_zero(digits) / 8, 1);
}

char* write_short_repr(char* out, double magnitude) {
  if (magnitude < 1e-4) return nullptr;
  if (magnitude < 1e7) return write_decimal<kEightDigits>(out, magnitude);
  return magnitude < 1e11 ? write_decimal<10000>(out, magnitude) : nullptr;
}

// Rounds the digits of a whole number to a multiple of 10^places, ties to even; `has_fraction` tells that the
// number lies above what its digits say. Returns the end of the digits.
char* round_digits(char* digits, char* end, std::int64_t places, bool has_fraction) {
  const std::int64_t kept = (end - digits) - places;
  if (kept < 0) {
    *digits = '0';
    return digits + 1;
  }
  char* first_dropped = digits + kept;
  const bool above_half =
      *first_dropped > '5' ||
      (*first_dropped == '5' &&
       (has_fraction || std::any_of(first_dropped + 1, end, [](char c) { return c != '0'; })));
  const bool is_half = *first_dropped == '5' && !above_half;
  const bool is_odd = kept > 0 && (first_dropped[-1] - '0') % 2 != 0;
  std::fill(first_dropped, end, '0');
  if (!above_half && !(is_half && is_odd)) return end;
  char* at = first_dropped;
  while (at != digits && at[-1] == '9') *--at = '0';
  if (at != digits) {
    ++at[-1];
    return end;
  }
  std::memmove(digits + 1, digits, static_cast<std::size_t>(end - digits));
  *digits = '1';
  return end + 1;
}

// What int() skips around its digits: C's white space among ASCII, all of Unicode's beyond.
bool is_integer_space(char32_t code_point) {
  if (code_point < 0x80) return code_point == U' ' || (code_point >= U'\t' && code_point <= U'\r');
  return is_space(code_point);
}

std::string_view skip_integer_space(std::string_view text) {
  while (!text.empty()) {
    const CodePoint next = decode_code_point(text);
    if (!is_integer_space(next.value)) break;
    text.remove_prefix(next.bytes);
  }
  return text;
}

double parse_double(const char* begin, const char* end) {
  double value = 0;
  const auto [at, error] = std::from_chars(begin, end, value);
  return error == std::errc::result_out_of_range ? std::numeric_limits<double>::infinity() : value;
}

}  // namespace

char* write_padded(char* out, std::uint64_t value, int count) {
  for (char* at = out + count; at != out; value /= 10) *--at = static_cast<char>('0' + value % 10);
  return out + count;
}

char* write_unsigned(char* out, std::uint64_t value) {
  if (value < kEightDigits) return write_short(out, value);
  const std::uint64_t high = value / kEightDigits;
  if (high < kEightDigits) {
    out = write_short(out, high);
  } else {
    const std::uint64_t top = high / kEightDigits;
    out = write_short(out, top);
    store_word(out, eight_digits(high - top * kEightDigits) | kAsciiZeros);
    out += 8;
  }
  store_word(out, eight_digits(value - high * kEightDigits) | kAsciiZeros);
  return out + 8;
}

char* write_integer(char* out, std::int64_t value) {
  auto magnitude = static_cast<std::uint64_t>(value);
  if (value < 0) {
    *out++ = '-';
    magnitude = 0 - magnitude;
  }
  return write_unsigned(out, magnitude);
}

char* write_repr(char* out, double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  if (std::isnan(value)) {
    std::memcpy(out, "nan", 3);
    return out + 3;
  }
  if ((bits & kSignBit) != 0) *out++ = '-';
  const double magnitude = std::fabs(value);
  if (std::isinf(value)) {
    std::memcpy(out, "inf", 3);
    return out + 3;
  }
  if (magnitude == 0) {
    std::memcpy(out, "0.0", 3);
    return out + 3;
  }
  if (char* end = write_short_repr(out, magnitude)) return end;
  // Between the two borders Python leaves the exponent out. A double below 10^16 that is whole has no shorter
  // digits than its own, so to_chars, which prints those, agrees.
  if (magnitude >= 1e-4 && magnitude < 1e16) {
    char* const end = std::to_chars(out, out + kReprBound - 1, magnitude, std::chars_format::fixed).ptr;
    if (magnitude != std::trunc(magnitude)) return end;
    std::memcpy(end, ".0", 2);
    return end + 2;
  }
  return std::to_chars(out, out + kReprBound - 1, magnitude, std::chars_format::scientific).ptr;
}

std::size_t fixed_bound(double value, int precision) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const int exponent = static_cast<int>((bits >> 52) & 0x7ff) - 1023;
  // A number below 2^(e+1) has at most e * 0.30103 + 2 digits before the point; the rest is sign, point, a
  // digit that rounding adds, and two wide stores.
  constexpr std::size_t kRest = 20;
  const int whole = exponent <= 0 ? 2 : exponent * 1234 / 4096 + 3;
  return static_cast<std::size_t>(whole) + static_cast<std::size_t>(precision) + kRest;
}

char* write_fixed(char* out, double value, int precision) {
  assert(precision >= 0);
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const Scaled scaled = scale(bits, precision);
  if (!scaled.is_exact) {
    if (std::isnan(value)) {
      std::memcpy(out, "nan", 3);
      return out + 3;
    }
    return std::to_chars(out, out + fixed_bound(value, precision), value, std::chars_format::fixed, precision)
        .ptr;
  }
  if ((bits & kSignBit) != 0) *out++ = '-';
  if (precision == 0) return write_unsigned(out, scaled.count);
  if (scaled.count < kEightDigits && precision < 8) {
    // The point goes between two copies of the digits; at least one stands before it.
    const std::uint64_t digits = eight_digits(scaled.count);
    const int skipped = std::min(leading_zeros(digits), 7 - precision);
    store_word(out, (digits | kAsciiZeros) >> (8 * skipped));
    out += 8 - skipped - precision;
    *out++ = '.';
    store_word(out, (digits | kAsciiZeros) >> (64 - 8 * precision));
    return out + precision;
  }
  const std::uint64_t power = kPowersOfTen[static_cast<std::size_t>(precision)];
  const std::uint64_t whole = scaled.count / power;
  out = write_unsigned(out, whole);
  *out++ = '.';
  return write_padded(out, scaled.count - whole * power, precision);
}

ParsedInteger parse_integer(std::string_view text, std::int64_t& value) {
  // int() refuses longer text since CPython 3.11, whatever its value (sys.int_info.default_max_str_digits).
  constexpr int kMaxDigits = 4300;
  text = skip_integer_space(text);
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  std::uint64_t magnitude = 0;
  bool overflows = false;
  bool after_digit = false;
  int digits = 0;
  while (!text.empty()) {
    const CodePoint next = decode_code_point(text);
    text.remove_prefix(next.bytes);
    if (next.value == U'_') {
      if (!after_digit) return ParsedInteger::invalid;
      after_digit = false;
      continue;
    }
    const int digit = decimal_digit(next.value);
    if (digit < 0 && is_integer_space(next.value) && skip_integer_space(text).empty()) break;
    if (digit < 0 || ++digits > kMaxDigits) return ParsedInteger::invalid;
    after_digit = true;
    const std::uint64_t room =
        (std::numeric_limits<std::uint64_t>::max() - static_cast<std::uint64_t>(digit)) / 10;
    overflows = overflows || magnitude > room;
    magnitude = magnitude * 10 + static_cast<std::uint64_t>(digit);
  }
  if (!after_digit) return ParsedInteger::invalid;
  if (overflows || magnitude > kSignBit - (is_negative ? 0 : 1)) return ParsedInteger::overflow;
  value = static_cast<std::int64_t>(is_negative ? 0 - magnitude : magnitude);
  return ParsedInteger::ok;
}

double round_to(double value, int precision) {
  // Beyond 323 places a double has no digits left, before -308 none reach half a unit: CPython's float_round
  // says so.
  if (precision > 323 || !std::isfinite(value)) return value;
  if (precision < -308) return 0.0 * value;
  const auto bits = std::bit_cast<std::uint64_t>(value);
  if (precision >= 0) {
    const Scaled scaled = scale(bits, precision);
    // Both are exact as doubles, so their quotient is the double nearest to the decimal.
    if (scaled.is_exact && scaled.count <= std::uint64_t{1} << 53) {
      const auto power = static_cast<double>(kPowersOfTen[static_cast<std::size_t>(precision)]);
      return std::copysign(static_cast<double>(scaled.count) / power, value);
    }
  }
  // 309 digits before the point, 323 after it, and the point
  char digits[640];
  if (precision >= 0) {
    char* end =
        std::to_chars(digits, digits + sizeof digits, std::fabs(value), std::chars_format::fixed, precision)
            .ptr;
    return std::copysign(parse_double(digits, end), value);
  }
  const double whole = std::trunc(std::fabs(value));
  char* end = std::to_chars(digits, digits + sizeof digits - 1, whole, std::chars_format::fixed, 0).ptr;
  end = round_digits(digits, end, -std::int64_t{precision}, whole != std::fabs(value));
  return std::copysign(parse_double(digits, end), value);
}

std::int64_t round_integer(std::int64_t value, int precision, bool& overflow) {
  if (precision >= 0) return value;
  if (precision < -19) return 0;
  const std::uint64_t unit = kPowersOfTen[static_cast<std::size_t>(-precision)];
  const std::uint64_t magnitude =
      value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  std::uint64_t count = magnitude / unit;
  const std::uint64_t rest = magnitude - count * unit;
  const std::uint64_t to_next = unit - rest;
  if (rest > to_next || (rest == to_next && count % 2 != 0)) ++count;
  const std::uint64_t rounded = count * unit;
  if (rounded > kSignBit - (value < 0 ? 0 : 1)) {
    overflow = true;
    return 0;
  }
  return static_cast<std::int64_t>(value < 0 ? 0 - rounded : rounded);
}

}  // namespace labfactory
