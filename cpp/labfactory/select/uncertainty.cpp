#include "labfactory/select/uncertainty.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
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
  // Bounds are of use where a candidate's variances are much alike: only then do few deviations remain, and
  // one by itself takes as long as fifteen of a block's.
  constexpr double kMostUneven = 2.0;
  double sum = 0.0;
  double largest = 0.0;
  const auto count = static_cast<std::size_t>(features);
  for (std::size_t at = 0; count > 0 && at < variances.size(); at += count) {
    const std::span<const float> own = variances.subspan(at, count);
    const float most = *std::ranges::max_element(own);
    for (const float variance : own) sum += static_cast<double>(variance);
    largest += static_cast<double>(most) * static_cast<double>(features);
    const auto rounding = static_cast<float>(features + 8) * 0x1p-23F;
    made.stretches_.push_back(std::sqrt(most) * (1.0F + rounding + 1e-5F));
  }
  if (!(largest <= kMostUneven * sum)) made.stretches_.clear();
  made.strips_.assign(variances.begin(), variances.end());
  const std::vector<float> bias(static_cast<std::size_t>(candidates));
  made.variances_.emplace(variances, bias,
                          std::vector<std::optional<float>>(static_cast<std::size_t>(features)), Scale::sum);
  made.list_all();
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
  made.list_all();
  return made;
}

void Uncertainty::list_all() {
  all_.resize(stretches_.size());
  std::iota(all_.begin(), all_.end(), 0);
  first_.resize(stretches_.size());
}

bool Uncertainty::lengths(const float* features, float strength, float* out) const {
  // So far below the largest float32 that no square, draw or bound overflows.
  constexpr float kMost = 0x1p+60F;
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
  const auto find = variances_ ? kernels.vary_some : kernels.spread_some;
  find(view, rows.data(), candidates.data(), static_cast<std::int64_t>(rows.size()), out);
}

void Uncertainty::deviations_of_one(const Kernels& kernels, const float* features,
                                    std::vector<float>& scratch, float* out) const {
  const auto count = static_cast<std::size_t>(candidates_);
  scratch.resize(count);
  deviations_of(kernels, features, first_, all_, scratch.data());
  for (std::size_t c = 0; c < count; ++c) out[c * kBlockRows] = scratch[c];
}

void Uncertainty::deviations(const Kernels& kernels, const float* features, std::int64_t rows,
                             std::vector<float>& scratch, float* out) const {
  if (rows == 1 && has_own()) return deviations_of_one(kernels, features, scratch, out);
  if (variances_) {
    const auto count = static_cast<std::size_t>(features_ * kBlockRows);
    scratch.resize(count);
    for (std::size_t i = 0; i < count; ++i) scratch[i] = features[i] * features[i];
    variances_->score(kernels, scratch.data(), rows, out);
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
