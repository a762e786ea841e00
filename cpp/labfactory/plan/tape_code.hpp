// A program's instructions made fewer before they become steps: jumps threaded, constants and arguments in
// slots of their own, what nobody reads taken out. Owner: its copy of the instructions; borrows the program.
// Threads: immutable once made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "labfactory/plan/instructions.hpp"
#include "labfactory/plan/liveness.hpp"
#include "labfactory/plan/program.hpp"

namespace labfactory {

class TapeCode {
 public:
  explicit TapeCode(const Program& program);

  [[nodiscard]] std::size_t size() const { return code_.size(); }
  [[nodiscard]] const Instruction& operator[](std::size_t at) const { return code_[at]; }
  [[nodiscard]] bool is_removed(std::size_t at) const { return is_removed_[at] != 0; }

  // The next instruction when control only reaches it from `at`, else size().
  [[nodiscard]] std::size_t follower(std::size_t at) const;
  // Whether nobody reads a register behind an instruction.
  [[nodiscard]] bool dies(std::size_t at, std::int32_t reg) const {
    return liveness_->is_dead_after(at, reg);
  }
  // Whether a slot holds a constant for good.
  [[nodiscard]] bool is_preset(std::int32_t slot) const;

  [[nodiscard]] std::int32_t slots() const { return slots_; }
  [[nodiscard]] const std::vector<std::pair<std::int32_t, std::int32_t>>& presets() const { return presets_; }

 private:
  class Known;

  void thread_jumps();
  void find_leaders();
  void place_constants();
  static std::vector<std::int32_t> constant_arguments(const Instruction& instruction, const Known& constants);
  void place_arguments(const Liveness& liveness);
  void place_arguments_of(std::size_t at, const Liveness& liveness, const Known& writer);
  void remove_dead(const Liveness& liveness);

  const Program& program_;
  std::vector<Instruction> code_;
  std::vector<char> is_removed_;
  std::vector<char> is_leader_;
  std::vector<std::vector<std::int32_t>> constant_at_;  // by instruction: the constants among its arguments
  std::int32_t slots_ = 0;                              // registers, constants, arguments of calls
  std::vector<std::pair<std::int32_t, std::int32_t>> presets_;  // slot, constant: set once, never written
  std::optional<Liveness> liveness_;
};

}  // namespace labfactory
