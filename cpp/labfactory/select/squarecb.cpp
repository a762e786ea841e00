#include "labfactory/select/squarecb.hpp"

#include <algorithm>

namespace labfactory::select {

void squarecb(const float* scores, const float* prices, const std::uint64_t* mask, std::int64_t candidates,
              const Best& best, const std::int32_t* counts, double gamma, const double* uniforms,
              float* weights, Draw* draws) {
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    draws[r] = {};
    if (best.candidate[r] < 0) continue;
    const double count = counts[r];
    double others = 0.0;
    for (std::int64_t c = 0; c < candidates; ++c) {
      float weight = 0.0F;
      if (((mask[c] >> r) & 1) != 0 && c != best.candidate[r]) {
        const float rank = scores[c * kBlockRows + r] - (prices == nullptr ? 0.0F : prices[c]);
        const double gap = static_cast<double>(best.rank[r]) - static_cast<double>(rank);
        weight = static_cast<float>(1.0 / (count + gamma * gap));
      }
      weights[c * kBlockRows + r] = weight;
      others += static_cast<double>(weight);
    }
    weights[best.candidate[r] * kBlockRows + r] = static_cast<float>(std::max(1.0 - others, 0.0));
    double total = 0.0;
    for (std::int64_t c = 0; c < candidates; ++c) total += static_cast<double>(weights[c * kBlockRows + r]);
    draws[r].total = total;
    const double target = std::min(uniforms[r] * total, total * (1.0 - 0x1p-52));
    double sum = 0.0;
    for (std::int64_t c = 0; c < candidates && sum <= target; ++c) {
      const float weight = weights[c * kBlockRows + r];
      if (weight > 0.0F) draws[r].candidate = static_cast<std::int32_t>(c);
      sum += static_cast<double>(weight);
    }
  }
}

}  // namespace labfactory::select
