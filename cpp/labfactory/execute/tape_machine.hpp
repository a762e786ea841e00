// The tape machine: assembles rows from a tape as the row machine does from the program, byte for byte, with
// fewer and larger steps, and with texts that are ready before a row runs. The row machine is its plain twin.
// Owner: slots, loops and the arena of one row, the ready texts of one block of rows; borrows program, tape
// and binding. Threads: one machine belongs to one thread.
#pragma once

#include <span>
#include <vector>

#include "labfactory/base/arena.hpp"
#include "labfactory/execute/binding.hpp"
#include "labfactory/execute/bound_step.hpp"
#include "labfactory/execute/branched_rows.hpp"
#include "labfactory/execute/captures.hpp"
#include "labfactory/execute/entrances.hpp"
#include "labfactory/execute/entry_texts.hpp"
#include "labfactory/execute/loop.hpp"
#include "labfactory/execute/ready_texts.hpp"
#include "labfactory/execute/row_ends.hpp"
#include "labfactory/execute/row_event.hpp"
#include "labfactory/plan/tape.hpp"
#include "labfactory/values/escape.hpp"
#include "labfactory/values/operators.hpp"

namespace labfactory {

class TapeMachine {
 public:
  // Makes texts ready for at most `ready_rows` rows at a time; none runs the plain steps alone.
  TapeMachine(const Program& program, const Tape& tape, const Binding& binding,
              std::int64_t ready_rows = kReadyRows);

  // Writes rows first .. last until one of them does not end well, and commits those that do. Gives what
  // became of the first that is not committed: done where its text is too large; or of the last.
  [[nodiscard]] RowEvent assemble(std::int64_t first, std::int64_t last, RowEnds& ends);
  // Writes one row at the cursors, one a part, and moves them; by a machine that makes nothing ready, so that
  // the row may have other values the next time.
  [[nodiscard]] RowEvent assemble(std::int64_t row, std::span<PartCursor> parts);

  // Why the row was skipped that was assembled last, where its event has no constant.
  [[nodiscard]] std::string_view reason() const { return reason_; }

 private:
  // Writes rows of the block that is ready, where the template is one run; those that it leaves are run().
  std::int64_t write_straight(std::int64_t first, std::int64_t last, RowEnds& ends);
  // The same where it has branches, loops and slots between its texts.
  std::int64_t write_branched(std::int64_t first, std::int64_t last, RowEnds& ends);
  // Goes on until a row does not end well, and leaves its number in `row`; or else `last`.
  RowEvent run(std::int64_t& row, std::int64_t last, RowEnds& ends);

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
  PaddedCopy copy_;
  std::vector<Value> slots_;
  std::vector<Loop> loops_;
  std::string_view reason_;
  Captures captures_;
  ReadyTexts ready_;
  EntryTextStore entries_;
  EntryTextMemory entry_memory_;
  BoundTape bound_;
  BranchedRows branched_;
  Entrances entrances_;
  WriteRows write_rows_;
  std::vector<char*> starts_;  // of a lone row in each part
  // The rows that are ready.
  std::int64_t ready_first_ = 0;
  std::int64_t ready_last_ = 0;
};

}  // namespace labfactory
