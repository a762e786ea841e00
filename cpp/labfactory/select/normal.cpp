#include "labfactory/select/normal.hpp"

#include <bit>
#include <cmath>

#include "labfactory/select/exponential.hpp"

namespace labfactory::select {

double logarithm(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0x1.6a09e667f3bcdp-1) {  // sqrt(1/2)
    m *= 2.0;
    --exponent;
  }
  // ln m = 2 artanh(s), |s| < 0.172: after twelve terms less than 2^-60 of the sum is left.
  const double s = (m - 1.0) / (m + 1.0);
  const double s2 = s * s;
  double sum = 0.0;
  for (int k = 23; k >= 3; k -= 2) sum = (sum + 1.0 / k) * s2;
  const double whole = exponent;
  return whole * kLn2High + (2.0 * s + (2.0 * s * sum + whole * kLn2Low));
}

double exponential(double x) {
  if (!(x >= kLowest)) return 0.0;
  const double n = (x * kLog2E + kRound) - kRound;
  const double r = (x - n * kLn2High) - n * kLn2Low;
  double p = kTaylor[13];
  for (int k = 12; k >= 0; --k) p = p * r + kTaylor[k];
  return std::ldexp(p, static_cast<int>(n));
}

double normal_quantile(double p) {
  const auto cubic = [](const double (&a)[4], double r) { return ((a[3] * r + a[2]) * r + a[1]) * r + a[0]; };
  const auto quadratic = [](const double (&a)[3], double r) { return (a[2] * r + a[1]) * r + a[0]; };
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * cubic(kCentral, r) / cubic(kCentralBelow, r);
  }
  const double tail = std::sqrt(-logarithm(q < 0.0 ? p : 1.0 - p));
  const double z = tail <= 5.0 ? cubic(kTail, tail - 1.6) / quadratic(kTailBelow, tail - 1.6)
                               : cubic(kFar, tail - 5.0) / quadratic(kFarBelow, tail - 5.0);
  return q < 0.0 ? -z : z;
}

float quantile_bound(std::uint32_t upper) {
  const auto left = static_cast<std::int32_t>(~upper);
  if (left < 0) return 0.0F;
  const auto exponent = static_cast<float>(std::bit_cast<std::int32_t>(static_cast<float>(left)));
  return std::sqrt(kBoundOrigin - exponent * kBoundSlope) - kBoundShift;
}

const std::array<HermiteNode, 32>& hermite_nodes() {
  // numpy.polynomial.hermite_e.hermegauss(32), the weights divided by sqrt(2 pi).
  static constexpr std::array<HermiteNode, 32> nodes = {{
      {-0x1.427a3f1db919fp+3, 0x1.8ee855cbb9823p-75}, {-0x1.220f8eeefb5c8p+3, 0x1.3373dd69fd8bbp-61},
      {-0x1.0708049ea9d49p+3, 0x1.856a7ce84ee33p-51}, {-0x1.dd7d05b3d953dp+2, 0x1.0bbf0d839b2c4p-42},
      {-0x1.b0612bb4cd77fp+2, 0x1.267306d49023ep-35}, {-0x1.85b1975b7fcd2p+2, 0x1.3dd4821e28ca5p-29},
      {-0x1.5ccd585c14c3bp+2, 0x1.7d72d2f760c71p-24}, {-0x1.354964dc18905p+2, 0x1.1470139df1c0bp-19},
      {-0x1.0ed96f11da5cap+2, 0x1.005aad676c8c4p-15}, {-0x1.d2883126a7f59p+1, 0x1.3d41087f380ccp-12},
      {-0x1.88b8a7394f348p+1, 0x1.0e46f3a7f6239p-9},  {-0x1.3ffac54e39766p+1, 0x1.4484421077c80p-7},
      {-0x1.f02116ea70426p+0, 0x1.176d890e90393p-5},  {-0x1.6187eb184c23ep+0, 0x1.5d92848697754p-4},
      {-0x1.a791e30c6acd6p-1, 0x1.40978415e6ac8p-3},  {-0x1.1a28d72c7eea3p-2, 0x1.b192b09824408p-3},
      {0x1.1a28d72c7eea3p-2, 0x1.b192b09824408p-3},   {0x1.a791e30c6acd6p-1, 0x1.40978415e6ac8p-3},
      {0x1.6187eb184c23ep+0, 0x1.5d92848697754p-4},   {0x1.f02116ea70426p+0, 0x1.176d890e90393p-5},
      {0x1.3ffac54e39766p+1, 0x1.4484421077c80p-7},   {0x1.88b8a7394f348p+1, 0x1.0e46f3a7f6239p-9},
      {0x1.d2883126a7f59p+1, 0x1.3d41087f380ccp-12},  {0x1.0ed96f11da5cap+2, 0x1.005aad676c8c4p-15},
      {0x1.354964dc18905p+2, 0x1.1470139df1c0bp-19},  {0x1.5ccd585c14c3bp+2, 0x1.7d72d2f760c71p-24},
      {0x1.85b1975b7fcd2p+2, 0x1.3dd4821e28ca5p-29},  {0x1.b0612bb4cd77fp+2, 0x1.267306d49023ep-35},
      {0x1.dd7d05b3d953dp+2, 0x1.0bbf0d839b2c4p-42},  {0x1.0708049ea9d49p+3, 0x1.856a7ce84ee33p-51},
      {0x1.220f8eeefb5c8p+3, 0x1.3373dd69fd8bbp-61},  {0x1.427a3f1db919fp+3, 0x1.8ee855cbb9823p-75},
  }};
  return nodes;
}

}  // namespace labfactory::select
