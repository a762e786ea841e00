// Sixteen bytes at a time, as compilers map them to the vectors of every processor that we know.
// Owner: nothing; a block is a value.
// Threads: any.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace labfactory {

// Bytes are numbered from the lowest bits of a word.
static_assert(std::endian::native == std::endian::little);

inline constexpr std::size_t kBlockBytes = 16;
using ByteBlock [[gnu::vector_size(kBlockBytes)]] = std::uint8_t;

template <typename Word>
[[nodiscard]] inline Word load_word(const char* in) {
  Word word;
  std::memcpy(&word, in, sizeof word);
  return word;
}

[[nodiscard]] inline ByteBlock load_block(const char* in) {
  return load_word<ByteBlock>(in);
}

inline void store_block(char* out, ByteBlock block) {
  std::memcpy(out, &block, sizeof block);
}

// Fewer than sixteen bytes, by words that overlap and never leave them; zeros behind.
[[nodiscard]] inline ByteBlock load_short(const char* in, std::size_t n) {
  std::array<std::uint64_t, 2> words{};
  if (n >= 8) {
    words[0] = load_word<std::uint64_t>(in);
    words[1] = n == 8 ? 0 : load_word<std::uint64_t>(in + n - 8) >> (8 * (kBlockBytes - n));
  } else if (n >= 4) {
    const std::uint64_t last = load_word<std::uint32_t>(in + n - 4);
    words[0] = load_word<std::uint32_t>(in) | (last >> (8 * (8 - n))) << 32;
  } else {
    for (std::size_t i = 0; i < n; ++i)
      words[0] |= std::uint64_t{static_cast<std::uint8_t>(in[i])} << (8 * i);
  }
  return std::bit_cast<ByteBlock>(words);
}

// All bits of a byte of the result are set where it holds, none where not.
[[nodiscard]] inline ByteBlock is_between(ByteBlock block, std::uint8_t first, std::uint8_t last) {
  return std::bit_cast<ByteBlock>(block - first <= ByteBlock{} + static_cast<std::uint8_t>(last - first));
}
[[nodiscard]] inline ByteBlock is_equal(ByteBlock block, std::uint8_t byte) {
  return std::bit_cast<ByteBlock>(block == byte);
}
[[nodiscard]] inline ByteBlock is_equal(ByteBlock a, ByteBlock b) {
  return std::bit_cast<ByteBlock>(a == b);
}

// Where the first byte of such a result stands that is set; sixteen where there is none.
[[nodiscard]] inline std::size_t first_set(ByteBlock found) {
  const auto halves = std::bit_cast<std::array<std::uint64_t, 2>>(found);
  const int zeros = halves[0] != 0 ? std::countr_zero(halves[0]) : 64 + std::countr_zero(halves[1]);
  return static_cast<std::size_t>(zeros) / 8;
}

[[nodiscard]] inline bool any_set(ByteBlock found) {
  const auto halves = std::bit_cast<std::array<std::uint64_t, 2>>(found);
  return (halves[0] | halves[1]) != 0;
}

}  // namespace labfactory
