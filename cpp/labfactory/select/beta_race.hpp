// Thompson sampling over independent Beta beliefs: the probability of every candidate to have the highest
// draw, among those eligible. Owner: tables inside. Threads: immutable.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace labfactory::select {

// A candidate's rate is believed to be Beta(successes, failures) distributed; both are 1 or more.
struct BetaBelief {
  double successes = 1.0;
  double failures = 1.0;
};

class BetaRace {
 public:
  BetaRace() = default;
  // `prices` are taken off the rates; empty: none. Error(selection, "model_value") for a belief below 1.
  BetaRace(std::span<const BetaBelief> beliefs, std::span<const float> prices);

  [[nodiscard]] bool is_empty() const { return cells_ == 0; }

  // P(candidate has the highest draw) for each candidate, 0 for those that are not eligible; they sum to 1.
  // By the trapezoidal rule over cells that are a sixteenth of a standard deviation wide around every
  // candidate.
  [[nodiscard]] std::vector<double> probabilities(std::span<const std::uint8_t> is_eligible) const;

 private:
  std::size_t candidates_ = 0;
  std::size_t cells_ = 0;
  std::vector<double> below_;   // [candidates][cells]: the distribution function in the middle of a cell
  std::vector<double> inside_;  // [candidates][cells]: the probability of the cell
};

}  // namespace labfactory::select
