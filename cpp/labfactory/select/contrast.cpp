#include "labfactory/select/contrast.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace labfactory::select {

float rounded_up(double x) {
  constexpr float kHighest = std::numeric_limits<float>::max();
  const auto near = x < static_cast<double>(kHighest) ? static_cast<float>(x) : kHighest;
  return static_cast<double>(near) < x ? std::nextafterf(near, std::numeric_limits<float>::infinity()) : near;
}

Contrast::Contrast(std::span<const float> weights, std::span<const float> bias, std::span<const float> prices)
    : weights_(weights), bias_(bias), prices_(prices), values_(bias.size()) {
  for (std::size_t c = 1; c < bias.size(); ++c) {
    is_biased_ = is_biased_ || bias[c] != bias[0] || (!prices.empty() && prices[c] != prices[0]);
  }
}

std::int64_t Contrast::features() const {
  return bias_.empty() ? 0 : static_cast<std::int64_t>(weights_.size() / bias_.size());
}

Contrasted Contrast::term(std::int64_t feature) {
  const std::int64_t count = features();
  double magnitude = 0.0;
  for (std::size_t c = 0; c < values_.size(); ++c) {
    const std::size_t at = c * static_cast<std::size_t>(count) + static_cast<std::size_t>(feature);
    const double weight = feature < count ? weights_[at] : bias_[c];
    const double price = feature < count || prices_.empty() ? 0.0 : prices_[c];
    values_[c] = weight - price;
    magnitude = std::max(magnitude, std::fabs(weight) + std::fabs(price));
  }
  const auto [low, high] = std::ranges::minmax(values_);
  return {.values = values_,
          .half_range = rounded_up(0.5 * high - 0.5 * low),
          .magnitude = rounded_up(magnitude),
          .middle = 0.5 * high + 0.5 * low};
}

}  // namespace labfactory::select
