#include "labfactory/values/call_families.hpp"
#include "labfactory/values/cases.hpp"
#include "labfactory/values/iteration.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory::filters {

namespace {

// item.lower() of a text, anything else as it is.
Outcome without_case(const Scope& scope, const Value& value, Value& out) {
  out = value;
  if (!value.is_text()) return Outcome::ok;
  if (value.view().size() > scope.most_bytes) return Outcome::asset_too_large;
  out = Value::text(lower_text(value.view(), scope.arena), value.kind == Kind::markup);
  return Outcome::ok;
}

// The pairs of a dict as a list of tuples.
Outcome pairs_of(const Scope& scope, const Value& value, Value& out) {
  Value entries;
  if (const Outcome o = entries_of(scope, value, entries); o != Outcome::ok) return o;
  Value* pairs = nullptr;
  const std::uint32_t count = entries.length / 2;
  if (const Outcome o = allocate_items(scope, count, pairs); o != Outcome::ok) return o;
  for (std::uint32_t i = 0; i < count; ++i) {
    pairs[i] = Value::list(entries.payload.items + std::size_t{2} * i, 2, Kind::tuple);
  }
  out = Value::list(pairs, count);
  return Outcome::ok;
}

// The item at one end of what is iterable; undefined where there is none.
Outcome end_of(const Scope& scope, const Value& value, bool front, Value& out) {
  Value items;
  if (const Outcome o = iterate(scope, value, items); o != Outcome::ok) return o;
  out = Value::undefined();
  return items.length == 0 ? Outcome::ok : item(scope, items, front ? 0 : items.length - 1, out);
}

// What sorted() takes for `reverse`.
bool is_whole(const Value& v) {
  return v.kind == Kind::integer || v.kind == Kind::boolean;
}

}  // namespace

Outcome batch(const Scope& scope, const Value* a, Value& out) {
  Value items;
  if (const Outcome o = iterate(scope, a[0], items); o != Outcome::ok) return o;
  return labfactory::batch(scope, items, a[1], a[2], out);
}

Outcome dictsort(const Scope& scope, const Value* a, Value& out) {
  if (!a[2].is_text() || (a[2].view() != "key" && a[2].view() != "value")) {
    if (a[2].kind == Kind::undefined && raises(scope, a[2])) return Outcome::undefined;
    return Outcome::filter_argument;
  }
  if (!is_mapping(a[0])) return a[0].kind == Kind::undefined ? Outcome::undefined : Outcome::attribute_error;
  if (!is_whole(a[3])) return Outcome::type_error;
  const bool reverse = a[3].payload.integer != 0;
  Value pairs;
  if (const Outcome o = pairs_of(scope, a[0], pairs); o != Outcome::ok) return o;
  Value* keys = nullptr;
  if (const Outcome o = allocate_items(scope, pairs.length, keys); o != Outcome::ok) return o;
  const std::size_t at = a[2].view() == "key" ? 0 : 1;
  for (std::uint32_t i = 0; i < pairs.length; ++i) {
    const Value pair[] = {pairs.payload.items[i].payload.items[at], a[1]};
    if (const Outcome o = sort_key(scope, pair, keys[i]); o != Outcome::ok) return o;
  }
  return labfactory::sort_by(scope, pairs, Value::list(keys, pairs.length), reverse, out);
}

Outcome first(const Scope& scope, const Value* a, Value& out) {
  return end_of(scope, a[0], true, out);
}

Outcome last(const Scope& scope, const Value* a, Value& out) {
  return end_of(scope, a[0], false, out);
}

Outcome group_by(const Scope& scope, const Value* a, Value& out) {
  return labfactory::group_by(scope, a[0], a[1], a[2], out);
}

Outcome is_new(const Scope& scope, const Value* a, Value& out) {
  bool found = false;
  const Outcome outcome = labfactory::is_new(scope, a[0], a[1], found);
  out = Value::boolean(found);
  return outcome;
}

Outcome items(const Scope& scope, const Value* a, Value& out) {
  if (a[0].kind != Kind::undefined) return pairs_of(scope, a[0], out);
  out = Value::list(nullptr, 0);
  return Outcome::ok;
}

Outcome length(const Scope& scope, const Value* a, Value& out) {
  std::int64_t count = 0;
  if (const Outcome o = labfactory::length(scope, a[0], count); o != Outcome::ok) return o;
  out = Value::integer(count);
  return Outcome::ok;
}

Outcome list(const Scope& scope, const Value* a, Value& out) {
  return list_of(scope, a[0], out);
}

Outcome max_by(const Scope& scope, const Value* a, Value& out) {
  return extreme_by(scope, a[0], a[1], Order::greater, out);
}

Outcome min_by(const Scope& scope, const Value* a, Value& out) {
  return extreme_by(scope, a[0], a[1], Order::less, out);
}

Outcome range(const Scope& scope, const Value* a, Value& out) {
  for (int i = 0; i < 3; ++i) {
    // An undefined value is no index, to Python as to us.
    if (a[i].kind != Kind::integer && a[i].kind != Kind::boolean) return Outcome::type_error;
  }
  const std::int64_t start = a[0].payload.integer;
  const std::int64_t stop = a[1].payload.integer;
  const std::int64_t step = a[2].payload.integer;
  if (step == 0) return Outcome::value_error;
  const bool is_empty = step > 0 ? start >= stop : start <= stop;
  const auto distance = step > 0 ? static_cast<std::uint64_t>(stop) - static_cast<std::uint64_t>(start)
                                 : static_cast<std::uint64_t>(start) - static_cast<std::uint64_t>(stop);
  const std::uint64_t stride =
      step > 0 ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
  const std::uint64_t count = is_empty ? 0 : (distance - 1) / stride + 1;
  Value* items = nullptr;
  if (const Outcome o = allocate_items(scope, count, items); o != Outcome::ok) return o;
  std::uint64_t next = static_cast<std::uint64_t>(start);
  for (std::uint64_t i = 0; i < count; ++i, next += static_cast<std::uint64_t>(step)) {
    items[i] = Value::integer(static_cast<std::int64_t>(next));
  }
  out = Value::list(items, static_cast<std::uint32_t>(count));
  return Outcome::ok;
}

Outcome reverse(const Scope& scope, const Value* a, Value& out) {
  return labfactory::reverse(scope, a[0], out);
}

Outcome slice(const Scope& scope, const Value* a, Value& out) {
  Value items;
  if (const Outcome o = iterate(scope, a[0], items); o != Outcome::ok) return o;
  return labfactory::slice(scope, items, a[1], a[2], out);
}

Outcome sort_by(const Scope& scope, const Value* a, Value& out) {
  if (!is_whole(a[2])) return Outcome::type_error;
  return labfactory::sort_by(scope, a[0], a[1], a[2].payload.integer != 0, out);
}

Outcome sort_key(const Scope& scope, const Value* a, Value& out) {
  bool case_sensitive = false;
  if (const Outcome o = truth(scope, a[1], case_sensitive); o != Outcome::ok) return o;
  if (!case_sensitive) return without_case(scope, a[0], out);
  out = a[0];
  return Outcome::ok;
}

Outcome sum(const Scope& scope, const Value* a, Value& out) {
  Value items;
  if (const Outcome o = iterate(scope, a[0], items); o != Outcome::ok) return o;
  return labfactory::sum(scope, items, a[1], a[2].payload.integer != 0, out);
}

}  // namespace labfactory::filters
