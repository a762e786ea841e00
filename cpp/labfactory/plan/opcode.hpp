// The instructions of a plan and the kinds of their operands: one table for the verifier, the explainer and
// Python. Owner: constants only. Threads: any.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "labfactory/values/calls.hpp"
#include "labfactory/values/methods.hpp"

namespace labfactory {

enum class Opcode : std::uint8_t {
  // values
  constant,
  column,
  field,
  absent_field,
  attribute,
  subscript,
  slice,
  move,
  undefined,
  list,
  tuple,
  dict,
  append,
  unpack,
  // arithmetic
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  negate,
  positive,
  negation,
  concat,
  format,
  // comparison
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  contains,
  not_contains,
  // calls
  filter,
  test,
  method,
  call,
  // control
  jump,
  jump_if_false,
  jump_if_true,
  loop_begin,
  loop_next,
  loop_attribute,
  slot,
  part,
  skip,
  skip_as,
  fail,
  result,
  end,
  // output
  emit_literal,
  emit,
  emit_escaped,
  emit_column,
  emit_column_escaped,
  capture,
  captured,
};

enum class Operand : std::uint8_t {
  none,
  target,     // register written
  source,     // register read
  sources,    // first of `count` consecutive registers read; a count follows
  count,      // number of registers for the operand before
  number,     // a count that stands for itself
  column,     // entry of the column table
  constant,   // entry of the constants
  literal,    // entry of the output literals
  format,     // entry of the printf formats
  jump,       // index of an instruction
  loop,       // index of a loop
  part,       // index of a part
  table,      // entry of the jump tables
  filter,     // Filter
  test,       // Test
  method,     // Method
  function,   // entry of the functions
  attribute,  // LoopAttribute
  flag,       // 0 or 1
  outcome,    // Outcome, not ok
};

struct OpcodeShape {
  std::string_view name;
  std::array<Operand, 4> operands;
};

// In the order of Opcode.
inline constexpr std::array kOpcodes = {
    OpcodeShape{"constant", {Operand::target, Operand::constant}},
    OpcodeShape{"column", {Operand::target, Operand::column}},
    // a child of a record; of None it is undefined, of an undefined value an error
    OpcodeShape{"field", {Operand::target, Operand::source, Operand::column}},
    // an attribute that the static type does not have; the constant is its name
    OpcodeShape{"absent_field", {Operand::target, Operand::source, Operand::constant}},
    // getattr of what is no method: a dict's value, a part of a date or time; the constant is its name
    OpcodeShape{"attribute", {Operand::target, Operand::source, Operand::constant}},
    OpcodeShape{"subscript", {Operand::target, Operand::source, Operand::source}},
    // x[a:b:c]: the container and three bounds, None where one is left out
    OpcodeShape{"slice", {Operand::target, Operand::sources, Operand::count}},
    OpcodeShape{"move", {Operand::target, Operand::source}},
    // an undefined value named by a constant; flag 1: silent, as the absent else of an inline if
    OpcodeShape{"undefined", {Operand::target, Operand::constant, Operand::flag}},
    OpcodeShape{"list", {Operand::target, Operand::sources, Operand::count}},
    OpcodeShape{"tuple", {Operand::target, Operand::sources, Operand::count}},
    // keys and values in turn
    OpcodeShape{"dict", {Operand::target, Operand::sources, Operand::count}},
    // grows the list in a register (for ... if): source list, source item
    OpcodeShape{"append", {Operand::source, Operand::source}},
    // the items of a value as a list of exactly that many: `a, b = value`
    OpcodeShape{"unpack", {Operand::target, Operand::source, Operand::number}},
    OpcodeShape{"add", {Operand::target, Operand::source, Operand::source}},
    OpcodeShape{"subtract", {Operand::target, Operand::source, Operand::source}},
    OpcodeShape{"multiply", {Operand::target, Operand::source, Operand::source}},
    OpcodeShape{"divide", {Operand::target, Operand::source, Operand::source}},
    OpcodeShape{"floor_divide", {Operand::target, Operand::source, Operand::source}},
    OpcodeShape{"modulo", {Operand::target, Operand::source, Operand::source}},
    OpcodeShape{"power", {Operand::target, Operand::source, Operand::source}},
    OpcodeShape{"negate", {Operand::target, Operand::source}},
    OpcodeShape{"positive", {Operand::target, Operand::source}},
    OpcodeShape{"not", {Operand::target, Operand::source}},
    // `~`: flag 1 joins as markup (autoescape on), 0 as str
    OpcodeShape{"concat", {Operand::target, Operand::sources, Operand::count, Operand::flag}},
    // '%.2f' % x and |format: a printf format over consecutive registers
    OpcodeShape{"format", {Operand::target, Operand::format, Operand::sources, Operand::count}},
    OpcodeShape{"equal", {Operand::target, Operand::source, Operand::source}},
    OpcodeShape{"not_equal", {Operand::target, Operand::source, Operand::source}},
    OpcodeShape{"less", {Operand::target, Operand::source, Operand::source}},
    OpcodeShape{"less_equal", {Operand::target, Operand::source, Operand::source}},
    OpcodeShape{"greater", {Operand::target, Operand::source, Operand::source}},
    OpcodeShape{"greater_equal", {Operand::target, Operand::source, Operand::source}},
    // target = needle in haystack: needle, haystack
    OpcodeShape{"contains", {Operand::target, Operand::source, Operand::source}},
    OpcodeShape{"not_contains", {Operand::target, Operand::source, Operand::source}},
    // the value is the first of the consecutive registers, the filter's own arguments follow, none left out
    OpcodeShape{"filter", {Operand::target, Operand::filter, Operand::sources, Operand::count}},
    OpcodeShape{"test", {Operand::target, Operand::test, Operand::source}},
    // the value is the first of the consecutive registers, the arguments follow, none left out
    OpcodeShape{"method", {Operand::target, Operand::method, Operand::sources, Operand::count}},
    // what a function gives for consecutive registers; the row waits where it is not known yet
    OpcodeShape{"call", {Operand::target, Operand::function, Operand::sources, Operand::count}},
    OpcodeShape{"jump", {Operand::jump}},
    OpcodeShape{"jump_if_false", {Operand::source, Operand::jump}},
    OpcodeShape{"jump_if_true", {Operand::source, Operand::jump}},
    // starts loop over a source; its first item goes to the target; an empty one jumps
    OpcodeShape{"loop_begin", {Operand::loop, Operand::source, Operand::target, Operand::jump}},
    // the next item goes to the target and control jumps back; falls through when there is none
    OpcodeShape{"loop_next", {Operand::loop, Operand::target, Operand::jump}},
    OpcodeShape{"loop_attribute", {Operand::target, Operand::loop, Operand::attribute}},
    // jumps through a table by the integer in the decision column; null or out of range is the row error
    // no_component
    OpcodeShape{"slot", {Operand::column, Operand::table}},
    // what follows is written to this part of the asset
    OpcodeShape{"part", {Operand::part}},
    // the row gets no asset; the constant is the reason
    OpcodeShape{"skip", {Operand::constant}},
    // the same for a reason that the row tells
    OpcodeShape{"skip_as", {Operand::source}},
    // what Jinja2 would raise here for every row that comes by
    OpcodeShape{"fail", {Operand::outcome}},
    OpcodeShape{"result", {Operand::source}},
    OpcodeShape{"end", {}},
    OpcodeShape{"emit_literal", {Operand::literal}},
    OpcodeShape{"emit", {Operand::source}},
    OpcodeShape{"emit_escaped", {Operand::source}},
    OpcodeShape{"emit_column", {Operand::column}},
    OpcodeShape{"emit_column_escaped", {Operand::column}},
    // what is written up to the matching `captured` becomes a value; flag 1: markup
    OpcodeShape{"capture", {}},
    OpcodeShape{"captured", {Operand::target, Operand::flag}},
};

static_assert(kOpcodes.size() == static_cast<std::size_t>(Opcode::captured) + 1);

enum class LoopAttribute : std::uint8_t {
  index,
  index0,
  revindex,
  revindex0,
  first,
  last,
  length,
  depth,
  depth0,
  previtem,
  nextitem
};

inline constexpr std::array<std::string_view, 11> kLoopAttributes = {
    "index",  "index0", "revindex", "revindex0", "first",   "last",
    "length", "depth",  "depth0",   "previtem",  "nextitem"};

}  // namespace labfactory
