// Candidates with weights, features of a block and a mask, chosen from by a screen, a sieve and by all
// scores. Owner: the choosing. Threads: each its own.
#pragma once

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

namespace labfactory::select::choosing_tests {

inline constexpr float kHighest = std::numeric_limits<float>::max();
inline constexpr float kSmallest = std::numeric_limits<float>::denorm_min();

// What a screen or a sieve comes to.
struct Outcome {
  Best best{};
  std::vector<std::int16_t> keys;
  bool is_found = false;
};

struct Choosing {
  Choosing(unsigned seed, std::int64_t features, std::int64_t candidates)
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

  // Prices of the candidates, none below 0.
  void set_prices() {
    prices.resize(b.size());
    fill(prices, [&] { return std::fabs(normal(random)); });
  }

  // Every feature, weight and bias by some power of 2.
  void scale_all(int most) {
    std::uniform_int_distribution<int> exponent(-most, most);
    for (std::vector<float>* const numbers : {&x, &w, &b}) {
      for (float& number : *numbers) number = std::ldexp(number, exponent(random) / 2);
    }
  }

  // One candidate is eligible for each of the first 40 rows, none for the others.
  void leave_one() {
    for (std::uint64_t& word : mask) word = 0;
    for (std::size_t r = 0; r < 40; ++r) mask[random() % mask.size()] |= std::uint64_t{1} << r;
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
                           count, candidates, kBlockRows, mask.data(), nullptr, &best);
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

  // Of kernels that have a sieve.
  [[nodiscard]] Outcome sieved(const Kernels& kernels) const {
    const Screen screen(w, b, prices);
    REQUIRE(!screen.is_empty());
    const std::int64_t groups = (candidates + kGroup - 1) / kGroup;
    std::vector<std::uint32_t> rows(static_cast<std::size_t>(screen.sieve().quads * kBlockRows));
    Outcome outcome;
    outcome.keys.resize(static_cast<std::size_t>(groups * kGroup * kBlockRows));
    outcome.is_found =
        kernels.sieve(screen.sieve(), x.data(), prices.empty() ? nullptr : prices.data(), count, candidates,
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

// Checks candidates that little or nothing tells apart.
inline void check_alike(Choosing& choosing, const std::function<bool(const Choosing&)>& check) {
  for (const float x : {0.0F, 1.0F, kSmallest, kHighest, -kHighest}) {
    for (const float weight : {0.0F, -0.0F, 1.0F, kSmallest, kHighest}) {
      Choosing::fill(choosing.x, [&] { return x; });
      Choosing::fill(choosing.w, [&] { return weight; });
      Choosing::fill(choosing.b, [] { return -0.0F; });
      check(choosing);
      choosing.w[5] = -weight;
      check(choosing);
      choosing.b[7] = kHighest;
      check(choosing);
    }
  }
  for (std::uint64_t& word : choosing.mask) word = ~std::uint64_t{0};
  Choosing::fill(choosing.x, [] { return 0.0F; });
  CHECK(!check(choosing));
}

inline bool is_same(const Best& a, const Best& b) {
  return std::memcmp(&a, &b, sizeof(Best)) == 0;
}

}  // namespace labfactory::select::choosing_tests
