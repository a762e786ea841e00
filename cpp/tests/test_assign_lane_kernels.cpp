#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "labfactory/assign/hashes.hpp"
#include "labfactory/assign/lane_kernels.hpp"
#include "labfactory/base/dispatch.hpp"

using namespace labfactory;

namespace {

std::vector<const LaneKernels*> every_level() {
  std::vector<const LaneKernels*> kernels = {&lane_kernels_plain()};
  if (dispatch_level() >= Level::avx2) kernels.push_back(&lane_kernels_avx2());
  return kernels;
}

// Up to 200 bytes; one in eight is not ASCII, one in sixteen not even UTF-8.
std::string any_text(std::mt19937& random) {
  std::string text;
  const std::size_t size = random() % 4 == 0 ? random() % 200 : 22;
  while (text.size() < size) text += static_cast<char>(' ' + random() % 95);
  const auto kind = random() % 16;
  if (kind == 0) text += "\xC3";
  if (kind == 1) text.insert(text.size() / 2, "n\xC3\xA4\xF0\x9F\x98\x80");
  return text;
}

std::vector<std::uint64_t> any_hashes(std::mt19937& random) {
  std::vector<std::uint64_t> hashes = {0, 1, 9, 10, 99, 100, 999'999'999, 1'000'000'000, 4'294'967'295};
  for (int i = 0; i < 3'000; ++i) hashes.push_back(random() >> random() % 32);
  return hashes;
}

}  // namespace

TEST_CASE("rows of a tile hash as each text alone") {
  std::mt19937 random(7);
  for (const std::string suffix : {"", "-salt", "x\xC3\x9F\xF0\x9F\x98\x80y"}) {
    for (const std::string prefix : {"", "g:", "group-of-thirty-one-characters:"}) {
      KeyTile texts({}, {});
      KeyTile joined(prefix, suffix);
      for (int round = 0; round < 200; ++round) {
        std::array<std::string, KeyTile::kRows> keys;
        for (std::size_t row = 0; row < keys.size(); ++row) {
          keys[row] = any_text(random);
          texts.set(row, keys[row]);
          joined.set(row, keys[row]);
        }
        for (const LaneKernels* kernels : every_level()) {
          std::array<std::uint64_t, KeyTile::kRows> fnv{};
          std::array<std::uint64_t, KeyTile::kRows> murmur{};
          kernels->fnv1a32(texts, 17, utf16_units(suffix), fnv.data());
          kernels->murmur3_32(joined, 99, murmur.data());
          for (std::size_t row = 0; row < keys.size(); ++row) {
            REQUIRE(fnv[row] == fnv1a32_utf16(fnv1a32_utf16(17, keys[row]), suffix));
            REQUIRE(murmur[row] == murmur3_32(prefix + keys[row] + suffix, 99));
          }
        }
      }
    }
  }
}

TEST_CASE("a tile takes what its width leaves between prefix and suffix") {
  const KeyTile tile(std::string(100, 'p'), std::string(100, 's'));
  CHECK(tile.fits(std::string(56, 'k')));
  CHECK_FALSE(tile.fits(std::string(57, 'k')));
  CHECK_FALSE(KeyTile(std::string(256, 'p'), {}).has_room());
  CHECK_FALSE(KeyTile(std::string(300, 'p'), {}).has_room());
}

TEST_CASE("digits of many numbers hash as the text of each") {
  std::mt19937 random(8);
  const std::vector<std::uint64_t> numbers = any_hashes(random);
  for (const LaneKernels* kernels : every_level()) {
    std::vector<std::uint64_t> hashes = numbers;
    kernels->fnv1a32_of_digits(hashes);
    for (std::size_t i = 0; i < numbers.size(); ++i)
      REQUIRE(hashes[i] == fnv1a32_utf16(kFnvStart, std::to_string(numbers[i])));
  }
}

TEST_CASE("remainders and shares are those of whole numbers") {
  std::mt19937 random(9);
  const std::vector<std::uint64_t> hashes = any_hashes(random);
  std::vector<double> buckets(hashes.size());
  for (const std::uint32_t count : {1U, 2U, 7U, 100U, 1'000U, 10'000U, 65'537U, 4'294'967'295U}) {
    for (const LaneKernels* kernels : every_level()) {
      kernels->remainders(hashes, count, 1.0, 3.0, buckets.data());
      for (std::size_t i = 0; i < hashes.size(); ++i)
        REQUIRE(buckets[i] == (static_cast<double>(hashes[i] % count) + 1.0) / 3.0);
      kernels->shares(hashes, count, buckets.data());
      for (std::size_t i = 0; i < hashes.size(); ++i)
        REQUIRE(buckets[i] == static_cast<double>(hashes[i] * count >> 32));
    }
  }
}

TEST_CASE("an arm is marked from its lower bound on and below its upper one") {
  const std::vector<double> buckets = {0.0, 0.2, 0.25, 0.5, 0.5, 0.75, std::nan("")};
  for (const LaneKernels* kernels : every_level()) {
    std::vector<std::int32_t> arms(buckets.size(), -1);
    kernels->mark(buckets, 0.2, 0.5, 3, arms.data());
    CHECK(arms == std::vector<std::int32_t>{-1, 3, 3, -1, -1, -1, -1});
  }
}
