// Makes the stretches of branched rows from a bound tape.
// Owner: what it is given to fill; borrows the rest.
// Threads: one belongs to one machine.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

#include "labfactory/execute/branched_rows.hpp"

namespace labfactory {

class BranchedRowsMaker {
 public:
  BranchedRowsMaker(const Tape& tape, const BoundTape& bound, const Cells& cells,
                    const std::vector<Value>& slots, BranchedRows& out);

  void make();

 private:
  // Where a stretch begins: at a step, with a literal that was not written before it.
  struct Start {
    std::int32_t step = 0;
    std::string_view literal;
  };
  // A stretch that is being made; until all are, those that it goes on with are known by number.
  struct Draft {
    Start start;
    Stretch stretch{};
    std::vector<BranchedText> texts{};
    std::int32_t next = -1;
    std::int32_t other = -1;
    bool is_too_long = false;
  };

  void find_open_loops();
  [[nodiscard]] std::int32_t number_of(const Start& start);
  [[nodiscard]] bool is_many() const;
  void write(std::size_t number);
  [[nodiscard]] std::int32_t write_texts(Draft& draft);
  void add_literal(Draft& draft, std::string_view literal);
  void add_text(Draft& draft, const Piece* pieces, std::uint16_t place, bool is_literal);
  void end(Draft& draft, std::int32_t at);
  [[nodiscard]] bool is_nothing(std::int32_t at) const;
  [[nodiscard]] std::optional<std::uint16_t> place_of(std::int32_t at) const;
  [[nodiscard]] std::optional<std::uint32_t> open_loop(std::int32_t at, std::int32_t TapeLoop::* step) const;
  [[nodiscard]] const Reader& reader_of(const BoundStep& step) const;
  [[nodiscard]] Condition condition_of(const BoundStep& step, std::uint16_t place) const;
  [[nodiscard]] std::uint32_t slot_of(std::int32_t at);
  [[nodiscard]] std::vector<std::int32_t> order() const;
  void place_stretches();
  void set_ready_items();

  const Tape& tape_;
  const BoundTape& bound_;
  const Cells& cells_;
  const std::vector<Value>& slots_;
  BranchedRows& out_;
  std::vector<char> is_target_;
  std::vector<char> is_open_;  // of each loop
  std::uint16_t nowhere_;      // a place that stands still
  std::vector<Draft> drafts_;
  std::map<std::tuple<std::int32_t, const char*, std::size_t>, std::int32_t> numbers_;
  std::vector<std::int32_t> slot_steps_;
  std::vector<std::vector<std::int32_t>> components_;  // of each slot
  std::string_view literal_;                           // that was not written yet
};

}  // namespace labfactory
