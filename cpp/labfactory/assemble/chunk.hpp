// One chunk of assembled rows while it is written: text by part, and what became of each row.
// Owner: its buffers, until finish() gives them to the array.
// Threads: one chunk belongs to one thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "labfactory/assemble/assembler.hpp"
#include "labfactory/base/buffer_pool.hpp"
#include "labfactory/execute/row_event.hpp"

namespace labfactory {

// All rows of a chunk share static zeros for the columns that say nothing; they are as long as this.
inline constexpr std::int64_t kMostChunkRows = 65536;

class Chunk {
 public:
  Chunk(const Program& program, const Assembler::Dictionaries& dictionaries,
        std::span<const std::int64_t> capacities, std::int64_t rows);

  [[nodiscard]] std::span<PartCursor> cursors() { return cursors_; }
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  // Text written so far, the row under way included.
  [[nodiscard]] std::int64_t bytes() const {
    std::int64_t total = 0;
    for (std::size_t part = 0; part < texts_.size(); ++part) total += bytes(part);
    return total;
  }
  [[nodiscard]] std::int64_t bytes(std::size_t part) const { return cursors_[part].at - texts_[part].data(); }
  // Text of the rows that were kept.
  [[nodiscard]] std::int64_t committed_bytes() const { return committed_bytes_; }

  // Keeps the row under way where its text has at most `row_bytes` and the chunk's then at most
  // `chunk_bytes`; the first row of a chunk may have more than that.
  [[nodiscard]] bool commit(std::int64_t row_bytes, std::int64_t chunk_bytes) {
    const std::int64_t total = place_ends();
    if (total - committed_bytes_ > row_bytes || (total > chunk_bytes && rows_ > 0)) return false;
    ++rows_;
    committed_bytes_ = total;
    return true;
  }
  // Keeps the row without text: skipped or failed.
  void commit(const RowEvent& event);
  // Forgets the text of the row under way.
  void rewind();
  // Doubles the memory of a part; false when it would pass 2 GiB.
  [[nodiscard]] bool grow(std::size_t part);

  [[nodiscard]] ArrayPointer finish();

 private:
  struct Note {
    std::int64_t row;
    RowEvent event;
  };

  // Notes where the row under way ends in each part; all text up to there.
  std::int64_t place_ends() {
    std::int64_t total = 0;
    for (std::size_t part = 0; part < texts_.size(); ++part) {
      const auto end = static_cast<std::int32_t>(bytes(part));
      total += end;
      std::memcpy(offsets_[part].data() + static_cast<std::size_t>(rows_ + 1) * sizeof end, &end, sizeof end);
    }
    return total;
  }
  std::vector<Field> note_fields();
  ArrayPointer text_array(std::size_t part, const SharedBuffer& validity, std::int64_t nulls);

  const Program& program_;
  const Assembler::Dictionaries& dictionaries_;
  std::vector<PooledBuffer> texts_;
  std::vector<PooledBuffer> offsets_;
  std::vector<PartCursor> cursors_;
  std::vector<Note> notes_;
  std::int64_t rows_ = 0;
  std::int64_t committed_bytes_ = 0;
};

}  // namespace labfactory
