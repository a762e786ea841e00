// The hot loops of selection as a table of functions: one table per instruction set, the same bits from each.
// Owner: nothing; all memory is the caller's.
// Threads: pure functions, any thread.
#pragma once

#include <cstdint>

#include "labfactory/base/dispatch.hpp"

namespace labfactory::select {

// Rows are the lanes of every loop and candidates its steps: a sum over features or over candidates has one
// order at every width, and nothing is ever added across lanes.
inline constexpr std::int64_t kBlockRows = 64;  // rows whose conditions fill one word of bits
inline constexpr std::int64_t kTileRows = 32;  // rows scored at a time: 100 candidates' scores stay inside L1
inline constexpr std::int64_t kDrawRows = 16;  // rows drawn at a time, as their weights take twice the room
inline constexpr std::int64_t kGroup = 4;      // candidates that share one reading of the features

// What one row's draw came to: the probability of each candidate is its weight / total.
struct Draw {
  std::int32_t candidate = -1;
  double total = 0.0;
};

struct Kernels {
  // Scores of kTileRows rows:
  //   scores[c][r] = bias[c] + features[0][r]·weights[c][0] + features[1][r]·weights[c][1] + …
  // added in this order, each product rounded before it is added. `features` is [count][kBlockRows],
  // `weights` [groups][count][kGroup], `bias` [groups · kGroup], `scores` [groups · kGroup][kTileRows]. A sum
  // that overflows is the largest float32 of its sign, one that is not a number the lowest, so that every two
  // scores compare.
  void (*score)(const float* features, const float* weights, const float* bias, std::int64_t count,
                std::int64_t groups, float* scores);

  // Replaces each of `count` logits, a multiple of kTileRows, by 1 / (1 + exp(-logit)), computed in float64.
  void (*sigmoid)(float* scores, std::int64_t count);

  // For each of kTileRows rows the eligible candidate with the highest score, the lowest of equals, and that
  // score; -1 where none is eligible. Bit `first + r` of mask[c] says that candidate c is eligible for row r.
  void (*argmax)(const float* scores, const std::uint64_t* mask, std::int64_t first, std::int64_t candidates,
                 float* best, std::int32_t* where);

  // How many candidates are eligible, for each of kTileRows rows.
  void (*count)(const std::uint64_t* mask, std::int64_t first, std::int64_t candidates, std::int32_t* counts);

  // For each of kDrawRows rows one candidate, drawn with probability proportional to
  //   weights[c][r] = exp((scores[c][r] - best[r]) / temperature), 0 for those that are not eligible,
  // by inverse CDF in the order of the candidates, from uniforms[r] in [0, 1). Candidate -1 where none is
  // eligible. `scores` is as above, `weights` [candidates][kDrawRows].
  void (*softmax)(const float* scores, const std::uint64_t* mask, std::int64_t first, std::int64_t candidates,
                  const float* best, double inverse_temperature, const double* uniforms, double* weights,
                  Draw* draws);
};

[[nodiscard]] const Kernels& kernels(Level level);

// The table of each level; on another machine than x86-64 all are the baseline's.
[[nodiscard]] const Kernels& kernels_baseline();
[[nodiscard]] const Kernels& kernels_avx2();
[[nodiscard]] const Kernels& kernels_avx512();
// Plain loops, the twin of all of them.
[[nodiscard]] const Kernels& kernels_plain();

}  // namespace labfactory::select
