#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/builder.hpp"
#include "labfactory/base/dispatch.hpp"
#include "labfactory/base/hash.hpp"
#include "labfactory/select/normal.hpp"
#include "labfactory/select/sample.hpp"
#include "labfactory/select/slot.hpp"
#include "labfactory/select/stretch.hpp"
#include "select_tables.hpp"

using namespace labfactory;
using namespace labfactory::select;

namespace {

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

double draw_of(double uniform) {
  return normal_quantile(std::fmin(uniform + 0x1p-54, 1.0 - 0x1p-53));
}

std::vector<float> normals(std::size_t count, unsigned seed, float scale = 1.0F) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> made(count);
  for (float& number : made) number = scale * normal(random);
  return made;
}

struct Pairs {
  std::vector<std::int32_t> rows;
  std::vector<std::int32_t> candidates;
};

// Customers, candidates and factors: some of them alike, without variance, of a lower rank or triangular.
struct World {
  World(unsigned seed, std::int64_t features, std::int64_t candidates)
      : features(features), candidates(candidates), random(seed) {
    const auto size = static_cast<std::size_t>(features * features);
    weights = normals(static_cast<std::size_t>(candidates * features), seed, 0.3F);
    factors = normals(static_cast<std::size_t>(candidates) * size, seed + 1, 0.2F);
    for (std::int64_t c = 0; c < candidates; ++c) {
      float* const factor = factors.data() + static_cast<std::size_t>(c) * size;
      for (std::int64_t row = 0; row < features; ++row) {
        for (std::int64_t f = 0; f < features; ++f) {
          const bool is_left_out = c % 5 == 1 || (c % 5 == 2 && row > 0) || (c % 5 == 3 && f < row);
          if (is_left_out) factor[row * features + f] = 0.0F;
        }
      }
      if (c % 4 == 3) {  // the twin of the one before
        std::copy_n(factor - size, size, factor);
        std::copy_n(weights.data() + (c - 1) * features, features, weights.data() + c * features);
      }
    }
    // Each candidate's much alike, so that bounds are of use.
    for (std::int64_t i = 0; i < candidates * features; ++i) {
      const auto own = static_cast<float>(1 + i / features % 5);
      variances.push_back(0.02F * own * (1.0F + 0.1F * static_cast<float>(random() % 8)));
    }
    for (std::int64_t i = 0; i < kRows; ++i) keys.push_back(random());
    for (std::int64_t f = 0; f < features; ++f) {
      columns.push_back(normals(kRows, seed + 10 + static_cast<unsigned>(f)));
      columns.back()[7] = std::numeric_limits<float>::quiet_NaN();
      columns.back()[200] *= 1e17F;
      columns.back()[300] = f == 0 ? 3e38F : 2e38F;
      columns.back()[401] = 0.0F;
      columns.back()[402] *= 1e-42F;
    }
    for (std::int64_t i = 0; i < kRows; ++i) is_open.push_back(random() % 3 != 0 ? 1 : 0);
  }

  [[nodiscard]] Slot slot(Base base, float strength) const {
    std::vector<std::string> names;
    std::vector<std::int32_t> all;
    std::vector<std::vector<std::int32_t>> needed;
    for (std::int64_t c = 0; c < candidates; ++c) {
      names.push_back("c" + std::to_string(c));
      all.push_back(static_cast<std::int32_t>(c));
      needed.emplace_back(c % 3 == 0 ? 1 : 0, 0);
    }
    return Slot({.name = "hero",
                 .components = names,
                 .candidates = all,
                 .needed = needed,
                 .rules = std::nullopt,
                 .missing = std::vector<std::optional<float>>(static_cast<std::size_t>(features), 0.0F),
                 .weights = weights,
                 .bias = std::vector<float>(static_cast<std::size_t>(candidates), 0.1F),
                 .scale = Scale::sum,
                 .arbitration = {},
                 .uncertainty = uncertainty(),
                 .beliefs = {},
                 .exploration = {base, strength, 0.0, 0.0}});
  }

  [[nodiscard]] Uncertainty uncertainty() const {
    return is_apart ? Uncertainty::diagonal(variances, candidates, features)
                    : Uncertainty::full(factors, candidates, features);
  }

  [[nodiscard]] std::shared_ptr<const Batch> batch() const {
    std::vector<Field> fields = {{"keys", make_array(keys)}};
    for (std::int64_t f = 0; f < features; ++f) {
      fields.push_back({"f" + std::to_string(f), make_array(columns[static_cast<std::size_t>(f)])});
    }
    fields.push_back({"open", make_boolean_array(is_open)});
    const ArrayPointer array = make_struct_array(kRows, fields);
    ArrowSchema schema;
    ArrowArray exported;
    export_schema(*array, &schema);
    export_array(array, &exported);
    return import_batch(&schema, &exported);
  }

  // What the row gets when every score, deviation and draw is made, one after the other.
  [[nodiscard]] std::int32_t plain(std::size_t row, Base base, float strength,
                                   std::span<const float> prices) const {
    const Stream stream(3, "1", "hero", "belief");
    std::int32_t taken = -1;
    double highest = 0.0;
    for (std::int64_t c = 0; c < candidates; ++c) {
      if (c % 3 == 0 && is_open[row] == 0) continue;
      const double value = value_of(row, c, base, strength, prices, stream);
      if (taken >= 0 && !(value > highest)) continue;
      taken = static_cast<std::int32_t>(c);
      highest = value;
    }
    return taken;
  }

  static constexpr std::int64_t kRows = 451;

  std::int64_t features;
  std::int64_t candidates;
  std::mt19937_64 random;
  std::vector<float> weights;
  std::vector<float> factors;
  std::vector<float> variances;
  bool is_apart = false;  // whether coefficients are independent, with these variances
  std::vector<std::uint64_t> keys;
  std::vector<std::vector<float>> columns;
  std::vector<std::uint8_t> is_open;

 private:
  [[nodiscard]] float product(std::size_t row, const float* by, float from) const {
    constexpr float kHighest = std::numeric_limits<float>::max();
    for (const auto& column : columns) {
      from = std::fma(std::isfinite(column[row]) ? column[row] : 0.0F, *by++, from);
    }
    return std::clamp(from, -kHighest, kHighest);
  }

  [[nodiscard]] double value_of(std::size_t row, std::int64_t c, Base base, float strength,
                                std::span<const float> prices, const Stream& stream) const {
    const float mean = product(row, weights.data() + c * features, 0.1F);
    float variance = 0.0F;
    for (std::int64_t i = 0; i < features; ++i) {
      const float own = product(row, factors.data() + (c * features + i) * features, 0.0F);
      variance += own * own;
    }
    if (is_apart) {
      variance = 0.0F;
      for (std::int64_t f = 0; f < features; ++f) {
        const float given = columns[static_cast<std::size_t>(f)][row];
        const float x = std::isfinite(given) ? given : 0.0F;
        variance = std::fma(x * x, variances[static_cast<std::size_t>(c * features + f)], variance);
      }
      variance = std::fmin(variance, std::numeric_limits<float>::max());
    }
    const float deviation = std::sqrt(variance);
    const float price = prices.empty() ? 0.0F : prices[static_cast<std::size_t>(c)];
    if (base == Base::ucb) return static_cast<double>(mean + strength * deviation - price);
    const double z = draw_of(stream.uniform(keys[row], hash32("c" + std::to_string(c))));
    return (static_cast<double>(mean) - static_cast<double>(price)) +
           static_cast<double>(strength) * static_cast<double>(deviation) * z;
  }
};

}  // namespace

TEST_CASE("the bound of a quantile is above it, and near") {
  for (std::uint64_t i = 0; i < 400'000; ++i) {
    const auto upper = static_cast<std::uint32_t>(i < 200'000 ? i * 21'475 : ~(i - 200'000));
    const double most = static_cast<double>(upper) * 0x1p-32 + (0x1p-32 - 0x1p-53);
    const double quantile = draw_of(most);
    const auto bound = static_cast<double>(quantile_bound(upper));
    CHECK_MESSAGE(bound >= std::fmax(quantile, 0.0) * (1.0 + 1e-6), upper);
    if (i < 200'000 && upper != ~0U) CHECK_MESSAGE(bound <= 1.1 * std::fmax(quantile, 0.0) + 0.15, upper);
  }
}

TEST_CASE("the stretch of a factor is bounded, closely up to 64 features") {
  for (unsigned seed = 0; seed < 30; ++seed) {
    const std::int64_t count = 1 + seed % 70;
    const auto size = static_cast<std::size_t>(count * count);
    std::vector<float> factor = normals(size, seed);
    if (seed % 3 == 0) std::fill(factor.begin() + count, factor.end(), 0.0F);
    if (seed % 3 == 1) {
      for (std::size_t i = 0; i < size; ++i)
        factor[i] = i % static_cast<std::size_t>(count + 1) == 0 ? 2.0F : 0.0F;
    }
    const auto bound = static_cast<double>(stretch_bound(factor, count));
    double most = 0.0;
    std::vector<float> x = normals(static_cast<std::size_t>(count), seed + 1);
    for (int step = 0; step < 200; ++step) {  // towards the longest: x becomes factorᵀ · factor · x
      std::vector<double> y(static_cast<std::size_t>(count));
      std::vector<double> next(static_cast<std::size_t>(count));
      double length = 0.0;
      double stretched = 0.0;
      for (std::int64_t i = 0; i < count; ++i) {
        for (std::int64_t f = 0; f < count; ++f) {
          y[static_cast<std::size_t>(i)] +=
              static_cast<double>(factor[static_cast<std::size_t>(i * count + f)]) *
              static_cast<double>(x[static_cast<std::size_t>(f)]);
        }
        stretched += y[static_cast<std::size_t>(i)] * y[static_cast<std::size_t>(i)];
        length += static_cast<double>(x[static_cast<std::size_t>(i)]) *
                  static_cast<double>(x[static_cast<std::size_t>(i)]);
      }
      most = std::fmax(most, std::sqrt(stretched / length));
      double longest = 0.0;
      for (std::int64_t f = 0; f < count; ++f) {
        double& sum = next[static_cast<std::size_t>(f)];
        for (std::int64_t i = 0; i < count; ++i) {
          sum += static_cast<double>(factor[static_cast<std::size_t>(i * count + f)]) *
                 y[static_cast<std::size_t>(i)];
        }
        longest = std::fmax(longest, std::fabs(sum));
      }
      for (std::size_t f = 0; f < x.size(); ++f) x[f] = static_cast<float>(next[f] / longest);
    }
    CHECK(bound >= most);
    if (count <= 64) CHECK(bound <= 1.1 * most);
  }
  CHECK(stretch_bound(std::vector<float>(16), 4) < 1e-30F);
}

TEST_CASE("some deviations have the bits that they have in a block, at every level") {
  for (unsigned seed = 0; seed < 24; ++seed) {
    World world(seed / 2, 1 + seed / 2 * 3, 10);
    world.is_apart = seed % 2 == 1;
    const Uncertainty uncertainty = world.uncertainty();
    REQUIRE(uncertainty.has_own());
    std::vector<float> x = normals(static_cast<std::size_t>(world.features * kBlockRows), seed);
    x[3] = 3e38F;
    std::vector<float> scratch;
    std::vector<float> plain(static_cast<std::size_t>((world.candidates + kGroup) * kBlockRows));  // padded
    uncertainty.deviations(kernels_plain(), x.data(), kBlockRows, scratch, plain.data());
    // Neighbours of one candidate, and of different ones, some of whose factors are triangular.
    std::array<Pairs, 2> pairs;
    std::mt19937 random(seed);
    for (std::int64_t i = 0; i < world.candidates * kBlockRows; ++i) {
      pairs[0].rows.push_back(static_cast<std::int32_t>(i % kBlockRows));
      pairs[0].candidates.push_back(static_cast<std::int32_t>(i / kBlockRows));
      if (i > 300) continue;
      pairs[1].rows.push_back(static_cast<std::int32_t>(random() % kBlockRows));
      pairs[1].candidates.push_back(static_cast<std::int32_t>(random() % 10));
    }
    std::vector<const Kernels*> all = tables();
    all.push_back(&kernels_plain());
    for (const Kernels* const table : all) {
      for (const auto& [rows, candidates] : pairs) {
        std::vector<float> found(rows.size());
        uncertainty.deviations_of(*table, x.data(), rows, candidates, found.data());
        for (std::size_t i = 0; i < rows.size(); ++i) {
          const float expected = plain[static_cast<std::size_t>(candidates[i] * kBlockRows + rows[i])];
          CHECK(std::bit_cast<std::int32_t>(found[i]) == std::bit_cast<std::int32_t>(expected));
        }
      }
    }
    for (const Kernels* const table : all) {  // the first row alone
      std::vector<float> one(plain.size());
      uncertainty.deviations(*table, x.data(), 1, scratch, one.data());
      for (std::size_t c = 0; c < 10; ++c) CHECK(one[c * kBlockRows] == plain[c * kBlockRows]);
    }
    std::vector<float> norms(kBlockRows);
    CHECK_FALSE(uncertainty.lengths(x.data(), 1.0F, norms.data()));
    x[3] = 1.0F;
    CHECK(uncertainty.lengths(x.data(), 1.0F, norms.data()));
    CHECK_FALSE(uncertainty.lengths(x.data(), -1.0F, norms.data()));
    uncertainty.deviations(kernels_plain(), x.data(), kBlockRows, scratch, plain.data());
    for (std::size_t i = 0; i < static_cast<std::size_t>(world.candidates * kBlockRows); ++i) {
      const float stretch = uncertainty.stretches()[i / kBlockRows];
      CHECK(stretch * norms[i % kBlockRows] + kLeastSpread >= plain[i]);
    }
  }
}

TEST_CASE("what bounds draws has the same bits at every level, and no draw is above it") {
  for (unsigned seed = 0; seed < 10; ++seed) {
    const std::int64_t candidates = 1 + seed * 7;
    const auto size = static_cast<std::size_t>(candidates * kBlockRows);
    std::mt19937_64 random(seed);
    const std::vector<float> means = normals(size, seed, seed % 2 == 0 ? 1.0F : 1e6F);
    std::vector<float> deviations = normals(size, seed + 1);
    for (float& deviation : deviations) deviation = std::fabs(deviation);
    const std::vector<float> prices = normals(static_cast<std::size_t>(candidates), seed + 2);
    const std::vector<float> scales(static_cast<std::size_t>(candidates), 0.7F);
    const std::vector<float> norms(kBlockRows, 2.0F);
    std::vector<std::uint64_t> mask(static_cast<std::size_t>(candidates));
    for (auto& word : mask) word = random() & random();
    std::vector<std::uint64_t> customers(kBlockRows);
    for (auto& customer : customers) customer = random();
    std::vector<std::uint32_t> components(static_cast<std::size_t>(candidates));
    for (auto& component : components) component = static_cast<std::uint32_t>(random());
    const Stream stream(seed, "1", "hero", "belief");
    for (const bool is_late : {false, true}) {
      const Outlook view = {.means = means.data(),
                            .deviations = is_late ? nullptr : deviations.data(),
                            .scales = scales.data(),
                            .norms = norms.data(),
                            .prices = seed % 3 == 0 ? nullptr : prices.data(),
                            .mask = mask.data(),
                            .candidates = candidates,
                            .strength = 1.5F,
                            .customers = customers.data(),
                            .components = components.data(),
                            .purpose = stream.purpose(),
                            .key = stream.key().data()};
      std::vector<float> plain(size);
      Best best{};
      kernels_plain().outlook(view, plain.data(), &best);
      std::vector<float> floors(kBlockRows);
      for (std::size_t r = 0; r < floors.size(); ++r) floors[r] = best.rank[r] - 0.5F;
      std::vector<std::uint64_t> reaching(mask.size());
      kernels_plain().above(plain.data(), mask.data(), candidates, floors.data(), reaching.data());
      for (std::size_t i = 0; i < size; ++i) {
        const std::size_t c = i / kBlockRows;
        const double z = draw_of(stream.uniform(customers[i % kBlockRows], components[c]));
        const double less = view.prices == nullptr ? 0.0 : static_cast<double>(prices[c]);
        const auto deviation = static_cast<double>(is_late ? 1.4F : deviations[i]);
        CHECK(static_cast<double>(plain[i]) >= static_cast<double>(means[i]) - less + 1.4999 * deviation * z);
      }
      for (const Kernels* const table : tables()) {
        std::vector<float> bounds(size);
        Best found{};
        table->outlook(view, bounds.data(), &found);
        CHECK(same_bits(bounds, plain));
        CHECK(std::ranges::equal(found.candidate, best.candidate));
        std::vector<std::uint64_t> also(mask.size());
        table->above(bounds.data(), mask.data(), candidates, floors.data(), also.data());
        CHECK(also == reaching);
        Best high{};
        Best highest{};
        std::vector<float> ceilings(size);
        kernels_plain().ceilings(view, ceilings.data(), &high);
        table->ceilings(view, bounds.data(), &highest);
        CHECK(same_bits(bounds, ceilings));
        CHECK(std::ranges::equal(highest.candidate, high.candidate));
        table->ceilings(view, nullptr, &highest);
        CHECK(std::ranges::equal(highest.candidate, high.candidate));
      }
    }
  }
}

TEST_CASE("decisions with late deviations are those of every candidate's, at every level") {
  const std::vector<std::pair<float, bool>> kinds = {{0.0F, false},  {0.05F, false}, {1.0F, false},
                                                     {30.0F, false}, {0.05F, true},  {1.0F, true},
                                                     {30.0F, true}};
  for (const Base base : {Base::ucb, Base::thompson}) {
    for (const auto& [strength, is_apart] : kinds) {
      World world(static_cast<unsigned>(strength * 20.0F) + 5, 9, 40);
      world.is_apart = is_apart;
      const Slot slot = world.slot(base, strength);
      const std::shared_ptr<const Batch> batch = world.batch();
      const std::vector<float> prices = normals(40, 8, 0.1F);
      for (const bool is_priced : {false, true}) {
        DecisionInput input = slot.input_of(*batch);
        if (is_priced) input.prices = prices;
        input.has_estimates = false;
        std::vector<std::int32_t> plain;
        for (std::size_t row = 0; row < World::kRows; ++row) {
          plain.push_back(world.plain(row, base, strength, input.prices));
        }
        for (const Level level : {Level::baseline, Level::avx2, Level::avx512}) {
          limit_dispatch(level);
          const ArrayPointer decided = slot.decide(input, 3, "1", 2);
          ArrowSchema schema;
          ArrowArray exported;
          export_schema(*decided, &schema);
          export_array(decided, &exported);
          const std::shared_ptr<const Batch> told = import_batch(&schema, &exported);
          std::vector<std::int32_t> found;
          for (std::int64_t row = 0; row < World::kRows; ++row) {
            found.push_back(static_cast<std::int32_t>(told->column("index").integer(row)));
          }
          // Row 300's deviations are infinite; times 0 they are no number, and any candidate will do.
          if (strength == 0.0F) found[300] = plain[300];
          CHECK(found == plain);
        }
        input.has_estimates = true;
        const ArrayPointer full = slot.decide(input, 3, "1", 1);
        CHECK(full->length == World::kRows);
      }
    }
  }
}
