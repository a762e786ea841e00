// The components that a block of rows has in its slots, found before the rows run: behind the copy of a long
// literal a load that misses the first cache waits for all stores of the copy, so that finding a component
// step by step took longer than writing it. Owner: the block's entrances; borrows tape, cells and bound tape.
// Threads: one belongs to one machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "labfactory/base/prefetch.hpp"
#include "labfactory/execute/bound_step.hpp"
#include "labfactory/plan/tape.hpp"
#include "labfactory/values/cells.hpp"

namespace labfactory {

// What a component reads first: its steps, the parts of its first run, the literals behind its first.
struct Entrance {
  std::int32_t step = -1;  // none: the decision is null or no component, which the plain step says
  std::int32_t part = 0;
  std::int32_t literal = 0;
};

class Entrances {
 public:
  // Of at most `rows` at a time; none finds nothing.
  Entrances(const Tape& tape, const Cells& cells, const BoundTape& bound, std::int64_t rows);

  // Finds those of rows first .. last; all others have none.
  void find(std::int64_t first, std::int64_t last);

  // Of a slot's row; rows and slots follow each other, two more are there than rows have.
  [[nodiscard]] const Entrance* at(std::int64_t row, std::int32_t slot) const {
    const std::int64_t index = row - first_;
    if (index < 0 || index >= count_) return nullptr;
    return entrances_.data() + index * static_cast<std::int64_t>(slots_.size()) + slot;
  }

  // Asks for what a component reads first; to ask for what lies behind the last step does nothing.
  [[gnu::always_inline]] void prefetch(const Entrance& entrance) const {
    if (entrance.step < 0) return;
    for (std::size_t i = 0; i < kSteps; ++i)
      labfactory::prefetch(steps_ + entrance.step, sizeof(BoundStep) * i);
    for (std::size_t i = 0; i < kLines; ++i) {
      labfactory::prefetch(parts_ + entrance.part, 64 * i);
      labfactory::prefetch(literals_ + entrance.literal, 64 * i);
    }
  }

 private:
  // What a component of a few texts has.
  static constexpr std::size_t kSteps = 11;
  static constexpr std::size_t kLines = 3;

  struct Slot {
    const Reader* reader;
    std::vector<Entrance> components;
  };

  const BoundStep* steps_;
  const char* parts_;
  const char* literals_;
  std::vector<Slot> slots_;
  std::vector<Entrance> entrances_;
  std::int64_t rows_;
  std::int64_t first_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace labfactory
