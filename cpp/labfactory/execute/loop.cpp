#include "labfactory/execute/loop.hpp"

#include <bit>
#include <cstring>

#include "labfactory/values/iteration.hpp"

namespace labfactory {

Outcome begin_loop(const Scope& scope, const Value& items, Loop& loop) {
  loop.index = 0;
  return iterate(scope, items, loop.items);
}

Outcome loop_attribute(const Scope& scope, const Loop& loop, LoopAttribute attribute, Value& out) {
  const std::int64_t index = loop.index;
  const std::int64_t length = loop.items.length;
  switch (attribute) {
    case LoopAttribute::index:
      out = Value::integer(index + 1);
      break;
    case LoopAttribute::index0:
      out = Value::integer(index);
      break;
    case LoopAttribute::revindex:
      out = Value::integer(length - index);
      break;
    case LoopAttribute::revindex0:
      out = Value::integer(length - index - 1);
      break;
    case LoopAttribute::first:
      out = Value::boolean(index == 0);
      break;
    case LoopAttribute::last:
      out = Value::boolean(index == length - 1);
      break;
    case LoopAttribute::length:
      out = Value::integer(length);
      break;
    // Only recursive loops go deeper, and those are not lowered.
    case LoopAttribute::depth:
      out = Value::integer(1);
      break;
    case LoopAttribute::depth0:
      out = Value::integer(0);
      break;
    case LoopAttribute::previtem:
      return loop_item(scope, loop, index - 1, out);
    case LoopAttribute::nextitem:
      return loop_item(scope, loop, index + 1, out);
  }
  return Outcome::ok;
}

Outcome append(const Scope& scope, const Value& item, Value& list) {
  if (list.kind != Kind::list) return Outcome::type_error;
  const std::uint32_t count = list.length;
  // Room doubles at each power of two, so a list of n items moves fewer than 2n.
  // A list that was not begun here may have no room behind its end, so it moves whatever its length.
  const bool is_grown = (count & (count - 1)) == 0 || !list.is_growing();
  auto* items = const_cast<Value*>(list.payload.items);
  if (is_grown) {
    const std::size_t room = std::bit_ceil(std::size_t{count} + 1);
    if (room * sizeof(Value) > scope.most_bytes) return Outcome::asset_too_large;
    items = reinterpret_cast<Value*>(scope.arena.allocate(room * sizeof(Value)));
    if (count != 0) std::memcpy(items, list.payload.items, count * sizeof(Value));
  }
  items[count] = item;
  list = Value::growing_list(items, count + 1);
  return Outcome::ok;
}

}  // namespace labfactory
