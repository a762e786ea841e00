// markupsafe.escape: & < > ' " become &amp; &lt; &gt; &#39; &#34; and every other byte stays.
// Owner: the caller's buffer of escaped_bound bytes, or the arena.
// Threads: any; pure functions.
#pragma once

#include <cstddef>
#include <string_view>

#include "labfactory/base/arena.hpp"

namespace labfactory {

// Stores run this far past the escaped text; the buffer has to hold it. Loads never leave the input.
inline constexpr std::size_t kEscapeSlack = 32;

// Bytes that write_escaped may touch for an input of n bytes, slack included.
[[nodiscard]] constexpr std::size_t escaped_bound(std::size_t n) {
  return 5 * n + kEscapeSlack;
}

// Writes the escaped text and returns its end.
char* write_escaped(char* out, std::string_view text);

using EscapeWriter = char* (*)(char*, std::string_view);

// What write_escaped calls at the dispatch level in force; a loop asks once.
[[nodiscard]] EscapeWriter escape_writer();

// Exact number of bytes of the escaped text.
[[nodiscard]] std::size_t escaped_size(std::string_view text);

// The escaped text: the input itself when nothing in it needs escaping, else a copy in the arena.
[[nodiscard]] std::string_view escape_text(std::string_view text, Arena& arena);

// The kernels behind write_escaped, for the test that compares them.
char* write_escaped_plain(char* out, std::string_view text);
#if defined(__x86_64__)
char* write_escaped_avx2(char* out, std::string_view text);
#endif

}  // namespace labfactory
