#include "labfactory/select/uncertainty.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "labfactory/base/error.hpp"

namespace labfactory::select {

namespace {

Model product_of(std::span<const float> weights, std::int64_t rows, std::int64_t features) {
  const std::vector<float> bias(static_cast<std::size_t>(rows));
  return {weights, bias, std::vector<std::optional<float>>(static_cast<std::size_t>(features)), Scale::sum};
}

void expect(std::size_t expected, std::size_t found) {
  if (expected == found) return;
  throw Error(
      ErrorKind::selection, "model_shape",
      "expected " + std::to_string(expected) + " numbers of uncertainty, found " + std::to_string(found));
}

}  // namespace

Uncertainty Uncertainty::diagonal(std::span<const float> variances, std::int64_t candidates,
                                  std::int64_t features) {
  expect(static_cast<std::size_t>(candidates * features), variances.size());
  for (const float variance : variances) {
    if (variance >= 0.0F) continue;
    throw Error(ErrorKind::selection, "model_value",
                "expected variances of 0 or more, found " + std::to_string(variance));
  }
  Uncertainty made;
  made.is_diagonal_ = true;
  made.candidates_ = candidates;
  made.features_ = features;
  made.products_.push_back(product_of(variances, candidates, features));
  return made;
}

Uncertainty Uncertainty::full(std::span<const float> factors, std::int64_t candidates,
                              std::int64_t features) {
  const auto size = static_cast<std::size_t>(features * features);
  const bool is_shared = factors.size() == size;
  if (!is_shared) expect(static_cast<std::size_t>(candidates) * size, factors.size());
  Uncertainty made;
  made.candidates_ = candidates;
  made.features_ = features;
  for (std::size_t at = 0; at < factors.size(); at += size) {
    made.products_.push_back(product_of(factors.subspan(at, size), features, features));
  }
  return made;
}

void Uncertainty::deviations(const Kernels& kernels, const float* features, std::vector<float>& scratch,
                             float* out) const {
  const auto count = static_cast<std::size_t>(features_ * kBlockRows);
  const auto size = static_cast<std::size_t>(products_[0].groups() * kGroup * kBlockRows);
  scratch.resize(count + size);
  float* const products = scratch.data() + count;
  if (is_diagonal_) {
    for (std::size_t i = 0; i < count; ++i) scratch[i] = features[i] * features[i];
    products_[0].score(kernels, scratch.data(), products);
    for (std::int64_t i = 0; i < candidates_ * kBlockRows; ++i) out[i] = std::sqrt(products[i]);
    return;
  }
  for (std::size_t c = 0; c < products_.size(); ++c) {
    products_[c].score(kernels, features, products);
    float* const deviation = out + static_cast<std::int64_t>(c) * kBlockRows;
    std::fill_n(deviation, kBlockRows, 0.0F);
    for (std::int64_t i = 0; i < features_ * kBlockRows; ++i) {
      deviation[i % kBlockRows] += products[i] * products[i];
    }
    for (std::int64_t r = 0; r < kBlockRows; ++r) deviation[r] = std::sqrt(deviation[r]);
  }
  for (std::int64_t c = static_cast<std::int64_t>(products_.size()); c < candidates_; ++c) {
    std::copy_n(out, kBlockRows, out + c * kBlockRows);
  }
}

}  // namespace labfactory::select
