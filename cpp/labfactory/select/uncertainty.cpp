#include "labfactory/select/uncertainty.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "labfactory/base/error.hpp"
#include "labfactory/select/stretch.hpp"

namespace labfactory::select {

namespace {

void expect(std::size_t expected, std::size_t found) {
  if (expected == found) return;
  throw Error(
      ErrorKind::selection, "model_shape",
      "expected " + std::to_string(expected) + " numbers of uncertainty, found " + std::to_string(found));
}

}  // namespace

Uncertainty::Factor::Factor(std::span<const float> numbers, std::int64_t features, std::int64_t together) {
  const std::int64_t groups = (features + together - 1) / together;
  packed.resize(static_cast<std::size_t>(groups * features * together));
  ranges.resize(static_cast<std::size_t>(groups));
  for (std::int64_t g = 0; g < groups; ++g) {
    FeatureRange& range = ranges[static_cast<std::size_t>(g)];
    for (std::int64_t f = 0; f < features; ++f) {
      bool is_used = false;
      for (std::int64_t row = g * together; row < std::min(features, (g + 1) * together); ++row) {
        const float number = numbers[static_cast<std::size_t>(row * features + f)];
        packed[static_cast<std::size_t>((g * features + f) * together + row % together)] = number;
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
    const std::span<const float> own = factors.subspan(at, size);
    made.factors_.emplace_back(own, features, kGroup);
    if (is_shared) continue;
    const Factor strips(own, features, kStripRows);
    made.strips_.insert(made.strips_.end(), strips.packed.begin(), strips.packed.end());
    made.strip_ranges_.insert(made.strip_ranges_.end(), strips.ranges.begin(), strips.ranges.end());
    made.stretches_.push_back(stretch_bound(own, features));
  }
  return made;
}

bool Uncertainty::lengths(const float* features, float strength, float* out) const {
  // Far below the largest float32, so that neither a draw nor a bound overflows.
  constexpr float kMost = 0x1p+90F;
  std::fill_n(out, kBlockRows, 0.0F);
  for (std::int64_t f = 0; f < features_; ++f) {
    for (std::int64_t r = 0; r < kBlockRows; ++r) {
      out[r] += features[f * kBlockRows + r] * features[f * kBlockRows + r];
    }
  }
  const float room = 1.0F + static_cast<float>(features_ + 8) * 0x1p-23F;
  float longest = 1.0F;
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    out[r] = std::sqrt(out[r]) * room + kLeastSpread;
    longest = std::max(longest, out[r]);
  }
  const float widest = std::max(*std::ranges::max_element(stretches_), 1.0F);
  return strength >= 0.0F && longest < kMost && longest * widest < kMost &&
         longest * widest * std::max(strength, 1.0F) < kMost;
}

void Uncertainty::deviations_of(const Kernels& kernels, const float* features,
                                std::span<const std::int32_t> rows, std::span<const std::int32_t> candidates,
                                float* out) const {
  const StripView view = {.features = features,
                          .strips = strips_.data(),
                          .ranges = strip_ranges_.data(),
                          .count = features_,
                          .strip_count = (features_ + kStripRows - 1) / kStripRows};
  kernels.spread_some(view, rows.data(), candidates.data(), static_cast<std::int64_t>(rows.size()), out);
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
    kernels.spread(features, factor.packed.data(), factor.ranges.data(), features_, factor.groups(), out);
    out += kBlockRows;
  }
  for (auto c = static_cast<std::int64_t>(factors_.size()); c < candidates_; ++c) {
    std::copy_n(out - kBlockRows, kBlockRows, out);
    out += kBlockRows;
  }
}

}  // namespace labfactory::select
