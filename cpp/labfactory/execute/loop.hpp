// A loop under way and what its template asks of it; both machines that run templates share it.
// Owner: items borrow as values do; a grown list lies in the scope's arena.
// Threads: one loop belongs to one machine.
#pragma once

#include <cstdint>

#include "labfactory/plan/opcode.hpp"
#include "labfactory/values/operators.hpp"

namespace labfactory {

struct Loop {
  Value items;
  std::uint32_t index = 0;
};

// Starts over the items of a value; the first item is not read yet.
[[nodiscard]] Outcome begin_loop(const Scope& scope, const Value& items, Loop& loop);

// An item of the loop; undefined before the first and behind the last.
[[nodiscard]] inline Outcome loop_item(const Scope& scope, const Loop& loop, std::int64_t index, Value& out) {
  if (index < 0 || index >= loop.items.length) {
    out = Value::undefined();
    return Outcome::ok;
  }
  if (loop.items.kind == Kind::column_list) {
    return scope.cells.item(loop.items, static_cast<std::uint32_t>(index), out);
  }
  out = loop.items.payload.items[index];
  return Outcome::ok;
}

[[nodiscard]] Outcome loop_attribute(const Scope& scope, const Loop& loop, LoopAttribute attribute,
                                     Value& out);

// Adds an item to a list in the arena.
[[nodiscard]] Outcome append(const Scope& scope, const Value& item, Value& list);

}  // namespace labfactory
