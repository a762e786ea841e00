#include "labfactory/values/dict.hpp"

#include <algorithm>
#include <vector>

namespace labfactory {

namespace {

// Below, every pair of keys is compared; above, they are sorted first.
constexpr std::uint32_t kFewKeys = 16;

Outcome keys_of(const Scope& scope, const Value& map, Value* out) {
  for (std::uint32_t i = 0; i < map.length; ++i) {
    if (const Outcome o = scope.cells.map_key(map, i, out[i]); o != Outcome::ok) return o;
  }
  return Outcome::ok;
}

// Keys of one map have one type, so text sorts as text and all else by one comparison.
Outcome check_sorted(const Scope& scope, Value* keys, std::uint32_t count) {
  Outcome failed = Outcome::ok;
  std::sort(keys, keys + count, [&](const Value& a, const Value& b) {
    if (a.kind != b.kind) return a.kind < b.kind;
    bool is_less = false;
    if (const Outcome o = compare(scope, Order::less, a, b, is_less); o != Outcome::ok) failed = o;
    return is_less;
  });
  bool is_same = false;
  for (std::uint32_t i = 1; i < count && failed == Outcome::ok; ++i) {
    failed = equal(scope, keys[i - 1], keys[i], is_same);
    if (is_same) return Outcome::value_error;
  }
  return failed;
}

// The value error that to_python raises of a map with a key twice.
Outcome check_keys(const Scope& scope, const Value& map) {
  if (map.length < 2) return Outcome::ok;
  Value few[kFewKeys];
  if (map.length <= kFewKeys) {
    if (const Outcome o = keys_of(scope, map, few); o != Outcome::ok) return o;
    bool is_same = false;
    for (std::uint32_t i = 1; i < map.length; ++i) {
      for (std::uint32_t j = 0; j < i; ++j) {
        if (const Outcome o = equal(scope, few[i], few[j], is_same); o != Outcome::ok) return o;
        if (is_same) return Outcome::value_error;
      }
    }
    return Outcome::ok;
  }
  if (map.length > scope.most_bytes / sizeof(Value)) return Outcome::asset_too_large;
  scope.arena.charge(map.length);
  std::vector<Value> keys(map.length);
  if (const Outcome o = keys_of(scope, map, keys.data()); o != Outcome::ok) return o;
  return check_sorted(scope, keys.data(), map.length);
}

}  // namespace

Outcome Dict::open(const Scope& scope, const Value& value, Dict& out) {
  out.value_ = value;
  out.size_ = value.length;
  if (value.kind == Kind::column_map) return check_keys(scope, value);
  if (value.kind != Kind::record) return Outcome::ok;
  const Cell& cell = scope.cells.at(value.column);
  out.size_ = static_cast<std::uint32_t>(cell.fields.size());
  return cell.fields.size() == cell.column->child_count() ? Outcome::ok : Outcome::unsupported;
}

Outcome Dict::key(const Scope& scope, std::uint32_t index, Value& out) const {
  switch (value_.kind) {
    case Kind::dict:
      out = value_.payload.items[std::size_t{2} * index];
      return Outcome::ok;
    case Kind::column_map:
      return scope.cells.map_key(value_, index, out);
    default:
      out = Value::text(scope.cells.at(value_.column).fields[index].first);
      return Outcome::ok;
  }
}

Outcome Dict::value(const Scope& scope, std::uint32_t index, Value& out) const {
  switch (value_.kind) {
    case Kind::dict:
      out = value_.payload.items[std::size_t{2} * index + 1];
      return Outcome::ok;
    case Kind::column_map:
      return scope.cells.map_value(value_, index, out);
    default:
      return scope.cells.read(static_cast<std::size_t>(scope.cells.at(value_.column).fields[index].second),
                              value_.payload.integer, out);
  }
}

Outcome Dict::find(const Scope& scope, const Value& key, std::int64_t& index) const {
  index = -1;
  if (const Outcome o = check_hashable(scope, key); o != Outcome::ok) return o;
  for (std::uint32_t i = 0; i < size_; ++i) {
    scope.arena.charge(1);
    Value candidate;
    if (const Outcome o = this->key(scope, i, candidate); o != Outcome::ok) return o;
    bool is_same = false;
    if (const Outcome o = equal_items(scope, candidate, key, is_same); o != Outcome::ok) return o;
    if (!is_same) continue;
    index = i;
    break;
  }
  return Outcome::ok;
}

Outcome look_up(const Scope& scope, const Value& dict, const Value& key, Value& out, bool& found) {
  found = false;
  if (dict.kind == Kind::record) {
    if (const Outcome o = check_hashable(scope, key); o != Outcome::ok || !key.is_text()) return o;
    const std::int32_t field = scope.cells.field(dict, key.view());
    if (field < 0) return scope.cells.has_field(dict, key.view()) ? Outcome::unsupported : Outcome::ok;
    found = true;
    return scope.cells.read(static_cast<std::size_t>(field), dict.payload.integer, out);
  }
  Dict view;
  if (const Outcome o = Dict::open(scope, dict, view); o != Outcome::ok) return o;
  std::int64_t index = -1;
  if (const Outcome o = view.find(scope, key, index); o != Outcome::ok || index < 0) return o;
  found = true;
  return view.value(scope, static_cast<std::uint32_t>(index), out);
}

Outcome check_hashable(const Scope& scope, const Value& value) {
  switch (value.kind) {
    case Kind::list:
    case Kind::column_list:
    case Kind::dict:
    case Kind::column_map:
    case Kind::record:
      return Outcome::type_error;
    case Kind::undefined:
      return raises(scope, value) ? Outcome::undefined : Outcome::ok;
    case Kind::tuple: {
      const Deeper deeper(scope);
      if (!deeper.is_allowed()) return Outcome::work_limit;
      for (std::uint32_t i = 0; i < value.length; ++i) {
        if (const Outcome o = check_hashable(scope, value.payload.items[i]); o != Outcome::ok) return o;
        if (const Outcome o = spend(scope, 1); o != Outcome::ok) return o;
      }
      return Outcome::ok;
    }
    default:
      return Outcome::ok;
  }
}

Outcome make_dict(const Scope& scope, const Value* pairs, std::uint32_t count, Value& out) {
  auto* kept = reinterpret_cast<Value*>(scope.arena.allocate(std::size_t{2} * count * sizeof(Value)));
  out = Value::dict(kept, 0);
  for (std::uint32_t i = 0; i < count; ++i) {
    const Value& key = pairs[std::size_t{2} * i];
    Dict made;
    if (const Outcome o = Dict::open(scope, out, made); o != Outcome::ok) return o;
    std::int64_t at = -1;
    if (const Outcome o = made.find(scope, key, at); o != Outcome::ok) return o;
    if (const Outcome o = spend(scope, 0); o != Outcome::ok) return o;
    // A key keeps its place and its first spelling; the last value wins.
    if (at < 0) {
      at = out.length++;
      kept[2 * at] = key;
    }
    kept[2 * at + 1] = pairs[std::size_t{2} * i + 1];
  }
  return Outcome::ok;
}

}  // namespace labfactory
