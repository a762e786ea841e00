#include "labfactory/select/screen.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <ranges>

namespace labfactory::select {

namespace {

// Below these, whole scores cost no more.
constexpr std::int64_t kFewestCandidates = 16;
constexpr std::int64_t kFewestFeatures = 8;
// Above these, numbers of candidates leave 16 bits, and rounding a row's sums could leave its scale.
constexpr std::int64_t kMostCandidates = 32767;
constexpr std::int64_t kMostFeatures = 8000;

// The nearest float32 that is not below; infinity beyond the largest.
float rounded_up(double x) {
  constexpr float kHighest = std::numeric_limits<float>::max();
  const auto near = x < static_cast<double>(kHighest) ? static_cast<float>(x) : kHighest;
  return static_cast<double>(near) < x ? std::nextafterf(near, std::numeric_limits<float>::infinity()) : near;
}

// What candidates have for one feature: weights, or biases less prices.
struct Range {
  explicit Range(std::span<const double> values) {
    const auto [low, high] = std::ranges::minmax(values);
    half = rounded_up(0.5 * high - 0.5 * low);
    middle = 0.5 * high + 0.5 * low;
  }
  [[nodiscard]] std::int16_t steps(double value) const {
    const double share = (value - middle) / static_cast<double>(half);
    return static_cast<std::int16_t>(std::nearbyint(kScreenSteps * std::clamp(share, -1.0, 1.0)));
  }

  float half = 0.0F;  // half the range
  double middle = 0.0;
};

}  // namespace

Screen::Screen(std::span<const float> weights, std::span<const float> bias, std::span<const float> prices) {
  const auto candidates = static_cast<std::int64_t>(bias.size());
  if (candidates < kFewestCandidates || candidates > kMostCandidates) return;
  const auto count = static_cast<std::int64_t>(weights.size()) / candidates;
  if (count < kFewestFeatures || count > kMostFeatures) return;
  weights_.assign(weights.begin(), weights.end());
  for (const float b : bias) bias_.push_back(b + 0.0F);  // never -0, as in Model
  const bool is_biased = std::ranges::any_of(
      std::views::iota(std::size_t{1}, bias.size()),
      [&](std::size_t c) { return bias[c] != bias[0] || (!prices.empty() && prices[c] != prices[0]); });
  view_.terms = is_biased ? count + 1 : count;
  view_.pairs = (view_.terms + 1) / 2;
  steps_.resize(static_cast<std::size_t>((candidates + kGroup - 1) / kGroup * kGroup * view_.pairs * 2));
  std::vector<double> values(bias.size());
  std::vector<double> sums(bias.size());  // of each candidate's steps
  for (std::int64_t f = 0; f <= count; ++f) {
    double magnitude = 0.0;
    for (std::size_t c = 0; c < values.size(); ++c) {
      const std::size_t at = c * static_cast<std::size_t>(count) + static_cast<std::size_t>(f);
      const double weight = f < count ? weights[at] : bias[c];
      const double price = f < count || prices.empty() ? 0.0 : prices[c];
      values[c] = weight - price;
      magnitude = std::max(magnitude, std::fabs(weight) + std::fabs(price));
    }
    magnitudes_.push_back(rounded_up(magnitude));
    const Range range(values);
    half_ranges_.push_back(range.half);
    if (range.half == 0.0F) continue;
    for (std::int64_t c = 0; c < candidates; ++c) {
      const auto own = static_cast<std::size_t>(c);
      const std::int64_t at = ((c / kGroup * view_.pairs + f / 2) * kGroup + c % kGroup) * 2 + f % 2;
      const std::int16_t step = range.steps(values[own]);
      steps_[static_cast<std::size_t>(at)] = step;
      sums[own] += std::abs(static_cast<int>(step));
    }
  }
  bound(count, std::ranges::max(sums));
}

// Of two keys each may be wrong by:
//   half a step of every weight times the row's features, whose steps sum up to less than kScreenSteps;
//   half a step of every feature times the candidate's weights, whose steps sum up to `most` at most;
//   what its lower 16 bits were;
// and each of the scores by the roundings of `count` fused additions and a price (Higham 2002, ch. 3):
// relative to the sum of magnitudes, one unit of 2^-24 for each. 0.51 in place of a half, and 2.05 in place
// of 2, are for the roundings of float32 on the way to the row's steps.
void Screen::bound(std::int64_t count, double most) {
  constexpr double kKey = 0x1p-16;
  view_.target =
      static_cast<float>(32000 - count);  // with half a step more a feature still below kScreenSteps
  view_.slack = static_cast<float>(2.0 * 0.51 * (most + kScreenSteps) * kKey + 2.0);
  view_.rounding = static_cast<float>(2.05 * static_cast<double>(count + 2) * 0x1p-24 * kScreenSteps * kKey);
}

ScreenView Screen::view() const {
  ScreenView view = view_;
  view.weights = weights_.data();
  view.bias = bias_.data();
  view.half_ranges = half_ranges_.data();
  view.magnitudes = magnitudes_.data();
  view.steps = steps_.data();
  return view;
}

}  // namespace labfactory::select
