// Thompson sampling over independent normal scores. Coefficients are never drawn: a score is normal with its
// own mean and standard deviation, whatever the dimension. Owner: what it is made of belongs to the caller.
// Threads: immutable.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "labfactory/select/kernels.hpp"
#include "labfactory/select/sample.hpp"

namespace labfactory::select {

// The scores of a block: all [candidates][kBlockRows].
struct Beliefs {
  const float* means;
  const float* deviations;
  const float* prices;  // [candidates], or nullptr
  const std::uint64_t* mask;
  std::int64_t candidates;
};

class Thompson {
 public:
  // `components`: the 32-bit hash of each candidate's name; `strength` scales the standard deviations.
  Thompson(const Stream& stream, std::span<const std::uint32_t> components, double strength)
      : stream_(&stream), components_(components), strength_(static_cast<float>(strength)) {}

  // The candidates of each row that can win at all: a draw is never further than kMostDeviations from its
  // mean, so only those within reach of the best lower bound are drawn. [candidates] words.
  void contenders(const Beliefs& beliefs, std::uint64_t* reachable) const;

  // The candidate with the highest draw, the lowest of equals; -1 where none is reachable.
  [[nodiscard]] std::int32_t draw(const Beliefs& beliefs, const std::uint64_t* reachable, std::int64_t row,
                                  std::uint64_t customer) const;

  // The probability that `candidate` has the highest draw, by Gauss-Hermite quadrature over its own score.
  [[nodiscard]] double probability(const Kernels& kernels, const Beliefs& beliefs,
                                   const std::uint64_t* reachable, std::int64_t row,
                                   std::int32_t candidate) const;

 private:
  const Stream* stream_;
  std::span<const std::uint32_t> components_;
  float strength_;
};

}  // namespace labfactory::select
