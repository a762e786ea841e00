// The row machine: runs a program row by row, in Jinja2's own order of evaluation, and writes text straight
// into the parts of an asset. It runs every program, and is the block machine's plain twin. Owner: registers,
// loops and the arena of one row; borrows program and binding. Threads: one machine belongs to one thread.
#pragma once

#include <span>
#include <vector>

#include "labfactory/base/arena.hpp"
#include "labfactory/execute/binding.hpp"
#include "labfactory/execute/captures.hpp"
#include "labfactory/execute/loop.hpp"
#include "labfactory/execute/row_event.hpp"
#include "labfactory/plan/program.hpp"
#include "labfactory/values/operators.hpp"

namespace labfactory {

class RowMachine {
 public:
  RowMachine(const Program& program, const Binding& binding);

  // Writes the asset of a row at the cursors, one a part, and moves them.
  [[nodiscard]] RowEvent assemble(std::int64_t row, std::span<PartCursor> parts);

  // The value that the program gives for a row; it dies at the next call.
  [[nodiscard]] RowEvent evaluate(std::int64_t row, Value& out);

  // Why the row was skipped that was assembled last, where its event has no constant.
  [[nodiscard]] std::string_view reason() const { return reason_; }

  // Asks the memo for every call of a row that waits for one, as far as it can be seen before that one's
  // result.
  void collect(std::int64_t row);

 private:
  // Runs a row again, with more memory for what it captures, until that is enough.
  RowEvent run(std::int64_t row, std::span<PartCursor> parts);
  RowEvent run_once(std::int64_t row);
  [[nodiscard]] bool waits(const Instruction& instruction) const;
  bool write(std::string_view text);
  bool write_escaped(std::string_view text);
  Outcome emit(const Value& value, bool escaped, bool& full);

  const Program& program_;
  Arena arena_;
  Scope scope_;
  std::size_t most_arena_bytes_;
  std::size_t most_charged_;
  std::vector<Value> registers_;
  std::vector<Loop> loops_;
  std::span<PartCursor> parts_;
  PartCursor* part_ = nullptr;
  Captures captures_;
  std::vector<char*> starts_;  // of the row in each part
  Value result_;
  std::string_view reason_;
  bool collects_ = false;
};

}  // namespace labfactory
