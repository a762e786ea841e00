#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "select_choosing.hpp"

using namespace labfactory;
using namespace labfactory::select;
using namespace labfactory::select::choosing_tests;

namespace {

// The row of a lane of 16 bits: of every 16 rows the first eight are the even lanes.
std::size_t row_of(std::size_t lane) {
  return lane / 16 * 16 + lane % 2 * 8 + lane % 16 / 2;
}

// Keys in the order of the rows, those of the foremost candidates 0.
std::vector<std::int16_t> in_rows(const std::vector<std::int16_t>& lanes) {
  std::vector<std::int16_t> rows(lanes.size());
  for (std::size_t i = 0; i < lanes.size(); ++i)
    rows[i / kBlockRows * kBlockRows + row_of(i % kBlockRows)] = lanes[i];
  return rows;
}

std::vector<std::int16_t> without_foremost(std::vector<std::int16_t> keys) {
  for (std::size_t r = 0; r < kBlockRows; ++r) {
    std::size_t foremost = r;
    for (std::size_t at = r; at < keys.size(); at += kBlockRows) {
      if (keys[at] > keys[foremost]) foremost = at;
    }
    keys[foremost] = 0;
  }
  return keys;
}

// Every level's keys are the plain ones, and what it finds is the best of all; whether it found any.
bool check(const Choosing& choosing) {
  const Best whole = choosing.whole();
  const Outcome plain = choosing.sieved(kernels_plain());
  if (plain.is_found) CHECK(is_same(plain.best, whole));
  for (const Kernels* const table : tables()) {
    if (table->sieve == nullptr) continue;
    const Outcome fast = choosing.sieved(*table);
    CHECK(fast.is_found == plain.is_found);
    if (!fast.is_found) continue;
    CHECK(is_same(fast.best, whole));
    CHECK(in_rows(fast.keys) == without_foremost(plain.keys));
  }
  return plain.is_found;
}

}  // namespace

TEST_CASE("a sieve finds the best of all scores, bit for bit, at every level") {
  for (unsigned seed = 0; seed < 200; ++seed) {
    Choosing choosing(seed, 8 + seed % 29, 16 + seed * 7 % 100);
    if (seed % 3 == 0) choosing.set_prices();
    CHECK(check(choosing));
  }
}

TEST_CASE("features of several chunks are sieved rightly") {
  for (const std::int64_t features : {39, 40, 41, 64, 79, 80, 81, 200, 1000}) {
    Choosing choosing(static_cast<unsigned>(features), features, 30);
    check(choosing);
    for (float& bias : choosing.b) bias = 1.0F;
    check(choosing);
  }
  Choosing many(7, 64, 200);
  CHECK(check(many));
}

TEST_CASE("sums of 16 bits hold the largest that rows and weights can make") {
  for (const std::int64_t features : {8, 16, 31, 32, 40, 80}) {
    for (unsigned seed = 0; seed < 20; ++seed) {
      Choosing choosing(seed, features, 16 + seed);
      // Every product of one sign, or of each in turns.
      for (std::size_t i = 0; i < choosing.w.size(); ++i) {
        const std::size_t candidate = i / static_cast<std::size_t>(features);
        choosing.w[i] = candidate % 2 == 0 ? 1.0F : -1.0F;
      }
      for (float& bias : choosing.b) bias = 0.0F;
      for (std::size_t i = 0; i < choosing.x.size(); ++i) {
        const std::size_t feature = i / kBlockRows;
        const float size = seed % 4 == 3 ? std::fabs(choosing.x[i]) : 1.0F;
        choosing.x[i] = seed % 4 == 1 && feature % 4 >= 2 ? -size
                        : seed % 4 == 2 && feature > 1    ? 0.0F
                                                          : size;
      }
      // One of each kind: else copies are all rivals.
      for (std::size_t c = 2; c < choosing.b.size(); ++c) {
        for (std::size_t f = 0; f < static_cast<std::size_t>(features); ++f)
          choosing.w[c * static_cast<std::size_t>(features) + f] *= 0.5F * choosing.normal(choosing.random);
      }
      check(choosing);
    }
  }
}

TEST_CASE("features and weights of any magnitude are sieved rightly") {
  int found = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    Choosing choosing(seed, 8 + seed % 13, 16 + seed % 50);
    const std::vector<int> most = {4, 12, 120, 250};
    choosing.scale_all(most[seed % 4]);
    found += check(choosing) ? 1 : 0;
  }
  CHECK(found > 50);
}

TEST_CASE("sparse and binary features are sieved rightly") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    Choosing choosing(seed, 20, 40);
    for (float& x : choosing.x) x = choosing.random() % 4 == 0 ? 1.0F : 0.0F;
    if (seed % 2 == 0) {
      for (float& weight : choosing.w) weight = choosing.random() % 3 == 0 ? weight : 0.0F;
    }
    check(choosing);
  }
}

TEST_CASE("near ties among candidates go to the one that the scores prefer") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    Choosing choosing(seed, 8 + seed % 5, 40);
    for (std::size_t c = 36; c < 40; ++c) {
      choosing.copy(c, c - 36);
      float& weight = choosing.w[c * static_cast<std::size_t>(choosing.count)];
      if (c > 36) weight = std::nextafterf(weight, c == 37 ? kHighest : -kHighest);
    }
    check(choosing);
  }
}

TEST_CASE("a common part of all weights and biases hides no difference from a sieve") {
  int found = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    Choosing choosing(seed, 9, 24);
    const float common = std::ldexp(1.0F, static_cast<int>(seed % 24));
    for (float& weight : choosing.w) weight += common;
    for (float& bias : choosing.b) bias = seed % 2 == 0 ? common : bias - common;
    found += check(choosing) ? 1 : 0;
  }
  CHECK(found > 10);
}

TEST_CASE("where nothing tells candidates apart, or sums overflow, a sieve leaves them to the screen") {
  Choosing choosing(1, 12, 30);
  check_alike(choosing, check);
  Choosing huge(2, 12, 30);
  huge.x[5] = kHighest;
  CHECK(!check(huge));
}

TEST_CASE("rows for which one candidate or none is eligible are sieved") {
  Choosing choosing(3, 10, 20);
  choosing.leave_one();
  CHECK(check(choosing));
  CHECK(choosing.sieved(kernels_plain()).best.candidate[50] == -1);
}
