// A text that grows in a row's arena, up to a limit.
// Owner: the arena; views of the text die at its next reset().
// Threads: as the arena.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "labfactory/base/arena.hpp"

namespace labfactory {

class ArenaText {
 public:
  ArenaText(Arena& arena, std::size_t limit) : arena_(arena), limit_(limit) {}

  // False, and nothing added, where the text would pass its limit.
  [[nodiscard]] bool append(std::string_view part) {
    if (!reserve(part.size())) return false;
    if (!part.empty()) std::memcpy(at_, part.data(), part.size());
    at_ += part.size();
    return true;
  }
  [[nodiscard]] bool append(std::size_t count, std::string_view part) {
    if (part.empty() || count == 0) return true;
    if (count > limit_ / part.size() || !reserve(count * part.size())) return false;
    if (part.size() == 1) {
      at_ = std::fill_n(at_, count, part.front());
    } else {
      for (std::size_t i = 0; i < count; ++i) at_ = std::copy(part.begin(), part.end(), at_);
    }
    return true;
  }

  // Room for as many bytes behind the text; null where it would pass its limit. What is written there
  // counts once commit() names its end.
  [[nodiscard]] char* room(std::size_t bytes) { return reserve(bytes) ? at_ : nullptr; }
  void commit(char* end) { at_ = end; }

  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }
  [[nodiscard]] std::string_view text() const { return {begin_, size()}; }

 private:
  bool reserve(std::size_t bytes) {
    const std::size_t used = size();
    if (begin_ != nullptr && bytes <= capacity_ - used) return true;
    if (used > limit_ || bytes > limit_ - used) return false;
    const std::size_t grown = 2 * (used + bytes);
    char* const moved = arena_.allocate(grown);
    if (used != 0) std::memcpy(moved, begin_, used);
    begin_ = moved;
    at_ = moved + used;
    capacity_ = grown;
    return true;
  }

  Arena& arena_;
  std::size_t limit_;
  char* begin_ = nullptr;
  char* at_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace labfactory
