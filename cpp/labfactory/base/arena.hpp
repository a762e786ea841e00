// A bump allocator for text and lists that live as long as one row (or one block of rows).
// Owner: the machine that runs a plan; everything handed out dies at the next reset().
// Threads: one arena belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace labfactory {

class Arena {
 public:
  // Memory of n bytes, aligned to 16, valid until reset().
  [[nodiscard]] char* allocate(std::size_t n) {
    const std::size_t rounded = (n + 15) & ~std::size_t{15};
    if (rounded > available_) return grow(rounded);
    char* at = next_;
    next_ += rounded;
    available_ -= rounded;
    used_ += rounded;
    return at;
  }

  [[nodiscard]] std::string_view copy(std::string_view text) {
    char* at = allocate(text.size());
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    return {at, text.size()};
  }

  // Bytes handed out since the last reset; machines charge this to a row's limit.
  [[nodiscard]] std::size_t used() const { return used_; }

  // Counts work that leaves no bytes here, as looking through a list: machines charge it to a row's limit.
  void charge(std::size_t steps) { charged_ += steps; }
  // Counts bytes that would have been handed out, had they not been kept elsewhere.
  void charge_bytes(std::size_t bytes) { used_ += bytes; }
  [[nodiscard]] std::size_t charged() const { return charged_; }

  // Levels of values within values that are being looked through: what recurses counts itself in and out.
  [[nodiscard]] int& depth() { return depth_; }

  // Gives everything back; keeps the first block so that rows do not allocate.
  void reset() {
    if (blocks_.size() > 1) blocks_.resize(1);
    used_ = 0;
    charged_ = 0;
    next_ = blocks_.empty() ? nullptr : blocks_.front().get();
    available_ = blocks_.empty() ? 0 : kFirstBlock;
  }

 private:
  // 64 KiB hold the intermediate text of nearly every row and stay inside L2.
  static constexpr std::size_t kFirstBlock = std::size_t{64} << 10;

  char* grow(std::size_t n) {
    const std::size_t size = n > kFirstBlock ? n : kFirstBlock;
    if (blocks_.empty() && size > kFirstBlock)
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(kFirstBlock));
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    next_ = blocks_.back().get() + n;
    available_ = size - n;
    used_ += n;
    return blocks_.back().get();
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  std::size_t available_ = 0;
  std::size_t used_ = 0;
  std::size_t charged_ = 0;
  int depth_ = 0;
};

}  // namespace labfactory
