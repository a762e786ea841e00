#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "labfactory/assign/bucket.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/base/hash.hpp"

using namespace labfactory;

TEST_CASE("a bucket is the hash of the key's hash under the experiment's salt") {
  const std::uint64_t key = hash64("customer-1");
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>((key >> (8 * i)) & 0xff));
  const std::uint64_t salt = salt_of("tone", 7);
  CHECK(salt == hash64("tone", 7));
  CHECK(bucket_of(key, salt) == std::ldexp(static_cast<double>(hash64(bytes, salt) >> 11), -53));
}

TEST_CASE("arms fill their weights and an arm of weight 0 is never given") {
  const ArmRanges ranges(std::vector<double>{0.0, 0.2, 0.0, 0.7, 0.1, 0.0});
  CHECK(ranges.arm_of(0.0) == 1);
  CHECK(ranges.arm_of(std::nextafter(0.2, 0.0)) == 1);
  CHECK(ranges.arm_of(0.2) == 3);
  CHECK(ranges.arm_of(std::nextafter(1.0, 0.0)) == 4);
  std::vector<int> counts(6);
  const std::uint64_t salt = salt_of("shares", 1);
  for (std::uint64_t key = 0; key < 100'000; ++key) {
    ++counts[static_cast<std::size_t>(ranges.arm_of(bucket_of(hash64(std::to_string(key)), salt)))];
  }
  CHECK(counts[0] + counts[2] + counts[5] == 0);
  // Five standard deviations of a share of 100,000.
  CHECK(std::abs(counts[1] - 20'000) < 5 * 127);
  CHECK(std::abs(counts[3] - 70'000) < 5 * 145);
}

TEST_CASE("weights that miss 1 by rounding are taken, others are refused") {
  const double third = 0.333333333333;
  CHECK(ArmRanges(std::vector<double>{third, third, third}).arm_of(std::nextafter(1.0, 0.0)) == 2);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  for (const std::vector<double>& wrong :
       std::vector<std::vector<double>>{{}, {0.5, 0.4}, {1.5, -0.5}, {nan, 1.0}, {infinite, 0.5}}) {
    CHECK_THROWS_AS(ArmRanges{wrong}, Error);
  }
}
