// How much longer a matrix can make a vector: a bound on its largest singular value.
// Owner: nothing. Threads: pure functions.
#pragma once

#include <cstdint>
#include <span>

namespace labfactory::select {

// At least ‖factor · x‖ / ‖x‖ for every x, as kernels find it in float32, for a factor [features][features].
// Close to it up to 64 features; for more it is the Frobenius norm, as the other costs features³.
[[nodiscard]] float stretch_bound(std::span<const float> factor, std::int64_t features);

}  // namespace labfactory::select
