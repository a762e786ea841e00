#include "labfactory/stats/co_moments.hpp"

#include <algorithm>

namespace labfactory {

void merge_co_moments(std::size_t numbers, std::int64_t count, std::span<double> figures,
                      std::int64_t other_count, std::span<const double> other) {
  if (other_count == 0) return;
  if (count == 0) {
    std::ranges::copy(other, figures.begin());
    return;
  }
  // Chan, Golub & LeVeque 1979, eq. 2.1, and its like for products.
  const auto rows = static_cast<double>(count);
  const double share = static_cast<double>(other_count) / (rows + static_cast<double>(other_count));
  const std::span<double> means = figures.first(numbers);
  const std::span<double> rests = figures.subspan(numbers, numbers);
  const auto delta = [&](std::size_t i) { return (other[i] - means[i]) + (other[numbers + i] - rests[i]); };
  std::size_t place = 2 * numbers;
  for (std::size_t a = 0; a < numbers; ++a) {
    const double weighted = delta(a) * (rows * share);
    for (std::size_t b = a; b < numbers; ++b, ++place) {
      figures[place] = (figures[place] + other[place]) + weighted * delta(b);
    }
  }
  for (std::size_t i = 0; i < numbers; ++i) {
    const TwoSum shifted = two_sum(means[i], delta(i) * share);
    const TwoSum mean = two_sum(shifted.value, rests[i] + shifted.rest);
    means[i] = mean.value;
    rests[i] = mean.rest;
  }
}

}  // namespace labfactory
