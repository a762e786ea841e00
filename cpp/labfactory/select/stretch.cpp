#include "labfactory/select/stretch.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace labfactory::select {

namespace {

constexpr std::size_t kMostFeatures = 64;
constexpr int kSteps = 24;  // of the power method; the bound holds however close it comes
constexpr double kRoom = 1.02;

using Matrix = std::vector<double>;

Matrix square_of(std::span<const float> factor, std::size_t n) {
  Matrix made(n * n);
  for (std::size_t row = 0; row < n; ++row) {
    const float* const numbers = factor.data() + row * n;
    for (std::size_t i = 0; i < n; ++i) {
      const double own = numbers[i];
      for (std::size_t j = 0; own != 0.0 && j < n; ++j) {
        made[i * n + j] += own * static_cast<double>(numbers[j]);
      }
    }
  }
  return made;
}

// About the largest eigenvalue, from below.
double power_method(const Matrix& matrix, std::size_t n) {
  std::vector<double> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = 1.0 + 0.1 * static_cast<double>(i % 7);
  double length = 0.0;
  for (int step = 0; step < kSteps; ++step) {
    std::vector<double> next(n);
    length = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) next[i] += matrix[i * n + j] * x[j];
      length += next[i] * next[i];
    }
    length = std::sqrt(length);
    if (!(length > 0.0)) return 0.0;
    for (std::size_t i = 0; i < n; ++i) x[i] = next[i] / length;
  }
  return length;
}

// Whether most · identity - matrix has a Cholesky factor: then no eigenvalue is above `most`.
bool is_above(double most, const Matrix& matrix, std::size_t n) {
  Matrix lower(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = (i == j ? most : 0.0) - matrix[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= lower[i * n + k] * lower[j * n + k];
      if (i == j && !(sum > 0.0)) return false;
      lower[i * n + j] = i == j ? std::sqrt(sum) : sum / lower[j * n + j];
    }
  }
  return true;
}

}  // namespace

float stretch_bound(std::span<const float> factor, std::int64_t features) {
  const auto n = static_cast<std::size_t>(features);
  double whole = 0.0;
  for (const float number : factor) whole += static_cast<double>(number) * static_cast<double>(number);
  double largest = whole;
  if (n <= kMostFeatures && whole > 0.0 && std::isfinite(whole)) {
    const Matrix matrix = square_of(factor, n);
    double tried = kRoom * power_method(matrix, n);
    while (tried < whole && !is_above(tried, matrix, n)) tried = std::max(tried, whole * 0x1p-20) * 1.1;
    largest = std::min(tried, whole);
  }
  // Rounding: of each product's sum no more than features + 2 times 2^-24 of its magnitudes, whose squares
  // sum up to the Frobenius norm's; of squares and root as much again.
  const double rounding = static_cast<double>(features + 4) * 0x1p-23;
  const double bound = (std::sqrt(largest) + rounding * std::sqrt(whole)) * (1.0 + rounding + 1e-5);
  return std::nextafterf(static_cast<float>(bound), HUGE_VALF);
}

}  // namespace labfactory::select
