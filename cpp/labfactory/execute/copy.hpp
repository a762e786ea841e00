// Copies of short texts, which most literals and names are.
// Owner: the caller's memory on both sides.
// Threads: any; pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace labfactory {

// memcpy whose short cases are two moves: most literals and names are shorter than 32 bytes.
inline void copy_bytes(char* to, const char* from, std::size_t n) {
  if (n > 32) {
    std::memcpy(to, from, n);
  } else if (n >= 16) {
    char head[16];
    char tail[16];
    std::memcpy(head, from, 16);
    std::memcpy(tail, from + n - 16, 16);
    std::memcpy(to, head, 16);
    std::memcpy(to + n - 16, tail, 16);
  } else if (n >= 8) {
    std::uint64_t head = 0;
    std::uint64_t tail = 0;
    std::memcpy(&head, from, 8);
    std::memcpy(&tail, from + n - 8, 8);
    std::memcpy(to, &head, 8);
    std::memcpy(to + n - 8, &tail, 8);
  } else if (n >= 4) {
    std::uint32_t head = 0;
    std::uint32_t tail = 0;
    std::memcpy(&head, from, 4);
    std::memcpy(&tail, from + n - 4, 4);
    std::memcpy(to, &head, 4);
    std::memcpy(to + n - 4, &tail, 4);
  } else {
    for (std::size_t i = 0; i < n; ++i) to[i] = from[i];
  }
}

// Sixteen bytes at once, by the compiler's own vectors: SSE2 or NEON, wherever this runs.
using Bytes16 = unsigned char __attribute__((vector_size(16)));

[[nodiscard]] inline Bytes16 load16(const char* from) {
  Bytes16 out;
  std::memcpy(&out, from, sizeof out);
  return out;
}
inline void store16(char* to, Bytes16 bytes) {
  std::memcpy(to, &bytes, sizeof bytes);
}

// Bytes that markupsafe.escape replaces are marked: & and ' differ in one bit, < and > in another.
[[nodiscard]] inline Bytes16 marks16(Bytes16 bytes) {
  return static_cast<Bytes16>((bytes & 0xFE) == 0x26) | static_cast<Bytes16>((bytes & 0xFD) == 0x3C) |
         static_cast<Bytes16>(bytes == 0x22);
}
// A bit for each marked byte.
[[nodiscard]] inline std::uint32_t mask16(Bytes16 marks) {
#if defined(__x86_64__)
  using Signed16 = char __attribute__((vector_size(16)));
  return static_cast<std::uint32_t>(__builtin_ia32_pmovmskb128(reinterpret_cast<Signed16>(marks)));
#else
  std::uint32_t mask = 0;
  for (std::uint32_t i = 0; i < 16; ++i) mask |= static_cast<std::uint32_t>(marks[i] >> 7) << i;
  return mask;
#endif
}
[[nodiscard]] inline bool any16(Bytes16 marks) {
#if defined(__x86_64__)
  return mask16(marks) != 0;
#else
  std::uint64_t halves[2];
  std::memcpy(halves, &marks, sizeof halves);
  return (halves[0] | halves[1]) != 0;
#endif
}

inline constexpr std::size_t kMostUnescaped = 32;

// Copies up to kMostUnescaped bytes of which none needs escaping, and touches as many; false, and nothing
// that counts is written, where one does. Loads stay inside the text.
[[gnu::always_inline]] inline bool copy_unescaped(char* to, const char* from, std::size_t n) {
  if (n >= 16) {
    const Bytes16 head = load16(from);
    const Bytes16 tail = load16(from + n - 16);
    if (any16(marks16(head) | marks16(tail))) return false;
    store16(to, head);
    store16(to + n - 16, tail);
    return true;
  }
  std::uint64_t halves[2] = {0, 0};
  if (n >= 8) {
    std::memcpy(&halves[0], from, 8);
    std::memcpy(&halves[1], from + n - 8, 8);
  } else if (n >= 4) {
    std::uint32_t quarters[2];
    std::memcpy(&quarters[0], from, 4);
    std::memcpy(&quarters[1], from + n - 4, 4);
    halves[0] = quarters[0];
    halves[1] = quarters[1];
  } else {
    for (std::size_t i = 0; i < n; ++i)
      halves[0] |= std::uint64_t{static_cast<unsigned char>(from[i])} << (8 * i);
  }
  Bytes16 both;
  std::memcpy(&both, halves, sizeof both);
  if (any16(marks16(both))) return false;
  if (n >= 8) {
    std::memcpy(to, &halves[0], 8);
    std::memcpy(to + n - 8, &halves[1], 8);
  } else if (n >= 4) {
    std::memcpy(to, &halves[0], 4);
    std::memcpy(to + n - 4, &halves[1], 4);
  } else {
    std::memcpy(to, &halves[0], 8);
  }
  return true;
}

// A text with fewer bytes than this is copied as so many, where both sides have them.
inline constexpr std::size_t kShortText = 32;

[[gnu::always_inline]] inline void copy_short_text(char* to, const char* from) {
  const Bytes16 head = load16(from);
  const Bytes16 tail = load16(from + 16);
  store16(to, head);
  store16(to + 16, tail);
}

// A copy may touch this much behind both texts.
inline constexpr std::size_t kWideSlack = 64;

// Copies text of our own that kWideSlack bytes follow into memory that kWideSlack bytes follow, in whole
// blocks, so that no branch hangs on the exact size. For more than kShortText bytes.
using PaddedCopy = void (*)(char* to, const char* from, std::size_t n);

// That of the dispatch level in force; all copy the same.
[[nodiscard]] PaddedCopy padded_copy();
void copy_padded_plain(char* to, const char* from, std::size_t n);
#if defined(__x86_64__)
void copy_padded_avx2(char* to, const char* from, std::size_t n);
#endif

}  // namespace labfactory
