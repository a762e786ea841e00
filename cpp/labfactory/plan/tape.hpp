// A tape: what a template's program becomes before its rows run. Steps do what pairs and triples of
// instructions did, constants lie in slots behind the registers, and literals in one padded text. The program
// stays what people see. Owner: its steps, literals and rewritten instructions; borrows nothing from the
// program. Threads: immutable once made.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "labfactory/plan/program.hpp"
#include "labfactory/plan/tape_loops.hpp"

namespace labfactory {

// Steps that look at a value come three times: from a slot, from a column, from a record's field.
enum class StepKind : std::uint8_t {
  call,  // instruction `other` of Tape::instructions, which has a target; execute/pure.hpp
  literal,
  emit_slot,
  emit_column,
  emit_field,
  fixed_slot,  // '%.Nf' of a number, written in place; `other` is the format as an instruction
  fixed_column,
  fixed_field,
  load_column,
  load_field,
  move,
  jump,
  jump_slot,  // when the truth is `flag`
  jump_column,
  jump_field,
  compare_slot,  // jumps when the relation to slot `other` is `flag`
  compare_column,
  compare_field,
  loop_begin,
  loop_next,
  loop_attribute,
  append,
  slot,
  part,
  skip,
  skip_as,
  fail,
  capture,
  captured,
  end,
  // What a machine makes of the steps above when it knows how a batch's columns lie; never on a tape.
  ready_text,  // what a site writes, made ready for a block of rows
  ready_item,  // the same for the items of a list
  entry_text,  // the same, kept from the first row that had this entry of a dictionary
  entry_item,
  emit_utf8_column,  // long texts, and what is not worth making ready
  emit_utf8_field,
  emit_view_column,  // utf8_view
  emit_view_field,
  jump_bit_column,       // boolean
  compare_int64_column,  // with a constant integer
  compare_int64_field,
};

[[nodiscard]] constexpr bool jumps(StepKind kind) {
  return (kind >= StepKind::jump && kind <= StepKind::compare_field) || kind == StepKind::loop_begin ||
         kind == StepKind::loop_next;
}

struct Step {
  StepKind kind = StepKind::end;
  bool flag = false;  // escaped; or the sense of a jump
  Opcode relation = Opcode::equal;
  std::int32_t target = 0;  // slot written; of fixed_* where the plain format writes
  std::int32_t source = 0;  // slot read: of a field, the record's
  std::int32_t column = 0;
  std::int32_t parent = 0;  // the record's column, for fields
  std::int32_t other = 0;   // slot compared with, precision of fixed_*, loop, part, table, constant, outcome
  std::int32_t to = 0;      // step that a jump goes on with; of fixed_* the instruction
  std::int32_t span = 0;
  std::int32_t read_span = 0;  // of the column or field
  // Written before the rest of an emitting step.
  std::size_t literal_at = 0;
  std::size_t literal_bytes = 0;
};

// Steps that write a text which hangs on the row (or the item of a list) alone. What else they do nobody
// sees, so a machine that has the text ready goes on behind them.
struct TextSite {
  enum class Kind : std::uint8_t {
    value,   // one step that writes a column or field
    choice,  // a branch on a column, of which both ways write a literal or nothing
    chain,   // a read, what pure instructions make of it, and the step that writes that
  };
  static constexpr std::int32_t kNothing = -1;

  Kind kind = Kind::value;
  std::int32_t step = 0;  // the first
  std::int32_t behind = 0;
  double uses = 0;                 // how often a row (or an item) is expected to come by
  std::int32_t passed = kNothing;  // of a choice: the literal step where the branch is not taken
  std::int32_t jumped = kNothing;  // and where it is
  bool has_literal = false;        // the step before is a literal, and control comes from there alone
};

struct Tape {
  std::vector<Step> steps;
  std::vector<TextSite> sites;
  std::vector<TapeLoop> loops;
  std::string literals;  // kLiteralSlack bytes lie before the first and behind the last
  std::vector<Instruction> instructions;
  std::vector<std::vector<std::int32_t>> tables;
  std::int32_t slots = 0;                                      // registers, constants, arguments of calls
  std::vector<std::pair<std::int32_t, std::int32_t>> presets;  // slot, constant: set once, never written
};

// Copies of literals may load this much before them and behind their end.
inline constexpr std::size_t kLiteralSlack = 64;

// Makes the tape of a verified program that gives no result.
[[nodiscard]] Tape make_tape(const Program& program);

}  // namespace labfactory
