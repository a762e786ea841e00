#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "labfactory/select/price.hpp"
#include "labfactory/select/settle.hpp"

using namespace labfactory::select;

namespace {

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

std::vector<float> random_values(std::int64_t rows, std::int64_t options, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> worth(-0.2F, 1.0F);
  std::vector<float> values(static_cast<std::size_t>(rows * options));
  for (float& value : values) value = random() % 8 == 0 ? kNone : worth(random);
  return values;
}

}  // namespace

TEST_CASE("without smoothing everybody takes the best above its price, whatever the threads") {
  const std::vector<float> values = {1.0F, 3.0F, 3.0F, kNone, 0.5F, 0.25F, -1.0F, kNone, -2.0F};
  const std::vector<double> prices = {0.0, 0.5, 0.5};
  for (const int threads : {1, 2}) {
    const Demand made = demand({values, 3}, prices, 0.0, threads);
    CHECK(made.surplus == 2.5);
    CHECK(made.amounts == std::vector<double>{0.0, 1.0, 0.0});
  }
}

TEST_CASE("a smoothed surplus lies below the plain one by half the smoothing a row at most") {
  const std::vector<float> values = random_values(10000, 7, 3);
  const std::vector<double> prices(7, 0.3);
  const double plain = demand({values, 7}, prices, 0.0, 2).surplus;
  for (const double smoothing : {0.5, 0.1, 0.001}) {
    const Demand made = demand({values, 7}, prices, smoothing, 2);
    CHECK(made.surplus <= plain);
    CHECK(made.surplus >= plain - 10000 * smoothing / 2);
    CHECK(std::accumulate(made.amounts.begin(), made.amounts.end(), 0.0) <= 10000.0);
  }
}

TEST_CASE("settlement never exceeds a maximum and gives the places to those who lose most") {
  const std::int64_t rows = 5000;
  const std::vector<float> values = random_values(rows, 4, 5);
  const std::vector<double> prices = {0.2, 0.0, 0.1, 0.0};
  const Shortlist lists = shortlist({values, 4}, prices, 4, {}, 2);
  std::vector<std::uint64_t> keys(static_cast<std::size_t>(rows));
  std::iota(keys.begin(), keys.end(), 0);
  const std::vector<Limit> limits = {
      {{1, 0, 0, 0}, 300, false}, {{0, 2, 3, 0}, 1001, false}, {{0, 0, 0, 1}, 900, true}};
  SettleInput input;
  input.keys = keys;
  input.options = lists.options;
  input.values = lists.values;
  input.width = lists.width;
  input.prices = prices;
  input.limits = limits;
  const Settlement made = settle(input);
  std::vector<std::int64_t> used(3);
  for (std::size_t row = 0; row < made.entries.size(); ++row) {
    if (made.entries[row] < 0) continue;
    const std::int32_t option = lists.options[row * 4 + static_cast<std::size_t>(made.entries[row])];
    for (std::size_t limit = 0; limit < 3; ++limit)
      used[limit] += limits[limit].costs[static_cast<std::size_t>(option)];
  }
  CHECK(used == made.used);
  CHECK(used[0] <= 300);
  CHECK(used[1] <= 1001);
  CHECK(used[2] >= 900);
}
