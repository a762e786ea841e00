#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "labfactory/base/hash.hpp"

using namespace labfactory;

namespace {

// The generator of xxHash's own sanity check (tests/sanity_test.c).
std::string sanity_buffer(std::size_t size) {
  constexpr std::uint64_t kPrime32 = 2654435761U;
  constexpr std::uint64_t kPrime64 = 11400714785074694797U;
  std::string buffer;
  std::uint64_t generator = kPrime32;
  for (std::size_t i = 0; i < size; ++i) {
    buffer.push_back(static_cast<char>(generator >> 56));
    generator *= kPrime64;
  }
  return buffer;
}

}  // namespace

TEST_CASE("hash64 agrees with the published vectors of XXH64") {
  CHECK(hash64("") == 0xEF46DB3751D8E999);
  CHECK(hash64("a") == 0xD24EC4F1A98C6E5B);
  CHECK(hash64("abc") == 0x44BC2CF5AD770999);
  const std::string buffer = sanity_buffer(222);
  const std::uint64_t seed = 2654435761U;
  CHECK(hash64({buffer.data(), 0}, seed) == 0xAC75FDA2929B17EF);
  CHECK(hash64({buffer.data(), 1}) == 0xE934A84ADB052768);
  CHECK(hash64({buffer.data(), 1}, seed) == 0x5014607643A9B4C3);
  CHECK(hash64({buffer.data(), 4}) == 0x9136A0DCA57457EE);
  CHECK(hash64({buffer.data(), 14}) == 0x8282DCC4994E35C8);
  CHECK(hash64({buffer.data(), 14}, seed) == 0xC3BD6BF63DEB6DF0);
  CHECK(hash64({buffer.data(), 222}) == 0xB641AE8CB691C174);
  CHECK(hash64({buffer.data(), 222}, seed) == 0x20CB8AB7AE10C14A);
}

TEST_CASE("hash32 is the low half of hash64") {
  CHECK(hash32("abc") == 0xAD770999);
}
