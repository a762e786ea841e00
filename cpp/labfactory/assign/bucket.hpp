// Where a customer falls in an experiment: a point in [0, 1) made from the key and the experiment alone, and
// the arm whose range holds it. Owner: ranges own their bounds. Threads: values; reading is safe from any.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace labfactory {

// Separates experiments (by name) and repetitions of one (by seed), so that arms of different experiments are
// independent.
[[nodiscard]] std::uint64_t salt_of(std::string_view experiment, std::uint64_t seed);

// A point in [0, 1), a multiple of 2^-53. `key_hash` is hash64 of the key's canonical text.
[[nodiscard]] double bucket_of(std::uint64_t key_hash, std::uint64_t salt);

// Arms side by side on [0, 1), each as wide as its weight; an arm of weight 0 is never chosen.
class ArmRanges {
 public:
  // Weights are finite, not negative and sum to 1 up to rounding; Error "weights" otherwise.
  explicit ArmRanges(std::span<const double> weights);

  [[nodiscard]] std::int32_t arm_of(double bucket) const;

 private:
  std::vector<double> upper_;  // the bound after each arm, infinite from the last arm that has weight
};

// The arm of each key; as many as there are hashes.
void assign_arms(std::span<const std::uint64_t> key_hashes, std::uint64_t salt, const ArmRanges& ranges,
                 std::span<std::int32_t> arms);

}  // namespace labfactory
