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

// A copy may touch this much behind both texts.
inline constexpr std::size_t kWideSlack = 64;

// For text of our own that kWideSlack bytes follow, into memory that kWideSlack bytes follow: whole blocks,
// so that a short copy is a few moves without a branch on its exact size.
inline void copy_wide(char* to, const char* from, std::size_t n) {
  if (n > 4 * kWideSlack) {
    std::memcpy(to, from, n);
    return;
  }
  std::size_t done = 0;
  do {
    std::memcpy(to + done, from + done, kWideSlack);
    done += kWideSlack;
  } while (done < n);
}

}  // namespace labfactory
