// Inverse gap weighting: a candidate is the less probable the further its score is below the best one.
// Owner: nothing. Threads: pure functions.
#pragma once

#include <cstdint>

#include "labfactory/select/kernels.hpp"

namespace labfactory::select {

// Foster and Rakhlin 2020, Beyond UCB, SquareCB: with n eligible candidates the probability of one that is
// not the best is 1 / (n + gamma · gap), and the best has what is left. Weights are [candidates][kBlockRows],
// and a candidate's probability is its weight / total; one candidate is drawn from each uniform number.
void squarecb(const float* scores, const float* prices, const std::uint64_t* mask, std::int64_t candidates,
              const Best& best, const std::int32_t* counts, double gamma, const double* uniforms,
              float* weights, Draw* draws);

}  // namespace labfactory::select
