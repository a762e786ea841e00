#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/assign/hashes.hpp"

using namespace labfactory;

TEST_CASE("FNV-1a of ASCII is that of its authors") {
  // L. C. Noll, test_fnv.c: FNV-1a, 32 bits.
  CHECK(fnv1a32_utf16(kFnvStart, "") == 0x811C9DC5);
  CHECK(fnv1a32_utf16(kFnvStart, "a") == 0xE40C292C);
  CHECK(fnv1a32_utf16(kFnvStart, "foobar") == 0xBF9CF968);
}

TEST_CASE("MurmurHash3 is that of its author's reference at every length of tail") {
  // A. Appleby's MurmurHash3_x86_32, as collected with smhasher.
  CHECK(murmur3_32("", 0) == 0);
  CHECK(murmur3_32("", 1) == 0x514E28B7);
  CHECK(murmur3_32("", 0xFFFFFFFF) == 0x81F16F39);
  CHECK(murmur3_32("aaaa", 0x9747B28C) == 0x5A97808A);
  CHECK(murmur3_32("aaa", 0x9747B28C) == 0x283E0130);
  CHECK(murmur3_32("aa", 0x9747B28C) == 0x5D211726);
  CHECK(murmur3_32("a", 0x9747B28C) == 0x7FA09EA6);
  CHECK(murmur3_32("Hello, world!", 0x9747B28C) == 0x24884CBA);
  CHECK(murmur3_32("The quick brown fox jumps over the lazy dog", 0x9747B28C) == 0x2FA826CD);
}

TEST_CASE("SHA-1 and SHA-256 are those of FIPS 180-4") {
  const std::string_view two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  CHECK(sha1_60("abc") == 0xA9993E364706816);
  CHECK(sha1_60(two_blocks) == 0x84983E441C3BD26);
  CHECK(sha256_64("abc") == 0xBA7816BF8F01CFEA);
  CHECK(sha256_64(two_blocks) == 0x248D6A61D20638B8);
  CHECK(sha256_64(std::string(1'000'000, 'a')) == 0xCDC76E5C9914FB92);
}

TEST_CASE("code units are those that FNV reads") {
  CHECK(utf16_units("a\xC3\xA4\xF0\x9F\x98\x80\xFF") ==
        std::vector<std::uint16_t>{0x61, 0xE4, 0xD83D, 0xDE00, 0xFFFD});
}
