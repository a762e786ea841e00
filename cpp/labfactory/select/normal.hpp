// The normal distribution in arithmetic of our own: libm's logarithm and error function differ between
// machines. Owner: nothing. Threads: pure functions.
#pragma once

#include <array>
#include <cstdint>

namespace labfactory::select {

// ln(x) of a normal positive number, within two units in the last place.
[[nodiscard]] double logarithm(double x);
// exp(x) for x <= 0; 0 below -700.
[[nodiscard]] double exponential(double x);
// The quantile of p in (0, 1); relative error 10^-7 (Wichura 1988, algorithm AS 241, PPND7).
[[nodiscard]] double normal_quantile(double p);

// At least normal_quantile(p), and at least 0, for any p whose first 32 bits are these.
[[nodiscard]] float quantile_bound(std::uint32_t upper);

// Gauss-Hermite quadrature for a standard normal variable: E f(Z) ≈ Σ weight · f(node), exact for polynomials
// up to degree 63. Nodes ascend.
struct HermiteNode {
  double at;
  double weight;
};
[[nodiscard]] const std::array<HermiteNode, 32>& hermite_nodes();

}  // namespace labfactory::select
