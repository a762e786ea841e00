#include <doctest/doctest.h>

#include <array>
#include <cstdint>

#include "labfactory/base/philox.hpp"

using namespace labfactory;

TEST_CASE("philox4x32 agrees with the known-answer vectors of Random123") {
  using Words = std::array<std::uint32_t, 4>;
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("uniform53 covers [0, 1) in steps of 2^-53") {
  CHECK(uniform53(0, 0) == 0.0);
  CHECK(uniform53(0x7ff, 0) == 0.0);
  CHECK(uniform53(0x800, 0) == 0x1p-53);
  CHECK(uniform53(0, 0x80000000) == 0.5);
  CHECK(uniform53(0xffffffff, 0xffffffff) == 1.0 - 0x1p-53);
}
