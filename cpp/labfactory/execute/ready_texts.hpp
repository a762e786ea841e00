// The texts of a block of rows, made a column at a time before the rows run, so that a step that writes one
// only copies it. Owner: pieces, digits and scratch of one block; long texts stay in the column that they lie
// in. Borrows program, tape and cells. Threads: one belongs to one machine.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "labfactory/execute/ready_kernels.hpp"
#include "labfactory/plan/program.hpp"
#include "labfactory/plan/tape.hpp"
#include "labfactory/values/value.hpp"

namespace labfactory {

// Rows of a block: the pieces of some ten texts stay in the first cache.
inline constexpr std::int64_t kReadyRows = 64;

// Where a step finds what it writes for row `first` + i: at pieces[i * step].
struct ReadyText {
  const Piece* pieces = nullptr;
  std::int64_t step = 1;
  std::int64_t first = 0;
  std::uint64_t count = 0;
};

class ReadyTexts {
 public:
  // `rows` is the most that a block may have; none makes nothing ready. `slots` holds the tape's constants.
  ReadyTexts(const Program& program, const Tape& tape, const Cells& cells, const std::vector<Value>& slots,
             std::int64_t rows);
  // Steps keep pointers to what is here.
  ReadyTexts(const ReadyTexts&) = delete;
  ReadyTexts& operator=(const ReadyTexts&) = delete;

  // What a site of the tape writes, or null where it is not worth making ready, or cannot be.
  [[nodiscard]] const ReadyText* at(std::size_t site) const;

  // Makes ready as many of the rows first .. last as a block has, and returns how far that is.
  std::int64_t make(std::int64_t first, std::int64_t last);

 private:
  enum class Source : std::uint8_t { text, large_text, view, int64, fixed, other, bit, compare, same };

  // Rows that a text is made for: those of the batch, or the items of a list of the rows of another domain.
  struct Domain {
    std::int32_t list = -1;
    std::size_t outer = 0;
    std::int64_t first = 0;
    std::int64_t count = 0;
  };
  struct Text {
    Source source = Source::other;
    std::int32_t column = 0;
    std::int32_t precision = 0;
    bool is_escaped = false;
    std::size_t domain = 0;
    // Of a choice: the branch, and what is written where it is passed and where it jumps.
    const Step* branch = nullptr;
    Piece passed{};
    Piece jumped{};
    std::int64_t constant = 0;
    std::size_t same = 0;  // as this text
    double uses = 0;
    Pieces pieces;
    char* digits = nullptr;
    ReadyText ready;
  };

  [[nodiscard]] std::size_t add(Text text);
  [[nodiscard]] static bool has_digits(const Text& text);
  // Whether its piece of a row lies beside those of the other texts.
  [[nodiscard]] bool is_by_rows(const Text& text) const { return is_straight_ && text.domain == 0; }
  void allocate();
  [[nodiscard]] bool describe(const TextSite& site, Text& text);
  [[nodiscard]] bool describe_value(const Step& step, Text& text);
  [[nodiscard]] bool describe_choice(const TextSite& site, Text& text);
  [[nodiscard]] std::size_t domain_of(std::int32_t column);
  [[nodiscard]] Piece literal_of(std::int32_t step) const;

  [[nodiscard]] bool place(std::int64_t first, std::int64_t rows);
  void make(const Text& text, std::int64_t first, std::int64_t count, Scratch& scratch) const;
  [[nodiscard]] TextColumn text_column(const Text& text) const;
  void make_others(const Text& text, std::int64_t first, std::int64_t count) const;
  void choose(const Text& text, std::int64_t first, std::int64_t count) const;

  const Program& program_;
  const Tape& tape_;
  const Cells& cells_;
  const std::vector<Value>& slots_;
  const std::int64_t rows_;
  // Whether every site is written once in a row, in their order: then the pieces of a row lie side by side.
  const bool is_straight_;
  const ReadyKernels& kernels_;
  std::vector<Domain> domains_;
  std::vector<Text> texts_;
  std::vector<std::size_t> text_of_site_;
  std::unique_ptr<Piece[]> pieces_;
  std::unique_ptr<char[]> digits_;
  std::unique_ptr<char[]> scratch_;
};

}  // namespace labfactory
