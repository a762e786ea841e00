#include "labfactory/assign/bucket.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

#include "labfactory/base/error.hpp"
#include "labfactory/base/hash.hpp"

namespace labfactory {

std::uint64_t salt_of(std::string_view experiment, std::uint64_t seed) {
  return hash64(experiment, seed);
}

double bucket_of(std::uint64_t key_hash, std::uint64_t salt) {
  std::array<char, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>((key_hash >> (8 * i)) & 0xff);
  // The upper 53 bits are what a double in [0, 1) holds with equal spacing.
  return static_cast<double>(hash64({bytes.data(), bytes.size()}, salt) >> 11) * 0x1p-53;
}

ArmRanges::ArmRanges(std::span<const double> weights) {
  double sum = 0.0;
  std::size_t last = weights.size();
  for (std::size_t arm = 0; arm < weights.size(); ++arm) {
    if (!(weights[arm] >= 0.0)) {
      throw Error(ErrorKind::usage, "weights",
                  "expected weights of 0 or more, found " + std::to_string(weights[arm]) + " for arm " +
                      std::to_string(arm));
    }
    sum += weights[arm];
    upper_.push_back(sum);
    if (weights[arm] > 0.0) last = arm;
  }
  // A billionth covers the rounding of weights such as 1/3 written out, and no mistake that a person makes.
  if (!(std::abs(sum - 1.0) <= 1e-9)) {
    throw Error(ErrorKind::usage, "weights",
                "expected weights summing to 1, found " + std::to_string(sum) + " over " +
                    std::to_string(weights.size()) + " arms");
  }
  for (std::size_t arm = last; arm < weights.size(); ++arm)
    upper_[arm] = std::numeric_limits<double>::infinity();
}

std::int32_t ArmRanges::arm_of(double bucket) const {
  // Linear: experiments have few arms, and a count of passed bounds has no branch to mispredict.
  std::int32_t arm = 0;
  for (const double upper : upper_) arm += static_cast<std::int32_t>(bucket >= upper);
  return arm;
}

void assign_arms(std::span<const std::uint64_t> key_hashes, std::uint64_t salt, const ArmRanges& ranges,
                 std::span<std::int32_t> arms) {
  for (std::size_t i = 0; i < key_hashes.size(); ++i) arms[i] = ranges.arm_of(bucket_of(key_hashes[i], salt));
}

}  // namespace labfactory
