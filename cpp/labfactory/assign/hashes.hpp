// The hashes by which experiment platforms place customers, each fixed by its vendor's published vectors.
// Owner: nothing. Threads: any; pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace labfactory {

inline constexpr std::uint32_t kFnvStart = 0x811C9DC5;

// FNV-1a, 32 bits, over the UTF-16 code units of UTF-8 text, as JavaScript's charCodeAt gives them; what is
// not UTF-8 counts as U+FFFD. `state` is kFnvStart, or what came of the text before this one.
[[nodiscard]] std::uint32_t fnv1a32_utf16(std::uint32_t state, std::string_view text);

// Texts at a time: one multiplication a byte waits for the one before it, four texts keep the multiplier
// busy.
inline constexpr std::size_t kFnvLanes = 4;
using FnvLanes = std::array<std::uint32_t, kFnvLanes>;

// fnv1a32_utf16 of four texts, each after `start` and before `suffix`.
[[nodiscard]] FnvLanes fnv1a32_utf16(std::uint32_t start,
                                     const std::array<std::string_view, kFnvLanes>& texts,
                                     std::string_view suffix);

// Replaces each number of 32 bits by fnv1a32_utf16 of its decimal digits.
void fnv1a32_of_digits(std::span<std::uint64_t> numbers);

// A. Appleby, MurmurHash3_x86_32.
[[nodiscard]] std::uint32_t murmur3_32(std::string_view bytes, std::uint32_t seed);

// The first 15 hexadecimal digits of SHA-1: 60 bits.
[[nodiscard]] std::uint64_t sha1_60(std::string_view bytes);

// The first 8 bytes of SHA-256, the first one highest.
[[nodiscard]] std::uint64_t sha256_64(std::string_view bytes);

}  // namespace labfactory
