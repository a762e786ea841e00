#include "labfactory/plan/tape_code.hpp"

#include <algorithm>
#include <limits>

namespace labfactory {

// What is known of a register while instructions are read in order; forgotten all at once.
class TapeCode::Known {
 public:
  explicit Known(std::size_t registers) : values_(registers, kNoRegister), since_(registers, 0) {}
  void set(std::int32_t reg, std::int32_t value) {
    values_[index_of(reg)] = value;
    since_[index_of(reg)] = now_;
  }
  [[nodiscard]] std::int32_t get(std::int32_t reg) const {
    return index_of(reg) < values_.size() && since_[index_of(reg)] == now_ ? values_[index_of(reg)]
                                                                           : kNoRegister;
  }
  void forget() { ++now_; }

 private:
  std::vector<std::int32_t> values_;
  std::vector<std::uint32_t> since_;
  std::uint32_t now_ = 1;
};

// Of consecutive registers that an instruction reads: the constants that they hold.
std::vector<std::int32_t> TapeCode::constant_arguments(const Instruction& instruction,
                                                       const Known& constants) {
  std::vector<std::int32_t> found;
  const OpcodeShape& shape = shape_of(instruction);
  for (std::size_t i = 0; i < shape.operands.size(); ++i) {
    if (shape.operands[i] != Operand::sources) continue;
    for (std::int32_t n = 0; n < instruction.operands[i + 1]; ++n) {
      found.push_back(constants.get(instruction.operands[i] + n));
    }
  }
  return found;
}

TapeCode::TapeCode(const Program& program)
    : program_(program),
      code_(program.code),
      is_removed_(code_.size(), 0),
      slots_(program.registers + static_cast<std::int32_t>(program.constants.size())) {
  for (std::size_t i = 0; i < program.constants.size(); ++i) {
    presets_.emplace_back(program.registers + static_cast<std::int32_t>(i), static_cast<std::int32_t>(i));
  }
  thread_jumps();
  find_leaders();
  place_constants();
  place_arguments(Liveness(program_, code_));
  remove_dead(Liveness(program_, code_));
  liveness_.emplace(program_, code_);
}

std::size_t TapeCode::follower(std::size_t at) const {
  if (is_control(code_[at].opcode)) return code_.size();
  for (++at; at < code_.size() && is_leader_[at] == 0; ++at) {
    if (is_removed_[at] == 0) return at;
  }
  return code_.size();
}

bool TapeCode::is_preset(std::int32_t slot) const {
  return std::any_of(presets_.begin(), presets_.end(),
                     [&](const auto& preset) { return preset.first == slot; });
}

// A jump on a register that lands on another jump on it knows what that one will do: `a or b`, `a and b`.
void TapeCode::thread_jumps() {
  for (std::size_t at = code_.size(); at-- > 0;) {
    Instruction& jump = code_[at];
    if (!is_conditional(jump.opcode)) continue;
    const Instruction& next = code_[index_of(jump.operands[1])];
    if (!is_conditional(next.opcode) || next.operands[0] != jump.operands[0]) continue;
    jump.operands[1] = next.opcode == jump.opcode ? next.operands[1] : jump.operands[1] + 1;
  }
}

void TapeCode::find_leaders() {
  is_leader_.assign(code_.size() + 1, 0);
  const auto mark = [&](std::size_t to) { is_leader_[to] = 1; };
  for (const Instruction& instruction : code_) visit_jumps(program_, instruction, mark);
}

// Reads of a register that holds a constant become reads of the constant's slot.
void TapeCode::place_constants() {
  Known constants(index_of(program_.registers));
  for (std::size_t at = 0; at < code_.size(); ++at) {
    if (is_leader_[at] != 0) constants.forget();
    Instruction& instruction = code_[at];
    auto& o = instruction.operands;
    const OpcodeShape& shape = shape_of(instruction);
    for (std::size_t i = 0; i < shape.operands.size(); ++i) {
      // append writes the list that it reads.
      if (shape.operands[i] != Operand::source || (instruction.opcode == Opcode::append && i == 0)) continue;
      if (const std::int32_t constant = constants.get(o[i]); constant != kNoRegister)
        o[i] = program_.registers + constant;
    }
    constant_at_.push_back(constant_arguments(instruction, constants));
    for (std::size_t i = 0; i < shape.operands.size(); ++i) {
      const bool writes =
          shape.operands[i] == Operand::target || (instruction.opcode == Opcode::append && i == 0);
      if (writes) constants.set(o[i], instruction.opcode == Opcode::constant ? o[1] : kNoRegister);
    }
  }
}

// Arguments of a call move to slots of its own, where its constants stand for good.
void TapeCode::place_arguments(const Liveness& liveness) {
  Known writer(index_of(program_.registers));
  for (std::size_t at = 0; at < code_.size(); ++at) {
    if (is_leader_[at] != 0) writer.forget();
    place_arguments_of(at, liveness, writer);
    Instruction& instruction = code_[at];
    // A value that is read before its call cannot move.
    visit_reads(instruction, [&](std::int32_t reg) {
      if (reg < program_.registers) writer.set(reg, kNoRegister);
    });
    const std::int32_t target = target_of(instruction);
    if (instruction.opcode == Opcode::append) writer.set(instruction.operands[0], kNoRegister);
    if (target >= 0 && target < program_.registers) writer.set(target, static_cast<std::int32_t>(at));
    if (is_control(instruction.opcode)) writer.forget();
  }
}

void TapeCode::place_arguments_of(std::size_t at, const Liveness& liveness, const Known& writer) {
  Instruction& call = code_[at];
  const OpcodeShape& shape = shape_of(call);
  const auto place = std::find(shape.operands.begin(), shape.operands.end(), Operand::sources);
  if (place == shape.operands.end()) return;
  const auto operand = static_cast<std::size_t>(place - shape.operands.begin());
  const std::int32_t first = call.operands[operand];
  const std::int32_t count = call.operands[operand + 1];
  const std::vector<std::int32_t>& constants = constant_at_[at];
  for (std::int32_t n = 0; n < count; ++n) {
    if (constants[index_of(n)] != kNoRegister) continue;
    const std::int32_t reg = first + n;
    const bool is_last_read = liveness.is_dead_after(at, reg) || reg == call.operands[0];
    if (writer.get(reg) == kNoRegister || !is_last_read) return;
  }
  if (slots_ > std::numeric_limits<std::int32_t>::max() - count) return;
  for (std::int32_t n = 0; n < count; ++n) {
    if (constants[index_of(n)] != kNoRegister) {
      presets_.emplace_back(slots_ + n, constants[index_of(n)]);
    } else {
      code_[index_of(writer.get(first + n))].operands[0] = slots_ + n;
    }
  }
  call.operands[operand] = slots_;
  slots_ += count;
}

// Constants that nobody reads any more.
void TapeCode::remove_dead(const Liveness& liveness) {
  for (std::size_t at = 0; at < code_.size(); ++at) {
    const Opcode opcode = code_[at].opcode;
    if (opcode != Opcode::constant || code_[at].operands[0] >= program_.registers) continue;
    if (!liveness.is_dead_after(at, code_[at].operands[0])) continue;
    is_removed_[at] = 1;
    if (is_leader_[at] != 0) is_leader_[at + 1] = 1;
  }
}

}  // namespace labfactory
