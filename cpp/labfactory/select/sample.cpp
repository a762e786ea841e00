#include "labfactory/select/sample.hpp"

#include <algorithm>
#include <string>

#include "labfactory/base/hash.hpp"
#include "labfactory/base/philox.hpp"

namespace labfactory::select {

double Exploration::rate(std::int64_t eligible) const {
  return std::min(1.0, std::max(epsilon, floor * static_cast<double>(eligible)));
}

Split split(double number, double rate, std::int64_t eligible) {
  if (number >= rate) return {-1, std::min((number - rate) / (1.0 - rate), 0x1.fffffffffffffp-1)};
  const auto nth = static_cast<std::int64_t>(number / rate * static_cast<double>(eligible));
  return {std::min(nth, eligible - 1), 0.0};
}

// A seed below 2^32 is the first word of the key as it is; the upper half of a larger one seeds the version's
// hash.
Stream::Stream(std::uint64_t seed, std::string_view version, std::string_view slot, std::string_view purpose)
    : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(hash64(version, seed >> 32))},
      purpose_(hash32(std::string(slot) + "/" + std::string(purpose))) {}

double Stream::uniform(std::uint64_t customer, std::uint32_t component) const {
  const std::array<std::uint32_t, 4> words = philox4x32(
      {static_cast<std::uint32_t>(customer), static_cast<std::uint32_t>(customer >> 32), purpose_, component},
      key_);
  return uniform53(words[0], words[1]);
}

}  // namespace labfactory::select
