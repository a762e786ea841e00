#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "labfactory/values/arena_text.hpp"
#include "labfactory/values/call_families.hpp"
#include "labfactory/values/decimal.hpp"
#include "labfactory/values/iteration.hpp"
#include "labfactory/values/numerals.hpp"
#include "labfactory/values/text.hpp"

namespace labfactory::filters {

namespace {

// Past 10**18 the powers of round(method='ceil') leave 64 bits.
constexpr std::int64_t kMostDigits = 18;
// Python refuses nothing, but no double has a digit further out than this.
constexpr std::int64_t kMostPrecision = 400;
// 1000**2 to 1000**9: a product of doubles would round more than once.
constexpr std::array kPowers = {1e6, 1e9, 1e12, 1e15, 1e18, 1e21, 1e24, 1e27};

// func(value * 10**precision) / 10**precision with func ceil or floor.
Outcome round_outwards(const Value& value, std::int64_t precision, bool up, Value& out) {
  if (precision > kMostDigits || precision < -kMostDigits) return Outcome::unsupported;
  std::int64_t power = 1;
  for (std::int64_t i = 0; i < (precision < 0 ? -precision : precision); ++i) power *= 10;
  const auto whole = [&](double scaled, std::int64_t& result) {
    const double rounded = up ? std::ceil(scaled) : std::floor(scaled);
    if (!(rounded >= -9223372036854775808.0 && rounded < 9223372036854775808.0)) {
      return std::isnan(rounded)   ? Outcome::value_error
             : std::isinf(rounded) ? Outcome::float_overflow
                                   : Outcome::int_overflow;
    }
    result = static_cast<std::int64_t>(rounded);
    return Outcome::ok;
  };
  std::int64_t scaled = 0;
  if (precision < 0) {
    // 10**-2 is the double 0.01.
    const double factor = 1.0 / static_cast<double>(power);
    const double number =
        value.kind == Kind::floating ? value.payload.floating : static_cast<double>(value.payload.integer);
    if (const Outcome o = whole(number * factor, scaled); o != Outcome::ok) return o;
    out = Value::floating(static_cast<double>(scaled) / factor);
    return Outcome::ok;
  }
  if (value.kind == Kind::floating) {
    if (const Outcome o = whole(value.payload.floating * static_cast<double>(power), scaled);
        o != Outcome::ok)
      return o;
  } else if (__builtin_mul_overflow(value.payload.integer, power, &scaled)) {
    return Outcome::int_overflow;
  }
  out = Value::floating(true_divide(scaled, power));
  return Outcome::ok;
}

// int(float)
Outcome whole(double value, Value& out) {
  if (std::isnan(value)) return Outcome::value_error;
  if (std::isinf(value)) return Outcome::float_overflow;
  const double cut = std::trunc(value);
  if (!(cut >= -0x1p63 && cut < 0x1p63)) return Outcome::int_overflow;
  out = Value::integer(static_cast<std::int64_t>(cut));
  return Outcome::ok;
}

// func(value * 10**precision) / 10**precision with func ceil or floor: a float. 10**-1 is one, too, and does
// not go with a decimal.
Outcome round_decimal_outwards(const Decimal& value, std::int64_t precision, bool up, Value& out) {
  if (precision < 0) return Outcome::type_error;
  if (precision > kMostDigits) return Outcome::unsupported;
  std::int64_t power = 1;
  for (std::int64_t i = 0; i < precision; ++i) power *= 10;
  Decimal scaled;
  if (const Outcome o = multiply(value, decimal_of(Value::integer(power)), scaled); o != Outcome::ok)
    return o;
  std::int64_t rounded = 0;
  if (const Outcome o = whole(scaled, up ? Whole::ceil : Whole::floor, rounded); o != Outcome::ok) return o;
  out = Value::floating(true_divide(rounded, power));
  return Outcome::ok;
}

// round(value, None): an integer.
Outcome round_whole(const Value& value, Value& out) {
  if (value.kind == Kind::decimal) {
    Decimal rounded;
    const Outcome o = round_decimal(decimal_of(value), 0, rounded);
    // More digits than the context has are more than 64 bits hold.
    if (o != Outcome::ok) return o == Outcome::invalid_operation ? Outcome::int_overflow : o;
    std::int64_t number = 0;
    const Outcome outcome = whole(rounded, Whole::cut, number);
    out = Value::integer(number);
    return outcome;
  }
  if (!value.is_number()) return Outcome::type_error;
  if (value.kind == Kind::floating) return whole(round_to(value.payload.floating, 0), out);
  out = Value::integer(value.payload.integer);
  return Outcome::ok;
}

bool is_wrong(Outcome outcome) {
  return outcome == Outcome::type_error || outcome == Outcome::value_error;
}

// `bytes < unit`, where the unit is the power of 1000 that a double misses.
bool is_below(double bytes, double unit) {
  // The double nearest to 10**24 lies below it.
  return unit == 1e24 ? bytes <= unit : bytes < unit;
}

}  // namespace

Outcome to_integer(const Scope& scope, const Value& value, const Value& base, Value& out) {
  if (value.is_text()) {
    if (base.kind != Kind::integer && base.kind != Kind::boolean) return Outcome::type_error;
    charge_text(scope, value.view());
    std::int64_t number = 0;
    switch (parse_based_integer(value.view(), base.payload.integer, number)) {
      case ParsedInteger::ok:
        out = Value::integer(number);
        return Outcome::ok;
      case ParsedInteger::overflow:
        return Outcome::int_overflow;
      case ParsedInteger::invalid:
        return Outcome::value_error;
    }
  }
  if (value.kind == Kind::undefined) return Outcome::undefined;
  if (value.kind == Kind::decimal) {
    std::int64_t cut = 0;
    const Outcome outcome = whole(decimal_of(value), Whole::cut, cut);
    out = Value::integer(cut);
    return outcome;
  }
  if (!value.is_number()) return Outcome::type_error;
  if (value.kind == Kind::floating) return whole(value.payload.floating, out);
  out = Value::integer(value.payload.integer);
  return Outcome::ok;
}

Outcome to_floating(const Scope& scope, const Value& value, double& out) {
  if (value.is_number()) {
    out = value.kind == Kind::floating ? value.payload.floating : static_cast<double>(value.payload.integer);
    return Outcome::ok;
  }
  if (value.kind == Kind::decimal) {
    out = to_double(decimal_of(value));
    return Outcome::ok;
  }
  if (value.kind == Kind::undefined) return Outcome::undefined;
  if (!value.is_text()) return Outcome::type_error;
  if (value.view().size() > scope.most_bytes) return Outcome::asset_too_large;
  charge_text(scope, value.view());
  const std::optional<double> found = parse_floating(value.view(), scope.arena);
  if (!found) return Outcome::value_error;
  out = *found;
  return Outcome::ok;
}

Outcome round(const Scope& scope, const Value* a, Value& out) {
  const bool is_outwards = a[2].is_text() && (a[2].view() == "ceil" || a[2].view() == "floor");
  // Jinja2's undefined values have no __round__, but refuse to be multiplied.
  if (a[0].kind == Kind::undefined && is_outwards) return Outcome::undefined;
  const bool counts = a[1].kind == Kind::integer || a[1].kind == Kind::boolean;
  if (a[2].is_text() && a[2].view() != "common") {
    if (a[2].view() != "ceil" && a[2].view() != "floor") return Outcome::filter_argument;
    if (a[0].kind == Kind::decimal && counts) {
      return round_decimal_outwards(decimal_of(a[0]), a[1].payload.integer, a[2].view() == "ceil", out);
    }
    if (!a[0].is_number() || !counts) return Outcome::type_error;
    return round_outwards(a[0], a[1].payload.integer, a[2].view() == "ceil", out);
  }
  if (!a[2].is_text()) {
    // It is looked for among three names, which an undefined value may refuse.
    return a[2].kind == Kind::undefined && raises(scope, a[2]) ? Outcome::undefined
                                                               : Outcome::filter_argument;
  }
  if (a[1].kind == Kind::none) return round_whole(a[0], out);
  if (a[0].kind == Kind::decimal && counts) {
    Decimal rounded;
    const Outcome outcome = round_decimal(decimal_of(a[0]), a[1].payload.integer, rounded);
    out = decimal_value(rounded, scope.arena);
    return outcome;
  }
  if (!a[0].is_number() || !counts) return Outcome::type_error;
  const std::int64_t precision = std::clamp(a[1].payload.integer, -kMostPrecision, kMostPrecision);
  if (a[0].kind == Kind::floating) {
    const double value = a[0].payload.floating;
    const double rounded = round_to(value, static_cast<int>(precision));
    if (std::isinf(rounded) && !std::isinf(value)) return Outcome::float_overflow;
    out = Value::floating(rounded);
    return Outcome::ok;
  }
  bool overflow = false;
  out = Value::integer(round_integer(a[0].payload.integer, static_cast<int>(precision), overflow));
  return overflow ? Outcome::int_overflow : Outcome::ok;
}

Outcome abs(const Scope& scope, const Value* a, Value& out) {
  if (a[0].kind == Kind::duration && a[0].payload.integer < 0) return negate(scope, a[0], out);
  if (a[0].kind == Kind::duration) {
    out = a[0];
    return Outcome::ok;
  }
  if (a[0].kind == Kind::decimal) {
    Decimal result;
    const Outcome outcome = absolute(decimal_of(a[0]), result);
    out = decimal_value(result, scope.arena);
    return outcome;
  }
  if (!a[0].is_number()) return Outcome::type_error;
  if (a[0].kind == Kind::floating) {
    out = Value::floating(std::fabs(a[0].payload.floating));
    return Outcome::ok;
  }
  if (a[0].payload.integer == std::numeric_limits<std::int64_t>::min()) return Outcome::int_overflow;
  out = Value::integer(std::abs(a[0].payload.integer));
  return Outcome::ok;
}

Outcome divisible(const Scope& scope, const Value* a, Value& out) {
  Value rest;
  if (const Outcome o = modulo(scope, a[0], a[1], rest); o != Outcome::ok) return o;
  bool is_zero = false;
  if (const Outcome o = equal(scope, rest, Value::integer(0), is_zero); o != Outcome::ok) return o;
  out = Value::boolean(is_zero);
  return Outcome::ok;
}

Outcome filesizeformat(const Scope& scope, const Value* a, Value& out) {
  double bytes = 0;
  if (const Outcome o = to_floating(scope, a[0], bytes); o != Outcome::ok) return o;
  bool binary = false;
  if (const Outcome o = truth(scope, a[1], binary); o != Outcome::ok) return o;
  const double base = binary ? 1024 : 1000;
  ArenaText text(scope.arena, scope.most_bytes);
  const auto finish = [&](std::string_view unit) {
    if (!text.append(unit)) return Outcome::asset_too_large;
    out = Value::text(text.text());
    return Outcome::ok;
  };
  if (bytes == 1) return finish("1 Byte");
  if (bytes < base) {
    if (std::isinf(bytes)) return Outcome::float_overflow;
    const double shown = std::trunc(bytes);
    char* const room = text.room(fixed_bound(shown, 0));
    if (room == nullptr) return Outcome::asset_too_large;
    text.commit(write_fixed(room, shown == 0 ? 0.0 : shown, 0));
    return finish(" Bytes");
  }
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  const auto unit_of = [&](std::size_t i) {
    return binary ? std::ldexp(1.0, 20 + 10 * static_cast<int>(i)) : kPowers[i];
  };
  std::size_t prefix = 0;
  while (prefix + 1 < kPrefixes.size() && !is_below(bytes, unit_of(prefix))) ++prefix;
  const double unit = unit_of(prefix);
  const double shown = base * bytes / unit;
  if (std::isfinite(shown)) {
    char* const room = text.room(fixed_bound(shown, 1));
    if (room == nullptr) return Outcome::asset_too_large;
    text.commit(write_fixed(room, shown, 1));
  } else if (!text.append(std::isnan(shown) ? "nan" : "inf")) {
    return Outcome::asset_too_large;
  }
  const char letter = binary && prefix == 0 ? 'K' : kPrefixes[prefix];
  if (!text.append(" ") || !text.append({&letter, 1})) return Outcome::asset_too_large;
  return finish(binary ? "iB" : "B");
}

Outcome floating(const Scope& scope, const Value* a, Value& out) {
  double value = 0;
  const Outcome outcome = to_floating(scope, a[0], value);
  if (is_wrong(outcome)) {
    out = a[1];
    return Outcome::ok;
  }
  out = Value::floating(value);
  return outcome;
}

Outcome integer(const Scope& scope, const Value* a, Value& out) {
  const Outcome outcome = to_integer(scope, a[0], a[2], out);
  if (!is_wrong(outcome)) return outcome;
  // "42.23" is no whole number to int, but is one to int(float(...)).
  double value = 0;
  Outcome second = to_floating(scope, a[0], value);
  if (second == Outcome::ok) second = whole(value, out);
  if (!is_wrong(second) && second != Outcome::float_overflow) return second;
  out = a[1];
  return Outcome::ok;
}

}  // namespace labfactory::filters
