#include "labfactory/execute/block_machine.hpp"

#include <cstring>
#include <limits>

#include "labfactory/execute/row_event.hpp"

namespace labfactory {

namespace {

constexpr std::int32_t kGone = std::numeric_limits<std::int32_t>::max();

}  // namespace

BlockMachine::BlockMachine(const Program& program, const Binding& binding)
    : program_(program),
      scope_{arena_,
             binding.cells(),
             program.undefined,
             static_cast<std::size_t>(program.limits.asset_bytes),
             nullptr,
             kLooksAStep * static_cast<std::size_t>(program.limits.work)},
      most_arena_bytes_(kArenaShare * static_cast<std::size_t>(program.limits.asset_bytes)),
      is_target_(program.code.size(), false),
      registers_(std::make_unique<Value[]>(static_cast<std::size_t>(program.registers) * kBlockRows)),
      resume_(kBlockRows) {
  active_.reserve(kBlockRows);
  for (const Instruction& instruction : program.code) {
    if (instruction.opcode == Opcode::jump)
      is_target_[static_cast<std::size_t>(instruction.operands[0])] = true;
    if (instruction.opcode == Opcode::jump_if_false || instruction.opcode == Opcode::jump_if_true) {
      is_target_[static_cast<std::size_t>(instruction.operands[1])] = true;
    }
  }
}

bool BlockMachine::evaluate(std::int64_t first, std::span<Value> values, std::span<Outcome> outcomes) {
  first_ = first;
  values_ = values;
  outcomes_ = outcomes;
  arena_.reset();
  active_.clear();
  for (std::size_t i = 0; i < values.size(); ++i) {
    active_.push_back(static_cast<Row>(i));
    resume_[i] = kGone;
    outcomes[i] = Outcome::ok;
  }
  for (std::size_t at = 0; at < program_.code.size(); ++at) {
    if (is_target_[at]) {
      // Rows that fall through are marked too, so that one ascending scan gathers both.
      for (const Row row : active_) resume_[row] = static_cast<std::int32_t>(at);
      active_.clear();
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (resume_[i] != static_cast<std::int32_t>(at)) continue;
        resume_[i] = kGone;
        active_.push_back(static_cast<Row>(i));
      }
    }
    if (!active_.empty()) step(program_.code[at]);
    if (is_over()) return false;
  }
  return true;
}

void BlockMachine::fail(Row row, Outcome outcome) {
  outcomes_[row] = outcome;
  values_[row] = Value::none();
}

void BlockMachine::step(const Instruction& instruction) {
  const auto& o = instruction.operands;
  switch (instruction.opcode) {
    case Opcode::jump:
      for (const Row row : active_) resume_[row] = o[0];
      active_.clear();
      return;
    case Opcode::jump_if_false:
      jump_where(instruction, false);
      return;
    case Opcode::jump_if_true:
      jump_where(instruction, true);
      return;
    case Opcode::result:
      for (const Row row : active_) {
        values_[row] = registers_[static_cast<std::size_t>(o[0]) * kBlockRows + row];
      }
      active_.clear();
      return;
    default:
      break;
  }
  std::size_t kept = 0;
  for (const Row row : active_) {
    const Frame<kBlockRows> frame{registers_.get() + row};
    const Outcome outcome = compute(program_, scope_, instruction, frame, first_ + row);
    if (is_over()) return;
    if (outcome == Outcome::ok) {
      active_[kept++] = row;
    } else {
      fail(row, outcome);
    }
  }
  active_.resize(kept);
}

void BlockMachine::jump_where(const Instruction& instruction, bool sense) {
  const Value* const condition =
      registers_.get() + static_cast<std::size_t>(instruction.operands[0]) * kBlockRows;
  std::size_t kept = 0;
  for (const Row row : active_) {
    bool holds = false;
    const Outcome outcome = truth(scope_, condition[row], holds);
    if (outcome != Outcome::ok) {
      fail(row, outcome);
    } else if (holds == sense) {
      resume_[row] = instruction.operands[1];
    } else {
      active_[kept++] = row;
    }
  }
  active_.resize(kept);
}

}  // namespace labfactory
