#include "labfactory/select/ucb.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace labfactory::select {

namespace {

// A deviation by itself takes as long as two of a block's.
constexpr std::int64_t kShare = 2;

// Finds the deviations of the pairs that wait; a row's highest bound stays, the lowest candidate of equals.
void flush(const Beliefs& beliefs, float strength, Contest& contest, std::int32_t* taken) {
  beliefs.deviations_of(contest.waiting_rows(), contest.waiting_candidates(), contest.deviations.data());
  for (std::size_t i = 0; i < contest.pairs; ++i) {
    const std::int32_t c = contest.candidates[i];
    const auto r = static_cast<std::size_t>(contest.rows[i]);
    const float high = beliefs.means[c * kBlockRows + contest.rows[i]] + strength * contest.deviations[i];
    const float rank = beliefs.prices == nullptr ? high : high - beliefs.prices[c];
    float& highest = contest.floor[r];
    if (taken[r] >= 0 && (rank < highest || (rank == highest && taken[r] < c))) continue;
    highest = rank;
    taken[r] = c;
  }
  contest.pairs = 0;
}

void find_reaching(const Beliefs& beliefs, float strength, Contest& contest, std::int32_t* taken) {
  for (std::int64_t c = 0; c < beliefs.candidates; ++c) {
    const float* const bounds = contest.bounds.data() + c * kBlockRows;
    for (std::uint64_t left = contest.reaching[static_cast<std::size_t>(c)]; left != 0; left &= left - 1) {
      const int r = std::countr_zero(left);
      // The floor rises on the way.
      if (taken[r] >= 0 && bounds[r] < contest.floor[static_cast<std::size_t>(r)]) continue;
      contest.rows[contest.pairs] = r;
      contest.candidates[contest.pairs] = static_cast<std::int32_t>(c);
      if (++contest.pairs == Contest::kPairs) flush(beliefs, strength, contest, taken);
    }
  }
  flush(beliefs, strength, contest, taken);
}

}  // namespace

bool take_highest_bound(const Kernels& kernels, const Beliefs& beliefs, float strength, Contest& contest,
                        std::int32_t* taken) {
  Best first;
  kernels.ceilings(beliefs.outlook(strength), contest.bounds.data(), &first);
  contest.reach_only(first.candidate);
  std::fill_n(taken, kBlockRows, -1);
  contest.floor.fill(std::numeric_limits<float>::infinity());
  find_reaching(beliefs, strength, contest, taken);
  kernels.above(contest.bounds.data(), beliefs.mask, beliefs.candidates, contest.floor.data(),
                contest.reaching.data());
  std::int64_t pairs = 0;
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    if (taken[r] >= 0) contest.reaching[static_cast<std::size_t>(taken[r])] &= ~(std::uint64_t{1} << r);
  }
  for (const std::uint64_t rows : contest.reaching) pairs += std::popcount(rows);
  if (pairs * kShare > beliefs.candidates * kBlockRows) return false;
  find_reaching(beliefs, strength, contest, taken);
  return true;
}

}  // namespace labfactory::select
