// What kind of instruction one is, and what it reads and writes.
// Owner: constants and plain functions.
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>

#include "labfactory/plan/program.hpp"

namespace labfactory {

inline constexpr std::int32_t kNoRegister = -1;

[[nodiscard]] inline std::size_t index_of(std::int32_t i) {
  return static_cast<std::size_t>(i);
}

[[nodiscard]] inline const OpcodeShape& shape_of(const Instruction& instruction) {
  return kOpcodes[static_cast<std::size_t>(instruction.opcode)];
}

[[nodiscard]] inline bool is_conditional(Opcode opcode) {
  return opcode == Opcode::jump_if_false || opcode == Opcode::jump_if_true;
}
[[nodiscard]] inline bool is_control(Opcode opcode) {
  return opcode >= Opcode::jump && opcode <= Opcode::end;
}
[[nodiscard]] inline bool is_emit(Opcode opcode) {
  return opcode == Opcode::emit || opcode == Opcode::emit_escaped;
}
[[nodiscard]] inline bool is_emit_column(Opcode opcode) {
  return opcode == Opcode::emit_column || opcode == Opcode::emit_column_escaped;
}
[[nodiscard]] inline bool is_escaped(Opcode opcode) {
  return opcode == Opcode::emit_escaped || opcode == Opcode::emit_column_escaped;
}
[[nodiscard]] inline bool is_relation(Opcode opcode) {
  return opcode >= Opcode::equal && opcode <= Opcode::not_contains;
}
[[nodiscard]] inline bool is_read(Opcode opcode) {
  return opcode == Opcode::column || opcode == Opcode::field;
}
// What gives the same for the same registers, wherever it stands.
[[nodiscard]] inline bool is_pure(Opcode opcode) {
  return opcode < Opcode::jump && opcode != Opcode::append && opcode != Opcode::call;
}

// The register that an instruction writes when it can be another one: not those of loops.
[[nodiscard]] inline std::int32_t target_of(const Instruction& instruction) {
  return shape_of(instruction).operands[0] == Operand::target ? instruction.operands[0] : kNoRegister;
}

template <class Visit>
void visit_reads(const Instruction& instruction, const Visit& visit) {
  const OpcodeShape& shape = shape_of(instruction);
  for (std::size_t i = 0; i < shape.operands.size(); ++i) {
    if (shape.operands[i] == Operand::source) visit(instruction.operands[i]);
    if (shape.operands[i] != Operand::sources) continue;
    for (std::int32_t n = 0; n < instruction.operands[i + 1]; ++n) visit(instruction.operands[i] + n);
  }
}

// Calls for each instruction that this one may jump to; the one behind it is none.
template <class Visit>
void visit_jumps(const Program& program, const Instruction& instruction, const Visit& visit) {
  const auto& o = instruction.operands;
  switch (instruction.opcode) {
    case Opcode::jump:
      visit(index_of(o[0]));
      break;
    case Opcode::jump_if_false:
    case Opcode::jump_if_true:
      visit(index_of(o[1]));
      break;
    case Opcode::loop_begin:
      visit(index_of(o[3]));
      break;
    case Opcode::loop_next:
      visit(index_of(o[2]));
      break;
    case Opcode::slot:
      for (const std::int32_t to : program.tables[index_of(o[1])]) visit(index_of(to));
      break;
    default:
      break;
  }
}

// Whether control may go on with the instruction behind.
[[nodiscard]] inline bool falls_through(Opcode opcode) {
  return opcode != Opcode::jump && opcode != Opcode::slot && opcode != Opcode::skip &&
         opcode != Opcode::skip_as && opcode != Opcode::fail && opcode != Opcode::result &&
         opcode != Opcode::end;
}

}  // namespace labfactory
