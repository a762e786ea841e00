#include "labfactory/select/draw.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "labfactory/select/exponential.hpp"

namespace labfactory::select {

namespace {

constexpr float kMost = std::numeric_limits<float>::max();
constexpr float kNoRank = -std::numeric_limits<float>::infinity();
// Below 1: what a number is multiplied by to be less.
constexpr double kBelow = 1.0 - 0x1p-52;

bool is_eligible(const std::uint64_t* mask, std::int64_t candidates, std::int64_t c, std::int64_t r) {
  return c < candidates && ((mask[c] >> r) & 1) != 0;
}

// 2^(gap · steepness).
float power(float gap, float steepness) {
  const float shifted = std::fma(gap, steepness, kRoundSingle);
  if (!(shifted >= kLeastShifted)) return 0.0F;
  const float f = std::fma(gap, steepness, kRoundSingle - shifted);
  float p = kPowers[5];
  for (int k = 4; k >= 0; --k) p = std::fma(p, f, kPowers[k]);
  return std::ldexp(p, static_cast<int>(shifted - kRoundSingle));
}

float sum_of(const float (&some)[kGroup]) {
  return ((some[0] + some[1]) + (some[2] + some[3])) + (some[4] + some[5]);
}

// The float64 sum of a group's weights up to candidate `last` of it.
double sum_to(const Lots& lots, std::int64_t g, std::int64_t last, std::int64_t r) {
  double sum = 0.0;
  for (std::int64_t c = g * kGroup; c <= g * kGroup + last; ++c) {
    sum += static_cast<double>(lots.weights[c * kBlockRows + r]);
  }
  return sum;
}

// Brings the groups of a row to one level, and adds them up.
double total_up(const Lots& lots, float highest, std::int64_t r) {
  double total = 0.0;
  for (std::int64_t g = 0; g < lots.count; ++g) {
    const std::int64_t at = g * kBlockRows + r;
    lots.before[at] = total;
    if (lots.highest != nullptr) lots.groups[at] *= power(lots.highest[at] - highest, lots.steepness);
    total += static_cast<double>(lots.groups[at]);
  }
  return total;
}

// The candidate that a target among the groups falls to.
std::int32_t find(const Lots& lots, double target, std::int64_t r) {
  std::int64_t g = lots.count - 1;
  while (g > 0 && !(lots.before[g * kBlockRows + r] <= target)) --g;
  const auto weight = static_cast<double>(lots.groups[g * kBlockRows + r]);
  const double sum = sum_to(lots, g, kGroup - 1, r);
  const double goal = std::min((target - lots.before[g * kBlockRows + r]) * sum, (sum * weight) * kBelow);
  std::int64_t nth = 0;
  while (nth < kGroup && sum_to(lots, g, nth, r) * weight <= goal) ++nth;
  return nth < kGroup ? static_cast<std::int32_t>(g * kGroup + nth) : -1;
}

}  // namespace

void softmax_plain(const float* scores, const float* prices, const std::uint64_t* mask,
                   std::int64_t candidates, const Lots& lots) {
  for (std::int64_t g = 0; g < lots.count; ++g) {
    for (std::int64_t r = 0; r < kBlockRows; ++r) {
      float rank[kGroup];
      float weight[kGroup];
      for (std::int64_t i = 0; i < kGroup; ++i) {
        const std::int64_t c = g * kGroup + i;
        rank[i] = kNoRank;
        if (!is_eligible(mask, candidates, c, r)) continue;
        rank[i] = scores[c * kBlockRows + r] - (prices == nullptr ? 0.0F : prices[c]);
      }
      const float highest = std::ranges::max(rank);
      for (std::int64_t i = 0; i < kGroup; ++i) {
        weight[i] = power(rank[i] - highest, lots.steepness);
        lots.weights[(g * kGroup + i) * kBlockRows + r] = weight[i];
      }
      lots.highest[g * kBlockRows + r] = highest;
      lots.groups[g * kBlockRows + r] = sum_of(weight);
    }
  }
}

void squarecb_plain(const float* scores, const float* prices, const std::uint64_t* mask,
                    std::int64_t candidates, const Best& best, const std::int32_t* counts, float gamma,
                    const Lots& lots) {
  for (std::int64_t g = 0; g < lots.count; ++g) {
    for (std::int64_t r = 0; r < kBlockRows; ++r) {
      float weight[kGroup] = {};
      for (std::int64_t i = 0; i < kGroup; ++i) {
        const std::int64_t c = g * kGroup + i;
        if (is_eligible(mask, candidates, c, r) && c != best.candidate[r]) {
          const float rank = scores[c * kBlockRows + r] - (prices == nullptr ? 0.0F : prices[c]);
          const float gap = std::min(best.rank[r] - rank, kMost);
          weight[i] = 1.0F / std::fma(gap, gamma, static_cast<float>(counts[r]));
        }
        lots.weights[c * kBlockRows + r] = weight[i];
      }
      lots.groups[g * kBlockRows + r] = sum_of(weight);
    }
  }
}

void draw_plain(const Lots& lots, const Best& best, const double* uniforms, Draws* draws) {
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    const double others = total_up(lots, best.rank[r], r);
    draws->head[r] = std::max(lots.whole - others, 0.0);
    draws->total[r] = others + draws->head[r];
    const double target = std::min(uniforms[r] * draws->total[r] - draws->head[r], others * kBelow);
    const std::int32_t found = target < 0.0 ? -1 : find(lots, target, r);
    draws->candidate[r] = found < 0 ? best.candidate[r] : found;
    draws->chance[r] = draws->candidate[r] < 0 ? 0.0 : chance_of(lots, best, *draws, draws->candidate[r], r);
  }
}

double chance_of(const Lots& lots, const Best& best, const Draws& draws, std::int32_t candidate,
                 std::int64_t r) {
  if (draws.head[r] > 0.0 && candidate == best.candidate[r]) return draws.head[r] / draws.total[r];
  const std::int64_t g = candidate / kGroup;
  const auto group = static_cast<double>(lots.groups[g * kBlockRows + r]);
  const auto own = static_cast<double>(lots.weights[candidate * kBlockRows + r]);
  if (own == 0.0) return 0.0;  // nobody in its group may have a weight
  return (group * own) / (draws.total[r] * sum_to(lots, g, kGroup - 1, r));
}

}  // namespace labfactory::select
