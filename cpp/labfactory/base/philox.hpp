// Random numbers by counter: Philox4x32-10. The same key and counter give the same draw in any order, on any
// thread. Owner: nothing. Threads: any.
#pragma once

#include <array>
#include <cstdint>

namespace labfactory {

// J. K. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC11, doi:10.1145/2063384.2063405.
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                                std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t first = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t second = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {
        static_cast<std::uint32_t>(second >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(second),
        static_cast<std::uint32_t>(first >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(first)};
    key = {key[0] + 0x9E3779B9, key[1] + 0xBB67AE85};
  }
  return counter;
}

// The upper 53 bits of high * 2^32 + low as a multiple of 2^-53 in [0, 1).
[[nodiscard]] constexpr double uniform53(std::uint32_t low, std::uint32_t high) {
  const std::uint64_t bits = (std::uint64_t{high} << 32 | low) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

}  // namespace labfactory
