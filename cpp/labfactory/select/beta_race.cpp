#include "labfactory/select/beta_race.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "labfactory/base/error.hpp"
#include "labfactory/select/normal.hpp"

namespace labfactory::select {

namespace {

constexpr int kHalfCells = 128;      // on either side of a candidate's mean
constexpr double kDeviations = 8.0;  // how far the cells reach

// The density up to a constant, relative to its mode; 0 outside of [0, 1].
double density(const BetaBelief& belief, double x) {
  if (!(x > 0.0) || !(x < 1.0)) return 0.0;
  const double up = belief.successes - 1.0;
  const double down = belief.failures - 1.0;
  const double mode = up + down > 0.0 ? up / (up + down) : 0.5;
  const auto log_density = [&](double at) {
    return (up > 0.0 ? up * logarithm(at) : 0.0) + (down > 0.0 ? down * logarithm(1.0 - at) : 0.0);
  };
  const double highest = mode > 0.0 && mode < 1.0 ? log_density(mode) : 0.0;
  return exponential(std::min(log_density(x) - highest, 0.0));
}

void add_edges(const BetaBelief& belief, double price, std::vector<double>& edges) {
  const double total = belief.successes + belief.failures;
  const double mean = belief.successes / total;
  const double deviation = std::sqrt(mean * (1.0 - mean) / (total + 1.0));
  for (int k = -kHalfCells; k <= kHalfCells; ++k) {
    edges.push_back(std::clamp(mean + kDeviations * deviation * k / kHalfCells, 0.0, 1.0) - price);
  }
  edges.push_back(-price);
  edges.push_back(1.0 - price);
}

}  // namespace

BetaRace::BetaRace(std::span<const BetaBelief> beliefs, std::span<const float> prices)
    : candidates_(beliefs.size()) {
  std::vector<double> edges;
  for (std::size_t c = 0; c < candidates_; ++c) {
    const BetaBelief& belief = beliefs[c];
    if (!(belief.successes >= 1.0 && belief.failures >= 1.0) ||
        !std::isfinite(belief.successes + belief.failures)) {
      throw Error(ErrorKind::selection, "model_value",
                  "expected finite Beta beliefs of 1 or more, found " + std::to_string(belief.successes) +
                      " and " + std::to_string(belief.failures));
    }
    add_edges(belief, prices.empty() ? 0.0 : static_cast<double>(prices[c]), edges);
  }
  if (edges.empty()) return;
  std::ranges::sort(edges);
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  cells_ = edges.size() - 1;
  below_.resize(candidates_ * cells_);
  inside_.resize(candidates_ * cells_);
  for (std::size_t c = 0; c < candidates_; ++c) {
    const double price = prices.empty() ? 0.0 : static_cast<double>(prices[c]);
    double* const inside = inside_.data() + c * cells_;
    double total = 0.0;
    for (std::size_t m = 0; m < cells_; ++m) {
      // Simpson's rule within a cell.
      const double left = edges[m] + price;
      const double right = edges[m + 1] + price;
      const double middle = density(beliefs[c], 0.5 * (left + right));
      inside[m] = (right - left) * (density(beliefs[c], left) + 4.0 * middle + density(beliefs[c], right));
      total += inside[m];
    }
    double sum = 0.0;
    for (std::size_t m = 0; m < cells_; ++m) {
      inside[m] /= total;
      below_[c * cells_ + m] = sum + 0.5 * inside[m];
      sum += inside[m];
    }
  }
}

std::vector<double> BetaRace::probabilities(std::span<const std::uint8_t> is_eligible) const {
  std::vector<double> product(cells_, 1.0);
  for (std::size_t c = 0; c < candidates_; ++c) {
    if (is_eligible[c] == 0) continue;
    for (std::size_t m = 0; m < cells_; ++m) product[m] *= below_[c * cells_ + m];
  }
  std::vector<double> found(candidates_);
  double total = 0.0;
  for (std::size_t c = 0; c < candidates_; ++c) {
    if (is_eligible[c] == 0) continue;
    for (std::size_t m = 0; m < cells_; ++m) {
      const double below = below_[c * cells_ + m];
      if (below > 0.0) found[c] += inside_[c * cells_ + m] * (product[m] / below);
    }
    total += found[c];
  }
  for (double& probability : found) probability /= total;
  return found;
}

}  // namespace labfactory::select
