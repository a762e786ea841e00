// What a machine that runs templates writes to, and what it tells of a row.
// Owner: cursors borrow the memory of a chunk.
// Threads: plain data.
#pragma once

#include <cstddef>
#include <cstdint>

#include "labfactory/values/outcome.hpp"

namespace labfactory {

// Writers may overrun the text by this much, so a part's memory ends that far behind its limit.
inline constexpr std::size_t kPartSlack = 64;

// Memory that one part of an asset is written to.
struct PartCursor {
  char* at = nullptr;
  char* limit = nullptr;  // kPartSlack bytes follow it
};

// What became of a row.
struct RowEvent {
  enum class Kind : std::uint8_t {
    done,
    skipped,  // constant: the reason, or -1 where the machine tells it
    failed,   // outcome: the code
    full,     // a part's memory is used up (constant: which); run the row again with more
  };
  Kind kind = Kind::done;
  Outcome outcome = Outcome::ok;
  std::int32_t constant = -1;
  std::int32_t span = 0;
};

// A reason is for counting, not for messages; a longer one is the row error asset_too_large.
inline constexpr std::size_t kMostReasonBytes = 1024;
// Intermediate text may take this many times the bytes of the largest asset before a row is stopped.
inline constexpr std::size_t kArenaShare = 4;
// Looking at an item of a list is this much cheaper than a step of a loop.
inline constexpr std::size_t kLooksAStep = 64;

}  // namespace labfactory
