#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <random>
#include <string>

#include "labfactory/values/moment.hpp"
#include "labfactory/values/text.hpp"

using namespace labfactory;

namespace {

// The buffer is exactly as long as the bound, so that a sanitizer sees what goes beyond it.
template <typename Write>
std::string written(std::size_t bound, Write write) {
  const auto out = std::make_unique<char[]>(bound);
  const char* const end = write(out.get());
  return {out.get(), static_cast<std::size_t>(end - out.get())};
}

// glibc's printf is exact and rounds ties to even.
std::string printed(double value, int precision) {
  char buffer[2048];
  const int size = std::snprintf(buffer, sizeof buffer, "%.*f", precision, value);
  return {buffer, static_cast<std::size_t>(size)};
}

double random_double(std::mt19937_64& random) {
  switch (random() % 4) {
    case 0: {
      const auto value = std::bit_cast<double>(random());
      return std::isfinite(value) ? value : 0.0;
    }
    case 1:
      return static_cast<double>(random() % 2'000'000) / 1000 - 1000;
    case 2:
      return std::ldexp(static_cast<double>(random() % (1 << 20)), -static_cast<int>(random() % 30));
    default:
      return static_cast<double>(random() >> (random() % 64));
  }
}

}  // namespace

TEST_CASE("fixed places are those of an exact printf, inside their bound") {
  std::mt19937_64 random(11);
  for (int round = 0; round < 20000; ++round) {
    const double value = random_double(random);
    const int precision = static_cast<int>(random() % 24);
    CHECK(written(fixed_bound(value, precision), [&](char* out) {
            return write_fixed(out, value, precision);
          }) == printed(value, precision));
  }
  for (const double value :
       {std::numeric_limits<double>::max(), std::numeric_limits<double>::denorm_min(), 0.0}) {
    for (const int precision : {0, 1, 25, 1000}) {
      CHECK(written(fixed_bound(value, precision), [&](char* out) {
              return write_fixed(out, value, precision);
            }) == printed(value, precision));
    }
  }
}

TEST_CASE("a float's text reads back and stays inside its bound") {
  std::mt19937_64 random(12);
  for (int round = 0; round < 20000; ++round) {
    const double value = random_double(random);
    const std::string text = written(kReprBound, [&](char* out) { return write_repr(out, value); });
    CHECK(std::strtod(text.c_str(), nullptr) == value);
  }
}

TEST_CASE("integers stay inside their bound") {
  std::mt19937_64 random(13);
  for (int round = 0; round < 20000; ++round) {
    const auto value = static_cast<std::int64_t>(random()) >> (random() % 64);
    CHECK(written(kIntegerBound, [&](char* out) { return write_integer(out, value); }) ==
          std::to_string(value));
  }
}

TEST_CASE("dates outside Python's years are not written") {
  char out[kTimestampBound];
  CHECK(write_date(out, -719163) == nullptr);
  CHECK(write_date(out, 2932897) == nullptr);
  CHECK(write_timestamp(out, std::numeric_limits<std::int64_t>::min()) == nullptr);
  CHECK(write_timestamp(out, std::numeric_limits<std::int64_t>::max()) == nullptr);
}
