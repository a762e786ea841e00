// The row machine: runs a program row by row, in Jinja2's own order of evaluation, and writes text straight
// into the parts of an asset. It runs every program, and is the block machine's plain twin. Owner: registers,
// loops and the arena of one row; borrows program and binding. Threads: one machine belongs to one thread.
#pragma once

#include <span>
#include <vector>

#include "labfactory/base/arena.hpp"
#include "labfactory/execute/binding.hpp"
#include "labfactory/plan/program.hpp"
#include "labfactory/values/operators.hpp"

namespace labfactory {

// Writers may overrun the text by this much, so a part's memory ends that far behind its limit.
inline constexpr std::size_t kPartSlack = 64;

// Memory that one part of an asset is written to.
struct PartCursor {
  char* at = nullptr;
  char* limit = nullptr;  // kPartSlack bytes follow it
};

// What became of a row.
struct RowEvent {
  enum class Kind : std::uint8_t {
    done,
    skipped,  // constant: the reason
    failed,   // outcome: the code
    full,     // a part's memory is used up (constant: which); run the row again with more
  };
  Kind kind = Kind::done;
  Outcome outcome = Outcome::ok;
  std::int32_t constant = -1;
  std::int32_t span = 0;
};

class RowMachine {
 public:
  RowMachine(const Program& program, const Binding& binding);

  // Writes the asset of a row at the cursors, one a part, and moves them.
  [[nodiscard]] RowEvent assemble(std::int64_t row, std::span<PartCursor> parts);

  // The value that the program gives for a row; it dies at the next call.
  [[nodiscard]] RowEvent evaluate(std::int64_t row, Value& out);

 private:
  struct Loop {
    Value items;
    std::uint32_t index = 0;
  };

  RowEvent run(std::int64_t row);
  Outcome begin_loop(Loop& loop, const Value& items) const;
  Outcome loop_item(const Loop& loop, std::int64_t index, Value& out) const;
  Outcome loop_attribute(const Loop& loop, LoopAttribute attribute, Value& out) const;
  Outcome append(Value& list, const Value& item);
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
  Value result_;
};

}  // namespace labfactory
