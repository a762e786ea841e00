// Text that a template captures to use as a value: memory of one machine, a stack within a row.
// Owner: the memory that captures grow in; what is captured is copied to the row's arena.
// Threads: one belongs to one machine.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "labfactory/base/arena.hpp"
#include "labfactory/execute/row_event.hpp"
#include "labfactory/plan/program.hpp"

namespace labfactory {

class Captures {
 public:
  explicit Captures(const Program& program)
      : most_bytes_(static_cast<std::size_t>(program.limits.asset_bytes)) {
    const auto captures = [](const Instruction& instruction) {
      return instruction.opcode == Opcode::capture;
    };
    if (std::any_of(program.code.begin(), program.code.end(), captures)) take(kFirstBytes);
  }

  // Whether the program captures anything.
  [[nodiscard]] bool any() const { return memory_ != nullptr; }
  [[nodiscard]] bool owns(const PartCursor* cursor) const { return cursor == &cursor_; }

  // Forgets what a row left open.
  void reset() {
    open_.clear();
    cursor_.at = memory_.get();
  }

  // Where text goes from now on; `outer` is where it went until now, its cursor up to date.
  [[nodiscard]] PartCursor* begin(PartCursor* outer) {
    open_.push_back({outer, cursor_.at});
    return &cursor_;
  }

  // The text since the last begin, kept in the arena, and where text goes again.
  [[nodiscard]] PartCursor* end(Arena& arena, std::string_view& text) {
    const auto [outer, start] = open_.back();
    open_.pop_back();
    text = arena.copy({start, static_cast<std::size_t>(cursor_.at - start)});
    cursor_.at = start;
    return outer;
  }

  // Doubles the memory; false when it may hold a whole asset already.
  [[nodiscard]] bool grow() {
    if (capacity_ >= most_bytes_) return false;
    take(std::min(2 * capacity_, most_bytes_));
    return true;
  }

 private:
  struct Open {
    PartCursor* outer;
    char* start;
  };
  // Most set blocks and macros give less.
  static constexpr std::size_t kFirstBytes = 4096;

  void take(std::size_t bytes) {
    memory_ = std::make_unique_for_overwrite<char[]>(bytes + kPartSlack);
    capacity_ = bytes;
    cursor_ = {memory_.get(), memory_.get() + bytes};
  }

  std::size_t most_bytes_;
  std::size_t capacity_ = 0;
  std::unique_ptr<char[]> memory_;
  PartCursor cursor_;
  std::vector<Open> open_;
};

// What a machine says when its captures are full: no part of the asset is.
inline constexpr std::int32_t kNoPart = -1;

}  // namespace labfactory
