// The assembler: runs a template's program over a batch, on several threads, into pooled buffers.
// Owner: shares the program; the chunks own their memory and outlive everything here.
// Threads: one assembler may be used from many; a call spreads its rows itself.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/builder.hpp"
#include "labfactory/execute/binding.hpp"
#include "labfactory/plan/program.hpp"
#include "labfactory/plan/tape.hpp"

namespace labfactory {

struct AssembleOptions {
  int threads = 1;
  std::int64_t batch_bytes = std::int64_t{64} << 20;  // text of one chunk, all parts together
  Memo* memo = nullptr;                               // what functions gave, where the program calls any

  // Error(usage, "option") where they cannot be kept.
  void check() const;
};

class Chunk;

// Rows of a chunk, as two struct arrays of which readers see the columns of both.
struct Assets {
  ArrayPointer notes;  // status, reason, code, template, line, column; null where every row is done
  ArrayPointer text;   // `asset`, or the struct `parts`
};

class Assembler {
 public:
  // A program without parts makes a lone column `asset`, one with parts a struct `parts`.
  explicit Assembler(std::shared_ptr<const Program> program);

  // Struct arrays in the order of the rows: status, reason, code, template, line, column, then the text. No
  // chunk holds more text than batch_bytes, save one whose single asset is larger. Where the memo has
  // requests afterwards, rows wait for them: the chunks are void, and the batch is assembled again.
  [[nodiscard]] std::vector<ArrayPointer> assemble(const std::shared_ptr<const Batch>& batch,
                                                   const AssembleOptions& options) const;

  // The notes of so many rows, at most kMostChunkRows, that are all done.
  [[nodiscard]] ArrayPointer silent_notes(std::int64_t rows) const;
  // The text of no rows.
  [[nodiscard]] ArrayPointer no_text() const;
  // Whether a chunk has shown what a row takes.
  [[nodiscard]] bool knows_row_bytes() const;
  // Text of a row, all parts together, as it was last; a guess at first.
  [[nodiscard]] std::int64_t row_bytes() const;
  [[nodiscard]] std::int64_t row_bytes(std::size_t part) const;
  // So much text a row is to be expected from now on.
  void remember(const Chunk& chunk) const;

  [[nodiscard]] const Program& program() const { return *program_; }
  [[nodiscard]] const Tape& tape() const { return tape_; }
  [[nodiscard]] std::size_t parts() const { return std::max<std::size_t>(program_->parts.size(), 1); }

  // The names behind the dictionaries of every chunk.
  struct Dictionaries {
    ArrayPointer statuses;
    ArrayPointer reasons;
    std::vector<std::string> reason_texts;  // what `reasons` holds
    ArrayPointer codes;
    ArrayPointer templates;
    std::vector<std::int32_t> reason_of_constant;
  };
  [[nodiscard]] const Dictionaries& dictionaries() const { return dictionaries_; }

 private:
  [[nodiscard]] std::vector<std::int64_t> morsels(std::int64_t rows, int threads) const;
  [[nodiscard]] ArrayPointer joined(const Assets& assets) const;

  std::shared_ptr<const Program> program_;
  Tape tape_;
  Dictionaries dictionaries_;
  // Bytes a row that each part took last, so that the next buffers start at the right size; 0 until then.
  std::unique_ptr<std::atomic<std::int64_t>[]> bytes_a_row_;
};

}  // namespace labfactory
