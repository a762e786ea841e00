#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "labfactory/select/kernels.hpp"
#include "select_tables.hpp"

using namespace labfactory;
using namespace labfactory::select;

namespace {

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
    x.resize(static_cast<std::size_t>(std::max<std::int64_t>(count, 1) * kBlockRows));
    w.resize(static_cast<std::size_t>(groups * kGroup * count));
    b.resize(static_cast<std::size_t>(groups * kGroup));
    for (float& v : x) v = number();
    for (float& v : w) v = number();
    for (float& v : b) v = number();
    mask.resize(static_cast<std::size_t>(candidates));
    for (auto& word : mask) word = random() & random();
  }

  [[nodiscard]] std::vector<float> scores(const Kernels& kernels) const {
    std::vector<float> out(static_cast<std::size_t>(groups * kGroup * kBlockRows));
    kernels.score(x.data(), w.data(), b.data(), count, groups, kBlockRows, out.data());
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

void append(std::vector<std::int32_t>& found, const Best& best) {
  found.insert(found.end(), std::begin(best.candidate), std::end(best.candidate));
  for (const float s : best.rank) found.push_back(std::bit_cast<std::int32_t>(s));
  for (const float s : best.score) found.push_back(std::bit_cast<std::int32_t>(s));
}

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

TEST_CASE("deviations have the same bits at every level, and without the features that weigh nothing") {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Problem problem(seed, seed % 17, 1 + seed % 23);
    const std::int64_t count = problem.count;
    std::vector<FeatureRange> all(static_cast<std::size_t>(problem.groups), {0, count});
    std::vector<FeatureRange> some = all;
    for (std::size_t g = 0; g < some.size(); ++g) {
      if (count > 0)
        some[g].first = static_cast<std::int64_t>(problem.random() % static_cast<unsigned>(count));
      if (seed % 3 == 0) some[g].last = some[g].first;
      for (std::int64_t f = 0; f < count; ++f) {
        if (f >= some[g].first && f < some[g].last) continue;
        std::fill_n(problem.w.data() + (static_cast<std::int64_t>(g) * count + f) * kGroup, kGroup,
                    f % 2 == 0 ? 0.0F : -0.0F);
      }
    }
    const auto run = [&](const Kernels& kernels, const std::vector<FeatureRange>& ranges) {
      std::vector<float> deviations(kBlockRows);
      kernels.spread(problem.x.data(), problem.w.data(), ranges.data(), count, problem.groups,
                     deviations.data());
      return deviations;
    };
    const std::vector<float> plain = run(kernels_plain(), all);
    CHECK(same_bits(run(kernels_plain(), some), plain));
    for (const Kernels* const table : tables()) {
      CHECK(same_bits(run(*table, some), plain));
      CHECK(same_bits(run(*table, all), plain));
    }
  }
}

TEST_CASE("the highest eligible score wins at every level, the lowest candidate among equals") {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Problem problem(seed, 0, 1 + seed % 37);
    // Few values, so that there are ties.
    std::vector<float> scores(static_cast<std::size_t>(problem.groups * kGroup * kBlockRows));
    for (float& s : scores) s = static_cast<float>(problem.random() % 3);
    std::vector<float> prices(static_cast<std::size_t>(problem.candidates));
    for (float& price : prices) price = static_cast<float>(problem.random() % 2);
    for (const float* const price : {static_cast<const float*>(nullptr), std::as_const(prices).data()}) {
      const auto run = [&](const Kernels& kernels) {
        Best best{};
        std::vector<std::int32_t> found(kBlockRows);
        kernels.argmax(scores.data(), price, problem.mask.data(), problem.candidates, &best);
        kernels.count(problem.mask.data(), problem.candidates, found.data());
        append(found, best);
        return found;
      };
      const std::vector<std::int32_t> plain = run(kernels_plain());
      for (const Kernels* const table : tables()) CHECK(run(*table) == plain);
    }
  }
}

TEST_CASE("choosing in registers is scoring and then taking the best, at every level") {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Problem problem(seed, seed % 9, 1 + seed % 23);
    std::vector<float> prices(static_cast<std::size_t>(problem.groups * kGroup));
    for (float& price : prices) price = static_cast<float>(problem.random() % 100);
    for (const float* const price : {static_cast<const float*>(nullptr), std::as_const(prices).data()}) {
      const auto run = [&](const Kernels& kernels) {
        Best best{};
        kernels.choose(problem.x.data(), problem.w.data(), problem.b.data(), price, problem.count,
                       problem.candidates, kBlockRows, problem.mask.data(), nullptr, &best);
        std::vector<std::int32_t> found;
        append(found, best);
        std::vector<float> scores(problem.b.size() * kBlockRows);
        kernels.choose(problem.x.data(), problem.w.data(), problem.b.data(), price, problem.count,
                       problem.candidates, kBlockRows, problem.mask.data(), scores.data(), &best);
        append(found, best);
        CHECK(same_bits(scores, problem.scores(kernels)));
        return found;
      };
      const std::vector<std::int32_t> plain = run(kernels_plain());
      for (const Kernels* const table : tables()) CHECK(run(*table) == plain);
    }
  }
}

TEST_CASE("features are copied, and what is not finite is noticed, at every level") {
  std::vector<float> values(kBlockRows, 1.0F);
  std::vector<float> copied(kBlockRows);
  for (const Kernels* const table : tables()) {
    CHECK(table->read(values.data(), copied.data()));
    CHECK(same_bits(copied, values));
    for (const float wrong :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
      for (std::size_t row = 0; row < values.size(); ++row) {
        values[row] = wrong;
        CHECK(!table->read(values.data(), copied.data()));
        values[row] = 1.0F;
      }
    }
  }
}

TEST_CASE("sigmoids have the same bits at every level") {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Problem problem(seed, 3, 1 + seed % 37);
    std::normal_distribution<float> normal(0.0F, seed % 2 == 0 ? 2.0F : 400.0F);
    std::vector<float> scores(static_cast<std::size_t>(problem.groups * kGroup * kBlockRows));
    for (float& s : scores) s = normal(problem.random);
    std::vector<float> odds = scores;
    kernels_plain().sigmoid(odds.data(), static_cast<std::int64_t>(odds.size()));
    for (const Kernels* const table : tables()) {
      std::vector<float> fast = scores;
      table->sigmoid(fast.data(), static_cast<std::int64_t>(fast.size()));
      CHECK(same_bits(fast, odds));
    }
  }
}

TEST_CASE("who reaches a floor is the same at every level") {
  for (unsigned seed = 0; seed < 30; ++seed) {
    Problem problem(seed, 3, 1 + seed % 19);
    const std::vector<float> means = problem.scores(kernels_plain());
    std::vector<float> deviations(means.size());
    std::vector<float> floor(kBlockRows);
    for (float& x : deviations) x = std::fabs(static_cast<float>(problem.random() % 1000)) * 0.01F;
    for (std::size_t r = 0; r < floor.size(); ++r) floor[r] = means[r] + static_cast<float>(r % 7);
    for (const float* const price : {static_cast<const float*>(nullptr), std::as_const(problem.b).data()}) {
      const auto run = [&](const Kernels& kernels) {
        std::vector<std::uint64_t> reaching(problem.mask.size());
        kernels.reach(means.data(), deviations.data(), price, problem.mask.data(), problem.candidates, 2.5F,
                      floor.data(), reaching.data());
        return reaching;
      };
      for (const Kernels* const table : tables()) CHECK(run(*table) == run(kernels_plain()));
    }
  }
}

TEST_CASE("uniform and normal numbers have the same bits at every level") {
  std::mt19937_64 random(11);
  constexpr std::int64_t kCount = 4096;
  std::vector<std::uint64_t> customers(kCount);
  std::vector<std::uint64_t> components(kCount);
  for (std::uint64_t& customer : customers) customer = random();
  for (std::uint64_t& component : components) component = random() & 0xFFFFFFFFU;
  const std::uint32_t key[2] = {7, 0xFFFFFFFFU};
  for (const std::uint64_t* const given :
       {static_cast<const std::uint64_t*>(nullptr), std::as_const(components).data()}) {
    const auto run = [&](const Kernels& kernels) {
      std::vector<double> numbers(kCount);
      kernels.uniforms(customers.data(), given, 0x89ABCDEFU, key, kCount, numbers.data());
      return numbers;
    };
    const std::vector<double> plain = run(kernels_plain());
    for (const Kernels* const table : tables()) CHECK(same_bits(run(*table), plain));
  }
  std::vector<double> uniform(kCount);
  for (double& p : uniform) p = static_cast<double>(random() >> 11) * 0x1p-53;
  for (int i = 0; i < 64; ++i) uniform[static_cast<std::size_t>(i)] = std::ldexp(1.0, -i);
  uniform[0] = 0.0;
  uniform[1] = 1.0 - 0x1p-53;
  std::vector<double> plain = uniform;
  kernels_plain().normals(plain.data(), kCount);
  for (const Kernels* const table : tables()) {
    std::vector<double> normal = uniform;
    table->normals(normal.data(), kCount);
    CHECK(same_bits(normal, plain));
  }
}

TEST_CASE("a race of normal scores has the same bits at every level, and is the distribution function") {
  std::mt19937_64 random(5);
  std::normal_distribution<float> normal(0.0F, 3.0F);
  for (int i = 0; i < 200; ++i) {
    std::vector<float> at(kNodeSlots);
    for (float& x : at) x = normal(random);
    const float mean = normal(random);
    const float inverse = std::fabs(normal(random));
    std::vector<float> plain(kNodeSlots, 1.0F);
    kernels_plain().race(at.data(), &mean, &inverse, 1, 0, plain.data());
    for (std::size_t m = 0; m < kNodes; ++m) {
      const double z =
          (static_cast<double>(at[m]) - static_cast<double>(mean)) * static_cast<double>(inverse);
      CHECK(std::fabs(static_cast<double>(plain[m]) - 0.5 * std::erfc(-z / std::sqrt(2.0))) < 3e-6);
    }
    for (const Kernels* const table : tables()) {
      std::vector<float> fast(kNodeSlots, 1.0F);
      table->race(at.data(), &mean, &inverse, 1, 0, fast.data());
      CHECK(std::equal(fast.begin(), fast.begin() + kNodes, plain.begin()));
      const std::vector<float> means = {mean, mean + 1.0F, -mean};
      const std::vector<float> inverses = {inverse, 0.3F, 2.0F};
      for (std::int64_t first = 0; first < kNodes; first += 5) {
        std::vector<float> together(kNodeSlots, 1.0F);
        std::vector<float> apart(kNodeSlots, 1.0F);
        table->race(at.data(), means.data(), inverses.data(), 3, first, together.data());
        for (std::size_t rival = 0; rival < 3; ++rival) {
          kernels_plain().race(at.data(), &means[rival], &inverses[rival], 1, first, apart.data());
        }
        CHECK(std::equal(together.begin() + first, together.begin() + kNodes, apart.begin() + first));
      }
    }
  }
}
