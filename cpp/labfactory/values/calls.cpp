#include "labfactory/values/calls.hpp"

#include "labfactory/values/call_families.hpp"
#include "labfactory/values/iteration.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

Outcome default_value(const Scope& scope, const Value* a, Value& out) {
  bool by_truth = false;
  if (const Outcome o = truth(scope, a[2], by_truth); o != Outcome::ok) return o;
  bool keep = a[0].kind != Kind::undefined;
  if (keep && by_truth) {
    if (const Outcome o = truth(scope, a[0], keep); o != Outcome::ok) return o;
  }
  out = keep ? a[0] : a[1];
  return Outcome::ok;
}

// value % 2 == remainder
Outcome test_parity(const Scope& scope, const Value& value, bool odd, bool& out) {
  Value rest;
  if (const Outcome o = modulo(scope, value, Value::integer(2), rest); o != Outcome::ok) return o;
  return equal(scope, rest, Value::integer(odd ? 1 : 0), out);
}

// In the order of Filter.
constexpr std::array<filters::Function, kFilters.size()> kFunctions = {
    default_value,     filters::upper,       filters::lower,     filters::title,          filters::capitalize,
    filters::trim,     filters::escape,      filters::safe,      filters::round,          filters::length,
    filters::join,     filters::replace,     filters::truncate,  filters::string,         filters::abs,
    filters::batch,    filters::center,      filters::dictsort,  filters::filesizeformat, filters::first,
    filters::floating, filters::forceescape, filters::indent,    filters::integer,        filters::items,
    filters::last,     filters::list,        filters::reverse,   filters::slice,          filters::striptags,
    filters::sum,      filters::tojson,      filters::urlencode, filters::wordcount,      filters::wordwrap,
    filters::xmlattr,  filters::sort_key,    filters::sort_by,   filters::group_by,       filters::min_by,
    filters::max_by,   filters::is_new,      filters::divisible, filters::range,          filters::format};

}  // namespace

Outcome call_filter(const Scope& scope, Filter filter, const Value* a, Value& out) {
  return kFunctions[static_cast<std::size_t>(filter)](scope, a, out);
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
      return found(value.is_number() || value.kind == Kind::decimal);
    case Test::string:
      return found(value.is_text());
    case Test::sequence:
      if (value.kind == Kind::undefined) return found(!raises(scope, value));
      return found(is_iterable(value));
    case Test::even:
      return test_parity(scope, value, false, out);
    case Test::odd:
      return test_parity(scope, value, true, out);
    case Test::true_:
      return found(value.kind == Kind::boolean && value.payload.integer != 0);
    case Test::false_:
      return found(value.kind == Kind::boolean && value.payload.integer == 0);
    case Test::escaped:
      return found(is_html(scope, value));
    case Test::iterable:
      if (value.kind == Kind::undefined && raises(scope, value)) return Outcome::undefined;
      return found(is_iterable(value));
    case Test::lower:
    case Test::upper: {
      std::string_view text;
      if (const Outcome o = text_of(scope, value, text); o != Outcome::ok) return o;
      charge_text(scope, text);
      return found(is_cased_as(test == Test::upper, text));
    }
    case Test::mapping:
      return found(is_mapping(value));
  }
  return Outcome::unsupported;
}

}  // namespace labfactory
