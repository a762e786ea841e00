#include "labfactory/values/methods.hpp"

#include <algorithm>
#include <cmath>

#include "labfactory/values/call_families.hpp"
#include "labfactory/values/dict.hpp"
#include "labfactory/values/html.hpp"
#include "labfactory/values/iteration.hpp"
#include "labfactory/values/lines.hpp"
#include "labfactory/values/moment_methods.hpp"
#include "labfactory/values/str_format.hpp"
#include "labfactory/values/temporal.hpp"
#include "labfactory/values/text_methods.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

bool is_list(const Value& v) {
  return v.kind == Kind::list || v.kind == Kind::tuple || v.kind == Kind::column_list;
}

// list.count and list.index
Outcome search(const Scope& scope, Method method, const Value* a, Value& out) {
  std::int64_t first = 0;
  std::int64_t last = a[0].length;
  if (method == Method::index) {
    if (const Outcome o = slice_bounds(a[2], a[3], first, last); o != Outcome::ok) return o;
  }
  std::int64_t count = 0;
  for (std::int64_t i = first; i < last; ++i) {
    scope.arena.charge(1);
    Value entry;
    if (const Outcome o = item(scope, a[0], static_cast<std::uint32_t>(i), entry); o != Outcome::ok) return o;
    bool same = false;
    if (const Outcome o = equal(scope, entry, a[1], same); o != Outcome::ok) return o;
    if (same && method == Method::index) {
      out = Value::integer(i);
      return Outcome::ok;
    }
    count += same ? 1 : 0;
  }
  out = Value::integer(count);
  return method == Method::index ? Outcome::value_error : Outcome::ok;
}

Outcome get(const Scope& scope, const Value* a, Value& out) {
  bool found = false;
  if (const Outcome o = look_up(scope, a[0], a[1], out, found); o != Outcome::ok) return o;
  if (!found) out = a[2];
  return Outcome::ok;
}

// A view of a dict as the list of what it gives.
Outcome view(const Scope& scope, Method method, const Value* a, Value& out) {
  if (method == Method::items) return filters::items(scope, a, out);
  Value entries;
  if (const Outcome o = entries_of(scope, a[0], entries); o != Outcome::ok) return o;
  Value* found = nullptr;
  const std::uint32_t count = entries.length / 2;
  if (const Outcome o = allocate_items(scope, count, found); o != Outcome::ok) return o;
  const std::uint32_t which = method == Method::values ? 1 : 0;
  for (std::uint32_t i = 0; i < count; ++i) found[i] = entries.payload.items[2 * i + which];
  out = Value::list(found, count);
  return Outcome::ok;
}

Outcome of_dict(const Scope& scope, Method method, const Value* a, Value& out) {
  switch (method) {
    case Method::get:
      return get(scope, a, out);
    case Method::items:
    case Method::keys:
    case Method::values:
      return view(scope, method, a, out);
    default:
      return Outcome::undefined;
  }
}

}  // namespace

Outcome slice_bounds(const Value& start, const Value& stop, std::int64_t& first, std::int64_t& last) {
  const std::int64_t length = last;
  const auto bound = [length](const Value& v, std::int64_t& at) {
    if (v.kind == Kind::none) return Outcome::ok;
    if (v.kind != Kind::integer && v.kind != Kind::boolean) return Outcome::type_error;
    at = v.payload.integer;
    if (at < 0) at = std::max<std::int64_t>(at + length, 0);
    return Outcome::ok;
  };
  if (const Outcome o = bound(start, first); o != Outcome::ok) return o;
  if (const Outcome o = bound(stop, last); o != Outcome::ok) return o;
  last = std::min(last, length);
  return Outcome::ok;
}

Outcome call_method(const Scope& scope, Method method, const Value* a, std::uint32_t count, Value& out) {
  // Jinja2 takes a method that a value does not have for undefined, which cannot be called.
  if (a[0].is_text()) {
    if (method == Method::format) {
      const std::uint32_t names = a[1].length;
      const auto is_text = [](const Value& name) { return name.is_text(); };
      const bool is_call = a[1].kind == Kind::tuple && names <= count - 2 &&
                           std::all_of(a[1].payload.items, a[1].payload.items + names, is_text);
      if (!is_call) return Outcome::unsupported;
      return format_template(scope, a[0], {{a + 2, count - 2}, {a[1].payload.items, names}}, out);
    }
    return call_text_method(scope, method, a, out);
  }
  if (is_temporal(a[0])) return call_moment_method(scope, method, a, out);
  if (is_mapping(a[0])) return of_dict(scope, method, a, out);
  if (is_list(a[0]) && (method == Method::count || method == Method::index))
    return search(scope, method, a, out);
  if (a[0].kind == Kind::floating && method == Method::is_integer) {
    const double value = a[0].payload.floating;
    out = Value::boolean(std::isfinite(value) && std::trunc(value) == value);
    return Outcome::ok;
  }
  return Outcome::undefined;
}

}  // namespace labfactory
