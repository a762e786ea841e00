// A template whose texts are all ready, with branches, loops and slots between: stretches of texts that are
// written one behind the other, each of which ends in one way. A row that comes to anything else, or whose
// text is not ready, is left to the tape machine, which writes it from its beginning. Owner: stretches,
// literals that were joined, and the components of a block of rows; borrows bound tape, cells and ready
// texts. Threads: one belongs to one machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "labfactory/execute/bound_step.hpp"
#include "labfactory/execute/copy.hpp"
#include "labfactory/execute/row_ends.hpp"
#include "labfactory/plan/program.hpp"
#include "labfactory/plan/tape.hpp"
#include "labfactory/values/cells.hpp"

namespace labfactory {

// Where a row stands in its columns, and where a loop does: at first + at, before first + last.
struct Place {
  std::int64_t first = 0;
  std::int64_t at = 0;
  std::int64_t last = 0;
};

// A literal and the text behind it, at pieces[places[place].at].
struct BranchedText {
  const char* literal = nullptr;
  const Piece* pieces = nullptr;
  std::uint32_t literal_bytes = 0;
  std::uint32_t room = 0;  // of this text and all behind it, while they are short
  std::uint16_t place = 0;
  bool is_literal = false;  // which text of our own follows
  std::int64_t apart = 1;   // its pieces, from one row to the next
};

// Jumps where low <= value <= low + width is `jumps`, of integers; of booleans where the bit is.
struct Condition {
  const char* values = nullptr;
  const std::uint8_t* validity = nullptr;
  std::int64_t first_bit = 0;
  std::int64_t low = 0;
  std::uint64_t width = 0;
  std::uint16_t place = 0;
  bool jumps = false;
};

// A list, and which of its items are ready.
struct LoopPlace {
  const Column* list = nullptr;
  const ReadyText* ready = nullptr;  // null: nothing of an item is written
  std::uint16_t outer = 0;
  std::uint16_t place = 0;
};

enum class Ending : std::uint8_t {
  go,
  bit,      // a branch on a boolean
  compare,  // a branch on an integer
  slot,
  loop,
  turn,  // of a loop
  end,   // of the row
  leave,
};

struct alignas(64) Stretch {
  const BranchedText* texts = nullptr;
  std::uint32_t count = 0;
  std::uint32_t tail_bytes = 0;
  const char* tail = nullptr;
  std::uint32_t room = 0;  // of all, while texts are short
  Ending ending = Ending::leave;
  std::uint16_t place = 0;  // of a turn
  const Stretch* next = nullptr;
  const Stretch* other = nullptr;  // where a branch jumps; behind a loop
  std::uint32_t detail = 0;        // which condition, loop or slot
};
static_assert(sizeof(Stretch) == 64);

// The first stretch of a component, and its first literal; null where a row has none.
struct Component {
  const Stretch* stretch = nullptr;
  const char* literal = nullptr;
};

// What the writers go by.
struct Branches {
  const Stretch* start = nullptr;  // null: the template is something else
  const Condition* conditions = nullptr;
  const LoopPlace* loops = nullptr;
  const Component* components = nullptr;  // `slots` for each row that is ready, and one more behind all
  std::int64_t slots = 0;
  Place* places = nullptr;  // the row's, those of the loops, and one that stands still
  std::int64_t work = 0;
  PaddedCopy copy = nullptr;
};

// Writes rows first .. last, counted from the first that is ready, until one is left or has no room.
using WriteBranched = WrittenRows (*)(const Branches& branches, std::int64_t first, std::int64_t last,
                                      const RowSpace& space);

// That of the dispatch level in force; all write the same.
[[nodiscard]] WriteBranched write_branched();
[[nodiscard]] WrittenRows write_branched_plain(const Branches& branches, std::int64_t first,
                                               std::int64_t last, const RowSpace& space);
#if defined(__x86_64__)
[[nodiscard]] WrittenRows write_branched_avx2(const Branches& branches, std::int64_t first, std::int64_t last,
                                              const RowSpace& space);
#endif

class BranchedRows {
 public:
  // Of at most `rows` at a time; none makes nothing of it. `slots` holds the tape's constants.
  BranchedRows(const Program& program, const Tape& tape, const BoundTape& bound, const Cells& cells,
               const std::vector<Value>& slots, std::int64_t rows, WriteBranched write);
  // Stretches point at each other.
  BranchedRows(const BranchedRows&) = delete;
  BranchedRows& operator=(const BranchedRows&) = delete;

  // Whether most rows are written to their end.
  [[nodiscard]] bool is_worth() const { return branches_.start != nullptr && left_ <= kMostLeft + done_ / 4; }

  // Finds the components of as many of the rows first .. last, which are ready, as there may be at a time,
  // and returns how far that is.
  std::int64_t find(std::int64_t first, std::int64_t last);

  // Writes rows of those until one is left, or has no room.
  [[nodiscard]] WrittenRows write(std::int64_t first, std::int64_t last, const RowSpace& space);

 private:
  friend class BranchedRowsMaker;

  // Rows that may be left before that counts.
  static constexpr std::int64_t kMostLeft = 16;

  struct Slot {
    const Reader* reader = nullptr;
    std::vector<Component> components;
  };

  std::vector<Stretch> stretches_;
  std::vector<BranchedText> texts_;
  std::vector<Condition> conditions_;
  std::vector<LoopPlace> loops_;
  std::vector<Slot> slots_;
  std::deque<std::string> literals_;
  std::vector<Component> components_;
  std::vector<Place> places_;
  Branches branches_;
  WriteBranched write_;
  std::int64_t rows_ = 0;
  std::int64_t first_ = 0;
  std::int64_t done_ = 0;
  std::int64_t left_ = 0;
};

}  // namespace labfactory
