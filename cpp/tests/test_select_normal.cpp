#include <doctest/doctest.h>

#include <cmath>

#include "labfactory/select/normal.hpp"

using namespace labfactory::select;

TEST_CASE("logarithm and exponential are those of the standard library within two units in the last place") {
  for (int i = 1; i < 4000; ++i) {
    const double x = std::ldexp(1.0 + i * 1.7e-4, i % 200 - 100);
    CHECK(std::fabs(logarithm(x) - std::log(x)) <= 4.5e-16 * std::fmax(std::fabs(std::log(x)), 0.5));
    const double gap = -0.17 * i;
    CHECK(std::fabs(exponential(gap) - std::exp(gap)) <= 4.5e-16 * std::exp(gap));
  }
  CHECK(logarithm(1.0) == 0.0);
  CHECK(exponential(-701.0) == 0.0);
}

TEST_CASE("the normal quantile undoes the distribution function") {
  for (int i = -800; i <= 800; ++i) {
    const double z = i / 100.0;
    const double p = 0.5 * std::erfc(-z / std::sqrt(2.0));
    if (p > 0.0 && p < 1.0 && z < 5.0) CHECK(normal_quantile(p) == doctest::Approx(z).epsilon(2e-6));
  }
  CHECK(normal_quantile(0.5) == 0.0);
  // The furthest draw: half of the smallest uniform number.
  CHECK(normal_quantile(0x1p-54) == doctest::Approx(-8.2924).epsilon(1e-4));
  CHECK(std::fabs(normal_quantile(0x1p-54)) < 8.3);
  CHECK(normal_quantile(1.0 - 0x1p-53) < 8.3);
}

TEST_CASE("quadrature nodes integrate powers of a normal variable") {
  double moments[9] = {};
  for (const HermiteNode& node : hermite_nodes()) {
    double power = node.weight;
    for (double& moment : moments) {
      moment += power;
      power *= node.at;
    }
  }
  const double expected[9] = {1, 0, 1, 0, 3, 0, 15, 0, 105};
  for (int k = 0; k < 9; ++k) CHECK(moments[k] == doctest::Approx(expected[k]).epsilon(1e-10));
}
