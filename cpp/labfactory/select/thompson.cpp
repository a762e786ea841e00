#include "labfactory/select/thompson.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "labfactory/select/normal.hpp"

namespace labfactory::select {

namespace {

// The quantile of half the smallest uniform number, 2^-54, is -8.29.
constexpr float kMostDeviations = 8.3F;

float price_of(const Beliefs& beliefs, std::int64_t candidate) {
  return beliefs.prices == nullptr ? 0.0F : beliefs.prices[candidate];
}

}  // namespace

void Thompson::contenders(const Beliefs& beliefs, std::uint64_t* reachable) const {
  const float reach = kMostDeviations * strength_;
  std::array<float, kBlockRows> lower;
  lower.fill(-std::numeric_limits<float>::infinity());
  for (std::int64_t c = 0; c < beliefs.candidates; ++c) {
    const float* const means = beliefs.means + c * kBlockRows;
    const float* const deviations = beliefs.deviations + c * kBlockRows;
    const float price = price_of(beliefs, c);
    for (std::size_t r = 0; r < lower.size(); ++r) {
      const float bound = means[r] - price - reach * deviations[r];
      const bool is_raised = ((beliefs.mask[c] >> r) & 1) != 0 && bound > lower[r];
      lower[r] = is_raised ? bound : lower[r];
    }
  }
  for (std::int64_t c = 0; c < beliefs.candidates; ++c) {
    const float* const means = beliefs.means + c * kBlockRows;
    const float* const deviations = beliefs.deviations + c * kBlockRows;
    const float price = price_of(beliefs, c);
    std::uint64_t word = 0;
    for (std::size_t r = 0; r < lower.size(); ++r) {
      const bool is_near = means[r] - price + reach * deviations[r] >= lower[r];
      word |= static_cast<std::uint64_t>(is_near) << r;
    }
    reachable[c] = word & beliefs.mask[c];
  }
}

std::int32_t Thompson::draw(const Beliefs& beliefs, const std::uint64_t* reachable, std::int64_t row,
                            std::uint64_t customer) const {
  std::int32_t best = -1;
  double highest = 0.0;
  for (std::int64_t c = 0; c < beliefs.candidates; ++c) {
    if (((reachable[c] >> row) & 1) == 0) continue;
    const std::int64_t at = c * kBlockRows + row;
    const double uniform = stream_->uniform(customer, components_[static_cast<std::size_t>(c)]) + 0x1p-54;
    const double deviation = static_cast<double>(strength_) * static_cast<double>(beliefs.deviations[at]);
    const double mean = static_cast<double>(beliefs.means[at]) - static_cast<double>(price_of(beliefs, c));
    const double drawn = mean + deviation * normal_quantile(uniform);
    if (best >= 0 && !(drawn > highest)) continue;
    best = static_cast<std::int32_t>(c);
    highest = drawn;
  }
  return best;
}

double Thompson::probability(const Kernels& kernels, const Beliefs& beliefs, const std::uint64_t* reachable,
                             std::int64_t row, std::int32_t candidate) const {
  if (((reachable[candidate] >> row) & 1) == 0) return 0.0;
  const auto& nodes = hermite_nodes();
  const std::int64_t own = candidate * kBlockRows + row;
  const float spread = strength_ * beliefs.deviations[own];
  std::array<float, kNodes> at;
  std::array<float, kNodes> product;
  for (std::size_t m = 0; m < at.size(); ++m) {
    at[m] = beliefs.means[own] - price_of(beliefs, candidate) + spread * static_cast<float>(nodes[m].at);
  }
  product.fill(1.0F);
  constexpr float kLeastDeviation = std::numeric_limits<float>::min();
  for (std::int64_t c = 0; c < beliefs.candidates; ++c) {
    if (c == candidate || ((reachable[c] >> row) & 1) == 0) continue;
    const std::int64_t other = c * kBlockRows + row;
    const float deviation = std::max(strength_ * beliefs.deviations[other], kLeastDeviation);
    kernels.race(at.data(), beliefs.means[other] - price_of(beliefs, c), 1.0F / deviation, product.data());
  }
  double total = 0.0;
  for (std::size_t m = 0; m < product.size(); ++m) {
    total += nodes[m].weight * static_cast<double>(product[m]);
  }
  return total;
}

}  // namespace labfactory::select
