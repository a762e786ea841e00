#include "labfactory/stats/moments.hpp"

#include <array>
#include <cstddef>

namespace labfactory {

namespace {

constexpr std::size_t kLanes = 8;
using Lanes = std::array<double, kLanes>;

struct Distances {
  double sum = 0.0;
  double squares = 0.0;
};

double total(const Lanes& lanes) {
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

double sum_of(std::span<const double> values) {
  Lanes sums{};
  const std::size_t whole = values.size() - values.size() % kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += values[i + lane];
  }
  for (std::size_t i = whole; i < values.size(); ++i) sums[i - whole] += values[i];
  return total(sums);
}

Distances distances_from(double mean, std::span<const double> values) {
  Lanes sums{};
  Lanes squares{};
  const std::size_t whole = values.size() - values.size() % kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double distance = values[i + lane] - mean;
      sums[lane] += distance;
      squares[lane] += distance * distance;
    }
  }
  for (std::size_t i = whole; i < values.size(); ++i) {
    const double distance = values[i] - mean;
    sums[i - whole] += distance;
    squares[i - whole] += distance * distance;
  }
  return {total(sums), total(squares)};
}

// Knuth's two-sum: the rounded sum and exactly what rounding took.
struct Sum {
  double value = 0.0;
  double rest = 0.0;
};

Sum two_sum(double a, double b) {
  const double value = a + b;
  const double part = value - a;
  return {value, (a - (value - part)) + (b - part)};
}

}  // namespace

Moments moments_of(std::span<const double> values) {
  if (values.empty()) return {};
  const auto count = static_cast<double>(values.size());
  const double guess = sum_of(values) / count;
  const Distances from_guess = distances_from(guess, values);
  // Corrected two-pass algorithm: Chan, Golub & LeVeque 1983, eq. 1.7.
  const double correction = from_guess.sum / count;
  const Sum mean = two_sum(guess, correction);
  const double squares = from_guess.squares - from_guess.sum * correction;
  return {static_cast<std::int64_t>(values.size()), mean.value, mean.rest,
          squares > 0.0 ? squares : 0.0 * squares};
}

Moments merged(const Moments& left, const Moments& right) {
  if (left.count == 0) return right;
  if (right.count == 0) return left;
  // Chan, Golub & LeVeque 1979, eq. 2.1, with the mean kept in two doubles.
  const auto left_count = static_cast<double>(left.count);
  const double right_share =
      static_cast<double>(right.count) / (left_count + static_cast<double>(right.count));
  const double delta = (right.mean - left.mean) + (right.mean_rest - left.mean_rest);
  const Sum shifted = two_sum(left.mean, delta * right_share);
  const Sum mean = two_sum(shifted.value, left.mean_rest + shifted.rest);
  return {left.count + right.count, mean.value, mean.rest,
          (left.squares + right.squares) + delta * delta * (left_count * right_share)};
}

}  // namespace labfactory
