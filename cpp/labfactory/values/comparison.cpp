#include <algorithm>
#include <cmath>
#include <compare>
#include <limits>

#include "labfactory/values/decimal.hpp"
#include "labfactory/values/dict.hpp"
#include "labfactory/values/operators.hpp"
#include "labfactory/values/temporal.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

// An integer against a double without rounding the integer: Python compares their exact values.
std::partial_ordering order_mixed(std::int64_t integer, double floating) {
  if (std::isnan(floating)) return std::partial_ordering::unordered;
  // 2^63 is exact; at or past it the double is outside every int64.
  if (floating >= 9223372036854775808.0) return std::partial_ordering::less;
  if (floating < -9223372036854775808.0) return std::partial_ordering::greater;
  const double whole = std::trunc(floating);
  const auto truncated = static_cast<std::int64_t>(whole);
  if (integer != truncated) return integer <=> truncated;
  const double rest = floating - whole;
  return rest > 0   ? std::partial_ordering::less
         : rest < 0 ? std::partial_ordering::greater
                    : std::partial_ordering::equivalent;
}

std::partial_ordering order_numbers(const Value& a, const Value& b) {
  const bool a_floating = a.kind == Kind::floating;
  const bool b_floating = b.kind == Kind::floating;
  if (a_floating && b_floating) return a.payload.floating <=> b.payload.floating;
  if (a_floating) return 0 <=> order_mixed(b.payload.integer, a.payload.floating);
  if (b_floating) return order_mixed(a.payload.integer, b.payload.floating);
  return a.payload.integer <=> b.payload.integer;
}

// A decimal beside a number of any kind, by exact values; false for operands that do not go together.
bool order_decimals(const Value& a, const Value& b, std::partial_ordering& out) {
  if (a.kind != Kind::decimal && b.kind != Kind::decimal) return false;
  const auto is_numeric = [](const Value& v) { return v.is_number() || v.kind == Kind::decimal; };
  if (!is_numeric(a) || !is_numeric(b)) return false;
  if (b.kind == Kind::floating) {
    out = compare(decimal_of(a), b.payload.floating);
  } else if (a.kind == Kind::floating) {
    out = 0 <=> compare(decimal_of(b), a.payload.floating);
  } else {
    out = compare(decimal_of(a), decimal_of(b));
  }
  return true;
}

bool is_list(const Value& v) {
  return v.kind == Kind::list || v.kind == Kind::column_list;
}
bool is_sequence(const Value& v) {
  return is_list(v) || v.kind == Kind::tuple;
}
bool same_sequence(const Value& a, const Value& b) {
  return (is_list(a) && is_list(b)) || (a.kind == Kind::tuple && b.kind == Kind::tuple);
}

bool holds(Order order, std::partial_ordering found) {
  switch (order) {
    case Order::less:
      return found < 0;
    case Order::less_equal:
      return found <= 0;
    case Order::greater:
      return found > 0;
    case Order::greater_equal:
      return found >= 0;
  }
  return false;
}

Outcome equal_sequences(const Scope& scope, const Value& left, const Value& right, bool& out) {
  const Deeper deeper(scope);
  if (!deeper.is_allowed()) return Outcome::work_limit;
  out = left.length == right.length;
  for (std::uint32_t i = 0; out && i < left.length; ++i) {
    if (const Outcome o = spend(scope, 1); o != Outcome::ok) return o;
    Value a;
    Value b;
    if (const Outcome o = item(scope, left, i, a); o != Outcome::ok) return o;
    if (const Outcome o = item(scope, right, i, b); o != Outcome::ok) return o;
    if (const Outcome o = equal_items(scope, a, b, out); o != Outcome::ok) return o;
  }
  return Outcome::ok;
}

Outcome equal_dicts(const Scope& scope, const Value& left, const Value& right, bool& out) {
  const Deeper deeper(scope);
  if (!deeper.is_allowed()) return Outcome::work_limit;
  Dict a;
  Dict b;
  if (const Outcome o = Dict::open(scope, left, a); o != Outcome::ok) return o;
  if (const Outcome o = Dict::open(scope, right, b); o != Outcome::ok) return o;
  out = a.size() == b.size();
  for (std::uint32_t i = 0; out && i < a.size(); ++i) {
    if (const Outcome o = spend(scope, 1); o != Outcome::ok) return o;
    Value key;
    std::int64_t at = -1;
    if (const Outcome o = a.key(scope, i, key); o != Outcome::ok) return o;
    if (const Outcome o = b.find(scope, key, at); o != Outcome::ok) return o;
    out = at >= 0;
    if (!out) break;
    Value ours;
    Value theirs;
    if (const Outcome o = a.value(scope, i, ours); o != Outcome::ok) return o;
    if (const Outcome o = b.value(scope, static_cast<std::uint32_t>(at), theirs); o != Outcome::ok) return o;
    if (const Outcome o = equal_items(scope, ours, theirs, out); o != Outcome::ok) return o;
  }
  return Outcome::ok;
}

// The first items that differ decide; without any, the lengths do.
Outcome compare_sequences(const Scope& scope, Order order, const Value& left, const Value& right, bool& out) {
  const Deeper deeper(scope);
  if (!deeper.is_allowed()) return Outcome::work_limit;
  const std::uint32_t shared = std::min(left.length, right.length);
  for (std::uint32_t i = 0; i < shared; ++i) {
    if (const Outcome o = spend(scope, 1); o != Outcome::ok) return o;
    Value a;
    Value b;
    if (const Outcome o = item(scope, left, i, a); o != Outcome::ok) return o;
    if (const Outcome o = item(scope, right, i, b); o != Outcome::ok) return o;
    bool same = false;
    if (const Outcome o = equal_items(scope, a, b, same); o != Outcome::ok) return o;
    if (!same) return compare(scope, order, a, b, out);
  }
  out = holds(order, left.length <=> right.length);
  return Outcome::ok;
}

}  // namespace

Outcome equal(const Scope& scope, const Value& left, const Value& right, bool& out) {
  if (left.is_number() && right.is_number()) {
    out = order_numbers(left, right) == 0;
    return Outcome::ok;
  }
  if (left.is_text() && right.is_text()) {
    if (left.length == right.length) charge_text(scope, left.view());
    out = left.view() == right.view();
    return Outcome::ok;
  }
  if (left.kind == Kind::undefined || right.kind == Kind::undefined) {
    for (const Value* v : {&left, &right}) {
      if (v->kind == Kind::undefined && raises(scope, *v)) return Outcome::undefined;
    }
    // Undefined values are equal when their classes are; the missing else of an inline if is no
    // ChainableUndefined.
    out = left.kind == right.kind && chains(scope, left) == chains(scope, right);
    return Outcome::ok;
  }
  if (same_sequence(left, right)) return equal_sequences(scope, left, right, out);
  if (is_dict(left) && is_dict(right)) return equal_dicts(scope, left, right, out);
  if (std::partial_ordering found = std::partial_ordering::unordered; order_decimals(left, right, found)) {
    out = found == 0;
    return Outcome::ok;
  }
  out = left.kind == right.kind &&
        (left.kind == Kind::none || (is_temporal(left) && equal_temporal(scope, left, right)));
  return Outcome::ok;
}

Outcome equal_items(const Scope& scope, const Value& left, const Value& right, bool& out) {
  const auto is_nan = [](const Value& v) {
    return v.kind == Kind::floating && std::isnan(v.payload.floating);
  };
  // Only a NaN shows the difference, and whether two are one object is not known here.
  if (is_nan(left) && is_nan(right)) return Outcome::unsupported;
  return equal(scope, left, right, out);
}

Outcome compare(const Scope& scope, Order order, const Value& left, const Value& right, bool& out) {
  if (left.is_number() && right.is_number()) {
    out = holds(order, order_numbers(left, right));
    return Outcome::ok;
  }
  if (left.is_text() && right.is_text()) {
    charge_text(scope, left.view());
    // UTF-8 bytes sort as code points do.
    out = holds(order, left.view() <=> right.view());
    return Outcome::ok;
  }
  if (left.kind == Kind::undefined || right.kind == Kind::undefined) return Outcome::undefined;
  if (same_sequence(left, right)) return compare_sequences(scope, order, left, right, out);
  if (std::partial_ordering found = std::partial_ordering::unordered; order_decimals(left, right, found)) {
    // A Decimal can be told equal to a NaN or not, but not put in order with it.
    if (found == std::partial_ordering::unordered) return Outcome::invalid_operation;
    out = holds(order, found);
    return Outcome::ok;
  }
  if (!is_temporal(left)) return Outcome::type_error;
  std::strong_ordering found = std::strong_ordering::equal;
  const Outcome outcome = order_temporal(left, right, found);
  out = holds(order, found);
  return outcome;
}

Outcome contains(const Scope& scope, const Value& needle, const Value& haystack, bool& out) {
  out = false;
  if (haystack.is_text()) {
    if (!needle.is_text()) return Outcome::type_error;
    charge_text(scope, haystack.view());
    out = find_text(haystack.view(), needle.view()) != std::string_view::npos;
    return Outcome::ok;
  }
  if (is_sequence(haystack)) {
    for (std::uint32_t i = 0; !out && i < haystack.length; ++i) {
      if (const Outcome o = spend(scope, 1); o != Outcome::ok) return o;
      Value candidate;
      if (const Outcome o = item(scope, haystack, i, candidate); o != Outcome::ok) return o;
      if (const Outcome o = equal_items(scope, candidate, needle, out); o != Outcome::ok) return o;
    }
    return Outcome::ok;
  }
  if (haystack.kind == Kind::undefined) {
    return raises(scope, haystack) ? Outcome::undefined : Outcome::ok;
  }
  if (!is_dict(haystack)) return Outcome::type_error;
  Value value;
  return look_up(scope, haystack, needle, value, out);
}

}  // namespace labfactory
