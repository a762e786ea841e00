// A text that is looked for in every asset, prepared once.
// Owner: the needle holds its text.
// Threads: immutable; any number of searchers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace labfactory {

// Letters A to Z as a to z, every other byte as it is.
[[nodiscard]] constexpr char fold(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

[[nodiscard]] constexpr bool equal_folded(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (fold(a[i]) != fold(b[i])) return false;
  }
  return true;
}

class Needle {
 public:
  // An empty text is found everywhere. Case is ignored for ASCII letters only.
  Needle(std::string_view text, bool ignore_case);

  [[nodiscard]] bool is_in(std::string_view text) const;

 private:
  [[nodiscard]] bool is_folded_in(std::string_view text) const;

  std::string text_;
  bool ignore_case_;
  // R. N. Horspool, Practical fast searching in strings, 1980: how far the window moves by its last byte.
  std::array<std::uint32_t, 256> shift_{};
};

}  // namespace labfactory
