#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "select_choosing.hpp"

using namespace labfactory;
using namespace labfactory::select;
using namespace labfactory::select::choosing_tests;

namespace {

// Every level's keys are the plain ones, and what it finds is the best of all; whether it found any.
bool check(const Choosing& choosing) {
  const Best whole = choosing.whole();
  const Outcome plain = choosing.screened(kernels_plain());
  if (plain.is_found) CHECK(is_same(plain.best, whole));
  for (const Kernels* const table : tables()) {
    const Outcome fast = choosing.screened(*table);
    CHECK(fast.keys == plain.keys);
    CHECK(fast.is_found == plain.is_found);
    if (fast.is_found) CHECK(is_same(fast.best, whole));
  }
  return plain.is_found;
}

}  // namespace

TEST_CASE("a screen finds the best of all scores, bit for bit, at every level") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    Choosing choosing(seed, 8 + seed % 29, 16 + seed * 7 % 100);
    if (seed % 3 == 0) choosing.set_prices();
    CHECK(check(choosing));
  }
}

TEST_CASE("features and weights of any magnitude are screened rightly") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    Choosing choosing(seed, 8 + seed % 13, 16 + seed % 50);
    const int most = seed % 2 == 0 ? 12 : 120;
    choosing.scale_all(most);
    check(choosing);
  }
}

TEST_CASE("biases that are all the same take no part in a screen") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    Choosing choosing(seed, 8 + seed % 2, 30);
    for (float& bias : choosing.b) bias = 2.5F;
    CHECK(Screen(choosing.w, choosing.b, {}).view().terms == choosing.count);
    CHECK(check(choosing));
    choosing.prices = std::vector<float>(30, 1.5F);
    CHECK(check(choosing));
    choosing.prices[3] = 0.0F;
    CHECK(Screen(choosing.w, choosing.b, choosing.prices).view().terms == choosing.count + 1);
    CHECK(check(choosing));
  }
}

TEST_CASE("equals and near ties go to the candidate that the scores prefer") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    Choosing choosing(seed, 8 + seed % 5, 40);
    // Copies, some of them with one weight a bit higher or lower.
    for (std::size_t c = 36; c < 40; ++c) {
      choosing.copy(c, c - 36);
      float& weight = choosing.w[c * static_cast<std::size_t>(choosing.count)];
      if (c > 36) weight = std::nextafterf(weight, c == 37 ? kHighest : -kHighest);
    }
    check(choosing);
  }
}

TEST_CASE("a common part of all weights hides no difference") {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Choosing choosing(seed, 9, 24);
    const float common = std::ldexp(1.0F, static_cast<int>(seed % 24));
    for (float& weight : choosing.w) weight += common;
    for (float& bias : choosing.b) bias = seed % 2 == 0 ? common : bias - common;
    check(choosing);
  }
}

TEST_CASE("where nothing tells candidates apart a screen finds the first, or leaves it to the scores") {
  Choosing choosing(1, 12, 30);
  check_alike(choosing, check);
}

TEST_CASE("rows for which one candidate or none is eligible are screened") {
  Choosing choosing(3, 10, 20);
  choosing.leave_one();
  CHECK(check(choosing));
  CHECK(choosing.screened(kernels_plain()).best.candidate[50] == -1);
}

TEST_CASE("one feature that outweighs all others leaves those that it cannot tell apart") {
  for (unsigned seed = 0; seed < 30; ++seed) {
    Choosing choosing(seed, 16, 64);
    for (std::size_t r = 0; r < kBlockRows; ++r) choosing.x[3 * kBlockRows + r] = 1e6F;
    for (std::size_t c = 0; c < 64; ++c) choosing.w[c * 16 + 3] = c % 8 == 0 ? 1.0F : 0.0F;
    check(choosing);
  }
}

TEST_CASE("few candidates or features are not screened") {
  const std::vector<float> weights(15 * 8);
  const std::vector<float> bias(15);
  CHECK(Screen(weights, bias, {}).is_empty());
  CHECK(Screen(std::vector<float>(16 * 7), std::vector<float>(16), {}).is_empty());
  CHECK(!Screen(std::vector<float>(16 * 8), std::vector<float>(16), {}).is_empty());
}
