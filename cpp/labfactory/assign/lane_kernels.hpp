// The loops of bucketing over many keys, several side by side.
// Owner: nothing; all memory is the caller's.
// Threads: any.
#pragma once

#include <cstdint>
#include <span>

#include "labfactory/assign/key_tile.hpp"

namespace labfactory {

struct LaneKernels {
  // fnv1a32_utf16 of each row of the tile after `start` and before the code units of `suffix`.
  void (*fnv1a32)(const KeyTile& tile, std::uint32_t start, std::span<const std::uint16_t> suffix,
                  std::uint64_t* hashes);
  // murmur3_32 of each row of the tile.
  void (*murmur3_32)(const KeyTile& tile, std::uint32_t seed, std::uint64_t* hashes);
  // Replaces each number of 32 bits by fnv1a32_utf16 of its decimal digits.
  void (*fnv1a32_of_digits)(std::span<std::uint64_t> numbers);
  // (hash % count + offset) / divisor, of hashes and a count below 2^32.
  void (*remainders)(std::span<const std::uint64_t> hashes, double count, double offset, double divisor,
                     double* buckets);
  // floor(hash / 2^32 * count), of hashes and a count below 2^32.
  void (*shares)(std::span<const std::uint64_t> hashes, std::uint32_t count, double* buckets);
  // arms[i] = arm where buckets[i] is in [lower, upper).
  void (*mark)(std::span<const double> buckets, double lower, double upper, std::int32_t arm,
               std::int32_t* arms);
};

// Those of the dispatch level in force. The results are the same at every level.
[[nodiscard]] const LaneKernels& lane_kernels();

[[nodiscard]] const LaneKernels& lane_kernels_plain();
[[nodiscard]] const LaneKernels& lane_kernels_avx2();

}  // namespace labfactory
