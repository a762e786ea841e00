#include "labfactory/values/temporal.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "labfactory/values/moment.hpp"
#include "labfactory/values/wide.hpp"

namespace labfactory {

namespace {

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

bool is_whole(const Value& value) {
  return value.kind == Kind::integer || value.kind == Kind::boolean;
}

Outcome made_duration(bool overflows, std::int64_t microseconds, Value& out) {
  out = Value::duration(microseconds);
  return overflows ? Outcome::int_overflow : Outcome::ok;
}

// A date or time and a timedelta.
Outcome moved(const Scope& scope, const Value& moment, std::int64_t by, Value& out) {
  if (moment.kind == Kind::date) {
    out = Value::date(moment.payload.integer + day_of(by));
    return is_date(out.payload.integer) ? Outcome::ok : Outcome::float_overflow;
  }
  std::int64_t civil = 0;
  if (__builtin_add_overflow(moment.payload.integer, by, &civil)) return Outcome::float_overflow;
  if (moment.kind == Kind::zoned) return on_clock(scope.cells, civil, moment.column, false, out);
  out = Value::timestamp(civil);
  return is_timestamp(civil) ? Outcome::ok : Outcome::float_overflow;
}

bool is_moment(const Value& value) {
  return value.kind == Kind::date || value.kind == Kind::timestamp || value.kind == Kind::zoned;
}

std::int64_t utc(const Value& zoned) {
  return zoned.payload.integer - zoned.offset() * kSecondMicroseconds;
}

// |value| as an odd or zero whole number times a power of two.
struct Binary {
  std::uint64_t significand = 0;
  int exponent = 0;
};

Binary binary_of(double value) {
  Binary out;
  const double fraction = std::frexp(std::fabs(value), &out.exponent);
  out.significand = static_cast<std::uint64_t>(std::ldexp(fraction, 53));
  out.exponent -= 53;
  const int zeros = out.significand == 0 ? 0 : std::countr_zero(out.significand);
  out.significand >>= zeros;
  out.exponent += zeros;
  return out;
}

std::uint64_t magnitude(std::int64_t value) {
  return value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
}

// dividend * 2^shift / divisor, rounded to a whole number with ties to even. The dividend has up to 117 bits,
// the divisor up to 64.
Outcome nearest(Wide dividend, int shift, Wide divisor, bool is_negative, Value& out) {
  out = Value::duration(0);
  // Past these the quotient leaves 64 bits, or comes below a half.
  constexpr int kMostShift = 130;
  if (dividend.is_zero() || shift < -kMostShift) return Outcome::ok;
  if (shift > kMostShift) return Outcome::int_overflow;
  for (int i = 0; i < shift; ++i) dividend.multiply(2);
  for (int i = 0; i > shift; --i) divisor.multiply(2);
  Wide quotient = dividend.divide(divisor);
  dividend.multiply(2);
  if (dividend > divisor || (dividend == divisor && quotient.is_odd())) quotient.add(Wide(1));
  if (!quotient.fits_double() || quotient.low() >= std::uint64_t{1} << 63) return Outcome::int_overflow;
  const auto whole = static_cast<std::int64_t>(quotient.low());
  out = Value::duration(is_negative ? -whole : whole);
  return Outcome::ok;
}

// float.as_integer_ratio
Outcome check_ratio(double value) {
  if (std::isnan(value)) return Outcome::value_error;
  return std::isinf(value) ? Outcome::float_overflow : Outcome::ok;
}

Outcome times_float(std::int64_t microseconds, double factor, Value& out) {
  if (const Outcome o = check_ratio(factor); o != Outcome::ok) return o;
  const Binary binary = binary_of(factor);
  const bool is_negative = (microseconds < 0) != (factor < 0);
  Wide product(magnitude(microseconds));
  product.multiply(binary.significand);
  return nearest(product, binary.exponent, Wide(1), is_negative, out);
}

Outcome over_float(std::int64_t microseconds, double divisor, Value& out) {
  if (const Outcome o = check_ratio(divisor); o != Outcome::ok) return o;
  if (divisor == 0) return Outcome::zero_division;
  const Binary binary = binary_of(divisor);
  return nearest(Wide(magnitude(microseconds)), -binary.exponent, Wide(binary.significand),
                 (microseconds < 0) != (divisor < 0), out);
}

std::int64_t floor_quotient(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

// Whether a civil time's offset hangs on its fold: such a time equals none of another zone (PEP 495).
bool is_ambiguous(const Scope& scope, const Value& zoned) {
  const std::int64_t second =
      day_of(zoned.payload.integer) * 86'400 + elapsed_of(zoned.payload.integer).seconds;
  const Zone& zone = scope.cells.zone(zoned.column);
  return zone.at_civil(second, zoned.reserved == 0).offset != zoned.offset();
}

}  // namespace

Outcome add_temporal(const Scope& scope, const Value& left, const Value& right, Value& out) {
  const Value& delta = right.kind == Kind::duration ? right : left;
  const Value& other = right.kind == Kind::duration ? left : right;
  if (delta.kind != Kind::duration) return Outcome::type_error;
  if (is_moment(other)) return moved(scope, other, delta.payload.integer, out);
  if (other.kind != Kind::duration) return Outcome::type_error;
  std::int64_t sum = 0;
  const bool overflows = __builtin_add_overflow(left.payload.integer, right.payload.integer, &sum);
  return made_duration(overflows, sum, out);
}

Outcome subtract_temporal(const Scope& scope, const Value& left, const Value& right, Value& out) {
  std::int64_t a = left.payload.integer;
  std::int64_t b = right.payload.integer;
  if (right.kind == Kind::duration) {
    if (is_moment(left)) {
      if (left.kind == Kind::date) {
        // date - timedelta takes the days alone, of which -timedelta has others.
        out = Value::date(a - day_of(b));
        return is_date(out.payload.integer) ? Outcome::ok : Outcome::float_overflow;
      }
      return b == kLeast ? Outcome::float_overflow : moved(scope, left, -b, out);
    }
    if (left.kind != Kind::duration) return Outcome::type_error;
  } else {
    if (left.kind != right.kind || !is_moment(left)) return Outcome::type_error;
    if (left.kind == Kind::date) {
      out = Value::duration((a - b) * kDayMicroseconds);
      return Outcome::ok;
    }
    if (left.kind == Kind::zoned && left.column != right.column) {
      a = utc(left);
      b = utc(right);
    }
  }
  std::int64_t difference = 0;
  const bool overflows = __builtin_sub_overflow(a, b, &difference);
  return made_duration(overflows, difference, out);
}

Outcome multiply_temporal(const Value& left, const Value& right, Value& out) {
  const Value& delta = left.kind == Kind::duration ? left : right;
  const Value& factor = left.kind == Kind::duration ? right : left;
  if (delta.kind != Kind::duration) return Outcome::type_error;
  if (factor.kind == Kind::floating) {
    return times_float(delta.payload.integer, factor.payload.floating, out);
  }
  if (!is_whole(factor)) return Outcome::type_error;
  std::int64_t product = 0;
  const bool overflows = __builtin_mul_overflow(delta.payload.integer, factor.payload.integer, &product);
  return made_duration(overflows, product, out);
}

Outcome divide_temporal(const Value& left, const Value& right, Value& out) {
  if (left.kind != Kind::duration) return Outcome::type_error;
  const std::int64_t a = left.payload.integer;
  const std::int64_t b = right.payload.integer;
  if (right.kind == Kind::floating) return over_float(a, right.payload.floating, out);
  if (right.kind != Kind::duration && !is_whole(right)) return Outcome::type_error;
  if (b == 0) return Outcome::zero_division;
  if (right.kind == Kind::duration) {
    out = Value::floating(true_divide(a, b));
    return Outcome::ok;
  }
  return nearest(Wide(magnitude(a)), 0, Wide(magnitude(b)), (a < 0) != (b < 0), out);
}

Outcome floor_divide_temporal(const Value& left, const Value& right, Value& out) {
  const bool is_ratio = right.kind == Kind::duration;
  if (left.kind != Kind::duration || (!is_ratio && !is_whole(right))) return Outcome::type_error;
  const std::int64_t a = left.payload.integer;
  const std::int64_t b = right.payload.integer;
  if (b == 0) return Outcome::zero_division;
  if (a == kLeast && b == -1) return Outcome::int_overflow;
  const std::int64_t quotient = floor_quotient(a, b);
  out = is_ratio ? Value::integer(quotient) : Value::duration(quotient);
  return Outcome::ok;
}

Outcome modulo_temporal(const Value& left, const Value& right, Value& out) {
  if (left.kind != Kind::duration || right.kind != Kind::duration) return Outcome::type_error;
  const std::int64_t a = left.payload.integer;
  const std::int64_t b = right.payload.integer;
  if (b == 0) return Outcome::zero_division;
  const std::int64_t rest = b == -1 ? 0 : a % b;
  out = Value::duration(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
  return Outcome::ok;
}

Outcome order_temporal(const Value& left, const Value& right, std::strong_ordering& out) {
  if (left.kind != right.kind) return Outcome::type_error;
  const bool is_elsewhere = left.kind == Kind::zoned && left.column != right.column;
  out = is_elsewhere ? utc(left) <=> utc(right) : left.payload.integer <=> right.payload.integer;
  return Outcome::ok;
}

bool equal_temporal(const Scope& scope, const Value& left, const Value& right) {
  if (left.kind != right.kind) return false;
  if (left.kind != Kind::zoned || left.column == right.column) {
    return left.payload.integer == right.payload.integer;
  }
  return utc(left) == utc(right) && !is_ambiguous(scope, left) && !is_ambiguous(scope, right);
}

bool temporal_part(const Value& value, std::string_view name, std::int64_t& out) {
  if (value.kind == Kind::duration) {
    const Elapsed elapsed = elapsed_of(value.payload.integer);
    out = name == "days" ? elapsed.days : name == "seconds" ? elapsed.seconds : elapsed.microseconds;
    return name == "days" || name == "seconds" || name == "microseconds";
  }
  if (value.kind != Kind::time) {
    const bool is_date = value.kind == Kind::date;
    const CivilDay day = civil_from_days(is_date ? value.payload.integer : day_of(value.payload.integer));
    out = name == "year" ? day.year : name == "month" ? day.month : day.day;
    if (name == "year" || name == "month" || name == "day") return true;
    if (is_date) return false;
  }
  const ClockTime clock = clock_of(value.payload.integer);
  out = name == "hour"     ? clock.hour
        : name == "minute" ? clock.minute
        : name == "second" ? clock.second
                           : clock.microsecond;
  return name == "hour" || name == "minute" || name == "second" || name == "microsecond";
}

Outcome temporal_text(const Scope& scope, const Value& value, std::string_view& out) {
  char* const begin = scope.arena.allocate(std::max(kTimestampBound + kOffsetBound, kDurationBound));
  char* end = nullptr;
  switch (value.kind) {
    case Kind::date:
      end = write_date(begin, value.payload.integer);
      break;
    case Kind::timestamp:
      end = write_timestamp(begin, value.payload.integer);
      break;
    case Kind::zoned:
      end = write_timestamp(begin, value.payload.integer);
      if (end != nullptr) end = write_offset(end, value.offset());
      break;
    case Kind::time:
      end = write_time(begin, value.payload.integer);
      break;
    default:
      end = write_duration(begin, value.payload.integer);
      break;
  }
  if (end == nullptr) return Outcome::out_of_range;
  out = {begin, static_cast<std::size_t>(end - begin)};
  return Outcome::ok;
}

}  // namespace labfactory
