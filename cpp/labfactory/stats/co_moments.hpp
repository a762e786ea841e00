// Count, means and centred products of several numbers at once: a summary that merges without a second look
// at the data.
// Owner: values; merge_co_moments() works on memory of the caller.
// Threads: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace labfactory {

// Of p numbers: p means, p rests, and p (p + 1) / 2 products, the upper triangle by rows.
[[nodiscard]] constexpr std::size_t product_count(std::size_t numbers) {
  return numbers * (numbers + 1) / 2;
}
[[nodiscard]] constexpr std::size_t figure_count(std::size_t numbers) {
  return 2 * numbers + product_count(numbers);
}
// Where the product of numbers a <= b stands in the triangle.
[[nodiscard]] constexpr std::size_t product_place(std::size_t numbers, std::size_t a, std::size_t b) {
  return a * numbers - a * (a + 1) / 2 + b;
}

// Knuth's two-sum: the rounded sum and exactly what rounding took.
struct TwoSum {
  double value = 0.0;
  double rest = 0.0;
};

[[nodiscard]] constexpr TwoSum two_sum(double a, double b) {
  const double value = a + b;
  const double part = value - a;
  return {value, (a - (value - part)) + (b - part)};
}

// Makes `figures` of `count` rows the figures of these and of `other_count` further rows. A mean is kept in
// two doubles: those near 1e8 lie 1.5e-8 apart, and without the rest a merge would lose a variance of 1 in
// the tenth digit.
void merge_co_moments(std::size_t numbers, std::int64_t count, std::span<double> figures,
                      std::int64_t other_count, std::span<const double> other);

}  // namespace labfactory
