#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "labfactory/select/draw.hpp"
#include "labfactory/select/kernels.hpp"
#include "select_tables.hpp"

using namespace labfactory;
using namespace labfactory::select;

namespace {

constexpr auto kRows = static_cast<std::size_t>(kBlockRows);

// Scores, masks and prices of a block, and the numbers that it draws by.
struct Urn {
  Urn(unsigned seed, std::int64_t count, float spread)
      : candidates(count), groups((count + kGroup - 1) / kGroup), random(seed) {
    std::normal_distribution<float> normal(0.0F, spread);
    const auto padded = static_cast<std::size_t>(groups * kGroup);
    scores.resize(padded * kRows);
    prices.resize(padded);
    for (float& s : scores) s = normal(random);
    for (float& price : prices) price = std::fabs(normal(random));
    for (std::int64_t c = 0; c < count; ++c) mask.push_back(random() | random());
    mask[0] &= ~std::uint64_t{0xFF};
    if (seed % 4 == 0) std::ranges::fill(mask, std::uint64_t{1} << (seed % 64));
    std::uniform_real_distribution<double> uniform;
    for (double& u : numbers) u = uniform(random);
    numbers[0] = numbers[9] = 0.0;
    numbers[1] = numbers[10] = 0x1.fffffffffffffp-1;
  }

  std::int64_t candidates;
  std::int64_t groups;
  std::mt19937_64 random;
  std::vector<float> scores;
  std::vector<float> prices;
  std::vector<std::uint64_t> mask;
  double numbers[kRows] = {};
};

// What one table makes of an urn.
struct Drawn {
  explicit Drawn(const Urn& urn)
      : weights(urn.scores.size()),
        groups(weights.size() / kGroup),
        highest(groups.size()),
        before(groups.size()) {}

  [[nodiscard]] Lots softmax_lots(float steepness) {
    return {.weights = weights.data(),
            .groups = groups.data(),
            .highest = highest.data(),
            .before = before.data(),
            .count = static_cast<std::int64_t>(groups.size() / kRows),
            .steepness = steepness};
  }
  [[nodiscard]] Lots squarecb_lots() {
    Lots own = softmax_lots(0.0F);
    own.highest = nullptr;
    own.whole = 1.0;
    return own;
  }

  [[nodiscard]] bool operator==(const Drawn& other) const {
    const auto same = [](const auto& a, const auto& b) {
      return std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0;
    };
    bool is_same = same(weights, other.weights) && same(groups, other.groups) && same(before, other.before);
    for (std::size_t r = 0; r < kRows; ++r) {
      is_same = is_same && draws.candidate[r] == other.draws.candidate[r];
      is_same = is_same && draws.total[r] == other.draws.total[r] && draws.head[r] == other.draws.head[r];
      if (draws.candidate[r] < 0) continue;
      is_same = is_same && std::bit_cast<std::uint64_t>(draws.chance[r]) ==
                               std::bit_cast<std::uint64_t>(other.draws.chance[r]);
    }
    return is_same;
  }

  std::vector<float> weights;
  std::vector<float> groups;
  std::vector<float> highest;
  std::vector<double> before;
  Best best{};
  Draws draws{};
};

Drawn softmax_of(const Kernels& kernels, const Urn& urn, const float* prices, float steepness) {
  Drawn drawn(urn);
  const Lots lots = drawn.softmax_lots(steepness);
  kernels.argmax(urn.scores.data(), prices, urn.mask.data(), urn.candidates, &drawn.best);
  kernels.softmax(urn.scores.data(), prices, urn.mask.data(), urn.candidates, lots);
  kernels.draw(lots, drawn.best, urn.numbers, &drawn.draws);
  return drawn;
}

Drawn squarecb_of(const Kernels& kernels, const Urn& urn, const float* prices, float gamma) {
  Drawn drawn(urn);
  const Lots lots = drawn.squarecb_lots();
  std::vector<std::int32_t> counts(kRows);
  kernels.argmax(urn.scores.data(), prices, urn.mask.data(), urn.candidates, &drawn.best);
  kernels.count(urn.mask.data(), urn.candidates, counts.data());
  kernels.squarecb(urn.scores.data(), prices, urn.mask.data(), urn.candidates, drawn.best, counts.data(),
                   gamma, lots);
  kernels.draw(lots, drawn.best, urn.numbers, &drawn.draws);
  return drawn;
}

bool is_eligible(const Urn& urn, std::int64_t c, std::size_t r) {
  return ((urn.mask[static_cast<std::size_t>(c)] >> r) & 1) != 0;
}

// Each row's chances, of those who may be drawn, are positive and make 1; what was drawn has its own.
void check_chances(const Urn& urn, const Drawn& drawn, const Lots& lots) {
  for (std::size_t r = 0; r < kRows; ++r) {
    double sum = 0.0;
    const auto row = static_cast<std::int64_t>(r);
    const std::int32_t taken = drawn.draws.candidate[r];
    CHECK((taken >= 0) == (drawn.best.candidate[r] >= 0));
    if (taken < 0) continue;
    CHECK(is_eligible(urn, taken, r));
    for (std::int32_t c = 0; c < urn.candidates; ++c) {
      if (is_eligible(urn, c, r)) sum += chance_of(lots, drawn.best, drawn.draws, c, row);
    }
    CHECK(std::fabs(sum - 1.0) < 1e-12);
    CHECK(drawn.draws.chance[r] == chance_of(lots, drawn.best, drawn.draws, taken, row));
    CHECK(drawn.draws.chance[r] > 0.0);
  }
}

}  // namespace

TEST_CASE("softmax draws have the same bits at every level, and chances that make 1") {
  for (unsigned seed = 0; seed < 48; ++seed) {
    const Urn urn(seed, 1 + seed % 37, seed % 2 == 0 ? 2.0F : 400.0F);
    const float* const prices = seed % 3 == 0 ? nullptr : urn.prices.data();
    const float steepness = seed % 5 == 0 ? std::numeric_limits<float>::max() : 0.7F;
    Drawn plain = softmax_of(kernels_plain(), urn, prices, steepness);
    check_chances(urn, plain, plain.softmax_lots(steepness));
    for (const Kernels* const table : tables()) CHECK(softmax_of(*table, urn, prices, steepness) == plain);
  }
}

TEST_CASE("softmax's chances are those of the exponential function") {
  for (unsigned seed = 0; seed < 24; ++seed) {
    const Urn urn(seed, 1 + seed % 37, 3.0F);
    Drawn drawn = softmax_of(kernels_plain(), urn, nullptr, 0.7F);
    const Lots lots = drawn.softmax_lots(0.7F);
    for (std::size_t r = 0; r < kRows; ++r) {
      double total = 0.0;
      const auto weight = [&](std::int64_t c) {
        const float score = urn.scores[static_cast<std::size_t>(c) * kRows + r];
        const double gap = static_cast<double>(score) - static_cast<double>(drawn.best.rank[r]);
        return is_eligible(urn, c, r) ? std::exp2(gap * static_cast<double>(0.7F)) : 0.0;
      };
      for (std::int64_t c = 0; c < urn.candidates; ++c) total += weight(c);
      for (std::int32_t c = 0; c < urn.candidates; ++c) {
        if (!is_eligible(urn, c, r)) continue;
        const double expected = weight(c) / total;
        const double found = chance_of(lots, drawn.best, drawn.draws, c, static_cast<std::int64_t>(r));
        CHECK(std::fabs(found - expected) <= 3e-6 * expected);
      }
    }
  }
}

TEST_CASE("weights from the registers are those of the scores, at every level") {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Urn urn(seed, 1 + seed % 37, 2.0F);
    const std::int64_t count = seed % 9;
    std::normal_distribution<float> normal;
    std::vector<float> features(static_cast<std::size_t>(std::max<std::int64_t>(count, 1)) * kRows);
    std::vector<float> weights(static_cast<std::size_t>(urn.groups * kGroup * count));
    std::vector<float> bias(static_cast<std::size_t>(urn.groups * kGroup));
    for (std::vector<float>* const some : {&features, &weights, &bias}) {
      for (float& x : *some) x = normal(urn.random);
    }
    const float* const prices = seed % 3 == 0 ? nullptr : urn.prices.data();
    const auto run = [&](const Kernels& kernels) {
      Drawn drawn(urn);
      std::vector<float> scores(urn.scores.size());
      const Lots lots = drawn.softmax_lots(0.7F);
      kernels.weigh(features.data(), weights.data(), bias.data(), prices, count, urn.candidates,
                    urn.mask.data(), scores.data(), lots, &drawn.best);
      kernels.draw(lots, drawn.best, urn.numbers, &drawn.draws);
      return std::pair{drawn, scores};
    };
    const auto [plain, scores] = run(kernels_plain());
    urn.scores = scores;
    CHECK(softmax_of(kernels_plain(), urn, prices, 0.7F) == plain);
    for (const Kernels* const table : tables()) {
      const auto [fast, own] = run(*table);
      CHECK(fast == plain);
      CHECK(std::memcmp(own.data(), scores.data(), own.size() * sizeof(float)) == 0);
      CHECK(std::memcmp(&fast.best, &plain.best, sizeof(Best)) == 0);
    }
  }
}

TEST_CASE("inverse gap weights have the same bits at every level, and are what the formula says") {
  for (unsigned seed = 0; seed < 48; ++seed) {
    const Urn urn(seed, 1 + seed % 37, seed % 2 == 0 ? 2.0F : 400.0F);
    const float* const prices = seed % 3 == 0 ? nullptr : urn.prices.data();
    const float gamma = seed % 5 == 0 ? std::numeric_limits<float>::max() : 9.0F;
    Drawn plain = squarecb_of(kernels_plain(), urn, prices, gamma);
    const Lots lots = plain.squarecb_lots();
    for (const Kernels* const table : tables()) CHECK(squarecb_of(*table, urn, prices, gamma) == plain);
    if (prices != nullptr || seed % 5 == 0) continue;
    check_chances(urn, plain, lots);
    for (std::size_t r = 0; r < kRows; ++r) {
      double eligible = 0.0;
      for (std::int64_t c = 0; c < urn.candidates; ++c) eligible += is_eligible(urn, c, r) ? 1.0 : 0.0;
      for (std::int32_t c = 0; c < urn.candidates; ++c) {
        if (!is_eligible(urn, c, r) || c == plain.best.candidate[r]) continue;
        const double score = static_cast<double>(urn.scores[static_cast<std::size_t>(c) * kRows + r]);
        const double gap = static_cast<double>(plain.best.rank[r]) - score;
        const double expected = 1.0 / (eligible + static_cast<double>(gamma) * gap);
        const double found = chance_of(lots, plain.best, plain.draws, c, static_cast<std::int64_t>(r));
        CHECK(std::fabs(found - expected) <= 1e-6 * expected);
      }
    }
  }
}

TEST_CASE("weights are the powers of two of the standard library within two units in the last place") {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<float> gaps(-124.0F, 0.0F);
  for (int i = 0; i < 40; ++i) {
    Urn urn(3, 2, 1.0F);
    std::ranges::fill(urn.mask, ~std::uint64_t{0});
    std::fill_n(urn.scores.begin(), kRows, 0.0F);
    for (std::size_t r = 0; r < kRows; ++r) {
      urn.scores[kRows + r] = i < 20 ? gaps(random) : gaps(random) / 200.0F;
    }
    const Drawn drawn = softmax_of(kernels_plain(), urn, nullptr, 1.0F);
    for (std::size_t r = 0; r < kRows; ++r) {
      const float expected = std::exp2(urn.scores[kRows + r]);
      CHECK(std::fabs(drawn.weights[kRows + r] - expected) <=
            2.0F * std::numeric_limits<float>::epsilon() * expected);
    }
  }
}
