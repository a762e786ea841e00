// Prices of options under limits: what customers would take at given prices, and the few options worth
// keeping. Owner: results own their numbers; values and prices are the caller's. Threads: pure functions;
// what they give does not depend on how many threads share the rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace labfactory::select {

// A matrix [rows][options] of what each option is worth to each customer, on a scale where no option is worth
// 0. Not a number: the customer may not have it.
struct Values {
  std::span<const float> numbers;
  std::int64_t options = 0;

  [[nodiscard]] std::int64_t rows() const {
    return options == 0 ? 0 : static_cast<std::int64_t>(numbers.size()) / options;
  }
  [[nodiscard]] const float* row(std::int64_t i) const { return numbers.data() + i * options; }
};

// What all customers take when each takes what is worth most to it after prices.
struct Demand {
  double surplus = 0.0;         // what that is worth to them after prices
  std::vector<double> amounts;  // of each option how many take it
};

// With `smoothing` 0 a customer takes the one option with the highest value - price above 0, the first of
// equals. Else it takes shares x >= 0 that sum to at most 1 and maximise x·(value - price) - smoothing/2
// |x|², so that the surplus is a smooth function of the prices: the ridge of Basu et al. 2020, "ECLIPSE", and
// DuaLip.
[[nodiscard]] Demand demand(const Values& values, std::span<const double> prices, double smoothing,
                            int threads);

// The options of each row that are worth keeping, `width` for each.
struct Shortlist {
  std::vector<std::int32_t> options;  // -1 where there are fewer
  std::vector<float> values;
  std::int64_t width = 0;
};

// The `best` options with the highest value - price, in that order, the first of equals; then of each group
// its best option, where it is not among them.
[[nodiscard]] Shortlist shortlist(const Values& values, std::span<const double> prices, std::int64_t best,
                                  std::span<const std::vector<std::int32_t>> groups, int threads);

}  // namespace labfactory::select
