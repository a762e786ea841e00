#include "labfactory/select/ucb.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace labfactory::select {

namespace {

// One deviation by itself takes as long as three of a block's; with what finds them it must be fewer.
constexpr std::int64_t kShare = 4;

float rank_of(const Beliefs& beliefs, float strength, std::int64_t candidate, std::int64_t row) {
  const float deviation = beliefs.late.deviation(candidate, row);
  const float bound = beliefs.means[candidate * kBlockRows + row] + strength * deviation;
  return beliefs.prices == nullptr ? bound : bound - beliefs.prices[candidate];
}

}  // namespace

bool take_highest_bound(const Kernels& kernels, const Beliefs& beliefs, float strength, Contest& contest,
                        std::int32_t* taken) {
  const Late& late = beliefs.late;
  const auto scales = late.uncertainty->stretches();
  for (std::int64_t c = 0; c < beliefs.candidates; ++c) {
    const float scale = scales[static_cast<std::size_t>(c)];
    const float* const means = beliefs.means + c * kBlockRows;
    float* const bounds = contest.bounds.data() + c * kBlockRows;
    for (std::int64_t r = 0; r < kBlockRows; ++r) {
      bounds[r] = means[r] + strength * (scale * late.norms[r] + kLeastSpread);
    }
  }
  Best first;
  kernels.argmax(contest.bounds.data(), beliefs.prices, beliefs.mask, beliefs.candidates, &first);
  contest.floor.fill(std::numeric_limits<float>::infinity());
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    taken[r] = first.candidate[r];
    if (taken[r] >= 0) contest.floor[static_cast<std::size_t>(r)] = rank_of(beliefs, strength, taken[r], r);
  }
  kernels.above(contest.bounds.data(), beliefs.prices, beliefs.mask, beliefs.candidates, contest.floor.data(),
                contest.reaching.data());
  std::int64_t pairs = 0;
  for (const std::uint64_t rows : contest.reaching) pairs += std::popcount(rows);
  if (pairs * kShare > beliefs.candidates * kBlockRows) return false;
  for (std::int64_t c = 0; c < beliefs.candidates; ++c) {
    for (std::uint64_t left = contest.reaching[static_cast<std::size_t>(c)]; left != 0; left &= left - 1) {
      const auto r = static_cast<std::size_t>(std::countr_zero(left));
      if (taken[r] == c) continue;
      const float rank = rank_of(beliefs, strength, c, static_cast<std::int64_t>(r));
      float& highest = contest.floor[r];
      if (rank < highest || (rank == highest && taken[r] < c)) continue;
      highest = rank;
      taken[r] = static_cast<std::int32_t>(c);
    }
  }
  return true;
}

}  // namespace labfactory::select
