#include <cmath>
#include <limits>

#include "labfactory/select/exponential.hpp"
#include "labfactory/select/kernels.hpp"

// The kernels as anybody would write them, one value at a time: what the fast ones are compared with, bit by
// bit.
namespace labfactory::select {

namespace {

bool is_eligible(const std::uint64_t* mask, std::int64_t candidate, std::int64_t row) {
  return ((mask[candidate] >> row) & 1) != 0;
}

float bounded(float s) {
  constexpr float kHighest = std::numeric_limits<float>::max();
  if (std::isnan(s)) return -kHighest;
  return std::fmin(std::fmax(s, -kHighest), kHighest);
}

double exponential(double x) {
  if (!(x >= kLowest)) return 0.0;
  const double n = (x * kLog2E + kRound) - kRound;
  const double r = (x - n * kLn2High) - n * kLn2Low;
  const double r2 = r * r;
  const double r4 = r2 * r2;
  const double* const a = kTaylor;
  const double low = (a[0] + a[1] * r) + (a[2] + a[3] * r) * r2;
  const double middle = (a[4] + a[5] * r) + (a[6] + a[7] * r) * r2;
  const double high = (a[8] + a[9] * r) + (a[10] + a[11] * r) * r2;
  const double top = a[12] + a[13] * r;
  return std::ldexp((low + middle * r4) + (high + top * r4) * (r4 * r4), static_cast<int>(n));
}

void score(const float* features, const float* weights, const float* bias, std::int64_t count,
           std::int64_t groups, float* scores) {
  for (std::int64_t c = 0; c < groups * kGroup; ++c) {
    const float* const weight = weights + (c / kGroup) * count * kGroup + c % kGroup;
    for (std::int64_t r = 0; r < kTileRows; ++r) {
      float sum = bias[c];
      for (std::int64_t f = 0; f < count; ++f) sum += features[f * kBlockRows + r] * weight[f * kGroup];
      scores[c * kTileRows + r] = bounded(sum);
    }
  }
}

void sigmoid(float* scores, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto z = static_cast<double>(scores[i]);
    const double e = exponential(-std::fabs(z));
    scores[i] = static_cast<float>((z < 0.0 ? e : 1.0) / (1.0 + e));
  }
}

void argmax(const float* scores, const std::uint64_t* mask, std::int64_t first, std::int64_t candidates,
            float* best, std::int32_t* where) {
  for (std::int64_t r = 0; r < kTileRows; ++r) {
    best[r] = -std::numeric_limits<float>::infinity();
    where[r] = -1;
    for (std::int64_t c = 0; c < candidates; ++c) {
      if (!is_eligible(mask, c, first + r) || !(scores[c * kTileRows + r] > best[r])) continue;
      best[r] = scores[c * kTileRows + r];
      where[r] = static_cast<std::int32_t>(c);
    }
  }
}

void count(const std::uint64_t* mask, std::int64_t first, std::int64_t candidates, std::int32_t* counts) {
  for (std::int64_t r = 0; r < kTileRows; ++r) {
    counts[r] = 0;
    for (std::int64_t c = 0; c < candidates; ++c) counts[r] += is_eligible(mask, c, first + r) ? 1 : 0;
  }
}

void softmax(const float* scores, const std::uint64_t* mask, std::int64_t first, std::int64_t candidates,
             const float* best, double inverse_temperature, const double* uniforms, double* weights,
             Draw* draws) {
  for (std::int64_t r = 0; r < kDrawRows; ++r) {
    double total = 0.0;
    for (std::int64_t c = 0; c < candidates; ++c) {
      const double gap = static_cast<double>(scores[c * kTileRows + r]) - static_cast<double>(best[r]);
      const double weight = is_eligible(mask, c, first + r) ? exponential(gap * inverse_temperature) : 0.0;
      weights[c * kDrawRows + r] = weight;
      total += weight;
    }
    draws[r] = {-1, total};
    const double target = uniforms[r] * total;
    double sum = 0.0;
    for (std::int64_t c = 0; c < candidates && sum <= target; ++c) {
      const double weight = weights[c * kDrawRows + r];
      if (weight > 0.0) draws[r].candidate = static_cast<std::int32_t>(c);
      sum += weight;
    }
  }
}

}  // namespace

const Kernels& kernels_plain() {
  static constexpr Kernels table = {&score, &sigmoid, &argmax, &count, &softmax};
  return table;
}

}  // namespace labfactory::select
