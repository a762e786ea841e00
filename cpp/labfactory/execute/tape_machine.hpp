// The tape machine: assembles rows from a tape as the row machine does from the program, byte for byte, with
// fewer and larger steps. The row machine is its plain twin. Owner: slots, loops and the arena of one row;
// borrows program, tape and binding. Threads: one machine belongs to one thread.
#pragma once

#include <span>
#include <vector>

#include "labfactory/base/arena.hpp"
#include "labfactory/execute/binding.hpp"
#include "labfactory/execute/captures.hpp"
#include "labfactory/execute/loop.hpp"
#include "labfactory/execute/row_event.hpp"
#include "labfactory/plan/tape.hpp"
#include "labfactory/values/escape.hpp"
#include "labfactory/values/operators.hpp"

namespace labfactory {

class TapeMachine {
 public:
  TapeMachine(const Program& program, const Tape& tape, const Binding& binding);

  // Writes the asset of a row at the cursors, one a part and at least one, and moves them.
  [[nodiscard]] RowEvent assemble(std::int64_t row, std::span<PartCursor> parts);

 private:
  class Output;

  // Chooses the steps that read a column's layout themselves.
  void bind_steps();
  RowEvent assemble_once(std::int64_t row, std::span<PartCursor> parts);

  // The row's limits of what operators took: intermediate text and looking through lists and texts.
  [[nodiscard]] Outcome charge() const {
    if (arena_.used() > most_arena_bytes_) return Outcome::asset_too_large;
    return arena_.charged() > most_charged_ ? Outcome::work_limit : Outcome::ok;
  }

  const Program& program_;
  const Tape& tape_;
  Arena arena_;
  Scope scope_;
  std::size_t most_arena_bytes_;
  std::size_t most_charged_;
  EscapeWriter escape_;
  std::vector<Step> steps_;  // those of the tape, bound
  std::vector<Value> slots_;
  std::vector<Loop> loops_;
  Captures captures_;
  std::vector<char*> starts_;  // of the row in each part
};

}  // namespace labfactory
