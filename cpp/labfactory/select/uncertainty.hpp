// How uncertain a linear model's scores are: the standard deviation of every score, from the features alone.
// Owner: numbers inside. Threads: immutable.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

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

  // Standard deviations [candidates][kBlockRows], from the features of a block.
  void deviations(const Kernels& kernels, const float* features, std::vector<float>& scratch,
                  float* out) const;

 private:
  // A factor packed for spread(): of a triangular one half is left out.
  struct Factor {
    Factor(std::span<const float> numbers, std::int64_t features);

    std::vector<float> packed;
    std::vector<FeatureRange> ranges;
  };

  std::int64_t candidates_ = 0;
  std::int64_t features_ = 0;
  std::optional<Model> variances_;
  std::vector<Factor> factors_;
};

}  // namespace labfactory::select
