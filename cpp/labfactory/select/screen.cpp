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

}  // namespace

Screen::Screen(std::span<const float> weights, std::span<const float> bias, std::span<const float> prices) {
  const auto candidates = static_cast<std::int64_t>(bias.size());
  if (candidates < kFewestCandidates || candidates > kMostCandidates) return;
  const auto count = static_cast<std::int64_t>(weights.size()) / candidates;
  if (count < kFewestFeatures || count > kMostFeatures) return;
  weights_.assign(weights.begin(), weights.end());
  for (const float b : bias) bias_.push_back(b + 0.0F);  // never -0, as in Model
  Contrast contrast(weights, bias, prices);
  view_.terms = contrast.terms();
  view_.pairs = (view_.terms + 1) / 2;
  steps_.resize(static_cast<std::size_t>((candidates + kGroup - 1) / kGroup * kGroup * view_.pairs * 2));
  std::vector<double> sums(bias.size());  // of each candidate's steps
  for (std::int64_t f = 0; f <= count; ++f) {
    const Contrasted term = contrast.term(f);
    magnitudes_.push_back(term.magnitude);
    half_ranges_.push_back(term.half_range);
    if (term.half_range == 0.0F) continue;
    for (std::int64_t c = 0; c < candidates; ++c) {
      const auto own = static_cast<std::size_t>(c);
      const std::int64_t at = ((c / kGroup * view_.pairs + f / 2) * kGroup + c % kGroup) * 2 + f % 2;
      const auto step =
          static_cast<std::int16_t>(std::nearbyint(kScreenSteps * std::clamp(term.share(own), -1.0, 1.0)));
      steps_[static_cast<std::size_t>(at)] = step;
      sums[own] += std::abs(static_cast<int>(step));
    }
  }
  bound(count, std::ranges::max(sums));
  sieve_ = Sieve(contrast);
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

SieveView Screen::sieve() const {
  SieveView view = sieve_.view();
  view.weights = weights_.data();
  view.bias = bias_.data();
  return view;
}

}  // namespace labfactory::select
