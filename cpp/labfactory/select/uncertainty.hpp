// How uncertain a linear model's scores are: the standard deviation of every score, from the features alone.
// Owner: numbers inside. Threads: immutable.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "labfactory/select/aligned.hpp"
#include "labfactory/select/kernels.hpp"
#include "labfactory/select/model.hpp"

namespace labfactory::select {

// Independent coefficients: the variance of a score is Σ variance[c][f] · feature[f]², a second product.
// Dependent ones: ‖factor · features‖² for a factor with factorᵀ·factor = covariance; one for all candidates,
// or one for each.
class Uncertainty {
 public:
  Uncertainty() = default;
  // `variances`: [candidates][features].
  static Uncertainty diagonal(std::span<const float> variances, std::int64_t candidates,
                              std::int64_t features);
  // `factors`: [1 or candidates][features][features].
  static Uncertainty full(std::span<const float> factors, std::int64_t candidates, std::int64_t features);

  [[nodiscard]] bool is_empty() const { return !variances_ && factors_.empty(); }

  // Whether each candidate has a factor or variances of its own, so that some deviations can be found without
  // the others, and which those are from bounds.
  [[nodiscard]] bool has_own() const { return !stretches_.empty(); }
  // Of each candidate at least what its deviation is, as a multiple of the features' length.
  [[nodiscard]] std::span<const float> stretches() const { return stretches_; }
  // At least the lengths of a block's features; whether deviations, times `strength`, and all that is made of
  // them are finite.
  [[nodiscard]] bool lengths(const float* features, float strength, float* out) const;
  // Some of deviations(), the same bits.
  void deviations_of(const Kernels& kernels, const float* features, std::span<const std::int32_t> rows,
                     std::span<const std::int32_t> candidates, float* out) const;

  // Standard deviations [candidates, padded to groups][kBlockRows], from the features of a block; of one row
  // where it is alone.
  void deviations(const Kernels& kernels, const float* features, std::int64_t rows,
                  std::vector<float>& scratch, float* out) const;

 private:
  void list_all();
  void deviations_of_one(const Kernels& kernels, const float* features, std::vector<float>& scratch,
                         float* out) const;

  // A factor packed for kernels, so many rows together; of a triangular one half is left out.
  struct Factor {
    Factor(std::span<const float> numbers, std::int64_t features, std::int64_t together);

    [[nodiscard]] std::int64_t groups() const { return static_cast<std::int64_t>(ranges.size()); }

    std::vector<float> packed;
    std::vector<FeatureRange> ranges;
  };

  std::int64_t candidates_ = 0;
  std::int64_t features_ = 0;
  std::optional<Model> variances_;
  std::vector<Factor> factors_;
  Aligned<float> strips_;  // the same once more, as StripView has them
  std::vector<FeatureRange> strip_ranges_;
  std::vector<std::int32_t> all_;    // the candidates,
  std::vector<std::int32_t> first_;  // and the first row for each
  std::vector<float> stretches_;
};

}  // namespace labfactory::select
