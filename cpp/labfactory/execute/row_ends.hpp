// The rows of a chunk that are done: where each ends in every part, and how much text they may have.
// Owner: borrows the memory of the chunk.
// Threads: one belongs to one chunk.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>

#include "labfactory/execute/row_event.hpp"

namespace labfactory {

// Where the text of a part begins, and where each of its rows ends: what Arrow calls offsets.
struct PartRows {
  char* begin = nullptr;
  std::int32_t* offsets = nullptr;
};

// Where the rows of an only part are written to, one behind the other.
struct RowSpace {
  char* begin = nullptr;  // of all rows
  char* at = nullptr;
  const char* limit = nullptr;   // kPartSlack bytes follow it
  std::int64_t row_bytes = 0;    // the most that a row may have
  std::int32_t* ends = nullptr;  // of the next rows
};
struct WrittenRows {
  std::int64_t rows;
  char* at;  // where the next row begins
};

class RowEnds {
 public:
  // Cursors and rows of the same parts. A row has at most `row_bytes` of text and all rows `chunk_bytes`; the
  // first row may have more than that.
  RowEnds(std::span<PartCursor> cursors, std::span<PartRows> parts, std::int64_t row_bytes,
          std::int64_t chunk_bytes)
      : cursors_(cursors), parts_(parts), row_bytes_(row_bytes), chunk_bytes_(chunk_bytes) {}

  [[nodiscard]] std::span<PartCursor> cursors() const { return cursors_; }
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  // Text of the rows that are done.
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }

  // Ends the row under way where its text is not too large.
  [[nodiscard]] bool commit() {
    const std::int64_t total = place_ends();
    if (total - bytes_ > row_bytes_ || (total > chunk_bytes_ && rows_ > 0)) return false;
    ++rows_;
    bytes_ = total;
    return true;
  }

  // Of an only part, and of no more rows than certainly fit.
  [[nodiscard]] RowSpace space() const {
    const PartCursor& cursor = cursors_.front();
    const PartRows& part = parts_.front();
    const std::int64_t bytes = std::min<std::int64_t>(cursor.limit - part.begin, chunk_bytes_);
    return {part.begin, cursor.at, part.begin + bytes, row_bytes_, part.offsets + rows_ + 1};
  }
  // Commits rows that were written to space().
  void commit(const WrittenRows& written) {
    cursors_.front().at = written.at;
    rows_ += written.rows;
    bytes_ = written.at - parts_.front().begin;
  }

  // Ends the row under way without text.
  void commit_nothing() {
    rewind();
    bytes_ = place_ends();
    ++rows_;
  }

  // Forgets the text of the row under way.
  void rewind() {
    for (std::size_t part = 0; part < parts_.size(); ++part)
      cursors_[part].at = parts_[part].begin + parts_[part].offsets[rows_];
  }

 private:
  // Notes where the row under way ends in each part; all text up to there.
  std::int64_t place_ends() {
    std::int64_t total = 0;
    if (parts_.size() == 1) [[likely]] {
      total = cursors_.front().at - parts_.front().begin;
      parts_.front().offsets[rows_ + 1] = static_cast<std::int32_t>(total);
      return total;
    }
    for (std::size_t part = 0; part < parts_.size(); ++part) {
      const auto end = static_cast<std::int32_t>(cursors_[part].at - parts_[part].begin);
      parts_[part].offsets[rows_ + 1] = end;
      total += end;
    }
    return total;
  }

  std::span<PartCursor> cursors_;
  std::span<PartRows> parts_;
  std::int64_t row_bytes_;
  std::int64_t chunk_bytes_;
  std::int64_t rows_ = 0;
  std::int64_t bytes_ = 0;
};

}  // namespace labfactory
