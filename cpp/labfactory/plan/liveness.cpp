#include "labfactory/plan/liveness.hpp"

#include "labfactory/plan/instructions.hpp"

namespace labfactory {

namespace {

// Beyond this many words of liveness (32 MiB) a program keeps its registers as they are.
constexpr std::size_t kMostLiveWords = std::size_t{1} << 22;

}  // namespace

Liveness::Liveness(const Program& program, const std::vector<Instruction>& code)
    : registers_(program.registers), words_((index_of(program.registers) + 63) / 64) {
  if (words_ * code.size() > kMostLiveWords) return;
  is_known_ = true;
  after_.assign(words_ * code.size(), 0);
  before_.assign(words_ * code.size(), 0);
  bool changed = true;
  while (changed) {
    changed = false;
    for (std::size_t at = code.size(); at-- > 0;) changed = step(program, code, at) || changed;
  }
}

bool Liveness::is_dead_after(std::size_t at, std::int32_t reg) const {
  // Slots behind the registers have one reader.
  if (reg >= registers_) return true;
  return is_known_ && (after_[at * words_ + index_of(reg) / 64] >> (reg % 64) & 1) == 0;
}

bool Liveness::step(const Program& program, const std::vector<Instruction>& code, std::size_t at) {
  const Instruction& instruction = code[at];
  std::uint64_t* const after = after_.data() + at * words_;
  const auto join = [&](std::size_t to) {
    if (to >= code.size()) return;  // only code that is never reached runs out
    for (std::size_t w = 0; w < words_; ++w) after[w] |= before_[to * words_ + w];
  };
  visit_jumps(program, instruction, join);
  if (falls_through(instruction.opcode)) join(at + 1);
  bool changed = false;
  const std::int32_t target = target_of(instruction);
  std::uint64_t* const before = before_.data() + at * words_;
  for (std::size_t w = 0; w < words_; ++w) {
    std::uint64_t live = after[w];
    if (target >= 0 && target < registers_ && index_of(target) / 64 == w)
      live &= ~(std::uint64_t{1} << (target % 64));
    changed = changed || (live & ~before[w]) != 0;
    before[w] |= live;
  }
  visit_reads(instruction, [&](std::int32_t reg) {
    if (reg >= registers_) return;
    const std::uint64_t bit = std::uint64_t{1} << (reg % 64);
    changed = changed || (before[index_of(reg) / 64] & bit) == 0;
    before[index_of(reg) / 64] |= bit;
  });
  return changed;
}

}  // namespace labfactory
