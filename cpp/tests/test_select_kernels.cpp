#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "labfactory/select/kernels.hpp"

using namespace labfactory;
using namespace labfactory::select;

namespace {

// The tables that this machine can run.
std::vector<const Kernels*> tables() {
  std::vector<const Kernels*> found = {&kernels_baseline()};
  if (dispatch_level() >= Level::avx2) found.push_back(&kernels_avx2());
  if (dispatch_level() >= Level::avx512) found.push_back(&kernels_avx512());
  return found;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

struct Problem {
  Problem(unsigned seed, std::int64_t features, std::int64_t candidates)
      : count(features), groups((candidates + kGroup - 1) / kGroup), candidates(candidates), random(seed) {
    std::normal_distribution<float> normal;
    // Magnitudes from 2^-40 to 2^40, so that a changed order of additions shows.
    std::uniform_int_distribution<int> exponent(-40, 40);
    const auto number = [&] { return std::ldexp(normal(random), exponent(random)); };
    x.resize(static_cast<std::size_t>(count * kBlockRows));
    w.resize(static_cast<std::size_t>(groups * kGroup * count));
    b.resize(static_cast<std::size_t>(groups * kGroup));
    for (float& v : x) v = number();
    for (float& v : w) v = number();
    for (float& v : b) v = number();
    mask.resize(static_cast<std::size_t>(candidates));
    for (auto& word : mask) word = random() & random();
  }

  [[nodiscard]] std::vector<float> scores(const Kernels& kernels) const {
    std::vector<float> out(static_cast<std::size_t>(groups * kGroup * kTileRows));
    kernels.score(x.data(), w.data(), b.data(), count, groups, out.data());
    return out;
  }

  std::int64_t count;
  std::int64_t groups;
  std::int64_t candidates;
  std::mt19937_64 random;
  std::vector<float> x;
  std::vector<float> w;
  std::vector<float> b;
  std::vector<std::uint64_t> mask;
};

}  // namespace

TEST_CASE("scores have the same bits at every level") {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Problem problem(seed, seed % 9, 1 + seed % 23);
    // What overflows, and what is then not a number.
    if (problem.count > 1) problem.x[seed % 32] = std::numeric_limits<float>::max();
    if (problem.count > 1) problem.x[kBlockRows + seed % 32] = -std::numeric_limits<float>::max();
    const std::vector<float> plain = problem.scores(kernels_plain());
    for (const Kernels* const table : tables()) CHECK(same_bits(problem.scores(*table), plain));
    for (const float s : plain) CHECK(std::isfinite(s));
  }
}

TEST_CASE("the highest eligible score wins at every level, the lowest candidate among equals") {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Problem problem(seed, 0, 1 + seed % 37);
    // Few values, so that there are ties.
    std::vector<float> scores(static_cast<std::size_t>(problem.groups * kGroup * kTileRows));
    for (float& s : scores) s = static_cast<float>(problem.random() % 3);
    const auto run = [&](const Kernels& kernels, std::int64_t first) {
      std::vector<float> best(kTileRows);
      std::vector<std::int32_t> found(2 * kTileRows);
      kernels.argmax(scores.data(), problem.mask.data(), first, problem.candidates, best.data(),
                     found.data());
      kernels.count(problem.mask.data(), first, problem.candidates, found.data() + kTileRows);
      for (const float s : best) found.push_back(std::bit_cast<std::int32_t>(s));
      return found;
    };
    for (const std::int64_t first : {std::int64_t{0}, kTileRows}) {
      const std::vector<std::int32_t> plain = run(kernels_plain(), first);
      for (const Kernels* const table : tables()) CHECK(run(*table, first) == plain);
    }
  }
}

TEST_CASE("softmax draws and sigmoids have the same bits at every level") {
  std::uniform_real_distribution<double> uniform;
  for (unsigned seed = 0; seed < 40; ++seed) {
    Problem problem(seed, 3, 1 + seed % 37);
    std::vector<float> scores(static_cast<std::size_t>(problem.groups * kGroup * kTileRows));
    std::normal_distribution<float> normal(0.0F, seed % 2 == 0 ? 2.0F : 400.0F);
    for (float& s : scores) s = normal(problem.random);
    std::vector<double> numbers(kDrawRows);
    for (double& u : numbers) u = uniform(problem.random);
    numbers[0] = 0.0;
    numbers[1] = 0x1.fffffffffffffp-1;
    const auto run = [&](const Kernels& kernels, std::int64_t from, std::vector<double>& weights) {
      std::vector<float> best(kTileRows);
      std::vector<std::int32_t> where(kTileRows);
      kernels.argmax(scores.data(), problem.mask.data(), 32, problem.candidates, best.data(), where.data());
      weights.assign(static_cast<std::size_t>(problem.candidates * kDrawRows), 0.0);
      std::vector<Draw> draws(kDrawRows);
      kernels.softmax(scores.data() + from, problem.mask.data(), 32 + from, problem.candidates,
                      best.data() + from, 0.7, numbers.data(), weights.data(), draws.data());
      for (const Draw& draw : draws)
        weights.insert(weights.end(), {static_cast<double>(draw.candidate), draw.total});
      return draws;
    };
    for (const std::int64_t from : {std::int64_t{0}, kDrawRows}) {
      std::vector<double> plain;
      const std::vector<Draw> draws = run(kernels_plain(), from, plain);
      for (std::size_t r = 0; r < draws.size(); ++r) {
        CHECK((draws[r].candidate >= 0) == (draws[r].total > 0.0));
        if (draws[r].candidate >= 0)
          CHECK(plain[static_cast<std::size_t>(draws[r].candidate * kDrawRows) + r] > 0.0);
      }
      for (const Kernels* const table : tables()) {
        std::vector<double> fast;
        (void)run(*table, from, fast);
        CHECK(same_bits(fast, plain));
      }
    }
    std::vector<float> plain = scores;
    kernels_plain().sigmoid(plain.data(), static_cast<std::int64_t>(plain.size()));
    for (const Kernels* const table : tables()) {
      std::vector<float> fast = scores;
      table->sigmoid(fast.data(), static_cast<std::int64_t>(fast.size()));
      CHECK(same_bits(fast, plain));
    }
  }
}

TEST_CASE("the exponential is that of the standard library within two units in the last place") {
  const std::vector<std::uint64_t> mask = {1, 1};
  std::mt19937_64 random(3);
  std::uniform_real_distribution<float> gaps(-690.0F, 0.0F);
  for (int i = 0; i < 2000; ++i) {
    std::vector<float> scores(static_cast<std::size_t>(kGroup * kTileRows));
    scores[kTileRows] = i < 1000 ? gaps(random) : gaps(random) / 200.0F;
    std::vector<float> best(kDrawRows);
    const std::vector<double> numbers(kDrawRows);
    std::vector<double> weights(2 * kDrawRows);
    std::vector<Draw> draws(kDrawRows);
    kernels_plain().softmax(scores.data(), mask.data(), 0, 2, best.data(), 1.0, numbers.data(),
                            weights.data(), draws.data());
    const double expected = std::exp(static_cast<double>(scores[kTileRows]));
    CHECK(std::fabs(weights[kDrawRows] - expected) <=
          2.0 * std::numeric_limits<double>::epsilon() * expected);
  }
}
