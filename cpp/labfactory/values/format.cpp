#include "labfactory/values/format.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

#include "labfactory/base/error.hpp"
#include "labfactory/values/text.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

// Python's default precision of e, f and g.
constexpr int kDefaultPrecision = 6;
// Sign and prefix (0x), or the exponent and point of a number in scientific form.
constexpr std::size_t kMarks = 16;
// Digits of an int64 in base 8.
constexpr std::size_t kMostDigits = 22;

bool is_floating(char type) {
  return std::string_view("eEfFgG").find(type) != std::string_view::npos;
}

bool is_text(char type) {
  return type == 's' || type == 'r';
}

[[noreturn]] void refuse(std::string_view text, const std::string& reason, const std::string& hint) {
  constexpr std::size_t kShown = 60;
  const std::string shown(first_code_points(text, kShown));
  throw Error(ErrorKind::compile, "format", "expected a printf format, found '" + shown + "': " + reason,
              hint);
}

// Reads the conversions of one format.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }

  // The text up to the next % or the end.
  std::string_view literal() {
    const std::size_t found = std::min(text_.find('%', at_), text_.size());
    const std::string_view part = text_.substr(at_, found - at_);
    at_ = found;
    return part;
  }

  // Steps over a % that a second one makes literal.
  bool skip_percent() {
    if (text_.substr(at_, 2) != "%%") return false;
    at_ += 2;
    return true;
  }

  // Stands on a %.
  Conversion conversion() {
    ++at_;
    Conversion found;
    if (peek() == '(') refuse(text_, "%(name) conversions are not supported", "pass the values in order");
    while (read_flag(found)) {
    }
    found.width = read_number("width");
    if (peek() == '.') {
      ++at_;
      found.precision = read_number("precision");
    }
    if (peek() == 'h' || peek() == 'l' || peek() == 'L') ++at_;
    found.type = peek();
    ++at_;
    if (found.type == 'i' || found.type == 'u') found.type = 'd';
    if (std::string_view("dxXoeEfFgGcsr").find(found.type) == std::string_view::npos) {
      const std::string named(first_code_points(text_.substr(at_ - 1), 1));
      refuse(text_, "unsupported conversion '%" + named + "'",
             "known are %s %r %c %d %i %u %x %X %o %e %f %g and %%");
    }
    return found;
  }

 private:
  [[nodiscard]] char peek() const {
    if (at_end()) refuse(text_, "it ends within a conversion", "write %% for a percent sign");
    return text_[at_];
  }

  bool read_flag(Conversion& found) {
    switch (peek()) {
      case '-':
        found.is_left = true;
        break;
      case '+':
        found.has_plus = true;
        break;
      case ' ':
        found.has_space = true;
        break;
      case '0':
        found.has_zero = true;
        break;
      case '#':
        found.is_alternate = true;
        break;
      default:
        return false;
    }
    ++at_;
    return true;
  }

  int read_number(const char* name) {
    if (peek() == '*') refuse(text_, std::string("a ") + name + " of * is not supported", "write the number");
    int number = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      number = number * 10 + (peek() - '0');
      if (number > kFormatLimit) {
        refuse(text_, std::string("a ") + name + " is at most " + std::to_string(kFormatLimit), {});
      }
    }
    return number;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// A number on its way into its columns: sign, prefix and digits apart, because zeros go between them.
struct Parts {
  char sign = 0;
  std::string_view prefix;
  char* digits;  // stands in the output buffer
  std::size_t size;
};

// Lays the parts out at `out`; the digits lie somewhere in [out, out + bound) and may be moved.
char* lay_out(char* out, const Conversion& conversion, const Parts& parts) {
  const std::size_t marks = (parts.sign != 0 ? 1U : 0U) + parts.prefix.size();
  const std::size_t size = marks + parts.size;
  const auto width = static_cast<std::size_t>(conversion.width);
  const std::size_t padding = width > size ? width - size : 0;
  const std::size_t before = conversion.is_left ? 0 : padding;
  std::memmove(out + before + marks, parts.digits, parts.size);
  char* at = out;
  if (!conversion.has_zero) at = std::fill_n(at, before, ' ');
  if (parts.sign != 0) *at++ = parts.sign;
  at = std::copy(parts.prefix.begin(), parts.prefix.end(), at);
  if (conversion.has_zero) at = std::fill_n(at, before, '0');
  at += parts.size;
  return conversion.is_left ? std::fill_n(at, padding, ' ') : at;
}

char sign_of(const Conversion& conversion, bool is_negative) {
  if (is_negative) return '-';
  if (conversion.has_plus) return '+';
  return conversion.has_space ? ' ' : '\0';
}

char upper(char c) {
  return static_cast<char>(c - (c >= 'a' && c <= 'z' ? 32 : 0));
}

// Writes the digits of an integer in the conversion's base, at least `precision` of them.
char* write_digits(char* out, const Conversion& conversion, std::uint64_t magnitude) {
  const int base = conversion.type == 'd' ? 10 : conversion.type == 'o' ? 8 : 16;
  char digits[kMostDigits];
  char* const end = std::to_chars(digits, digits + sizeof digits, magnitude, base).ptr;
  const auto count = static_cast<int>(end - digits);
  out = std::fill_n(out, std::max(conversion.precision - count, 0), '0');
  if (conversion.type == 'X') return std::transform(digits, end, out, upper);
  return std::copy(digits, end, out);
}

std::string_view prefix_of(const Conversion& conversion) {
  if (!conversion.is_alternate) return {};
  switch (conversion.type) {
    case 'x':
      return "0x";
    case 'X':
      return "0X";
    case 'o':
      return "0o";
    default:
      return {};
  }
}

// '%#.*g' keeps the zeros that %g drops: as many digits as the precision says.
char* write_general_alternate(char* out, double magnitude, int precision) {
  char scientific[kFormatLimit + kMarks];
  const char* const end = std::to_chars(scientific, scientific + sizeof scientific, magnitude,
                                        std::chars_format::scientific, precision - 1)
                              .ptr;
  const char* const mark = std::find(static_cast<const char*>(scientific), end, 'e');
  int exponent = 0;
  std::from_chars(mark + (mark[1] == '+' ? 2 : 1), end, exponent);
  if (exponent < -4 || exponent >= precision) {
    out = std::copy(static_cast<const char*>(scientific), mark, out);
    if (precision == 1) *out++ = '.';
    return std::copy(mark, end, out);
  }
  const int decimals = precision - 1 - exponent;
  out = write_fixed(out, magnitude, decimals);
  if (decimals == 0) *out++ = '.';
  return out;
}

// Writes a finite, not negative number as e, f or g.
char* write_magnitude(char* out, std::size_t bound, const Conversion& conversion, double magnitude) {
  const int precision = conversion.precision < 0 ? kDefaultPrecision : conversion.precision;
  switch (conversion.type) {
    case 'f':
    case 'F':
      out = write_fixed(out, magnitude, precision);
      if (conversion.is_alternate && precision == 0) *out++ = '.';
      return out;
    case 'e':
    case 'E': {
      char* end = std::to_chars(out, out + bound, magnitude, std::chars_format::scientific, precision).ptr;
      if (!conversion.is_alternate || precision != 0) return end;
      std::memmove(out + 2, out + 1, static_cast<std::size_t>(end - out - 1));
      out[1] = '.';
      return end + 1;
    }
    default: {
      const int digits = std::max(precision, 1);
      if (conversion.is_alternate) return write_general_alternate(out, magnitude, digits);
      return std::to_chars(out, out + bound, magnitude, std::chars_format::general, digits).ptr;
    }
  }
}

}  // namespace

FormatFault Conversion::integer_fault(std::int64_t value) const {
  if (type != 'c') return FormatFault::none;
  if (value < 0 || value >= std::int64_t{kNotUtf8}) return FormatFault::overflow;
  return value >= 0xd800 && value < 0xe000 ? FormatFault::surrogate : FormatFault::none;
}

FormatFault Conversion::floating_fault(double value) const {
  if (is_text(type) || is_floating(type)) return FormatFault::none;
  if (type != 'd') return FormatFault::type;
  if (std::isnan(value)) return FormatFault::value;
  return std::isinf(value) ? FormatFault::overflow : FormatFault::none;
}

FormatFault Conversion::text_fault(std::string_view text) const {
  if (is_text(type)) return FormatFault::none;
  return type == 'c' && count_code_points(text) == 1 ? FormatFault::none : FormatFault::type;
}

std::size_t Conversion::integer_bound(std::int64_t value) const {
  if (is_floating(type)) return floating_bound(static_cast<double>(value));
  return static_cast<std::size_t>(width) + static_cast<std::size_t>(std::max(precision, 0)) + kMostDigits +
         kMarks;
}

std::size_t Conversion::floating_bound(double value) const {
  const int decimals = precision < 0 ? kDefaultPrecision : precision;
  // %g writes at most its precision before the exponent, or four zeros and its precision after the point.
  return static_cast<std::size_t>(width) + fixed_bound(value, decimals) + kReprBound + kMarks;
}

std::size_t Conversion::text_bound(std::string_view text) const {
  return static_cast<std::size_t>(width) + text.size();
}

char* Conversion::write_integer(char* out, std::int64_t value) const {
  if (is_floating(type)) return write_floating(out, static_cast<double>(value));
  if (is_text(type)) {
    char digits[kIntegerBound];
    return write_text(out,
                      {digits, static_cast<std::size_t>(labfactory::write_integer(digits, value) - digits)});
  }
  if (type == 'c') {
    char bytes[4];
    const char* const end = write_code_point(bytes, static_cast<char32_t>(value));
    return write_text(out, {bytes, static_cast<std::size_t>(end - bytes)});
  }
  const std::uint64_t magnitude =
      value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  char* const end = write_digits(out, *this, magnitude);
  return lay_out(out, *this,
                 {sign_of(*this, value < 0), prefix_of(*this), out, static_cast<std::size_t>(end - out)});
}

char* Conversion::write_floating(char* out, double value) const {
  if (is_text(type)) {
    char digits[kReprBound];
    return write_text(out, {digits, static_cast<std::size_t>(write_repr(digits, value) - digits)});
  }
  const double magnitude = std::fabs(value);
  if (type == 'd') {
    // int(value) prints all its digits; CPython pads them to the precision as those of any integer.
    char* end = write_fixed(out, std::trunc(magnitude), 0);
    const auto count = static_cast<int>(end - out);
    const auto zeros = static_cast<std::size_t>(std::max(precision - count, 0));
    std::memmove(out + zeros, out, static_cast<std::size_t>(count));
    std::fill_n(out, zeros, '0');
    const bool is_negative = value <= -1;
    return lay_out(out, *this,
                   {sign_of(*this, is_negative), {}, out, static_cast<std::size_t>(count) + zeros});
  }
  char* end;
  if (std::isfinite(value)) {
    end = write_magnitude(out, floating_bound(value), *this, magnitude);
  } else {
    end = std::copy_n(std::isnan(value) ? "nan" : "inf", 3, out);
  }
  if (type == 'E' || type == 'F' || type == 'G') std::transform(out, end, out, upper);
  const bool is_negative = std::signbit(value) && !std::isnan(value);
  return lay_out(out, *this, {sign_of(*this, is_negative), {}, out, static_cast<std::size_t>(end - out)});
}

char* Conversion::write_text(char* out, std::string_view text) const {
  if (precision >= 0 && is_text(type)) text = first_code_points(text, precision);
  const std::int64_t missing = width == 0 ? 0 : std::max<std::int64_t>(width - count_code_points(text), 0);
  if (!is_left) out = std::fill_n(out, missing, ' ');
  out = std::copy(text.begin(), text.end(), out);
  return is_left ? std::fill_n(out, missing, ' ') : out;
}

Format::Format(std::string_view text) {
  Parser parser(text);
  while (true) {
    tail_ += parser.literal();
    if (parser.at_end()) break;
    if (parser.skip_percent()) {
      tail_ += '%';
      continue;
    }
    const Conversion conversion = parser.conversion();
    literal_bytes_ += tail_.size();
    pieces_.push_back({std::move(tail_), conversion});
    tail_.clear();
  }
  literal_bytes_ += tail_.size();
}

}  // namespace labfactory
