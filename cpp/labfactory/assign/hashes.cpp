#include "labfactory/assign/hashes.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace labfactory {

namespace {

constexpr std::uint32_t kFnvPrime = 0x01000193;

std::uint32_t fnv_unit(std::uint32_t state, std::uint32_t unit) {
  return (state ^ unit) * kFnvPrime;
}

// One code point of UTF-8 at `at`, which it moves; U+FFFD and one byte for what is not UTF-8.
char32_t next_code_point(const unsigned char*& at, const unsigned char* end) {
  const std::uint32_t lead = *at++;
  if (lead < 0x80) return lead;
  const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  constexpr std::array<std::uint32_t, 4> kLeast = {0, 0x80, 0x800, 0x10000};
  if (lead < 0xC2 || lead > 0xF4 || end - at < more) return 0xFFFD;
  std::uint32_t code = lead & (0x3F >> more);
  for (int i = 0; i < more; ++i) {
    if ((at[i] & 0xC0) != 0x80) return 0xFFFD;
    code = code << 6 | (at[i] & 0x3F);
  }
  if (code < kLeast[static_cast<std::size_t>(more)] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
    return 0xFFFD;
  at += more;
  return code;
}

// Calls take(unit) for the UTF-16 code units of UTF-8.
template <class Take>
void for_each_unit(const unsigned char* at, const unsigned char* end, const Take& take) {
  while (at != end) {
    const std::uint32_t code = next_code_point(at, end);
    if (code < 0x10000) {
      take(code);
    } else {
      take(0xD800 + ((code - 0x10000) >> 10));
      take(0xDC00 + ((code - 0x10000) & 0x3FF));
    }
  }
}

std::uint32_t load32(const char* at) {
  static_assert(std::endian::native == std::endian::little, "MurmurHash3 reads little-endian words");
  std::uint32_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

std::uint32_t murmur_block(std::uint32_t word) {
  return std::rotl(word * 0xCC9E2D51, 15) * 0x1B873593;
}

// FIPS 180-4: messages in blocks of 64 bytes, the last ones padded with 1, zeros and the length in bits.
template <class Compress>
void for_each_block(std::string_view bytes, const Compress& compress) {
  constexpr std::size_t kBlock = 64;
  std::size_t at = 0;
  for (; bytes.size() - at >= kBlock; at += kBlock)
    compress(reinterpret_cast<const unsigned char*>(bytes.data()) + at);
  std::array<unsigned char, 2 * kBlock> tail{};
  const std::size_t rest = bytes.size() - at;
  if (rest > 0) std::memcpy(tail.data(), bytes.data() + at, rest);
  tail[rest] = 0x80;
  const std::size_t padded = rest + 9 <= kBlock ? kBlock : 2 * kBlock;
  const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
  for (std::size_t i = 0; i < 8; ++i) tail[padded - 1 - i] = static_cast<unsigned char>(bits >> (8 * i));
  compress(tail.data());
  if (padded > kBlock) compress(tail.data() + kBlock);
}

std::uint32_t big_endian(const unsigned char* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | at[3];
}

struct Sha1 {
  std::array<std::uint32_t, 5> state = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};

  void operator()(const unsigned char* block) {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t t = 0; t < 16; ++t) w[t] = big_endian(block + 4 * t);
    for (std::size_t t = 16; t < 80; ++t) w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    std::uint32_t a = state[0];
    std::uint32_t b = state[1];
    std::uint32_t c = state[2];
    std::uint32_t d = state[3];
    std::uint32_t e = state[4];
    const auto step = [&](std::uint32_t f, std::uint32_t k, std::uint32_t word) {
      const std::uint32_t next = std::rotl(a, 5) + f + e + k + word;
      e = d;
      d = c;
      c = std::rotl(b, 30);
      b = a;
      a = next;
    };
    for (std::size_t t = 0; t < 20; ++t) step((b & c) | (~b & d), 0x5A827999, w[t]);
    for (std::size_t t = 20; t < 40; ++t) step(b ^ c ^ d, 0x6ED9EBA1, w[t]);
    for (std::size_t t = 40; t < 60; ++t) step((b & c) | (b & d) | (c & d), 0x8F1BBCDC, w[t]);
    for (std::size_t t = 60; t < 80; ++t) step(b ^ c ^ d, 0xCA62C1D6, w[t]);
    state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e};
  }
};

// FIPS 180-4, 4.2.2: fractions of the cube roots of the first 64 primes.
constexpr std::array<std::uint32_t, 64> kSha256 = {
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2};

struct Sha256 {
  std::array<std::uint32_t, 8> state = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                        0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

  void operator()(const unsigned char* block) {
    std::array<std::uint32_t, 64> w{};
    for (std::size_t t = 0; t < 16; ++t) w[t] = big_endian(block + 4 * t);
    for (std::size_t t = 16; t < 64; ++t) {
      const std::uint32_t early = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
      const std::uint32_t late = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
      w[t] = w[t - 16] + early + w[t - 7] + late;
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (std::size_t t = 0; t < 64; ++t) {
      const std::uint32_t one = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
      const std::uint32_t first = h + one + ((e & f) ^ (~e & g)) + kSha256[t] + w[t];
      const std::uint32_t zero = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
      const std::uint32_t second = zero + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = d + first;
      d = c;
      c = b;
      b = a;
      a = first + second;
    }
    state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d,
             state[4] + e, state[5] + f, state[6] + g, state[7] + h};
  }
};

}  // namespace

std::uint32_t fnv1a32_utf16(std::uint32_t state, std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = at + text.size();
  for (; at != end && *at < 0x80; ++at) state = fnv_unit(state, *at);
  for_each_unit(at, end, [&state](std::uint32_t unit) { state = fnv_unit(state, unit); });
  return state;
}

std::vector<std::uint16_t> utf16_units(std::string_view text) {
  std::vector<std::uint16_t> units;
  const auto* const at = reinterpret_cast<const unsigned char*>(text.data());
  for_each_unit(at, at + text.size(),
                [&units](std::uint32_t unit) { units.push_back(static_cast<std::uint16_t>(unit)); });
  return units;
}

std::uint32_t murmur3_32(std::string_view bytes, std::uint32_t seed) {
  std::uint32_t hash = seed;
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  for (; end - at >= 4; at += 4) hash = std::rotl(hash ^ murmur_block(load32(at)), 13) * 5 + 0xE6546B64;
  std::uint32_t tail = 0;
  for (const char* back = end; back != at; --back) tail = tail << 8 | static_cast<unsigned char>(back[-1]);
  if (at != end) hash ^= murmur_block(tail);
  hash ^= static_cast<std::uint32_t>(bytes.size());
  hash = (hash ^ (hash >> 16)) * 0x85EBCA6B;
  hash = (hash ^ (hash >> 13)) * 0xC2B2AE35;
  return hash ^ (hash >> 16);
}

std::uint64_t sha1_60(std::string_view bytes) {
  Sha1 digest;
  for_each_block(bytes, [&digest](const unsigned char* block) { digest(block); });
  return (std::uint64_t{digest.state[0]} << 32 | digest.state[1]) >> 4;
}

std::uint64_t sha256_64(std::string_view bytes) {
  Sha256 digest;
  for_each_block(bytes, [&digest](const unsigned char* block) { digest(block); });
  return std::uint64_t{digest.state[0]} << 32 | digest.state[1];
}

}  // namespace labfactory
