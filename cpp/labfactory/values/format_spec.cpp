#include "labfactory/values/format_spec.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "labfactory/values/decimal.hpp"
#include "labfactory/values/format.hpp"
#include "labfactory/values/moment_methods.hpp"
#include "labfactory/values/text.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

// Wider than any asset; Python's own bound is that of its integers.
constexpr std::int64_t kMostWidth = std::int64_t{1} << 31;

bool is_align(char32_t c) {
  return c == U'<' || c == U'>' || c == U'^' || c == U'=';
}

Outcome read_number(std::string_view& text, std::int64_t& out) {
  std::size_t at = 0;
  std::int64_t value = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    value = value * 10 + (text[at] - '0');
    if (value > kMostWidth) return Outcome::asset_too_large;
  }
  if (at != 0) out = value;
  text.remove_prefix(at);
  return Outcome::ok;
}

// A number on its way into its columns, as CPython's NumberFieldWidths: digits before the point apart.
struct NumberParts {
  bool is_negative = false;
  std::string_view prefix;
  std::string_view digits;
  std::string_view rest;  // the point and what follows it
};

// The digits with separators, filled with zeros up to a width.
Outcome grouped(const Scope& scope, std::string_view digits, std::int64_t least, char separator,
                std::int64_t group, std::string_view& out) {
  const auto room = digits.size() * 2 + static_cast<std::size_t>(std::max<std::int64_t>(least, 0)) * 2 + 2;
  if (room > scope.most_bytes) return Outcome::asset_too_large;
  char* const begin = scope.arena.allocate(room);
  char* at = begin + room;
  auto left = static_cast<std::int64_t>(digits.size());
  for (bool separated = false;; separated = true) {
    const std::int64_t wanted = std::max<std::int64_t>({left, least, 1});
    const std::int64_t length = separator == '\0' ? wanted : std::min(group, wanted);
    const std::int64_t taken = std::min(left, length);
    if (separated) *--at = separator;
    at -= taken;
    std::copy_n(digits.data() + left - taken, taken, at);
    at -= length - taken;
    std::fill_n(at, length - taken, '0');
    left -= taken;
    least -= length;
    if (left <= 0 && least <= 0) break;
    --least;
  }
  out = {at, static_cast<std::size_t>(begin + room - at)};
  return Outcome::ok;
}

Outcome lay_out(const Scope& scope, const FormatSpec& spec, const NumberParts& parts, ArenaText& out) {
  const char align = spec.align != '\0' ? spec.align : spec.has_zero ? '=' : '>';
  const std::string_view fill = spec.has_zero ? "0" : spec.fill;
  const char sign = parts.is_negative ? '-' : spec.sign == '+' || spec.sign == ' ' ? spec.sign : '\0';
  const auto marks =
      static_cast<std::int64_t>((sign != '\0' ? 1 : 0) + parts.prefix.size() + parts.rest.size());
  std::string_view digits;
  if (!parts.digits.empty()) {
    const std::int64_t least = fill == "0" && align == '=' ? spec.width - marks : 0;
    const bool by_four =
        std::string_view("bxXo").find(spec.type) != std::string_view::npos && spec.type != '\0';
    if (const Outcome o = grouped(scope, parts.digits, least, spec.grouping, by_four ? 4 : 3, digits);
        o != Outcome::ok) {
      return o;
    }
  }
  const std::int64_t padding =
      std::max<std::int64_t>(spec.width - marks - static_cast<std::int64_t>(digits.size()), 0);
  const std::int64_t before = align == '>' ? padding : align == '^' ? padding / 2 : 0;
  const std::int64_t within = align == '=' ? padding : 0;
  const auto fills = [&](std::int64_t count) { return out.append(static_cast<std::size_t>(count), fill); };
  const bool fits = fills(before) && (sign == '\0' || out.append({&sign, 1})) && out.append(parts.prefix) &&
                    fills(within) && out.append(digits) && out.append(parts.rest) &&
                    fills(padding - before - within);
  return fits ? Outcome::ok : Outcome::asset_too_large;
}

Outcome format_text(const FormatSpec& spec, std::string_view text, ArenaText& out) {
  if (spec.type != '\0' && spec.type != 's') return Outcome::value_error;
  if (spec.sign != '\0' || spec.is_alternate || spec.no_negative_zero || spec.grouping != '\0' ||
      spec.align == '=') {
    return Outcome::value_error;
  }
  if (spec.precision >= 0) text = first_code_points(text, spec.precision);
  const std::int64_t padding =
      spec.width < 0 ? 0 : std::max<std::int64_t>(spec.width - count_code_points(text), 0);
  const std::int64_t before = spec.align == '>' ? padding : spec.align == '^' ? padding / 2 : 0;
  const std::string_view fill = spec.has_zero ? "0" : spec.fill;
  const bool fits = out.append(static_cast<std::size_t>(before), fill) && out.append(text) &&
                    out.append(static_cast<std::size_t>(padding - before), fill);
  return fits ? Outcome::ok : Outcome::asset_too_large;
}

// The digits of a double that Python prints where no type is given but a precision is: %g with a digit behind
// the point.
char* write_short(char* out, double magnitude, int precision) {
  constexpr std::size_t kSlack = 16;
  char scientific[kFormatLimit + kSlack];
  const char* const end = std::to_chars(scientific, scientific + sizeof scientific, magnitude,
                                        std::chars_format::scientific, precision - 1)
                              .ptr;
  const char* const mark = std::find(static_cast<const char*>(scientific), end, 'e');
  int exponent = 0;
  std::from_chars(mark + (mark[1] == '+' ? 2 : 1), end, exponent);
  // decpt <= -4 or decpt > precision - 1, where decpt is the exponent and one
  if (exponent + 1 <= -4 || exponent + 1 > precision - 1) {
    const char* last = mark;
    if (precision > 1) {
      while (last[-1] == '0') --last;
      if (last[-1] == '.') --last;
    }
    out = std::copy(static_cast<const char*>(scientific), last, out);
    return std::copy(mark, end, out);
  }
  char* const begin = out;
  out = write_fixed(out, magnitude, std::max(precision - 1 - exponent, 1));
  if (std::find(begin, out, '.') != out) {
    while (out[-1] == '0' && out[-2] != '.') --out;
  }
  return out;
}

Outcome format_floating(const Scope& scope, const FormatSpec& spec, double value, ArenaText& out) {
  if (spec.type == 'n') return Outcome::unsupported;
  const bool is_known =
      spec.type == '\0' || std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  if (!is_known) return Outcome::value_error;
  if (spec.precision > kFormatLimit - 1) return Outcome::unsupported;
  if (spec.type == '%') value *= 100;
  const double magnitude = std::fabs(value);
  Conversion conversion;
  conversion.type = spec.type == '%' ? 'f' : spec.type;
  conversion.is_alternate = spec.is_alternate;
  conversion.precision = static_cast<int>(spec.precision);
  char* const begin = scope.arena.allocate(conversion.floating_bound(magnitude) + kReprBound + 2);
  char* end = begin;
  if (!std::isfinite(value)) {
    const bool is_upper = spec.type == 'E' || spec.type == 'F' || spec.type == 'G';
    const std::string_view name = std::isnan(value) ? (is_upper ? "NAN" : "nan") : (is_upper ? "INF" : "inf");
    end = std::copy(name.begin(), name.end(), end);
  } else if (spec.type != '\0') {
    end = conversion.write_floating(begin, magnitude);
  } else if (spec.is_alternate) {
    return Outcome::unsupported;
  } else if (spec.precision < 0) {
    end = write_repr(begin, magnitude);
  } else {
    end = write_short(begin, magnitude, std::max(static_cast<int>(spec.precision), 1));
  }
  if (spec.type == '%') *end++ = '%';
  const std::string_view written(begin, static_cast<std::size_t>(end - begin));
  const std::size_t digits = std::min(written.find_first_not_of("0123456789"), written.size());
  bool is_negative = std::signbit(value) && !std::isnan(value);
  if (is_negative && spec.no_negative_zero) {
    is_negative = written.find_first_of("123456789") != std::string_view::npos || std::isinf(value);
  }
  return lay_out(scope, spec, {is_negative, {}, written.substr(0, digits), written.substr(digits)}, out);
}

// Decimal.__format__ with fixed digits: its own, or as many as the precision says, ties to even.
Outcome format_decimal(const Scope& scope, const FormatSpec& spec, Decimal value, ArenaText& out) {
  const bool is_fixed = spec.type == 'f' || spec.type == 'F' || spec.type == '%';
  const bool is_plain = spec.type == '\0' && spec.precision < 0;
  if ((!is_fixed && !is_plain) || spec.is_alternate || spec.no_negative_zero || spec.grouping == '_') {
    return Outcome::unsupported;
  }
  // Far more places than a decimal has digits.
  constexpr std::int64_t kMostPlaces = 30;
  if (spec.precision > kMostPlaces || value.exponent > kMostPlaces || value.exponent < -kMostPlaces) {
    return Outcome::unsupported;
  }
  char* const begin = scope.arena.allocate(std::size_t{4} * kDecimalBound);
  char* end = begin;
  const bool is_negative = value.is_negative;
  value.is_negative = false;
  if (is_plain) {
    end = write_decimal(begin, value);
  } else {
    if (spec.type == '%') value.exponent += 2;
    const std::int64_t places = spec.precision >= 0 ? spec.precision : std::max(-value.exponent, 0);
    end = write_fixed(begin, value, static_cast<int>(places));
    if (spec.type == '%') *end++ = '%';
  }
  const std::string_view written(begin, static_cast<std::size_t>(end - begin));
  const std::size_t digits = std::min(written.find_first_not_of("0123456789"), written.size());
  return lay_out(scope, spec, {is_negative, {}, written.substr(0, digits), written.substr(digits)}, out);
}

Outcome format_character(const FormatSpec& spec, std::int64_t value, ArenaText& out) {
  if (spec.sign != '\0' || spec.is_alternate || spec.grouping != '\0') return Outcome::value_error;
  if (value < 0 || value >= std::int64_t{kNotUtf8}) return Outcome::float_overflow;
  if (value >= 0xd800 && value < 0xe000) return Outcome::encoding;
  char bytes[4];
  const char* const end = write_code_point(bytes, static_cast<char32_t>(value));
  // It counts as one column, whatever its bytes, and stands right as numbers do.
  FormatSpec as_text = spec;
  as_text.type = 's';
  if (spec.align == '\0' || spec.align == '=') as_text.align = '>';
  return format_text(as_text, {bytes, static_cast<std::size_t>(end - bytes)}, out);
}

Outcome format_integer(const Scope& scope, const FormatSpec& spec, std::int64_t value, ArenaText& out) {
  if (spec.type != '\0' && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos) {
    return format_floating(scope, spec, static_cast<double>(value), out);
  }
  if (spec.type == 'n') return Outcome::unsupported;
  if (spec.type != '\0' && std::string_view("bcdoxX").find(spec.type) == std::string_view::npos)
    return Outcome::value_error;
  if (spec.precision >= 0 || spec.no_negative_zero) return Outcome::value_error;
  if (spec.type == 'c') return format_character(spec, value, out);
  const int base = spec.type == 'b'                       ? 2
                   : spec.type == 'o'                     ? 8
                   : spec.type == 'x' || spec.type == 'X' ? 16
                                                          : 10;
  if (spec.grouping == ',' && base != 10) return Outcome::value_error;
  const std::uint64_t magnitude =
      value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  constexpr std::size_t kMostBits = 64;
  char digits[kMostBits];
  char* const end = std::to_chars(digits, digits + kMostBits, magnitude, base).ptr;
  if (spec.type == 'X') {
    std::transform(digits, end, digits, [](char c) { return static_cast<char>(c >= 'a' ? c - 32 : c); });
  }
  std::string_view prefix;
  if (spec.is_alternate && base != 10) {
    prefix = base == 2 ? "0b" : base == 8 ? "0o" : spec.type == 'X' ? "0X" : "0x";
  }
  const std::string_view written(digits, static_cast<std::size_t>(end - digits));
  return lay_out(scope, spec, {value < 0, prefix, written, {}}, out);
}

}  // namespace

Outcome parse_format_spec(std::string_view text, FormatSpec& out) {
  out = {};
  if (text.empty()) return Outcome::ok;
  const CodePoint first = decode_code_point(text);
  const auto has = [&](char c) { return !text.empty() && text.front() == c; };
  const auto take = [&] {
    const char c = text.front();
    text.remove_prefix(1);
    return c;
  };
  bool has_fill = false;
  if (text.size() > first.bytes && is_align(decode_code_point(text.substr(first.bytes)).value)) {
    out.fill = text.substr(0, first.bytes);
    text.remove_prefix(first.bytes);
    out.align = take();
    has_fill = true;
  } else if (is_align(first.value)) {
    out.align = take();
  }
  if (has('+') || has('-') || has(' ')) out.sign = take();
  if (has('z')) {
    take();
    out.no_negative_zero = true;
  }
  if (has('#')) {
    take();
    out.is_alternate = true;
  }
  if (!has_fill && has('0')) {
    take();
    out.has_zero = true;
  }
  if (const Outcome o = read_number(text, out.width); o != Outcome::ok) return o;
  if (has(',') || has('_')) {
    out.grouping = take();
    if (has(',') || has('_')) return Outcome::value_error;
  }
  if (has('.')) {
    take();
    if (const Outcome o = read_number(text, out.precision); o != Outcome::ok) return o;
    if (out.precision < 0) return Outcome::value_error;
  }
  if (text.empty()) return Outcome::ok;
  out.type = take();
  if (!text.empty() || static_cast<unsigned char>(out.type) >= 0x80) return Outcome::value_error;
  // Thousands separators go with numbers alone.
  const bool separates =
      std::string_view("deEfFgG%").find(out.type) != std::string_view::npos ||
      (out.grouping == '_' && std::string_view("bxXo").find(out.type) != std::string_view::npos);
  return out.grouping != '\0' && !separates ? Outcome::value_error : Outcome::ok;
}

Outcome format_value(const Scope& scope, const Value& value, std::string_view text, ArenaText& out) {
  if (text.empty()) {
    std::string_view shown;
    if (const Outcome o = text_of(scope, value, shown); o != Outcome::ok) return o;
    return out.append(shown) ? Outcome::ok : Outcome::asset_too_large;
  }
  FormatSpec spec;
  switch (value.kind) {
    case Kind::text:
    case Kind::markup:
    case Kind::boolean:
    case Kind::integer:
    case Kind::floating:
      break;
    case Kind::decimal:
      break;
    case Kind::date:
    case Kind::timestamp:
    case Kind::zoned:
    case Kind::time: {
      std::string_view shown;
      if (const Outcome o = strftime_text(scope, value, text, shown); o != Outcome::ok) return o;
      return out.append(shown) ? Outcome::ok : Outcome::asset_too_large;
    }
    default:
      // object.__format__ takes no specification.
      return Outcome::type_error;
  }
  if (const Outcome o = parse_format_spec(text, spec); o != Outcome::ok) return o;
  if (value.is_text()) return format_text(spec, value.view(), out);
  if (value.kind == Kind::floating) return format_floating(scope, spec, value.payload.floating, out);
  if (value.kind == Kind::decimal) return format_decimal(scope, spec, decimal_of(value), out);
  return format_integer(scope, spec, value.payload.integer, out);
}

}  // namespace labfactory
