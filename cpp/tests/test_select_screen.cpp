#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "labfactory/select/kernels.hpp"
#include "labfactory/select/screen.hpp"
#include "select_tables.hpp"

using namespace labfactory;
using namespace labfactory::select;

namespace {

constexpr float kHighest = std::numeric_limits<float>::max();
constexpr float kSmallest = std::numeric_limits<float>::denorm_min();

// What a screen and the whole of the scores come to.
struct Outcome {
  Best best{};
  std::vector<std::int16_t> keys;
  bool is_found = false;
};

struct Contest {
  Contest(unsigned seed, std::int64_t features, std::int64_t candidates)
      : random(seed), count(features), candidates(candidates) {
    x.resize(static_cast<std::size_t>(count * kBlockRows));
    w.resize(static_cast<std::size_t>(candidates * count));
    b.resize(static_cast<std::size_t>(candidates));
    mask.resize(static_cast<std::size_t>(candidates));
    fill(x, [&] { return normal(random); });
    fill(w, [&] { return normal(random); });
    fill(b, [&] { return normal(random); });
    for (auto& word : mask) word = random() | random();
  }

  static void fill(std::vector<float>& numbers, const std::function<float()>& one) {
    for (float& number : numbers) number = one();
  }

  // A candidate's weights and bias are those of another.
  void copy(std::size_t to, std::size_t from) {
    const auto width = static_cast<std::size_t>(count);
    std::memcpy(&w[to * width], &w[from * width], width * sizeof(float));
    b[to] = b[from];
  }

  [[nodiscard]] Best whole() const {
    const std::int64_t groups = (candidates + kGroup - 1) / kGroup;
    std::vector<float> packed(static_cast<std::size_t>(groups * kGroup * count));
    std::vector<float> bias(static_cast<std::size_t>(groups * kGroup));
    std::vector<float> price(bias.size());
    for (std::size_t c = 0; c < b.size(); ++c) {
      bias[c] = b[c] + 0.0F;
      if (!prices.empty()) price[c] = prices[c];
      for (std::int64_t f = 0; f < count; ++f) {
        const auto group = static_cast<std::int64_t>(c) / kGroup;
        packed[static_cast<std::size_t>((group * count + f) * kGroup +
                                        static_cast<std::int64_t>(c) % kGroup)] =
            w[c * static_cast<std::size_t>(count) + static_cast<std::size_t>(f)];
      }
    }
    Best best{};
    kernels_plain().choose(x.data(), packed.data(), bias.data(), prices.empty() ? nullptr : price.data(),
                           count, candidates, mask.data(), nullptr, &best);
    return best;
  }

  [[nodiscard]] Outcome screened(const Kernels& kernels) const {
    const Screen screen(w, b, prices);
    REQUIRE(!screen.is_empty());
    const std::int64_t groups = (candidates + kGroup - 1) / kGroup;
    std::vector<std::uint32_t> rows(static_cast<std::size_t>(screen.view().pairs * kBlockRows));
    Outcome outcome;
    outcome.keys.resize(static_cast<std::size_t>(groups * kGroup * kBlockRows));
    outcome.is_found =
        kernels.screen(screen.view(), x.data(), prices.empty() ? nullptr : prices.data(), count, candidates,
                       mask.data(), {rows.data(), outcome.keys.data()}, &outcome.best);
    return outcome;
  }

  std::mt19937_64 random;
  std::normal_distribution<float> normal;
  std::int64_t count;
  std::int64_t candidates;
  std::vector<float> x;
  std::vector<float> w;
  std::vector<float> b;
  std::vector<float> prices;
  std::vector<std::uint64_t> mask;
};

bool is_same(const Best& a, const Best& b) {
  return std::memcmp(&a, &b, sizeof(Best)) == 0;
}

// Every level's keys are the plain ones, and what it finds is the best of all; whether it found any.
bool check(const Contest& contest) {
  const Best whole = contest.whole();
  const Outcome plain = contest.screened(kernels_plain());
  if (plain.is_found) CHECK(is_same(plain.best, whole));
  for (const Kernels* const table : tables()) {
    const Outcome fast = contest.screened(*table);
    CHECK(fast.keys == plain.keys);
    CHECK(fast.is_found == plain.is_found);
    if (fast.is_found) CHECK(is_same(fast.best, whole));
  }
  return plain.is_found;
}

}  // namespace

TEST_CASE("a screen finds the best of all scores, bit for bit, at every level") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    Contest contest(seed, 8 + seed % 29, 16 + seed * 7 % 100);
    if (seed % 3 == 0) {
      contest.prices.resize(contest.b.size());
      Contest::fill(contest.prices, [&] { return std::fabs(contest.normal(contest.random)); });
    }
    CHECK(check(contest));
  }
}

TEST_CASE("features and weights of any magnitude are screened rightly") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    Contest contest(seed, 8 + seed % 13, 16 + seed % 50);
    const int most = seed % 2 == 0 ? 12 : 120;
    std::uniform_int_distribution<int> exponent(-most, most);
    for (std::vector<float>* const numbers : {&contest.x, &contest.w, &contest.b}) {
      for (float& number : *numbers) number = std::ldexp(number, exponent(contest.random) / 2);
    }
    check(contest);
  }
}

TEST_CASE("biases that are all the same take no part in a screen") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    Contest contest(seed, 8 + seed % 2, 30);
    for (float& bias : contest.b) bias = 2.5F;
    CHECK(Screen(contest.w, contest.b, {}).view().terms == contest.count);
    CHECK(check(contest));
    contest.prices = std::vector<float>(30, 1.5F);
    CHECK(check(contest));
    contest.prices[3] = 0.0F;
    CHECK(Screen(contest.w, contest.b, contest.prices).view().terms == contest.count + 1);
    CHECK(check(contest));
  }
}

TEST_CASE("equals and near ties go to the candidate that the scores prefer") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    Contest contest(seed, 8 + seed % 5, 40);
    // Copies, some of them with one weight a bit higher or lower.
    for (std::size_t c = 36; c < 40; ++c) {
      contest.copy(c, c - 36);
      float& weight = contest.w[c * static_cast<std::size_t>(contest.count)];
      if (c > 36) weight = std::nextafterf(weight, c == 37 ? kHighest : -kHighest);
    }
    check(contest);
  }
}

TEST_CASE("a common part of all weights hides no difference") {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Contest contest(seed, 9, 24);
    const float common = std::ldexp(1.0F, static_cast<int>(seed % 24));
    for (float& weight : contest.w) weight += common;
    for (float& bias : contest.b) bias = seed % 2 == 0 ? common : bias - common;
    check(contest);
  }
}

TEST_CASE("where nothing tells candidates apart a screen finds the first, or leaves it to the scores") {
  Contest contest(1, 12, 30);
  for (const float x : {0.0F, 1.0F, kSmallest, kHighest, -kHighest}) {
    for (const float weight : {0.0F, -0.0F, 1.0F, kSmallest, kHighest}) {
      Contest::fill(contest.x, [&] { return x; });
      Contest::fill(contest.w, [&] { return weight; });
      Contest::fill(contest.b, [&] { return -0.0F; });
      check(contest);
      contest.w[5] = -weight;
      check(contest);
      contest.b[7] = kHighest;
      check(contest);
    }
  }
  for (std::uint64_t& word : contest.mask) word = ~std::uint64_t{0};
  Contest::fill(contest.x, [] { return 0.0F; });
  CHECK(!check(contest));
}

TEST_CASE("rows for which one candidate or none is eligible are screened") {
  Contest contest(3, 10, 20);
  for (std::uint64_t& word : contest.mask) word = 0;
  for (std::size_t r = 0; r < 40; ++r) contest.mask[contest.random() % 20] |= std::uint64_t{1} << r;
  CHECK(check(contest));
  CHECK(contest.screened(kernels_plain()).best.candidate[50] == -1);
}

TEST_CASE("one feature that outweighs all others leaves those that it cannot tell apart") {
  for (unsigned seed = 0; seed < 30; ++seed) {
    Contest contest(seed, 16, 64);
    for (std::size_t r = 0; r < kBlockRows; ++r) contest.x[3 * kBlockRows + r] = 1e6F;
    for (std::size_t c = 0; c < 64; ++c) contest.w[c * 16 + 3] = c % 8 == 0 ? 1.0F : 0.0F;
    check(contest);
  }
}

TEST_CASE("few candidates or features are not screened") {
  const std::vector<float> weights(15 * 8);
  const std::vector<float> bias(15);
  CHECK(Screen(weights, bias, {}).is_empty());
  CHECK(Screen(std::vector<float>(16 * 7), std::vector<float>(16), {}).is_empty());
  CHECK(!Screen(std::vector<float>(16 * 8), std::vector<float>(16), {}).is_empty());
}
