// What the plain kernels share.
// Owner: nothing.
// Threads: pure functions.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "labfactory/select/kernels.hpp"

namespace labfactory::select {

[[nodiscard]] inline bool is_eligible(const std::uint64_t* mask, std::int64_t candidate, std::int64_t row) {
  return ((mask[candidate] >> row) & 1) != 0;
}

// A sum that overflowed as the largest number of its sign.
[[nodiscard]] inline float bounded(float sum) {
  constexpr float kHighest = std::numeric_limits<float>::max();
  return std::fmin(std::fmax(sum, -kHighest), kHighest);
}

// Nobody is the best of a row yet.
inline void clear(Best* best, std::int64_t row) {
  best->rank[row] = -std::numeric_limits<float>::infinity();
  best->score[row] = best->rank[row];
  best->candidate[row] = -1;
}

}  // namespace labfactory::select
