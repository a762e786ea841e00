// A sieve before the screen: candidates compared in steps of 8 bits, twice as many at a time as the screen's
// 16, for a wider bound. Owner: numbers inside. Threads: immutable.
#pragma once

#include <cstdint>
#include <vector>

#include "labfactory/select/contrast.hpp"
#include "labfactory/select/kernels.hpp"

namespace labfactory::select {

// Weights as in a screen, in steps of half their range / 64. A row's features times half the ranges are 8
// bits, in steps that keep the sums of 16 bits of every chunk of features inside; what rounding took off them
// is measured, and with it how far apart keys may be though their scores are the other way round.
class Sieve {
 public:
  Sieve() = default;
  explicit Sieve(Contrast& contrast);

  // What kernels read, but for weights and bias; it points into this.
  [[nodiscard]] SieveView view() const;

 private:
  void start(std::int64_t candidates);
  void bound(std::int64_t count, double weights_apart, double errors_apart);

  std::vector<float> half_ranges_;  // of each term
  std::vector<float> reaches_;      // of each term: half the range, or a share of the magnitude that is more
  std::vector<std::uint32_t> steps_;   // [groups][quads][kGroup]
  std::vector<std::uint32_t> starts_;  // [groups][chunks][kGroup]
  SieveView view_;
};

}  // namespace labfactory::select
