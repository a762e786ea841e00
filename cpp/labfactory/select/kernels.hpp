// The hot loops of selection as a table of functions: one table per instruction set, the same bits from each.
// Owner: nothing; all memory is the caller's.
// Threads: pure functions, any thread.
#pragma once

#include <cstdint>

#include "labfactory/base/dispatch.hpp"

namespace labfactory::select {

// Rows are the lanes of every loop and candidates its steps: a sum over features or over candidates has one
// order at every width, and nothing is ever added across lanes.
inline constexpr std::int64_t kBlockRows = 64;  // rows decided at a time: a word of bits, 100 scores in L1
inline constexpr std::int64_t kGroup = 6;       // candidates that share one reading of the features

inline constexpr int kStripRows = 16;  // rows of a factor that one customer's features are multiplied by
inline constexpr float kLeastSpread = 0x1p-60F;  // more than squares that underflow sum up to
inline constexpr float kBoundSlack = 0x1p-20F;   // of a mean, for what rounding takes off

inline constexpr std::int64_t kDraws = 8;       // random numbers made at a time
inline constexpr std::int64_t kNodes = 24;      // of the quadrature over a score's distribution
inline constexpr std::int64_t kNodeSlots = 32;  // the same in whole registers

// The best candidate of each row of a block: -1 where none is eligible, and then its scores are -infinity.
struct Best {
  alignas(64) float rank[kBlockRows];   // its score less its price
  alignas(64) float score[kBlockRows];  // before the price
  alignas(64) std::int32_t candidate[kBlockRows];
};

// Features [first, last).
struct FeatureRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

// What single deviations are found from: of each candidate a factor in strips of kStripRows rows.
struct StripView {
  const float* features = nullptr;       // [count][kBlockRows]
  const float* strips = nullptr;         // [candidates][strip_count][count][kStripRows]
  const FeatureRange* ranges = nullptr;  // [candidates][strip_count]: outside of it features weigh 0
  std::int64_t count = 0;
  std::int64_t strip_count = 0;
};

// What draws and ranks are bounded by before they are made; all [candidates][kBlockRows].
struct Outlook {
  const float* means = nullptr;
  const float* deviations = nullptr;  // or nullptr: at most scales[c] · norms[r] + kLeastSpread
  const float* scales = nullptr;
  const float* norms = nullptr;
  const float* prices = nullptr;
  const std::uint64_t* mask = nullptr;
  std::int64_t candidates = 0;
  std::int64_t rows = kBlockRows;  // those after them are left out
  float strength = 0.0F;           // what deviations are multiplied by, or more
  const std::uint64_t* customers = nullptr;
  const std::uint32_t* components = nullptr;
  std::uint32_t purpose = 0;
  const std::uint32_t* key = nullptr;
};

// What one candidate of each row is drawn by: first a group of kGroup candidates in proportion to its weight,
// then one of the group in proportion to its own. Memory is the caller's.
struct Lots {
  float* weights = nullptr;  // [groups · kGroup][kBlockRows]: of the candidates, 0 where not eligible
  float* groups = nullptr;   // [groups][kBlockRows]: of the groups
  // [groups][kBlockRows], of softmax: the highest rank in the group, which its candidates' weights are
  // relative to. Where there is none, draw() has nothing to bring to one level.
  float* highest = nullptr;
  double* before = nullptr;  // [groups][kBlockRows]: running totals, for draw() to write
  std::int64_t count = 0;    // of groups
  float steepness = 0.0F;    // of softmax
  double whole = 0.0;        // what the groups' weights lack of it is the best candidate's
};

// What was drawn in each row of a block: -1 where none is eligible, and then chances mean nothing.
struct Draws {
  std::int32_t candidate[kBlockRows];
  double chance[kBlockRows];  // the probability of what was drawn
  double head[kBlockRows];    // the weight of the best candidate beside the groups'
  double total[kBlockRows];   // of all weights
};

// Steps on either side of the middle of a feature's weights; see screen.hpp.
inline constexpr double kScreenSteps = 32767.0;
// Candidates besides the foremost that a block scores before it scores all of them.
inline constexpr std::int64_t kMostRivals = 256;

// What candidates are screened by, before any is scored; see screen.hpp.
struct ScreenView {
  const float* weights = nullptr;  // [candidates][count], as given
  const float* bias = nullptr;     // [candidates]
  const float* half_ranges =
      nullptr;                        // [count + 1]: of each feature's weights, and of the biases less prices
  const float* magnitudes = nullptr;  // [count + 1]: the largest of each
  const std::int16_t* steps = nullptr;  // [groups][pairs][kGroup][2]: two features' weights side by side
  std::int64_t terms = 0;               // count, or one more where biases less prices differ; 0: no screen
  std::int64_t pairs = 0;
  float target = 0.0F;    // what a row's features are scaled to sum up to
  float slack = 0.0F;     // how far apart keys may be though their scores are the other way round,
  float rounding = 0.0F;  // plus this times the largest magnitude of the row's scores, as it was scaled
};

// Steps of 8 bits on either side of the middle of a feature's weights; see sieve.hpp. Two products with
// features of 8 bits, 255 · 64 each, are below 2^15.
inline constexpr double kSieveSteps = 64.0;
inline constexpr int kSieveOrigin = 128;  // what is added to a row's steps to make them 8 bits
inline constexpr std::int16_t kSieveKeyOrigin = 1 << 14;  // so that keys are above 0
inline constexpr float kSieveMostStep = 127.0F;
inline constexpr std::int64_t kSieveQuads = 10;    // fours of features at most whose sums have 16 bits
inline constexpr std::int64_t kMostSieved = 1024;  // candidates besides the foremost that a sieve may leave
inline constexpr float kSieveReach = 64.0F;        // a magnitude is at most this many reaches

// What candidates are screened by in 8 bits; see sieve.hpp.
struct SieveView {
  const float* weights = nullptr;  // as in a screen
  const float* bias = nullptr;
  const float* half_ranges = nullptr;  // [count + 1], as in a screen
  const float* reaches = nullptr;  // [count + 1]: at least half the range, and the magnitude / kSieveReach
  const std::uint32_t* steps = nullptr;   // [groups][quads][kGroup]: four features' weights side by side
  const std::uint32_t* starts = nullptr;  // [groups][chunks][kGroup]: what two sums of 16 bits start from
  std::int64_t terms = 0;
  std::int64_t quads = 0;
  std::int64_t chunk = 0;  // quads whose products are summed up in 16 bits
  std::int64_t chunks = 0;
  std::int32_t widening = 0;     // in both halves what such sums are multiplied by
  std::int64_t most_rivals = 0;  // candidates besides the foremost that a block scores before it does without
  float target = 0.0F;           // what half a chunk's features are scaled to sum up to
  float slack = 0.0F;            // how far apart keys may be though their scores are the other way round:
  float error_gap = 0.0F;        // plus this times the length of what rounding took off the row's steps,
  float step_gap = 0.0F;         // this times the length of the steps,
  float rounding = 0.0F;         // and this times the sum of features times reaches, as it was scaled
};

// What a screen writes, for the caller to bring.
struct ScreenWork {
  std::uint32_t* features =
      nullptr;                   // [pairs][kBlockRows]: two features of 16 bits side by side, or four of 8
  std::int16_t* keys = nullptr;  // [groups · kGroup][kBlockRows], 0 where not eligible
};

// All take a block of kBlockRows rows; bit r of mask[c] says that candidate c is eligible for row r.
// `prices`, one for each candidate, are taken off the scores before they are compared; nullptr: none.
struct Kernels {
  // Copies a block of one feature, which need not be aligned; whether all of it is finite.
  bool (*read)(const void* values, float* features);

  // Scores:
  //   scores[c][r] = bias[c] + features[0][r]·weights[c][0] + features[1][r]·weights[c][1] + …
  // of the first `rows` and of whoever shares their registers, in this order, each product and addition
  // rounded once together (fused). `features` is [count][kBlockRows], one at least, `weights`
  // [groups][count][kGroup], `bias` [groups · kGroup], `scores` [groups · kGroup][kBlockRows]. A sum that
  // overflows is the largest float32 of its sign.
  void (*score)(const float* features, const float* weights, const float* bias, std::int64_t count,
                std::int64_t groups, std::int64_t rows, float* scores);

  // argmax of score: sums, mask and maximum stay in registers. `scores` gets what score() would write there;
  // nullptr: nobody needs them.
  void (*choose)(const float* features, const float* weights, const float* bias, const float* prices,
                 std::int64_t count, std::int64_t candidates, std::int64_t rows, const std::uint64_t* mask,
                 float* scores, Best* best);

  // Standard deviations ‖factor · features‖ of a block: products as score() sums them, from 0, squared and
  // added in their order. `factor` is packed as weights; of group g the features outside [ranges[g].first,
  // ranges[g].last) weigh 0.
  void (*spread)(const float* features, const float* factor, const FeatureRange* ranges, std::int64_t count,
                 std::int64_t groups, float* deviations);

  // The same for some pairs of a row and a candidate, one after the other; neighbours of one candidate share
  // the reading of its strips.
  void (*spread_some)(const StripView& view, const std::int32_t* rows, const std::int32_t* candidates,
                      std::int64_t pairs, float* deviations);

  // The same where coefficients are independent: a candidate's one strip, [candidates][count], has their
  // variances, and deviations are roots of score() of the features' squares.
  void (*vary_some)(const StripView& view, const std::int32_t* rows, const std::int32_t* candidates,
                    std::int64_t pairs, float* deviations);

  // What no draw of a candidate is above:
  //   bounds[c][r] = means[c][r] - prices[c] + quantile bound · strength · deviation, and a little more,
  // and for each row the eligible candidate with the highest bound.
  void (*outlook)(const Outlook& view, float* bounds, Best* best);

  // What no upper confidence bound is above, and where there are deviations the bound itself:
  //   bounds[c][r] = means[c][r] + strength · deviation - prices[c],
  // and for each row the eligible candidate with the highest, the lowest of equals. `bounds`: nullptr where
  // nobody needs them. Nobody is asked for who draws.
  void (*ceilings)(const Outlook& view, float* bounds, Best* best);

  // Which eligible candidates are not below the floor of their row:
  //   reaching[c] bit r = !(bounds[c][r] < floor[r]).
  void (*above)(const float* bounds, const std::uint64_t* mask, std::int64_t candidates, const float* floor,
                std::uint64_t* reaching);

  // The same as choose() without `scores`, scoring only those that the screen leaves; false where those are
  // too many, and `best` is then for choose() to find.
  bool (*screen)(const ScreenView& view, const float* features, const float* prices, std::int64_t count,
                 std::int64_t candidates, const std::uint64_t* mask, const ScreenWork& work, Best* best);

  // Replaces each of `count` logits, a multiple of 16, by 1 / (1 + exp(-logit)), computed in float64.
  void (*sigmoid)(float* scores, std::int64_t count);

  // The eligible candidate with the highest score less price, the lowest of equals.
  void (*argmax)(const float* scores, const float* prices, const std::uint64_t* mask, std::int64_t candidates,
                 Best* best);

  // How many candidates are eligible.
  void (*count)(const std::uint64_t* mask, std::int64_t candidates, std::int32_t* counts);

  // What choose() does with `scores`, and what softmax() does with them, straight from the registers.
  void (*weigh)(const float* features, const float* weights, const float* bias, const float* prices,
                std::int64_t count, std::int64_t candidates, const std::uint64_t* mask, float* scores,
                const Lots& lots, Best* best);

  // The lots of softmax, from scores and prices of whole groups: with the highest rank h of a group,
  //   weight of a candidate = 2^((scores[c][r] - prices[c] - h) · steepness), 0 if not eligible or where the
  //   exponent rounds to less than -125,
  // in float32; the group's is their sum, ((0 + 1) + (2 + 3)) + (4 + 5), which draw() multiplies by
  // 2^((h - highest of all) · steepness), alike.
  void (*softmax)(const float* scores, const float* prices, const std::uint64_t* mask,
                  std::int64_t candidates, const Lots& lots);

  // The lots of inverse gap weighting (Foster and Rakhlin 2020, Beyond UCB, SquareCB): of n eligible
  // candidates one that is not the best has the weight 1 / (n + gamma · gap), in float32, and the best what
  // is left of 1.
  void (*squarecb)(const float* scores, const float* prices, const std::uint64_t* mask,
                   std::int64_t candidates, const Best& best, const std::int32_t* counts, float gamma,
                   const Lots& lots);

  // For each row one candidate, from uniforms[r] in [0, 1), by inverse CDF: the best for what is missing of
  // `whole`, then the groups in their order, with running totals in float64, and so on within the group,
  // whose sum is then in float64. Candidate c of group g has exactly the probability
  //   groups[g][r] · weights[c][r] / (total · sum of the group's weights).
  void (*draw)(const Lots& lots, const Best& best, const double* uniforms, Draws* draws);

  // Which eligible candidates reach the floor of their row:
  //   reaching[c] bit r = (reach · deviations[c][r] + (means[c][r] - prices[c])) >= floor[r].
  void (*reach)(const float* means, const float* deviations, const float* prices, const std::uint64_t* mask,
                std::int64_t candidates, float reach, const float* floor, std::uint64_t* reaching);

  // Uniform numbers in [0, 1), multiples of 2^-53, of `count` customers, a multiple of kDraws: Philox with
  // the counter (customer's low word, high word, purpose, component). `components`: nullptr for 0.
  void (*uniforms)(const std::uint64_t* customers, const std::uint64_t* components, std::uint32_t purpose,
                   const std::uint32_t* key, std::int64_t count, double* out);

  // Replaces each of `count` uniform numbers, a multiple of kDraws, by normal_quantile(number + 2^-54),
  // below 1.
  void (*normals)(double* numbers, std::int64_t count);

  // Multiplies product[m] by each rival's normal distribution function at (at[m] - mean) · inverse_deviation,
  // one after the other, for m from `first` to kNodes, and for those that share its register; absolute error
  // 10^-6 each. `at` and `product` have kNodeSlots.
  void (*race)(const float* at, const float* means, const float* inverse_deviations, std::int64_t rivals,
               std::int64_t first, float* product);

  // The same as screen(), in steps of 8 bits; nullptr at levels that multiply them no faster than 16.
  bool (*sieve)(const SieveView& view, const float* features, const float* prices, std::int64_t count,
                std::int64_t candidates, const std::uint64_t* mask, const ScreenWork& work,
                Best* best) = nullptr;
};

[[nodiscard]] const Kernels& kernels(Level level);

// The table of each level; on another machine than x86-64 all are the baseline's.
[[nodiscard]] const Kernels& kernels_baseline();
[[nodiscard]] const Kernels& kernels_avx2();
[[nodiscard]] const Kernels& kernels_avx512();
// Plain loops, the twin of all of them.
[[nodiscard]] const Kernels& kernels_plain();

}  // namespace labfactory::select
