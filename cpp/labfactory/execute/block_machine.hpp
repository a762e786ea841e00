// The block machine: runs an expression over blocks of rows, each instruction over all rows that reach it.
// Owner: the registers and arena of one block; borrows program and binding.
// Threads: one machine belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "labfactory/base/arena.hpp"
#include "labfactory/execute/binding.hpp"
#include "labfactory/execute/pure.hpp"
#include "labfactory/plan/program.hpp"

namespace labfactory {

class BlockMachine {
 public:
  // The program must hold is_expression().
  BlockMachine(const Program& program, const Binding& binding);

  // Evaluates rows first .. first + values.size(), at most kBlockRows; outcomes say which of the values
  // count. They die at the next call. False when the rows together take more than one row may: none of them
  // counts then, and the row machine tells which of them takes too much.
  [[nodiscard]] bool evaluate(std::int64_t first, std::span<Value> values, std::span<Outcome> outcomes);

 private:
  using Row = std::uint16_t;

  void step(const Instruction& instruction);
  void jump_where(const Instruction& instruction, bool sense);
  void fail(Row row, Outcome outcome);
  [[nodiscard]] bool is_over() const {
    return arena_.used() > most_arena_bytes_ || arena_.charged() > scope_.most_charged;
  }

  const Program& program_;
  Arena arena_;
  Scope scope_;
  std::size_t most_arena_bytes_;
  std::vector<bool> is_target_;         // of a jump, by instruction
  std::unique_ptr<Value[]> registers_;  // kBlockRows a register
  std::vector<Row> active_;             // rows that reach the instruction, ascending
  std::vector<std::int32_t> resume_;    // where a row that jumped goes on; kGone when it has ended
  std::int64_t first_ = 0;
  std::span<Value> values_;
  std::span<Outcome> outcomes_;
};

}  // namespace labfactory
