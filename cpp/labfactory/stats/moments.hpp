// Count, mean and centred second moment of numbers: a summary that merges without a second look at the data.
// Owner: a value.
// Threads: a value.
#pragma once

#include <cstdint>
#include <span>

namespace labfactory {

struct Moments {
  std::int64_t count = 0;
  double mean = 0.0;
  // What `mean` leaves out. Doubles near 1e8 lie 1.5e-8 apart; without this rest a merge would lose a
  // variance of 1 in the tenth digit.
  double mean_rest = 0.0;
  // Sum of squared distances from the mean.
  double squares = 0.0;

  friend bool operator==(const Moments&, const Moments&) = default;
};

// Two passes over values that should fit L1: the mean, then distances from it. Eight fixed lanes, so that the
// result does not depend on the instruction set.
[[nodiscard]] Moments moments_of(std::span<const double> values);

// The moments of both sets of values together.
[[nodiscard]] Moments merged(const Moments& left, const Moments& right);

}  // namespace labfactory
