// The hashes by which experiment platforms place customers, each fixed by its vendor's published vectors.
// Owner: nothing. Threads: any; pure functions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace labfactory {

inline constexpr std::uint32_t kFnvStart = 0x811C9DC5;

// FNV-1a, 32 bits, over the UTF-16 code units of UTF-8 text, as JavaScript's charCodeAt gives them; what is
// not UTF-8 counts as U+FFFD. `state` is kFnvStart, or what came of the text before this one.
[[nodiscard]] std::uint32_t fnv1a32_utf16(std::uint32_t state, std::string_view text);

// The code units that fnv1a32_utf16 reads.
[[nodiscard]] std::vector<std::uint16_t> utf16_units(std::string_view text);

// A. Appleby, MurmurHash3_x86_32.
[[nodiscard]] std::uint32_t murmur3_32(std::string_view bytes, std::uint32_t seed);

// The first 15 hexadecimal digits of SHA-1: 60 bits.
[[nodiscard]] std::uint64_t sha1_60(std::string_view bytes);

// The first 8 bytes of SHA-256, the first one highest.
[[nodiscard]] std::uint64_t sha256_64(std::string_view bytes);

}  // namespace labfactory
