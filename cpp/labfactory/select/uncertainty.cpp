#include "labfactory/select/uncertainty.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "labfactory/base/error.hpp"

namespace labfactory::select {

namespace {

void expect(std::size_t expected, std::size_t found) {
  if (expected == found) return;
  throw Error(
      ErrorKind::selection, "model_shape",
      "expected " + std::to_string(expected) + " numbers of uncertainty, found " + std::to_string(found));
}

}  // namespace

Uncertainty::Factor::Factor(std::span<const float> numbers, std::int64_t features) {
  const std::int64_t groups = (features + kGroup - 1) / kGroup;
  packed.resize(static_cast<std::size_t>(groups * features * kGroup));
  ranges.resize(static_cast<std::size_t>(groups));
  for (std::int64_t g = 0; g < groups; ++g) {
    FeatureRange& range = ranges[static_cast<std::size_t>(g)];
    for (std::int64_t f = 0; f < features; ++f) {
      bool is_used = false;
      for (std::int64_t row = g * kGroup; row < std::min(features, (g + 1) * kGroup); ++row) {
        const float number = numbers[static_cast<std::size_t>(row * features + f)];
        packed[static_cast<std::size_t>((g * features + f) * kGroup + row % kGroup)] = number;
        is_used = is_used || number != 0.0F;
      }
      if (!is_used) continue;
      if (range.last == 0) range.first = f;
      range.last = f + 1;
    }
  }
}

Uncertainty Uncertainty::diagonal(std::span<const float> variances, std::int64_t candidates,
                                  std::int64_t features) {
  expect(static_cast<std::size_t>(candidates * features), variances.size());
  for (const float variance : variances) {
    if (variance >= 0.0F) continue;
    throw Error(ErrorKind::selection, "model_value",
                "expected variances of 0 or more, found " + std::to_string(variance));
  }
  Uncertainty made;
  made.candidates_ = candidates;
  made.features_ = features;
  const std::vector<float> bias(static_cast<std::size_t>(candidates));
  made.variances_.emplace(variances, bias,
                          std::vector<std::optional<float>>(static_cast<std::size_t>(features)), Scale::sum);
  return made;
}

Uncertainty Uncertainty::full(std::span<const float> factors, std::int64_t candidates,
                              std::int64_t features) {
  const auto size = static_cast<std::size_t>(features * features);
  const bool is_shared = factors.size() == size;
  if (!is_shared) expect(static_cast<std::size_t>(candidates) * size, factors.size());
  for (const float number : factors) {
    if (std::isfinite(number)) continue;
    throw Error(ErrorKind::selection, "model_value",
                "expected finite factors of a covariance, found " + std::to_string(number));
  }
  Uncertainty made;
  made.candidates_ = candidates;
  made.features_ = features;
  for (std::size_t at = 0; at < factors.size(); at += size) {
    made.factors_.emplace_back(factors.subspan(at, size), features);
  }
  return made;
}

void Uncertainty::deviations(const Kernels& kernels, const float* features, std::vector<float>& scratch,
                             float* out) const {
  if (variances_) {
    const auto count = static_cast<std::size_t>(features_ * kBlockRows);
    scratch.resize(count);
    for (std::size_t i = 0; i < count; ++i) scratch[i] = features[i] * features[i];
    variances_->score(kernels, scratch.data(), out);
    for (std::int64_t i = 0; i < candidates_ * kBlockRows; ++i) out[i] = std::sqrt(out[i]);
    return;
  }
  for (const Factor& factor : factors_) {
    kernels.spread(features, factor.packed.data(), factor.ranges.data(), features_,
                   static_cast<std::int64_t>(factor.ranges.size()), out);
    out += kBlockRows;
  }
  for (auto c = static_cast<std::int64_t>(factors_.size()); c < candidates_; ++c) {
    std::copy_n(out - kBlockRows, kBlockRows, out);
    out += kBlockRows;
  }
}

}  // namespace labfactory::select
