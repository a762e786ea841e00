#include "labfactory/values/calls.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "labfactory/values/filters.hpp"
#include "labfactory/values/text.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

// Past 10**18 the powers of round(method='ceil') leave 64 bits.
constexpr std::int64_t kMostDigits = 18;
// Python refuses nothing, but no double has a digit further out than this.
constexpr std::int64_t kMostPrecision = 400;

Outcome filter_default(const Scope& scope, const Value* a, Value& out) {
  bool by_truth = false;
  if (const Outcome o = truth(scope, a[2], by_truth); o != Outcome::ok) return o;
  bool keep = a[0].kind != Kind::undefined;
  if (keep && by_truth) {
    if (const Outcome o = truth(scope, a[0], keep); o != Outcome::ok) return o;
  }
  out = keep ? a[0] : a[1];
  return Outcome::ok;
}

using TextFunction = std::string_view (*)(std::string_view, Arena&);

// soft_str(value).method(): markup stays markup.
Outcome filter_case(const Scope& scope, TextFunction function, const Value& value, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, value, text); o != Outcome::ok) return o;
  if (text.size() > scope.most_bytes) return Outcome::asset_too_large;
  out = Value::text(function(text, scope.arena), value.kind == Kind::markup);
  return Outcome::ok;
}

Outcome filter_title(const Scope& scope, const Value& value, Value& out) {
  if (const Outcome o = filter_case(scope, title_text, value, out); o != Outcome::ok) return o;
  // The words pass through re.split, which gives plain str.
  out.kind = Kind::text;
  return Outcome::ok;
}

Outcome filter_trim(const Scope& scope, const Value* a, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, a[0], text); o != Outcome::ok) return o;
  charge_text(scope, text);
  if (a[1].kind == Kind::none) {
    out = Value::text(strip_text(text), a[0].kind == Kind::markup);
    return Outcome::ok;
  }
  if (!a[1].is_text()) return Outcome::type_error;
  out = Value::text(strip_text(text, a[1].view()), a[0].kind == Kind::markup);
  return Outcome::ok;
}

Outcome filter_escape(const Scope& scope, const Value& value, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, value, text); o != Outcome::ok) return o;
  if (value.kind != Kind::markup) {
    if (const Outcome o = escape(scope, text, text); o != Outcome::ok) return o;
  }
  out = Value::text(text, true);
  return Outcome::ok;
}

Outcome filter_safe(const Scope& scope, const Value& value, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, value, text); o != Outcome::ok) return o;
  out = Value::text(text, true);
  return Outcome::ok;
}

Outcome filter_string(const Scope& scope, const Value& value, Value& out) {
  std::string_view text;
  if (const Outcome o = text_of(scope, value, text); o != Outcome::ok) return o;
  out = Value::text(text, value.kind == Kind::markup);
  return Outcome::ok;
}

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

Outcome filter_round(const Value* a, Value& out) {
  if (a[0].kind == Kind::undefined) return Outcome::undefined;
  const bool counts = a[1].kind == Kind::integer || a[1].kind == Kind::boolean;
  if (a[2].is_text() && a[2].view() != "common") {
    if (a[2].view() != "ceil" && a[2].view() != "floor") return Outcome::value_error;
    if (!a[0].is_number() || !counts) return Outcome::type_error;
    return round_outwards(a[0], a[1].payload.integer, a[2].view() == "ceil", out);
  }
  if (!a[2].is_text()) return Outcome::value_error;
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

// The pieces of an iterable as str; `markup` escapes what is not markup. Strings give their characters, those
// of markup as plain str.
Outcome pieces_of(const Scope& scope, const Value& value, bool markup, std::string_view*& pieces,
                  std::uint32_t& count) {
  pieces = reinterpret_cast<std::string_view*>(scope.arena.allocate(value.length * sizeof(std::string_view)));
  count = 0;
  if (value.is_text()) {
    std::string_view rest = value.view();
    while (!rest.empty()) {
      std::string_view piece = rest.substr(0, decode_code_point(rest).bytes);
      rest.remove_prefix(piece.size());
      if (markup) {
        if (const Outcome o = escape(scope, piece, piece); o != Outcome::ok) return o;
      }
      pieces[count++] = piece;
    }
    return Outcome::ok;
  }
  for (std::uint32_t i = 0; i < value.length; ++i) {
    Value piece;
    if (const Outcome o = item(scope, value, i, piece); o != Outcome::ok) return o;
    std::string_view text;
    if (const Outcome o = text_of(scope, piece, text); o != Outcome::ok) return o;
    if (markup && piece.kind != Kind::markup) {
      if (const Outcome o = escape(scope, text, text); o != Outcome::ok) return o;
    }
    pieces[count++] = text;
  }
  return Outcome::ok;
}

bool is_iterable(const Value& v) {
  return v.is_text() || v.kind == Kind::list || v.kind == Kind::tuple || v.kind == Kind::column_list;
}

Outcome filter_join(const Scope& scope, const Value* a, Value& out) {
  const bool autoescape = a[2].payload.integer != 0;
  Value value = a[0];
  if (value.kind == Kind::undefined) {
    if (raises(scope, value)) return Outcome::undefined;
    value = Value::list(nullptr, 0);
  }
  if (value.kind == Kind::record) return Outcome::unsupported;
  if (!is_iterable(value)) return Outcome::type_error;
  bool markup = autoescape && a[1].kind == Kind::markup;
  if (autoescape && !is_html(scope, a[1]) && (value.kind == Kind::list || value.kind == Kind::tuple)) {
    for (std::uint32_t i = 0; i < value.length; ++i)
      markup = markup || is_html(scope, value.payload.items[i]);
  }
  std::string_view separator;
  if (const Outcome o = text_of(scope, a[1], separator); o != Outcome::ok) return o;
  if (markup && a[1].kind != Kind::markup) {
    if (const Outcome o = escape(scope, separator, separator); o != Outcome::ok) return o;
  }
  if (value.length > scope.most_bytes / sizeof(std::string_view)) return Outcome::asset_too_large;
  std::string_view* pieces = nullptr;
  std::uint32_t count = 0;
  if (const Outcome o = pieces_of(scope, value, markup, pieces, count); o != Outcome::ok) return o;
  const auto joined = join_text({pieces, count}, separator, scope.arena, scope.most_bytes);
  if (!joined) return Outcome::asset_too_large;
  out = Value::text(*joined, markup);
  return Outcome::ok;
}

Outcome filter_replace(const Scope& scope, const Value* a, Value& out) {
  const bool autoescape = a[4].payload.integer != 0;
  std::string_view text;
  std::string_view from;
  std::string_view to;
  if (const Outcome o = text_of(scope, a[0], text); o != Outcome::ok) return o;
  bool markup = autoescape && a[0].kind == Kind::markup;
  if (autoescape && !markup && (is_html(scope, a[1]) || (is_html(scope, a[2]) && !is_html(scope, a[0])))) {
    if (const Outcome o = escape(scope, text, text); o != Outcome::ok) return o;
    markup = true;
  }
  if (const Outcome o = text_of(scope, a[1], from); o != Outcome::ok) return o;
  if (const Outcome o = text_of(scope, a[2], to); o != Outcome::ok) return o;
  if (markup && a[2].kind != Kind::markup) {
    if (const Outcome o = escape(scope, to, to); o != Outcome::ok) return o;
  }
  std::int64_t count = -1;
  if (a[3].kind != Kind::none) {
    if (a[3].kind != Kind::integer && a[3].kind != Kind::boolean) return Outcome::type_error;
    count = a[3].payload.integer;
  }
  charge_text(scope, text);
  const auto replaced = replace_text(text, from, to, count, scope.arena, scope.most_bytes);
  if (!replaced) return Outcome::asset_too_large;
  out = Value::text(*replaced, markup);
  return Outcome::ok;
}

Outcome filter_truncate(const Scope& scope, const Value* a, Value& out) {
  const bool counts = (a[1].kind == Kind::integer || a[1].kind == Kind::boolean) &&
                      (a[4].kind == Kind::integer || a[4].kind == Kind::boolean);
  if (!counts || !a[3].is_text()) return Outcome::type_error;
  const std::int64_t length = a[1].payload.integer;
  const std::int64_t leeway = a[4].payload.integer;
  if (length < count_code_points(a[3].view()) || leeway < 0) return Outcome::value_error;
  const Value& value = a[0];
  if (value.kind == Kind::undefined) {
    if (raises(scope, value)) return Outcome::undefined;
    // Its length is 0, so it comes back as it is.
    out = value;
    return Outcome::ok;
  }
  if (!value.is_text())
    return is_iterable(value) || value.kind == Kind::record ? Outcome::unsupported : Outcome::type_error;
  charge_text(scope, value.view());
  if (!is_truncated(value.view(), length, leeway)) {
    out = value;
    return Outcome::ok;
  }
  bool kill_words = false;
  if (const Outcome o = truth(scope, a[2], kill_words); o != Outcome::ok) return o;
  const bool markup = value.kind == Kind::markup;
  if (!markup && a[3].kind == Kind::markup) return Outcome::unsupported;
  const auto cut = truncate_text(value.view(), length, kill_words, a[3].view(), leeway,
                                 markup && a[3].kind != Kind::markup, scope.arena);
  if (!cut) return Outcome::value_error;
  out = Value::text(*cut, markup);
  return Outcome::ok;
}

Outcome filter_length(const Scope& scope, const Value& value, Value& out) {
  std::int64_t count = 0;
  if (const Outcome o = length(scope, value, count); o != Outcome::ok) return o;
  out = Value::integer(count);
  return Outcome::ok;
}

// value % 2 == remainder
Outcome test_parity(const Scope& scope, const Value& value, bool odd, bool& out) {
  if (value.is_text()) return Outcome::type_error;
  Value rest;
  if (const Outcome o = modulo(scope, value, Value::integer(2), rest); o != Outcome::ok) return o;
  return equal(scope, rest, Value::integer(odd ? 1 : 0), out);
}

}  // namespace

Outcome call_filter(const Scope& scope, Filter filter, const Value* a, Value& out) {
  switch (filter) {
    case Filter::default_:
      return filter_default(scope, a, out);
    case Filter::upper:
      return filter_case(scope, upper_text, a[0], out);
    case Filter::lower:
      return filter_case(scope, lower_text, a[0], out);
    case Filter::title:
      return filter_title(scope, a[0], out);
    case Filter::capitalize:
      return filter_case(scope, capitalize_text, a[0], out);
    case Filter::trim:
      return filter_trim(scope, a, out);
    case Filter::escape:
      return filter_escape(scope, a[0], out);
    case Filter::safe:
      return filter_safe(scope, a[0], out);
    case Filter::round:
      return filter_round(a, out);
    case Filter::length:
      return filter_length(scope, a[0], out);
    case Filter::join:
      return filter_join(scope, a, out);
    case Filter::replace:
      return filter_replace(scope, a, out);
    case Filter::truncate:
      return filter_truncate(scope, a, out);
    case Filter::string:
      return filter_string(scope, a[0], out);
  }
  return Outcome::unsupported;
}

Outcome call_test(const Scope& scope, Test test, const Value& value, bool& out) {
  const auto found = [&](bool is) {
    out = is;
    return Outcome::ok;
  };
  switch (test) {
    case Test::defined:
      return found(value.kind != Kind::undefined);
    case Test::undefined:
      return found(value.kind == Kind::undefined);
    case Test::none:
      return found(value.kind == Kind::none);
    case Test::boolean:
      return found(value.kind == Kind::boolean);
    case Test::integer:
      return found(value.kind == Kind::integer);
    case Test::float_:
      return found(value.kind == Kind::floating);
    case Test::number:
      return found(value.is_number());
    case Test::string:
      return found(value.is_text());
    case Test::sequence:
      if (value.kind == Kind::undefined) return found(!raises(scope, value));
      return found(is_iterable(value) || value.kind == Kind::record);
    case Test::even:
      return test_parity(scope, value, false, out);
    case Test::odd:
      return test_parity(scope, value, true, out);
    case Test::true_:
      return found(value.kind == Kind::boolean && value.payload.integer != 0);
    case Test::false_:
      return found(value.kind == Kind::boolean && value.payload.integer == 0);
  }
  return Outcome::unsupported;
}

}  // namespace labfactory
