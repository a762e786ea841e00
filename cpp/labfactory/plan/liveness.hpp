// Which registers are read again after each instruction: backward data flow to a fixed point.
// Owner: its own words.
// Threads: immutable once made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "labfactory/plan/program.hpp"

namespace labfactory {

class Liveness {
 public:
  // `code` is the program's, rewritten; its jumps and tables are the program's own.
  Liveness(const Program& program, const std::vector<Instruction>& code);

  [[nodiscard]] bool is_dead_after(std::size_t at, std::int32_t reg) const;

 private:
  bool step(const Program& program, const std::vector<Instruction>& code, std::size_t at);

  std::int32_t registers_;
  std::size_t words_;
  bool is_known_ = false;
  std::vector<std::uint64_t> after_;
  std::vector<std::uint64_t> before_;
};

}  // namespace labfactory
