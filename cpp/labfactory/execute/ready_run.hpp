// Texts that are ready, one behind the other with literals between: what most of a message is.
// Owner: parts borrow the tape's literals and the machine's pieces.
// Threads: any; each writes to what it is given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "labfactory/execute/copy.hpp"
#include "labfactory/execute/ready_kernels.hpp"
#include "labfactory/execute/row_ends.hpp"

namespace labfactory {

struct BoundStep;

// A literal and the text behind it.
struct RunPart {
  const char* literal = nullptr;
  std::size_t literal_bytes = 0;
  const Piece* pieces = nullptr;
  std::int64_t apart = 1;           // pieces from one row to the next, the same for all parts of a run
  const BoundStep* step = nullptr;  // that writes the part where the text is not ready
  std::ptrdiff_t room = 0;          // of this part and those behind it, while their texts are short
  bool is_choice = false;           // between literals
};

// Where a run stopped: at a part that is not ready or has no room, or behind the last one.
struct CopiedRun {
  const RunPart* part;
  char* to;
};

// A part whose literal, where it is short, is stored with the text behind it.
struct alignas(kShortText) StraightPart {
  StraightPart() = default;
  explicit StraightPart(const RunPart& part);

  char lead[kShortText] = {};  // the literal, and zeros where the text is
  std::size_t lead_bytes = 0;  // kApart where the literal is written on its own
  bool is_led = false;
  RunPart run;

  static constexpr std::size_t kApart = kShortText + 1;
};

// A template that is one run and a literal, written a block of rows at a time. The pieces of a row lie side
// by side: a load more for each of six parts takes 1.2 to 1.7 ns.
struct StraightRows {
  std::vector<StraightPart> parts;  // none where the template is something else
  const char* tail = nullptr;
  std::size_t tail_bytes = 0;
  PaddedCopy copy = nullptr;
};

// Writes the rows of pieces first .. last, until one is not ready or has no room.
using WriteRows = WrittenRows (*)(StraightRows& straight, std::int64_t first, std::int64_t last,
                                  const RowSpace& space);

// That of the dispatch level in force; all write the same.
[[nodiscard]] WriteRows write_rows();
[[nodiscard]] WrittenRows write_rows_plain(StraightRows& straight, std::int64_t first, std::int64_t last,
                                           const RowSpace& space);
#if defined(__x86_64__)
[[nodiscard]] WrittenRows write_rows_avx2(StraightRows& straight, std::int64_t first, std::int64_t last,
                                          const RowSpace& space);
#endif

}  // namespace labfactory
