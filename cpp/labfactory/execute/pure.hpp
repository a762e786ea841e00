// The instructions that both machines share: reads, operators, filters and tests; everything but control and
// output. Owner: results borrow as values do. Threads: one scope belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "labfactory/plan/program.hpp"
#include "labfactory/values/operators.hpp"

namespace labfactory {

// The registers of one row: consecutive in the row machine, a block apart in the block machine.
template <std::size_t Stride>
struct Frame {
  Value* first;
  [[nodiscard]] Value& operator[](std::int32_t index) const {
    return first[static_cast<std::size_t>(index) * Stride];
  }
};

// environment.getattr: the field `column` of a record.
[[nodiscard]] Outcome read_field(const Program& program, const Scope& scope, const Value& base,
                                 std::int32_t column, Value& out);

// Runs one such instruction for one row. The opcode must be below Opcode::jump and not append.
template <std::size_t Stride>
[[nodiscard]] Outcome compute(const Program& program, const Scope& scope, const Instruction& instruction,
                              Frame<Stride> frame, std::int64_t row);

// The rows of a block machine's block; 1024 values of 16 bytes are 16 KiB a register, so a few stay inside
// L2.
inline constexpr std::size_t kBlockRows = 1024;

extern template Outcome compute<1>(const Program&, const Scope&, const Instruction&, Frame<1>, std::int64_t);
extern template Outcome compute<kBlockRows>(const Program&, const Scope&, const Instruction&,
                                            Frame<kBlockRows>, std::int64_t);

}  // namespace labfactory
