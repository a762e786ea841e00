// Loops that make the texts of one column ready, row after row.
// Owner: pieces point into the column, into scratch memory or at constants.
// Threads: any; each writes to what it is given.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "labfactory/execute/copy.hpp"
#include "labfactory/values/cells.hpp"
#include "labfactory/values/escape.hpp"

namespace labfactory {

// A text that is ready to be copied. Of one with fewer bytes than kShortText so many may be loaded, and as
// many before it.
struct Piece {
  const char* text;
  std::uint32_t size;
};

// The pieces of a column, one for each row and so many apart.
struct Pieces {
  Piece* first = nullptr;
  std::int64_t step = 1;

  [[nodiscard]] Piece& operator[](std::int64_t i) const { return first[i * step]; }
  [[nodiscard]] Pieces from(std::int64_t i) const { return {first + i * step, step}; }
};

// A constant text that a piece may have.
struct PaddedText {
  char before[kShortText]{};
  char text[2 * kShortText]{};

  template <std::size_t N>
  constexpr explicit PaddedText(const char (&literal)[N]) {
    static_assert(N <= kShortText);
    for (std::size_t i = 0; i < N; ++i) text[i] = literal[i];
  }
};

// The size of a piece that is not ready: the plain steps write it, or fail.
inline constexpr std::uint32_t kNotReady = std::numeric_limits<std::uint32_t>::max();

// Memory for texts that cannot be copied from where they lie; given back as a whole.
struct Scratch {
  char* at;
  char* end;  // kEscapeSlack and kShortText bytes follow it; kShortText lie before the first
  EscapeWriter escape;
};

// A column of text, and how far it may be read.
struct TextColumn {
  const char* values;   // bytes; or views
  const char* offsets;  // of row 0; null for views
  const std::uint8_t* validity;
  std::int64_t first_bit;
  const char* values_begin;            // of row 0: no load may come before it,
  const char* values_end;              // or pass this; of views the first one and behind the last
  const void* const* variadic;         // of views
  const std::int64_t* variadic_bytes;  // of views
  bool is_escaped;
};

using MakeTexts = void (*)(const TextColumn& column, std::int64_t first, std::int64_t count,
                           const Pieces& out, Scratch& scratch);
// Digits are written to kNumberBytes for each row, with kShortText more before the first and behind the last.
using MakeNumbers = void (*)(const Reader& reader, int precision, std::int64_t first, std::int64_t count,
                             char* digits, const Pieces& out);

// A number's text with the slack of the wide stores that write it.
inline constexpr std::size_t kNumberBytes = 32;

struct ReadyKernels {
  MakeTexts utf8;
  MakeTexts large_utf8;
  MakeTexts views;
  MakeNumbers integers;  // int64
  MakeNumbers fixed;     // '%.Nf' of float64
};

// Those of the dispatch level in force; all give the same texts.
[[nodiscard]] const ReadyKernels& ready_kernels();
[[nodiscard]] const ReadyKernels& ready_kernels_plain();
#if defined(__x86_64__)
[[nodiscard]] const ReadyKernels& ready_kernels_avx2();
#endif

// What the loops leave to a call: a text that is long, or lies at an end of its buffer.
[[nodiscard]] Piece make_other_text(std::string_view text, bool is_escaped, Scratch& scratch);
// None, and what is not ready.
[[nodiscard]] Piece none_piece();
[[nodiscard]] Piece unready_piece();

// Whether '%.Nf' of a number has at most kNumberBytes.
[[nodiscard, gnu::always_inline]] inline bool is_short_fixed(double number, int precision) {
  return number < 1e9 && number > -1e9 && precision <= 8;
}

}  // namespace labfactory
