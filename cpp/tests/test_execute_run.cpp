// Rows of texts that are ready: what joining their parts gives, at every dispatch level, whatever is long,
// not ready or has no room; and no store behind the slack.
#include <doctest/doctest.h>

#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "labfactory/base/dispatch.hpp"
#include "labfactory/execute/copy.hpp"
#include "labfactory/execute/ready_run.hpp"
#include "labfactory/execute/row_event.hpp"
#include "labfactory/plan/tape.hpp"

namespace labfactory {
namespace {

using Random = std::mt19937_64;

std::vector<WriteRows> all_kernels() {
  std::vector<WriteRows> all{write_rows_plain};
#if defined(__x86_64__)
  if (dispatch_level() != Level::baseline) all.push_back(write_rows_avx2);
#endif
  return all;
}

std::size_t random_size(Random& random) {
  constexpr std::size_t kSizes[] = {0, 1, 15, 16, 17, 31, 32, 33, 64, 500};
  return random() % 3 == 0 ? kSizes[random() % std::size(kSizes)] : random() % 24;
}

// Rows of parts, their texts in memory of their own as long as may be loaded.
struct Run {
  Run(Random& random, std::size_t rows) : parts(1 + random() % 5) {
    const std::size_t apart = parts.size() + random() % 3;
    pieces.resize(rows * apart);
    std::ptrdiff_t room = 0;
    for (std::size_t k = parts.size(); k-- > 0;) {
      parts[k].is_choice = random() % 4 == 0;
      parts[k].literal_bytes = random_size(random);
      parts[k].literal = text(random, parts[k].literal_bytes, kLiteralSlack);
      for (std::size_t i = 0; i < rows; ++i) pieces[i * apart + k] = piece(random, parts[k].is_choice);
      parts[k].pieces = &pieces[k];
      parts[k].apart = static_cast<std::int64_t>(apart);
      room += static_cast<std::ptrdiff_t>(parts[k].literal_bytes + kShortText);
      parts[k].room = room;
    }
    tail_bytes = random() % 2 == 0 ? 0 : random_size(random);
    tail = text(random, tail_bytes, kLiteralSlack);
  }

  const char* text(Random& random, std::size_t size, std::size_t slack) {
    memory.push_back(std::make_unique<char[]>(kShortText + size + slack));
    char* const text = memory.back().get() + kShortText;
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + random() % 26);
    // Zeros are characters as well, of literals too.
    if (size > 0 && random() % 20 == 0) text[random() % size] = '\0';
    return text;
  }
  Piece piece(Random& random, bool is_choice) {
    const std::size_t size = random_size(random);
    const std::size_t slack = is_choice ? kLiteralSlack : size < kShortText ? kShortText - size : 0;
    const char* const at = text(random, size, slack);
    return {at, random() % 60 == 0 ? kNotReady : static_cast<std::uint32_t>(size)};
  }

  [[nodiscard]] bool is_ready(std::size_t row) const {
    for (const RunPart& part : parts) {
      if (piece_of(part, row).size == kNotReady) return false;
    }
    return true;
  }
  [[nodiscard]] std::string row(std::size_t row) const {
    std::string out;
    for (std::size_t k = 0; k < parts.size(); ++k) {
      out.append(parts[k].literal, parts[k].literal_bytes);
      const Piece& piece = piece_of(parts[k], row);
      if (piece.size != kNotReady) out.append(piece.text, piece.size);
    }
    return out.append(tail, tail_bytes);
  }

  [[nodiscard]] static const Piece& piece_of(const RunPart& part, std::size_t row) {
    return part.pieces[static_cast<std::int64_t>(row) * part.apart];
  }

  std::vector<Piece> pieces;  // those of a row side by side
  std::vector<RunPart> parts;
  const char* tail = nullptr;
  std::size_t tail_bytes = 0;
  std::deque<std::unique_ptr<char[]>> memory;
};

// What a row may take at most before somebody says that it has no room.
std::size_t bound(const Run& run, std::size_t row) {
  return run.row(row).size() + kShortText * run.parts.size();
}

}  // namespace

TEST_CASE("straight rows are their parts and the tail, one behind the other") {
  Random random(12);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t rows = 1 + random() % 40;
    const Run run(random, rows);
    StraightRows straight{{run.parts.begin(), run.parts.end()}, run.tail, run.tail_bytes, padded_copy()};
    const std::size_t room = random() % 40'000;
    const std::size_t row_bytes = random() % 3 == 0 ? random() % 900 : 100'000;
    const auto first = static_cast<std::int64_t>(random() % rows);
    for (const WriteRows write : all_kernels()) {
      const auto out = std::make_unique<char[]>(room + kPartSlack);
      std::vector<std::int32_t> ends(rows, -1);
      const WrittenRows written =
          write(straight, first, static_cast<std::int64_t>(rows),
                {out.get(), out.get(), out.get() + room, static_cast<std::int64_t>(row_bytes), ends.data()});
      std::size_t at = 0;
      for (std::int64_t i = 0; i < written.rows; ++i) {
        const std::string expected = run.row(static_cast<std::size_t>(first + i));
        REQUIRE(std::string_view(out.get() + at, expected.size()) == expected);
        REQUIRE(expected.size() <= row_bytes);
        at += expected.size();
        REQUIRE(ends[static_cast<std::size_t>(i)] == static_cast<std::int32_t>(at));
      }
      REQUIRE(written.at == out.get() + at);
      const auto next = static_cast<std::size_t>(first + written.rows);
      if (next == rows || !run.is_ready(next)) continue;
      CHECK((room - at < bound(run, next) || row_bytes < bound(run, next)));
    }
  }
}

}  // namespace labfactory
