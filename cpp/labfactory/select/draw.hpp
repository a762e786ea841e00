// Draws in plain loops, one value at a time: the twins of the kernels, and the chance of any candidate.
// Owner: nothing; all memory is the caller's. Threads: pure functions.
#pragma once

#include <cstdint>

#include "labfactory/select/kernels.hpp"

namespace labfactory::select {

// As the kernels of the same names say.
void softmax_plain(const float* scores, const float* prices, const std::uint64_t* mask,
                   std::int64_t candidates, const Lots& lots);
void squarecb_plain(const float* scores, const float* prices, const std::uint64_t* mask,
                    std::int64_t candidates, const Best& best, const std::int32_t* counts, float gamma,
                    const Lots& lots);
void draw_plain(const Lots& lots, const Best& best, const double* uniforms, Draws* draws);

// The probability that draw() takes an eligible candidate in row r, from the lots that it left.
[[nodiscard]] double chance_of(const Lots& lots, const Best& best, const Draws& draws, std::int32_t candidate,
                               std::int64_t r);

}  // namespace labfactory::select
