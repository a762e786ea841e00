#include "labfactory/values/iteration.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "labfactory/values/dict.hpp"
#include "labfactory/values/unicode.hpp"

namespace labfactory {

namespace {

bool is_sequence(const Value& v) {
  return v.kind == Kind::list || v.kind == Kind::tuple || v.kind == Kind::column_list;
}

Outcome characters_of(const Scope& scope, std::string_view text, Value& out) {
  Value* items = nullptr;
  const auto count = static_cast<std::uint64_t>(count_code_points(text));
  charge_text(scope, text);
  // A byte that is no UTF-8 counts as none, but is one character here.
  if (const Outcome o = allocate_items(scope, std::max<std::uint64_t>(count, text.size()), items);
      o != Outcome::ok) {
    return o;
  }
  std::uint32_t found = 0;
  while (!text.empty()) {
    const std::size_t bytes = decode_code_point(text).bytes;
    items[found++] = Value::text(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  out = Value::list(items, found);
  return Outcome::ok;
}

Outcome keys_of(const Scope& scope, const Value& value, Value& out) {
  Dict dict;
  if (const Outcome o = Dict::open(scope, value, dict); o != Outcome::ok) return o;
  Value* keys = nullptr;
  if (const Outcome o = allocate_items(scope, dict.size(), keys); o != Outcome::ok) return o;
  for (std::uint32_t i = 0; i < dict.size(); ++i) {
    if (const Outcome o = dict.key(scope, i, keys[i]); o != Outcome::ok) return o;
  }
  out = Value::list(keys, dict.size());
  return Outcome::ok;
}

// An item and the key that it is sorted by.
struct Keyed {
  Value key;
  Value item;
};

Outcome is_less(const Scope& scope, const Keyed& a, const Keyed& b, bool& out) {
  scope.arena.charge(1);
  return compare(scope, Order::less, a.key, b.key, out);
}

// CPython's list.sort for lists too short to merge: a run at the start, ascending or descending, then
// insertion by halves. What compares as it likes (NaN) comes out as there.
Outcome sort_short(const Scope& scope, Keyed* begin, std::size_t count) {
  if (count < 2) return Outcome::ok;
  bool less = false;
  if (const Outcome o = is_less(scope, begin[1], begin[0], less); o != Outcome::ok) return o;
  const bool is_descending = less;
  std::size_t run = 2;
  for (; run < count; ++run) {
    if (const Outcome o = is_less(scope, begin[run], begin[run - 1], less); o != Outcome::ok) return o;
    if (less != is_descending) break;
  }
  if (is_descending) std::reverse(begin, begin + run);
  for (std::size_t at = run; at < count; ++at) {
    const Keyed pivot = begin[at];
    std::size_t low = 0;
    std::size_t high = at;
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (const Outcome o = is_less(scope, pivot, begin[middle], less); o != Outcome::ok) return o;
      if (less) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    std::move_backward(begin + low, begin + at, begin + at + 1);
    begin[low] = pivot;
  }
  return Outcome::ok;
}

// A stable merge sort; `other` has room for as many.
Outcome sort_keyed(const Scope& scope, Keyed* begin, Keyed* other, std::size_t count) {
  // CPython merges from 64 items on.
  constexpr std::size_t kShort = 64;
  if (count < kShort) return sort_short(scope, begin, count);
  const std::size_t half = count / 2;
  if (const Outcome o = sort_keyed(scope, begin, other, half); o != Outcome::ok) return o;
  if (const Outcome o = sort_keyed(scope, begin + half, other, count - half); o != Outcome::ok) return o;
  std::copy_n(begin, half, other);
  std::size_t left = 0;
  std::size_t right = half;
  for (Keyed* to = begin; left < half; ++to) {
    bool less = false;
    if (right < count) {
      if (const Outcome o = is_less(scope, begin[right], other[left], less); o != Outcome::ok) return o;
    }
    *to = less ? begin[right++] : other[left++];
  }
  return Outcome::ok;
}

bool holds_nan(const Value& key) {
  if (key.kind == Kind::floating) return std::isnan(key.payload.floating);
  if (key.kind != Kind::list && key.kind != Kind::tuple) return false;
  return std::any_of(key.payload.items, key.payload.items + key.length, holds_nan);
}

Outcome keyed(const Scope& scope, const Value& items, const Value& keys, Keyed*& out) {
  if (items.length != keys.length || !is_sequence(items) || !is_sequence(keys)) return Outcome::unsupported;
  if (items.length > scope.most_bytes / sizeof(Keyed)) return Outcome::asset_too_large;
  out = reinterpret_cast<Keyed*>(scope.arena.allocate(std::size_t{items.length} * sizeof(Keyed)));
  for (std::uint32_t i = 0; i < items.length; ++i) {
    if (const Outcome o = item(scope, items, i, out[i].item); o != Outcome::ok) return o;
    if (const Outcome o = item(scope, keys, i, out[i].key); o != Outcome::ok) return o;
  }
  return Outcome::ok;
}

Outcome sorted(const Scope& scope, const Value& items, const Value& keys, bool reverse, Keyed*& out) {
  if (const Outcome o = keyed(scope, items, keys, out); o != Outcome::ok) return o;
  constexpr std::uint32_t kShort = 64;
  Keyed* other = nullptr;
  if (items.length >= kShort) {
    // Where NaN ends up in a long list depends on how CPython merges.
    if (std::any_of(out, out + items.length, [](const Keyed& k) { return holds_nan(k.key); })) {
      return Outcome::unsupported;
    }
    other = reinterpret_cast<Keyed*>(scope.arena.allocate(std::size_t{items.length} * sizeof(Keyed)));
  }
  // Reversed before and behind, so that equal items keep their order.
  if (reverse) std::reverse(out, out + items.length);
  if (const Outcome o = sort_keyed(scope, out, other, items.length); o != Outcome::ok) return o;
  if (reverse) std::reverse(out, out + items.length);
  return Outcome::ok;
}

bool is_whole(const Value& v) {
  return v.kind == Kind::integer || v.kind == Kind::boolean;
}

}  // namespace

bool is_mapping(const Value& value) {
  return is_dict(value);
}

bool is_iterable(const Value& value) {
  return is_sequence(value) || value.is_text() || is_mapping(value) || value.kind == Kind::undefined;
}

Outcome allocate_items(const Scope& scope, std::uint64_t count, Value*& out) {
  if (count > scope.most_bytes / sizeof(Value)) return Outcome::asset_too_large;
  scope.arena.charge(static_cast<std::size_t>(count));
  out = reinterpret_cast<Value*>(scope.arena.allocate(static_cast<std::size_t>(count) * sizeof(Value)));
  return Outcome::ok;
}

Outcome iterate(const Scope& scope, const Value& value, Value& out) {
  if (is_sequence(value)) {
    out = value;
    return Outcome::ok;
  }
  switch (value.kind) {
    case Kind::text:
    case Kind::markup:
      return characters_of(scope, value.view(), out);
    case Kind::dict:
    case Kind::column_map:
    case Kind::record:
      return keys_of(scope, value, out);
    case Kind::undefined:
      out = Value::list(nullptr, 0);
      return raises(scope, value) ? Outcome::undefined : Outcome::ok;
    default:
      return Outcome::type_error;
  }
}

Outcome list_of(const Scope& scope, const Value& value, Value& out) {
  if (const Outcome o = iterate(scope, value, out); o != Outcome::ok) return o;
  if (out.kind == Kind::tuple) out.kind = Kind::list;
  return Outcome::ok;
}

Outcome entries_of(const Scope& scope, const Value& value, Value& out) {
  if (!is_mapping(value)) return Outcome::type_error;
  Dict dict;
  if (const Outcome o = Dict::open(scope, value, dict); o != Outcome::ok) return o;
  Value* entries = nullptr;
  if (const Outcome o = allocate_items(scope, std::uint64_t{2} * dict.size(), entries); o != Outcome::ok)
    return o;
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < dict.size(); ++i) {
    if (const Outcome o = dict.key(scope, i, entries[count++]); o != Outcome::ok) return o;
    if (const Outcome o = dict.value(scope, i, entries[count++]); o != Outcome::ok) return o;
  }
  out = Value::list(entries, count);
  return Outcome::ok;
}

Outcome sort_by(const Scope& scope, const Value& items, const Value& keys, bool reverse, Value& out) {
  Keyed* order = nullptr;
  if (const Outcome o = sorted(scope, items, keys, reverse, order); o != Outcome::ok) return o;
  Value* found = nullptr;
  if (const Outcome o = allocate_items(scope, items.length, found); o != Outcome::ok) return o;
  for (std::uint32_t i = 0; i < items.length; ++i) found[i] = order[i].item;
  out = Value::list(found, items.length);
  return Outcome::ok;
}

Outcome group_by(const Scope& scope, const Value& items, const Value& keys, const Value& groupers,
                 Value& out) {
  // Pairs of grouper and item are sorted, so that a group finds the grouper of its first item.
  if (items.length != groupers.length || !is_sequence(items) || !is_sequence(groupers))
    return Outcome::unsupported;
  Value* numbers = nullptr;
  if (const Outcome o = allocate_items(scope, items.length, numbers); o != Outcome::ok) return o;
  for (std::uint32_t i = 0; i < items.length; ++i) numbers[i] = Value::integer(i);
  Keyed* order = nullptr;
  if (const Outcome o = sorted(scope, Value::list(numbers, items.length), keys, false, order);
      o != Outcome::ok) {
    return o;
  }
  Value* members = nullptr;
  if (const Outcome o = allocate_items(scope, items.length, members); o != Outcome::ok) return o;
  Value* groups = nullptr;
  if (const Outcome o = allocate_items(scope, items.length, groups); o != Outcome::ok) return o;
  const auto at = [](const Value& number) { return static_cast<std::uint32_t>(number.payload.integer); };
  std::uint32_t count = 0;
  for (std::uint32_t first = 0; first < items.length;) {
    std::uint32_t end = first;
    bool same = true;
    while (same) {
      if (const Outcome o = item(scope, items, at(order[end].item), members[end]); o != Outcome::ok) return o;
      if (++end == items.length) break;
      scope.arena.charge(1);
      if (const Outcome o = equal(scope, order[first].key, order[end].key, same); o != Outcome::ok) return o;
    }
    Value* pair = nullptr;
    if (const Outcome o = allocate_items(scope, 2, pair); o != Outcome::ok) return o;
    if (const Outcome o = item(scope, groupers, at(order[first].item), pair[0]); o != Outcome::ok) return o;
    pair[1] = Value::list(members + first, end - first);
    groups[count++] = Value::list(pair, 2, Kind::tuple);
    first = end;
  }
  out = Value::list(groups, count);
  return Outcome::ok;
}

Outcome extreme_by(const Scope& scope, const Value& items, const Value& keys, Order order, Value& out) {
  out = Value::undefined();
  if (items.length == 0) return Outcome::ok;
  Keyed* found = nullptr;
  if (const Outcome o = keyed(scope, items, keys, found); o != Outcome::ok) return o;
  const Keyed* best = found;
  for (const Keyed* next = found + 1; next < found + items.length; ++next) {
    scope.arena.charge(1);
    bool better = false;
    if (const Outcome o = compare(scope, order, next->key, best->key, better); o != Outcome::ok) return o;
    if (better) best = next;
  }
  out = best->item;
  return Outcome::ok;
}

Outcome is_new(const Scope& scope, const Value& seen, const Value& key, bool& out) {
  out = true;
  if (!is_sequence(seen)) return Outcome::unsupported;
  if (const Outcome o = check_hashable(scope, key); o != Outcome::ok) return o;
  for (std::uint32_t i = 0; out && i < seen.length; ++i) {
    scope.arena.charge(1);
    Value other;
    if (const Outcome o = item(scope, seen, i, other); o != Outcome::ok) return o;
    bool same = false;
    if (const Outcome o = equal(scope, key, other, same); o != Outcome::ok) return o;
    out = !same;
  }
  return Outcome::ok;
}

namespace {

// The float part of sum(): it goes on as long as whole numbers and floats come.
Outcome sum_floats(const Scope& scope, const Value& items, std::uint32_t& i, bool compensated, Value& total) {
  double sum = total.payload.floating;
  double lost = 0;
  Outcome outcome = Outcome::ok;
  for (; i < items.length; ++i) {
    scope.arena.charge(1);
    Value next;
    outcome = item(scope, items, i, next);
    if (outcome != Outcome::ok || !next.is_number()) break;
    if (next.kind != Kind::floating) {
      sum += static_cast<double>(next.payload.integer);
      continue;
    }
    const double x = next.payload.floating;
    const double added = sum + x;
    // Neumaier's compensation.
    if (compensated) lost += std::fabs(sum) >= std::fabs(x) ? (sum - added) + x : (x - added) + sum;
    sum = added;
  }
  if (lost != 0 && std::isfinite(lost)) sum += lost;
  total = Value::floating(sum);
  return outcome;
}

}  // namespace

Outcome sum(const Scope& scope, const Value& items, const Value& start, bool compensated, Value& out) {
  if (start.is_text()) return Outcome::type_error;
  Value total = start;
  std::uint32_t i = 0;
  if (start.kind == Kind::integer) {
    for (; i < items.length && total.kind == Kind::integer; ++i) {
      scope.arena.charge(1);
      Value next;
      if (const Outcome o = item(scope, items, i, next); o != Outcome::ok) return o;
      const Value before = total;
      if (const Outcome o = add(scope, before, next, total); o != Outcome::ok) return o;
    }
  }
  if (total.kind == Kind::floating) {
    if (const Outcome o = sum_floats(scope, items, i, compensated, total); o != Outcome::ok) return o;
  }
  for (; i < items.length; ++i) {
    scope.arena.charge(1);
    Value next;
    if (const Outcome o = item(scope, items, i, next); o != Outcome::ok) return o;
    const Value before = total;
    if (const Outcome o = add(scope, before, next, total); o != Outcome::ok) return o;
  }
  out = total;
  return Outcome::ok;
}

Outcome batch(const Scope& scope, const Value& items, const Value& count, const Value& fill, Value& out) {
  if (items.length == 0) {
    out = Value::list(nullptr, 0);
    return Outcome::ok;
  }
  // Jinja2 compares lengths with the count by ==, so a count that no length has makes one batch.
  std::int64_t size = -1;
  if (is_whole(count)) {
    size = count.payload.integer;
  } else if (count.kind == Kind::floating) {
    const double whole = count.payload.floating;
    if (whole >= 0 && whole < 0x1p32 && std::trunc(whole) == whole) size = static_cast<std::int64_t>(whole);
  } else if (count.kind == Kind::undefined && raises(scope, count)) {
    return Outcome::undefined;
  }
  const bool starts_empty = size == 0;
  const std::uint32_t step =
      size > 0 && size < items.length ? static_cast<std::uint32_t>(size) : items.length;
  const std::uint32_t batches = (items.length - 1) / step + 1;
  // len(tmp) < linecount
  bool is_short = false;
  const std::int64_t last = items.length - (batches - 1) * step;
  if (fill.kind != Kind::none) {
    if (const Outcome o = compare(scope, Order::less, Value::integer(last), count, is_short);
        o != Outcome::ok) {
      return o;
    }
  }
  std::int64_t filled = 0;
  if (is_short) {
    if (!is_whole(count)) return Outcome::type_error;
    filled = size - last;
  }
  Value* all = nullptr;
  if (const Outcome o = allocate_items(scope, items.length + static_cast<std::uint64_t>(filled), all);
      o != Outcome::ok) {
    return o;
  }
  for (std::uint32_t i = 0; i < items.length; ++i) {
    if (const Outcome o = item(scope, items, i, all[i]); o != Outcome::ok) return o;
  }
  std::fill_n(all + items.length, filled, fill);
  Value* rows = nullptr;
  if (const Outcome o = allocate_items(scope, std::uint64_t{batches} + 1, rows); o != Outcome::ok) return o;
  std::uint32_t found = 0;
  if (starts_empty) rows[found++] = Value::list(nullptr, 0);
  for (std::uint32_t i = 0; i < batches; ++i) {
    const bool is_last = i + 1 == batches;
    rows[found++] =
        Value::list(all + std::size_t{i} * step, is_last ? static_cast<std::uint32_t>(last + filled) : step);
  }
  out = Value::list(rows, found);
  return Outcome::ok;
}

Outcome slice(const Scope& scope, const Value& items, const Value& count, const Value& fill, Value& out) {
  // length // slices raises before range(slices) does.
  Value each;
  if (const Outcome o = floor_divide(scope, Value::integer(items.length), count, each); o != Outcome::ok)
    return o;
  if (!is_whole(count)) return Outcome::type_error;
  const std::int64_t slices = std::max<std::int64_t>(count.payload.integer, 0);
  Value* rows = nullptr;
  if (const Outcome o = allocate_items(scope, static_cast<std::uint64_t>(slices), rows); o != Outcome::ok)
    return o;
  const bool fills = fill.kind != Kind::none;
  Value* all = nullptr;
  const std::uint64_t room = items.length + (fills ? static_cast<std::uint64_t>(slices) : 0);
  if (const Outcome o = allocate_items(scope, room, all); o != Outcome::ok) return o;
  std::uint32_t read = 0;
  std::uint64_t written = 0;
  for (std::int64_t i = 0; i < slices; ++i) {
    const bool has_extra = i < items.length % slices;
    const std::uint64_t first = written;
    for (std::int64_t n = items.length / slices + (has_extra ? 1 : 0); n > 0; --n) {
      if (const Outcome o = item(scope, items, read++, all[written++]); o != Outcome::ok) return o;
    }
    if (fills && !has_extra) all[written++] = fill;
    rows[i] = Value::list(all + first, static_cast<std::uint32_t>(written - first));
  }
  out = Value::list(rows, static_cast<std::uint32_t>(slices));
  return Outcome::ok;
}

Outcome reverse(const Scope& scope, const Value& value, Value& out) {
  if (value.is_text()) {
    const std::string_view text = value.view();
    if (text.size() > scope.most_bytes) return Outcome::asset_too_large;
    charge_text(scope, text);
    char* const begin = scope.arena.allocate(text.size());
    char* at = begin + text.size();
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t bytes = decode_code_point(rest).bytes;
      at -= bytes;
      std::copy_n(rest.data(), bytes, at);
      rest.remove_prefix(bytes);
    }
    out = Value::text({begin, text.size()}, value.kind == Kind::markup);
    return Outcome::ok;
  }
  if (!is_iterable(value)) return Outcome::filter_argument;
  Value items;
  if (const Outcome o = iterate(scope, value, items); o != Outcome::ok) return o;
  Value* turned = nullptr;
  if (const Outcome o = allocate_items(scope, items.length, turned); o != Outcome::ok) return o;
  for (std::uint32_t i = 0; i < items.length; ++i) {
    if (const Outcome o = item(scope, items, i, turned[items.length - 1 - i]); o != Outcome::ok) return o;
  }
  out = Value::list(turned, items.length);
  return Outcome::ok;
}

}  // namespace labfactory
