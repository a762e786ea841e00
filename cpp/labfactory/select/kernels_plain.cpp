#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "labfactory/base/philox.hpp"
#include "labfactory/select/draw.hpp"
#include "labfactory/select/exponential.hpp"
#include "labfactory/select/kernels.hpp"
#include "labfactory/select/normal.hpp"
#include "labfactory/select/plain.hpp"
#include "labfactory/select/screen_plain.hpp"

// The kernels as anybody would write them, one value at a time: what the fast ones are compared with, bit by
// bit.
namespace labfactory::select {

namespace {

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

bool read(const void* values, float* features) {
  std::memmove(features, values, kBlockRows * sizeof(float));
  bool is_finite = true;
  for (std::int64_t r = 0; r < kBlockRows; ++r) is_finite = is_finite && std::isfinite(features[r]);
  return is_finite;
}

void score(const float* features, const float* weights, const float* bias, std::int64_t count,
           std::int64_t groups, std::int64_t rows, float* scores) {
  for (std::int64_t c = 0; c < groups * kGroup; ++c) {
    const float* const group = weights + (c / kGroup) * count * kGroup;
    for (std::int64_t r = 0; r < rows; ++r) {
      float sum = bias[c];
      for (std::int64_t f = 0; f < count; ++f)
        sum = std::fma(features[f * kBlockRows + r], group[f * kGroup + c % kGroup], sum);
      scores[c * kBlockRows + r] = bounded(sum);
    }
  }
}

void argmax(const float* scores, const float* prices, const std::uint64_t* mask, std::int64_t candidates,
            Best* best) {
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    clear(best, r);
    for (std::int64_t c = 0; c < candidates; ++c) {
      const float score = scores[c * kBlockRows + r];
      const float rank = prices == nullptr ? score : score - prices[c];
      if (!is_eligible(mask, c, r) || !(rank > best->rank[r])) continue;
      best->rank[r] = rank;
      best->score[r] = score;
      best->candidate[r] = static_cast<std::int32_t>(c);
    }
  }
}

void choose(const float* features, const float* weights, const float* bias, const float* prices,
            std::int64_t count, std::int64_t candidates, std::int64_t rows, const std::uint64_t* mask,
            float* scores, Best* best) {
  const std::int64_t groups = (candidates + kGroup - 1) / kGroup;
  std::vector<float> own(static_cast<std::size_t>(groups * kGroup * kBlockRows));
  score(features, weights, bias, count, groups, rows, own.data());
  if (scores != nullptr) std::ranges::copy(own, scores);
  argmax(own.data(), prices, mask, candidates, best);
}

void weigh(const float* features, const float* weights, const float* bias, const float* prices,
           std::int64_t count, std::int64_t candidates, const std::uint64_t* mask, float* scores,
           const Lots& lots, Best* best) {
  choose(features, weights, bias, prices, count, candidates, kBlockRows, mask, scores, best);
  softmax_plain(scores, prices, mask, candidates, lots);
}

void spread(const float* features, const float* factor, const FeatureRange* ranges, std::int64_t count,
            std::int64_t groups, float* deviations) {
  const std::vector<float> bias(static_cast<std::size_t>(groups * kGroup));
  std::vector<float> products(static_cast<std::size_t>(groups * kGroup * kBlockRows));
  std::vector<float> whole(static_cast<std::size_t>(groups * count * kGroup));
  for (std::int64_t g = 0; g < groups; ++g) {
    for (std::int64_t f = ranges[g].first; f < ranges[g].last; ++f) {
      const std::int64_t at = (g * count + f) * kGroup;
      std::copy_n(factor + at, kGroup, whole.data() + at);
    }
  }
  score(features, whole.data(), bias.data(), count, groups, kBlockRows, products.data());
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    float variance = 0.0F;
    for (std::int64_t c = 0; c < groups * kGroup; ++c) {
      const float product = products[static_cast<std::size_t>(c * kBlockRows + r)];
      variance += product * product;
    }
    deviations[r] = std::sqrt(variance);
  }
}

void spread_some(const StripView& view, const std::int32_t* rows, const std::int32_t* candidates,
                 std::int64_t pairs, float* deviations) {
  for (std::int64_t i = 0; i < pairs; ++i) {
    float variance = 0.0F;
    for (std::int64_t row = 0; row < view.strip_count * kStripRows; ++row) {
      const std::int64_t strip = candidates[i] * view.strip_count + row / kStripRows;
      float sum = 0.0F;
      for (std::int64_t f = view.ranges[strip].first; f < view.ranges[strip].last; ++f) {
        sum = std::fma(view.features[f * kBlockRows + rows[i]],
                       view.strips[(strip * view.count + f) * kStripRows + row % kStripRows], sum);
      }
      variance += bounded(sum) * bounded(sum);
    }
    deviations[i] = std::sqrt(variance);
  }
}

void vary_some(const StripView& view, const std::int32_t* rows, const std::int32_t* candidates,
               std::int64_t pairs, float* deviations) {
  for (std::int64_t i = 0; i < pairs; ++i) {
    float sum = 0.0F;
    for (std::int64_t f = 0; f < view.count; ++f) {
      const float x = view.features[f * kBlockRows + rows[i]];
      sum = std::fma(x * x, view.strips[candidates[i] * view.count + f], sum);
    }
    deviations[i] = std::sqrt(bounded(sum));
  }
}

void outlook(const Outlook& view, float* bounds, Best* best) {
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    clear(best, r);
    for (std::int64_t c = 0; c < view.candidates; ++c) {
      const std::int64_t at = c * kBlockRows + r;
      const auto words =
          philox4x32({static_cast<std::uint32_t>(view.customers[r]),
                      static_cast<std::uint32_t>(view.customers[r] >> 32), view.purpose, view.components[c]},
                     {view.key[0], view.key[1]});
      const float deviation =
          view.deviations == nullptr ? view.scales[c] * view.norms[r] + kLeastSpread : view.deviations[at];
      const float mean = view.prices == nullptr ? view.means[at] : view.means[at] - view.prices[c];
      const float size = mean < 0.0F ? -mean : mean;
      bounds[at] = (mean + size * kBoundSlack) + (quantile_bound(words[1]) * view.strength) * deviation;
      if (!is_eligible(view.mask, c, r) || !(bounds[at] > best->rank[r])) continue;
      best->rank[r] = bounds[at];
      best->candidate[r] = static_cast<std::int32_t>(c);
    }
  }
}

void ceilings(const Outlook& view, float* bounds, Best* best) {
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    clear(best, r);
    for (std::int64_t c = 0; c < view.candidates; ++c) {
      const std::int64_t at = c * kBlockRows + r;
      const float deviation =
          view.deviations == nullptr ? view.scales[c] * view.norms[r] + kLeastSpread : view.deviations[at];
      const float high = view.means[at] + view.strength * deviation;
      const float bound = view.prices == nullptr ? high : high - view.prices[c];
      if (bounds != nullptr) bounds[at] = bound;
      if (!is_eligible(view.mask, c, r) || !(bound > best->rank[r])) continue;
      best->rank[r] = bound;
      best->candidate[r] = static_cast<std::int32_t>(c);
    }
  }
}

void above(const float* bounds, const std::uint64_t* mask, std::int64_t candidates, const float* floor,
           std::uint64_t* reaching) {
  for (std::int64_t c = 0; c < candidates; ++c) {
    reaching[c] = 0;
    for (std::int64_t r = 0; r < kBlockRows; ++r) {
      const bool is_above = is_eligible(mask, c, r) && !(bounds[c * kBlockRows + r] < floor[r]);
      reaching[c] |= static_cast<std::uint64_t>(is_above) << r;
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

void count(const std::uint64_t* mask, std::int64_t candidates, std::int32_t* counts) {
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    counts[r] = 0;
    for (std::int64_t c = 0; c < candidates; ++c) counts[r] += is_eligible(mask, c, r) ? 1 : 0;
  }
}

void reach(const float* means, const float* deviations, const float* prices, const std::uint64_t* mask,
           std::int64_t candidates, float reach, const float* floor, std::uint64_t* reaching) {
  for (std::int64_t c = 0; c < candidates; ++c) {
    reaching[c] = 0;
    for (std::int64_t r = 0; r < kBlockRows; ++r) {
      const std::int64_t at = c * kBlockRows + r;
      const float mean = means[at] - (prices == nullptr ? 0.0F : prices[c]);
      const bool is_near = is_eligible(mask, c, r) && std::fma(deviations[at], reach, mean) >= floor[r];
      reaching[c] |= static_cast<std::uint64_t>(is_near) << r;
    }
  }
}

void uniforms(const std::uint64_t* customers, const std::uint64_t* components, std::uint32_t purpose,
              const std::uint32_t* key, std::int64_t count, double* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t component = components == nullptr ? 0 : components[i];
    const auto words =
        philox4x32({static_cast<std::uint32_t>(customers[i]), static_cast<std::uint32_t>(customers[i] >> 32),
                    purpose, static_cast<std::uint32_t>(component)},
                   {key[0], key[1]});
    out[i] = uniform53(words[0], words[1]);
  }
}

void normals(double* numbers, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i)
    numbers[i] = normal_quantile(std::fmin(numbers[i] + 0x1p-54, 1.0 - 0x1p-53));
}

float distribution(float z) {
  const float x = std::fmin(std::fmax(z, -kErfMost), kErfMost);
  const float square = x * x;
  float above = kErfAbove[6];
  for (int k = 5; k >= 0; --k) above = std::fma(above, square, kErfAbove[k]);
  float below = kErfBelow[4];
  for (int k = 3; k >= 0; --k) below = std::fma(below, square, kErfBelow[k]);
  return std::fmax(std::fma(x * above / below, 0.5F, 0.5F), 0.0F);
}

void race(const float* at, const float* means, const float* inverse_deviations, std::int64_t rivals,
          std::int64_t first, float* product) {
  for (std::int64_t m = first; m < kNodes; ++m) {
    for (std::int64_t i = 0; i < rivals; ++i) {
      product[m] *= distribution((at[m] - means[i]) * (inverse_deviations[i] * kSqrtHalf));
    }
  }
}

}  // namespace

const Kernels& kernels_plain() {
  static constexpr Kernels table = {&read,           &score,      &choose,   &spread,   &spread_some,
                                    &vary_some,      &outlook,    &ceilings, &above,    &screen_plain,
                                    &sigmoid,        &argmax,     &count,    &weigh,    &softmax_plain,
                                    &squarecb_plain, &draw_plain, &reach,    &uniforms, &normals,
                                    &race,           &sieve_plain};
  return table;
}

}  // namespace labfactory::select
