// Loops of a tape over the items of a column, of which it is certain where each turn stands: nobody but the
// loop sets its item, and control comes into it by its first step alone. A machine may go through them
// without values. Owner: plain numbers. Threads: immutable once made.
#pragma once

#include <cstdint>
#include <vector>

namespace labfactory {

struct Program;
struct Tape;

struct TapeLoop {
  static constexpr std::int32_t kRow = -1;

  std::int32_t begin = 0;     // step loop_begin; the list is read by the one before it
  std::int32_t next = 0;      // step loop_next
  std::int32_t list = 0;      // column
  std::int32_t item = 0;      // column of its items
  std::int32_t slot = 0;      // that holds the item from `begin` to `next`
  std::int32_t outer = kRow;  // the loop whose item has the list, or the row
};

// The innermost loop in which a slot of a step holds an item of a column; kRow where there is none.
[[nodiscard]] std::int32_t loop_of(const std::vector<TapeLoop>& loops, std::int32_t step, std::int32_t slot,
                                   std::int32_t item);

// Outer loops before inner ones.
[[nodiscard]] std::vector<TapeLoop> find_loops(const Program& program, const Tape& tape);

}  // namespace labfactory
