#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "labfactory/values/decimal.hpp"
#include "labfactory/values/operators.hpp"
#include "labfactory/values/printf.hpp"
#include "labfactory/values/temporal.hpp"

namespace labfactory {

namespace {

double to_double(const Value& v) {
  return v.kind == Kind::floating ? v.payload.floating : static_cast<double>(v.payload.integer);
}

bool both_numbers(const Value& a, const Value& b) {
  return a.is_number() && b.is_number();
}
bool any_floating(const Value& a, const Value& b) {
  return a.kind == Kind::floating || b.kind == Kind::floating;
}

// What Python raises for operands that do not go together.
Outcome mismatch(const Value& a, const Value& b) {
  const bool is_undefined = a.kind == Kind::undefined || b.kind == Kind::undefined;
  return is_undefined ? Outcome::undefined : Outcome::type_error;
}

bool any_decimal(const Value& a, const Value& b) {
  return a.kind == Kind::decimal || b.kind == Kind::decimal;
}
// A date, time or timedelta beside something that is not undefined.
bool both_defined_temporal(const Value& a, const Value& b) {
  return (is_temporal(a) && b.kind != Kind::undefined) || (is_temporal(b) && a.kind != Kind::undefined);
}

// Decimals go with integers, not with floats.
bool is_exact(const Value& v) {
  return v.kind == Kind::decimal || v.kind == Kind::integer || v.kind == Kind::boolean;
}

using DecimalOperator = Outcome (*)(const Decimal&, const Decimal&, Decimal&);

Outcome calculate(const Scope& scope, DecimalOperator apply, const Value& left, const Value& right,
                  Value& out) {
  if (!is_exact(left) || !is_exact(right)) return mismatch(left, right);
  Decimal result;
  const Outcome outcome = apply(decimal_of(left), decimal_of(right), result);
  out = decimal_value(result, scope.arena);
  return outcome;
}

Outcome decimal_quotient(const Decimal& left, const Decimal& right, Decimal& out) {
  Decimal rest;
  return divide_whole(left, right, out, rest);
}

Outcome decimal_rest(const Decimal& left, const Decimal& right, Decimal& out) {
  // x % 0 is an invalid operation, not a division by zero.
  if (right.coefficient == 0) return Outcome::invalid_operation;
  Decimal quotient;
  return divide_whole(left, right, quotient, out);
}

// base ** exponent of a base and an exponent of at least 0.
Outcome integer_power(std::int64_t base, std::int64_t exponent, Value& out) {
  std::int64_t result = 1;
  bool overflows = false;
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) overflows = __builtin_mul_overflow(result, base, &result) || overflows;
    if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) return Outcome::int_overflow;
  }
  out = Value::integer(result);
  return overflows ? Outcome::int_overflow : Outcome::ok;
}

// float.__pow__
Outcome floating_power(double base, double exponent, Value& out) {
  if (base == 0 && exponent < 0) return Outcome::zero_division;
  // A fraction of a negative number is complex.
  if (base < 0 && std::isfinite(base) && std::isfinite(exponent) && exponent != std::floor(exponent)) {
    return Outcome::unsupported;
  }
  const double result = std::pow(base, exponent);
  if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent)) return Outcome::float_overflow;
  out = Value::floating(result);
  return Outcome::ok;
}

Outcome joined(const Scope& scope, std::string_view a, std::string_view b, bool markup, Value& out) {
  const std::size_t size = a.size() + b.size();
  if (size > scope.most_bytes) return Outcome::asset_too_large;
  char* at = scope.arena.allocate(size);
  if (!a.empty()) std::memcpy(at, a.data(), a.size());
  if (!b.empty()) std::memcpy(at + a.size(), b.data(), b.size());
  out = Value::text({at, size}, markup);
  return Outcome::ok;
}

// str + str; with a Markup on either side the other is escaped.
Outcome add_text(const Scope& scope, const Value& left, const Value& right, Value& out) {
  std::string_view a = left.view();
  std::string_view b = right.view();
  const bool markup = left.kind == Kind::markup || right.kind == Kind::markup;
  if (markup && left.kind == Kind::text) {
    if (const Outcome o = escape(scope, a, a); o != Outcome::ok) return o;
  }
  if (markup && right.kind == Kind::text) {
    if (const Outcome o = escape(scope, b, b); o != Outcome::ok) return o;
  }
  return joined(scope, a, b, markup, out);
}

bool is_made_list(const Value& v) {
  return v.kind == Kind::list || v.kind == Kind::tuple;
}
bool is_list(const Value& v) {
  return v.kind == Kind::list || v.kind == Kind::column_list;
}

Outcome copy_items(const Scope& scope, const Value& list, Value* to) {
  for (std::uint32_t i = 0; i < list.length; ++i) {
    if (const Outcome o = item(scope, list, i, to[i]); o != Outcome::ok) return o;
  }
  return Outcome::ok;
}

Outcome reserve_items(const Scope& scope, std::uint64_t count, Value*& out) {
  if (count > scope.most_bytes / sizeof(Value)) return Outcome::asset_too_large;
  out = reinterpret_cast<Value*>(scope.arena.allocate(static_cast<std::size_t>(count) * sizeof(Value)));
  return Outcome::ok;
}

Outcome add_lists(const Scope& scope, const Value& left, const Value& right, Value& out) {
  const std::uint64_t count = std::uint64_t{left.length} + right.length;
  Value* items = nullptr;
  if (const Outcome o = reserve_items(scope, count, items); o != Outcome::ok) return o;
  if (const Outcome o = copy_items(scope, left, items); o != Outcome::ok) return o;
  if (const Outcome o = copy_items(scope, right, items + left.length); o != Outcome::ok) return o;
  out = Value::list(items, static_cast<std::uint32_t>(count),
                    left.kind == Kind::tuple ? Kind::tuple : Kind::list);
  return Outcome::ok;
}

// text * n, list * n
Outcome repeat(const Scope& scope, const Value& value, std::int64_t times, Value& out) {
  const std::uint64_t n = times > 0 ? static_cast<std::uint64_t>(times) : 0;
  const std::uint64_t unit = value.is_text() ? 1 : sizeof(Value);
  if (value.length != 0 && n > scope.most_bytes / (value.length * unit)) return Outcome::asset_too_large;
  const std::uint64_t total = n * value.length;
  if (value.is_text()) {
    char* at = scope.arena.allocate(static_cast<std::size_t>(total));
    for (std::uint64_t i = 0; i < n && value.length != 0; ++i) {
      std::memcpy(at + i * value.length, value.payload.text, value.length);
    }
    out = Value::text({at, static_cast<std::size_t>(total)}, value.kind == Kind::markup);
    return Outcome::ok;
  }
  Value* items = nullptr;
  if (const Outcome o = reserve_items(scope, total, items); o != Outcome::ok) return o;
  for (std::uint64_t i = 0; i < n && value.length != 0; ++i) {
    if (const Outcome o = copy_items(scope, value, items + i * value.length); o != Outcome::ok) return o;
  }
  out = Value::list(items, static_cast<std::uint32_t>(total),
                    value.kind == Kind::tuple ? Kind::tuple : Kind::list);
  return Outcome::ok;
}

bool repeats(const Value& sequence, const Value& times) {
  return (sequence.is_text() || is_made_list(sequence) || is_list(sequence)) &&
         (times.kind == Kind::integer || times.kind == Kind::boolean);
}

// CPython's float_divmod: a remainder of the divisor's sign and the floored quotient.
void float_divmod(double a, double b, double& quotient, double& remainder) {
  remainder = std::fmod(a, b);
  double div = (a - remainder) / b;
  if (remainder != 0.0) {
    if ((b < 0) != (remainder < 0)) {
      remainder += b;
      div -= 1.0;
    }
  } else {
    remainder = std::copysign(0.0, b);
  }
  if (div != 0.0) {
    quotient = std::floor(div);
    if (div - quotient > 0.5) quotient += 1.0;
  } else {
    quotient = std::copysign(0.0, a / b);
  }
}

}  // namespace

double true_divide(std::int64_t a, std::int64_t b) {
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  if (a >= -kExact && a <= kExact && b >= -kExact && b <= kExact) {
    return static_cast<double>(a) / static_cast<double>(b);
  }
  // Long division to at least 55 bits and a sticky bit: one rounding, as CPython's long_true_divide.
  const bool negative = (a < 0) != (b < 0);
  const std::uint64_t x =
      a < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(a) : static_cast<std::uint64_t>(a);
  const std::uint64_t y =
      b < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(b) : static_cast<std::uint64_t>(b);
  if (x == 0) return negative ? -0.0 : 0.0;
  __extension__ using Wide = unsigned __int128;
  const int up = std::countl_zero(x) + 62;  // the dividend fills 126 bits, so the quotient has at least 62
  Wide quotient = (Wide{x} << up) / y;
  const bool sticky = (Wide{x} << up) % y != 0;
  // Keep 62 bits and fold the rest into the sticky bit, so that the conversion to double rounds once.
  int down = 0;
  bool lost = sticky;
  while (quotient >> 62 != 0) {
    lost = lost || (quotient & 1) != 0;
    quotient >>= 1;
    ++down;
  }
  std::uint64_t mantissa = static_cast<std::uint64_t>(quotient) << 1 | (lost ? 1 : 0);
  const double result = std::ldexp(static_cast<double>(mantissa), down - up - 1);
  return negative ? -result : result;
}

Outcome add(const Scope& scope, const Value& left, const Value& right, Value& out) {
  if (both_numbers(left, right)) {
    if (any_floating(left, right)) {
      out = Value::floating(to_double(left) + to_double(right));
      return Outcome::ok;
    }
    std::int64_t sum = 0;
    if (__builtin_add_overflow(left.payload.integer, right.payload.integer, &sum))
      return Outcome::int_overflow;
    out = Value::integer(sum);
    return Outcome::ok;
  }
  if (left.is_text() && right.is_text()) return add_text(scope, left, right, out);
  if (is_list(left) && is_list(right)) return add_lists(scope, left, right, out);
  if (left.kind == Kind::tuple && right.kind == Kind::tuple) return add_lists(scope, left, right, out);
  if (any_decimal(left, right)) return calculate(scope, &labfactory::add, left, right, out);
  if (both_defined_temporal(left, right)) return add_temporal(scope, left, right, out);
  if (left.kind == Kind::markup && is_html(scope, right)) {
    // Its __html__ is empty.
    out = left;
    return Outcome::ok;
  }
  // Markup + None and the like are TypeErrors too.
  return mismatch(left, right);
}

Outcome subtract(const Scope& scope, const Value& left, const Value& right, Value& out) {
  if (!both_numbers(left, right)) {
    if (any_decimal(left, right)) return calculate(scope, &labfactory::subtract, left, right, out);
    return both_defined_temporal(left, right) ? subtract_temporal(scope, left, right, out)
                                              : mismatch(left, right);
  }
  if (any_floating(left, right)) {
    out = Value::floating(to_double(left) - to_double(right));
    return Outcome::ok;
  }
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(left.payload.integer, right.payload.integer, &difference))
    return Outcome::int_overflow;
  out = Value::integer(difference);
  return Outcome::ok;
}

Outcome multiply(const Scope& scope, const Value& left, const Value& right, Value& out) {
  if (both_numbers(left, right)) {
    if (any_floating(left, right)) {
      out = Value::floating(to_double(left) * to_double(right));
      return Outcome::ok;
    }
    std::int64_t product = 0;
    if (__builtin_mul_overflow(left.payload.integer, right.payload.integer, &product))
      return Outcome::int_overflow;
    out = Value::integer(product);
    return Outcome::ok;
  }
  if (repeats(left, right)) return repeat(scope, left, right.payload.integer, out);
  if (repeats(right, left)) return repeat(scope, right, left.payload.integer, out);
  if (any_decimal(left, right)) return calculate(scope, &labfactory::multiply, left, right, out);
  if (both_defined_temporal(left, right)) return multiply_temporal(left, right, out);
  return mismatch(left, right);
}

Outcome divide(const Scope& scope, const Value& left, const Value& right, Value& out) {
  if (!both_numbers(left, right)) {
    if (any_decimal(left, right)) return calculate(scope, &labfactory::divide, left, right, out);
    return both_defined_temporal(left, right) ? divide_temporal(left, right, out) : mismatch(left, right);
  }
  if (to_double(right) == 0.0) return Outcome::zero_division;
  if (any_floating(left, right)) {
    out = Value::floating(to_double(left) / to_double(right));
  } else {
    out = Value::floating(true_divide(left.payload.integer, right.payload.integer));
  }
  return Outcome::ok;
}

Outcome floor_divide(const Scope& scope, const Value& left, const Value& right, Value& out) {
  if (!both_numbers(left, right)) {
    if (any_decimal(left, right)) return calculate(scope, &decimal_quotient, left, right, out);
    return both_defined_temporal(left, right) ? floor_divide_temporal(left, right, out)
                                              : mismatch(left, right);
  }
  if (to_double(right) == 0.0) return Outcome::zero_division;
  if (any_floating(left, right)) {
    double quotient = 0;
    double remainder = 0;
    float_divmod(to_double(left), to_double(right), quotient, remainder);
    out = Value::floating(quotient);
    return Outcome::ok;
  }
  const std::int64_t a = left.payload.integer;
  const std::int64_t b = right.payload.integer;
  if (a == std::numeric_limits<std::int64_t>::min() && b == -1) return Outcome::int_overflow;
  out = Value::integer(a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0));
  return Outcome::ok;
}

Outcome modulo(const Scope& scope, const Value& left, const Value& right, Value& out) {
  if (left.is_text()) return format_text(scope, left, right, out);
  if (!both_numbers(left, right)) {
    if (any_decimal(left, right)) return calculate(scope, &decimal_rest, left, right, out);
    return both_defined_temporal(left, right) ? modulo_temporal(left, right, out) : mismatch(left, right);
  }
  if (to_double(right) == 0.0) return Outcome::zero_division;
  if (any_floating(left, right)) {
    double quotient = 0;
    double remainder = 0;
    float_divmod(to_double(left), to_double(right), quotient, remainder);
    out = Value::floating(remainder);
    return Outcome::ok;
  }
  const std::int64_t a = left.payload.integer;
  const std::int64_t b = right.payload.integer;
  const std::int64_t rest = b == -1 ? 0 : a % b;
  out = Value::integer(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
  return Outcome::ok;
}

Outcome power(const Scope&, const Value& left, const Value& right, Value& out) {
  if (any_decimal(left, right) && is_exact(left) && is_exact(right)) return Outcome::unsupported;
  if (!both_numbers(left, right)) return mismatch(left, right);
  if (any_floating(left, right) || right.payload.integer < 0) {
    return floating_power(to_double(left), to_double(right), out);
  }
  return integer_power(left.payload.integer, right.payload.integer, out);
}

Outcome negate(const Scope& scope, const Value& value, Value& out) {
  switch (value.kind) {
    case Kind::floating:
      out = Value::floating(-value.payload.floating);
      return Outcome::ok;
    case Kind::integer:
    case Kind::boolean:
    case Kind::duration:
      if (value.payload.integer == std::numeric_limits<std::int64_t>::min()) return Outcome::int_overflow;
      out = value.kind == Kind::duration ? Value::duration(-value.payload.integer)
                                         : Value::integer(-value.payload.integer);
      return Outcome::ok;
    case Kind::decimal: {
      Decimal result;
      const Outcome outcome = negate(decimal_of(value), result);
      out = decimal_value(result, scope.arena);
      return outcome;
    }
    case Kind::undefined:
      return Outcome::undefined;
    default:
      return Outcome::type_error;
  }
}

Outcome positive(const Scope& scope, const Value& value, Value& out) {
  switch (value.kind) {
    case Kind::floating:
    case Kind::duration:
      out = value;
      return Outcome::ok;
    case Kind::integer:
    case Kind::boolean:
      out = Value::integer(value.payload.integer);
      return Outcome::ok;
    case Kind::decimal: {
      Decimal result;
      const Outcome outcome = positive(decimal_of(value), result);
      out = decimal_value(result, scope.arena);
      return outcome;
    }
    case Kind::undefined:
      return Outcome::undefined;
    default:
      return Outcome::type_error;
  }
}

}  // namespace labfactory
