// The highest upper confidence bound, with the deviations of those candidates alone that may have it.
// Owner: what it reads belongs to the caller. Threads: immutable; each worker brings its own contest.
#pragma once

#include "labfactory/select/kernels.hpp"
#include "labfactory/select/thompson.hpp"

namespace labfactory::select {

// For each row the eligible candidate with the highest mean + strength · deviation - price, the lowest of
// equals; -1 where there is none. `beliefs` without deviations. False where bounds leave so many candidates
// that all deviations together cost less; `taken` is then for the caller to find.
[[nodiscard]] bool take_highest_bound(const Kernels& kernels, const Beliefs& beliefs, float strength,
                                      Contest& contest, std::int32_t* taken);

}  // namespace labfactory::select
