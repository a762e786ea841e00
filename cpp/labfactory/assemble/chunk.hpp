// One chunk of assembled rows while it is written: text by part, and what became of each row.
// Owner: its buffers, until finish() gives them to the array.
// Threads: one chunk belongs to one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "labfactory/assemble/assembler.hpp"
#include "labfactory/base/buffer_pool.hpp"
#include "labfactory/execute/row_ends.hpp"

namespace labfactory {

// All rows of a chunk share static zeros for the columns that say nothing; they are as long as this.
inline constexpr std::int64_t kMostChunkRows = 65536;

class Chunk {
 public:
  Chunk(const Program& program, const Assembler::Dictionaries& dictionaries,
        std::span<const std::int64_t> capacities, std::int64_t rows, std::int64_t chunk_bytes);
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;

  // The rows that are done; whoever writes rows commits them here.
  [[nodiscard]] RowEnds& ends() { return ends_; }
  [[nodiscard]] std::int64_t rows() const { return ends_.rows(); }
  // Text written so far, the row under way included.
  [[nodiscard]] std::int64_t bytes() const {
    std::int64_t total = 0;
    for (std::size_t part = 0; part < texts_.size(); ++part) total += bytes(part);
    return total;
  }
  [[nodiscard]] std::int64_t bytes(std::size_t part) const { return cursors_[part].at - texts_[part].data(); }

  // Keeps the row under way without text: skipped or failed. The reason is why, where a skip has no constant.
  void commit(const RowEvent& event, std::string_view reason);
  // Doubles the memory of a part; false when it would pass 2 GiB.
  [[nodiscard]] bool grow(std::size_t part);

  [[nodiscard]] Assets finish();

 private:
  struct Note {
    std::int64_t row;
    RowEvent event;
    std::int32_t reason;  // its entry in the dictionary
  };

  std::int32_t entry_of(std::string_view reason);
  [[nodiscard]] ArrayPointer reasons() const;
  [[nodiscard]] ArrayPointer notes() const;
  ArrayPointer text_array(std::size_t part, const SharedBuffer& validity, std::int64_t nulls);

  const Program& program_;
  const Assembler::Dictionaries& dictionaries_;
  std::vector<PooledBuffer> texts_;
  std::vector<PooledBuffer> offsets_;
  std::vector<PartCursor> cursors_;
  std::vector<PartRows> parts_;
  RowEnds ends_;
  std::vector<Note> notes_;
  std::unordered_map<std::string, std::int32_t> own_reasons_;  // those of rows, behind the program's
};

// The notes of rows that are all done.
[[nodiscard]] ArrayPointer silent_notes(const Assembler::Dictionaries& dictionaries, std::int64_t rows);

}  // namespace labfactory
