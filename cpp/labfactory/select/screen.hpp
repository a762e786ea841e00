// A screen before the scores: candidates compared in whole numbers, with a bound on what that may be wrong
// by, so that only those that may be the best are scored. Owner: numbers inside. Threads: immutable.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "labfactory/select/kernels.hpp"
#include "labfactory/select/sieve.hpp"

namespace labfactory::select {

// Scores less prices, as far as they differ between candidates, in whole steps. Of each feature's weights the
// middle of their range is the same for everybody and left out; the rest, in steps of half the range / 32767,
// is 16 bits. A row's features times half the range are 16 bits too, in steps of their own sum, so that every
// sum of products fits 32 bits; the upper 16 of them are the candidate's key.
class Screen {
 public:
  Screen() = default;
  // `weights` candidates x features and `bias`, as Model; `prices`, one for each candidate, or none. Empty
  // where there are too few candidates or features for it to pay.
  Screen(std::span<const float> weights, std::span<const float> bias, std::span<const float> prices);

  [[nodiscard]] bool is_empty() const { return view_.terms == 0; }
  // What kernels read; it points into this.
  [[nodiscard]] ScreenView view() const;
  // The same contrast in fewer bits.
  [[nodiscard]] SieveView sieve() const;

 private:
  void bound(std::int64_t count, double most);

  std::vector<float> weights_;  // candidates x features
  std::vector<float> bias_;
  std::vector<float> half_ranges_;   // of each feature's weights, and of the biases less prices
  std::vector<float> magnitudes_;    // the largest of each
  std::vector<std::int16_t> steps_;  // [groups][pairs][kGroup][2]
  ScreenView view_;
  Sieve sieve_;
};

}  // namespace labfactory::select
