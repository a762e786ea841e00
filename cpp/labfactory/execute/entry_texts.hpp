// What steps wrote for the entries of a dictionary, so that every later row that has the entry only copies
// it. Owner: the texts, for as long as the machine lives. Threads: one belongs to one machine.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <string_view>
#include <vector>

#include "labfactory/arrow/column.hpp"
#include "labfactory/base/arena.hpp"
#include "labfactory/execute/copy.hpp"

namespace labfactory {

// Memory for texts of entries: those that come when it is used up are written anew for each row.
class EntryTextMemory {
 public:
  // A copy of which kShortText bytes may be loaded; null where there is no more memory.
  [[nodiscard]] const char* keep(std::string_view text) {
    if (arena_.used() + text.size() > kMostBytes) return nullptr;
    char* const kept = arena_.allocate(text.size() + kShortText);
    if (!text.empty()) std::memcpy(kept, text.data(), text.size());
    return kept;
  }

 private:
  // The texts of some thousand entries; with more of them a row rarely meets one that is in cache.
  static constexpr std::size_t kMostBytes = std::size_t{4} << 20;
  Arena arena_;
};

struct EntryText {
  const char* text = nullptr;  // null until a row has written it
  std::size_t size = 0;
  // What making it took of the row's limits.
  std::size_t used = 0;
  std::size_t charged = 0;
};

// Of one site: every entry's text, once it is known.
class EntryTexts {
 public:
  explicit EntryTexts(const Column& column) : column_(column) {}

  // The text of a row's entry; null where the row is null.
  [[nodiscard]] EntryText* at(std::int64_t row) {
    if (!column_.is_valid(row)) return nullptr;
    if (texts_.empty()) texts_.resize(static_cast<std::size_t>(column_.dictionary().length()));
    return &texts_[static_cast<std::size_t>(column_.entry(row))];
  }

 private:
  const Column& column_;
  std::vector<EntryText> texts_;
};

// Those of all sites; references to them stay valid.
using EntryTextStore = std::deque<EntryTexts>;

}  // namespace labfactory
