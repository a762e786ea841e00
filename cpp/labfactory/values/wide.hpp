// A whole number of 384 bits: what decimal arithmetic passes through before it rounds to 28 digits.
// Owner: plain data. Threads: any; pure functions. Callers keep values below 10^115.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>

namespace labfactory {

inline constexpr auto kPowersOfTen = [] {
  std::array<std::uint64_t, 20> powers{};
  std::uint64_t power = 1;
  for (std::uint64_t& p : powers) {
    p = power;
    power *= 10;
  }
  return powers;
}();

class Wide {
 public:
  __extension__ using Double = unsigned __int128;

  explicit Wide(Double value)
      : words_{static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(value >> 64)} {}

  [[nodiscard]] Double low() const { return Double{words_[1]} << 64 | words_[0]; }
  [[nodiscard]] bool is_zero() const {
    return std::all_of(words_.begin(), words_.end(), [](std::uint64_t word) { return word == 0; });
  }
  [[nodiscard]] bool is_odd() const { return (words_[0] & 1) != 0; }
  [[nodiscard]] bool fits_double() const {
    return std::all_of(words_.begin() + 2, words_.end(), [](std::uint64_t word) { return word == 0; });
  }

  [[nodiscard]] int bits() const {
    for (std::size_t i = kWords; i-- > 0;) {
      if (words_[i] != 0) return static_cast<int>(64 * i) + static_cast<int>(std::bit_width(words_[i]));
    }
    return 0;
  }

  // 1 for zero.
  [[nodiscard]] int digits() const {
    Wide rest = *this;
    int digits = 0;
    while (!rest.fits_double() || rest.words_[1] != 0 || rest.words_[0] >= kPowersOfTen[19]) {
      rest.divide(kPowersOfTen[19]);
      digits += 19;
    }
    int more = 1;
    while (more < 19 && rest.words_[0] >= kPowersOfTen[static_cast<std::size_t>(more)]) ++more;
    return digits + more;
  }

  void add(const Wide& other) {
    Double carry = 0;
    for (std::size_t i = 0; i < kWords; ++i) {
      carry += Double{words_[i]} + other.words_[i];
      words_[i] = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
  }
  // other <= *this
  void subtract(const Wide& other) {
    std::uint64_t borrow = 0;
    for (std::size_t i = 0; i < kWords; ++i) {
      const Double difference = Double{words_[i]} - other.words_[i] - borrow;
      words_[i] = static_cast<std::uint64_t>(difference);
      borrow = static_cast<std::uint64_t>(difference >> 64) & 1;
    }
  }
  void multiply(std::uint64_t factor) {
    Double carry = 0;
    for (std::uint64_t& word : words_) {
      carry += Double{word} * factor;
      word = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
  }
  // Returns the rest.
  std::uint64_t divide(std::uint64_t divisor) {
    std::uint64_t rest = 0;
    for (std::size_t i = kWords; i-- > 0;) {
      const Double part = Double{rest} << 64 | words_[i];
      words_[i] = static_cast<std::uint64_t>(part / divisor);
      rest = static_cast<std::uint64_t>(part % divisor);
    }
    return rest;
  }
  // The quotient; *this becomes the rest. The divisor is not zero.
  [[nodiscard]] Wide divide(const Wide& divisor) {
    Wide quotient(0);
    if (fits_double() && divisor.fits_double()) {
      quotient = Wide(low() / divisor.low());
      *this = Wide(low() % divisor.low());
      return quotient;
    }
    Wide rest(0);
    for (int i = bits(); i-- > 0;) {
      const auto word = static_cast<std::size_t>(i / 64);
      rest.multiply(2);
      rest.words_[0] |= words_[word] >> (i % 64) & 1;
      if (rest < divisor) continue;
      rest.subtract(divisor);
      quotient.words_[word] |= std::uint64_t{1} << (i % 64);
    }
    *this = rest;
    return quotient;
  }

  // Times 10^places.
  void grow(int places) {
    for (; places > 19; places -= 19) multiply(kPowersOfTen[19]);
    multiply(kPowersOfTen[static_cast<std::size_t>(places)]);
  }
  // Divided by 10^places, which is above 1, with ties to even.
  void shrink(int places) {
    bool has_more = false;
    for (; places > 19; places -= 19) has_more = divide(kPowersOfTen[19]) != 0 || has_more;
    const std::uint64_t power = kPowersOfTen[static_cast<std::size_t>(places)];
    const std::uint64_t rest = divide(power);
    const std::uint64_t to_next = power - rest;
    if (rest > to_next || (rest == to_next && (has_more || is_odd()))) add(Wide(1));
  }

  friend std::strong_ordering operator<=>(const Wide& a, const Wide& b) {
    for (std::size_t i = kWords; i-- > 0;) {
      if (a.words_[i] != b.words_[i]) return a.words_[i] <=> b.words_[i];
    }
    return std::strong_ordering::equal;
  }
  friend bool operator==(const Wide& a, const Wide& b) = default;

 private:
  static constexpr std::size_t kWords = 6;
  std::array<std::uint64_t, kWords> words_{};
};

}  // namespace labfactory
