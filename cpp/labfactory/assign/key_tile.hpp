// The texts of a few keys as rows of equal width, each between a prefix and a suffix, for kernels that read
// the rows side by side. Owner: the bytes lie inside. Threads: one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "labfactory/execute/copy.hpp"

namespace labfactory {

class KeyTile {
 public:
  // Two vectors of AVX2: while one waits for its multiplication the other begins.
  static constexpr std::size_t kRows = 16;
  // Longer texts are rare, and hashed alone; 16 rows of this width are 4 KiB.
  static constexpr std::size_t kWidth = 256;

  KeyTile(std::string_view prefix, std::string_view suffix)
      : prefix_(prefix.size()),
        suffix_(suffix),
        most_(prefix.size() + suffix.size() <= kWidth ? kWidth - prefix.size() - suffix.size() : 0) {
    if (!has_room()) return;
    for (std::size_t row = 0; row < kRows; ++row) copy_bytes(at(row), prefix.data(), prefix.size());
  }

  // Whether anything fits between prefix and suffix; without room set() must not be called.
  [[nodiscard]] bool has_room() const { return most_ > 0; }
  [[nodiscard]] bool fits(std::string_view text) const { return text.size() <= most_; }

  // Puts a text that fits; the row keeps it until the next.
  void set(std::size_t row, std::string_view text) {
    char* const to = at(row) + prefix_;
    copy_bytes(to, text.data(), text.size());
    copy_bytes(to + text.size(), suffix_.data(), suffix_.size());
    sizes_[row] = static_cast<std::int32_t>(prefix_ + text.size() + suffix_.size());
  }

  [[nodiscard]] const char* bytes(std::size_t row) const { return bytes_.data() + row * kWidth; }
  [[nodiscard]] const std::array<std::int32_t, kRows>& sizes() const { return sizes_; }
  [[nodiscard]] std::string_view text(std::size_t row) const {
    return {bytes(row), static_cast<std::size_t>(sizes_[row])};
  }

 private:
  [[nodiscard]] char* at(std::size_t row) { return bytes_.data() + row * kWidth; }

  alignas(32) std::array<char, kRows * kWidth> bytes_{};
  alignas(32) std::array<std::int32_t, kRows> sizes_{};
  std::size_t prefix_;
  std::string_view suffix_;
  std::size_t most_;  // bytes of a key
};

}  // namespace labfactory
