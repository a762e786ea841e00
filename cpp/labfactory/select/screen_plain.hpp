// Screen and sieve as anybody would write them, one value at a time: what the fast ones are compared with.
// Owner: nothing. Threads: pure functions.
#pragma once

#include <cstdint>

#include "labfactory/select/kernels.hpp"

namespace labfactory::select {

// As Kernels::screen and Kernels::sieve, each in the rows' own order.
bool screen_plain(const ScreenView& view, const float* features, const float* prices, std::int64_t count,
                  std::int64_t candidates, const std::uint64_t* mask, const ScreenWork& work, Best* best);
bool sieve_plain(const SieveView& view, const float* features, const float* prices, std::int64_t count,
                 std::int64_t candidates, const std::uint64_t* mask, const ScreenWork& work, Best* best);

}  // namespace labfactory::select
