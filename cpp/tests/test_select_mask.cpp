#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "labfactory/select/mask.hpp"
#include "labfactory/select/sample.hpp"

using namespace labfactory::select;

TEST_CASE("a word of bits begins at any bit and reads no byte too many") {
  std::mt19937_64 random(1);
  for (std::int64_t first = 0; first < 20; ++first) {
    for (std::int64_t rows = 1; rows <= 64; ++rows) {
      // Exactly the bytes that hold the rows, so that the address sanitizer sees one more.
      std::vector<std::uint8_t> bytes(static_cast<std::size_t>((first + rows + 7) / 8));
      for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
      const std::uint64_t word = word_of(bytes.data(), first, rows);
      for (std::int64_t i = 0; i < 64; ++i) {
        const std::int64_t at = first + i;
        const bool expected = i < rows && ((bytes[static_cast<std::size_t>(at / 8)] >> (at % 8)) & 1) != 0;
        REQUIRE(((word >> i) & 1) == (expected ? 1U : 0U));
      }
    }
  }
}

TEST_CASE("a candidate needs all of its conditions, and rows beyond the last are not eligible") {
  const Mask mask({{}, {0}, {0, 1}});
  const std::vector<std::uint64_t> conditions = {0b1110, 0b0111};
  std::vector<std::uint64_t> eligible(3);
  mask.fill(conditions, 4, eligible.data());
  CHECK(eligible == std::vector<std::uint64_t>{0b1111, 0b1110, 0b0110});
}

TEST_CASE("the first rule whose candidate is eligible picks it") {
  const std::vector<Rule> rules = {{0, 1}, {-1, 0}};
  const std::vector<std::uint64_t> conditions = {0b0111};
  const std::vector<std::uint64_t> eligible = {0b1011, 0b1101};
  std::vector<std::uint64_t> picks(2);
  apply_rules(rules, conditions, eligible.data(), picks);
  // Row 1: the rule holds, but its candidate is not eligible; row 2: only candidate 1 is.
  CHECK(picks == std::vector<std::uint64_t>{0b1010, 0b0101});
}

TEST_CASE("a split number gives every candidate its share and the base a number in [0, 1)") {
  CHECK(split(0.0, 0.25, 4).uniform == 0);
  CHECK(split(0.2, 0.25, 4).uniform == 3);
  CHECK(split(0x1.fffffffffffffp-3, 0.25, 4).uniform == 3);
  CHECK(split(0.25, 0.25, 4).uniform == -1);
  CHECK(split(0.25, 0.25, 4).base == 0.0);
  CHECK(split(0x1.fffffffffffffp-1, 0.25, 4).base < 1.0);
  CHECK(split(0x1.fffffffffffffp-1, 1.0, 3).uniform == 2);
}

TEST_CASE("a floor mixes in the uniform choice, at most wholly") {
  CHECK(Exploration{Base::best, 0.0, 0.0, 0.01}.rate(10) == 0.1);
  CHECK(Exploration{Base::best, 0.0, 0.3, 0.01}.rate(10) == 0.3);
  CHECK(Exploration{Base::best, 0.0, 0.0, 0.2}.rate(10) == 1.0);
}

TEST_CASE("a draw depends on seed, version, slot, purpose and customer alone") {
  const double number = Stream(7, "1", "hero", "choice").uniform(42);
  CHECK(number == Stream(7, "1", "hero", "choice").uniform(42));
  CHECK(number != Stream(8, "1", "hero", "choice").uniform(42));
  CHECK(number != Stream(7 + (std::uint64_t{1} << 32), "1", "hero", "choice").uniform(42));
  CHECK(number != Stream(7, "2", "hero", "choice").uniform(42));
  CHECK(number != Stream(7, "1", "footer", "choice").uniform(42));
  CHECK(number != Stream(7, "1", "hero", "other").uniform(42));
  CHECK(number != Stream(7, "1", "hero", "choice").uniform(42 + (std::uint64_t{1} << 32)));
}
