// Random programs: whatever the verifier lets through runs on any batch without a fault, and all machines
// agree.
#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/builder.hpp"
#include "labfactory/assemble/assembler.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/execute/block_machine.hpp"
#include "labfactory/execute/evaluator.hpp"
#include "labfactory/execute/row_ends.hpp"
#include "labfactory/execute/row_machine.hpp"
#include "labfactory/execute/tape_machine.hpp"
#include "labfactory/plan/program.hpp"
#include "labfactory/plan/tape.hpp"

namespace labfactory {
namespace {

using Random = std::mt19937_64;

std::int32_t below(Random& random, std::size_t n) {
  return static_cast<std::int32_t>(random() % n);
}

constexpr std::int64_t kRows = 70;

// d: a decision, int32 as selection makes it, x: integer, f: floating, s: text, b: boolean, xs: list of
// integer, r: record of a and t, rs: list of such records; nulls wherever a builder takes them
std::shared_ptr<const Batch> random_batch(Random& random) {
  const auto validity = [&] {
    Bitmap bits;
    for (std::int64_t i = 0; i < kRows; ++i) bits.append(random() % 5 != 0);
    return bits;
  };
  std::vector<std::int64_t> integers;
  std::vector<std::int32_t> decisions;
  std::vector<double> floats;
  std::vector<std::uint8_t> booleans;
  std::vector<std::optional<std::string_view>> texts;
  constexpr std::array<std::string_view, 6> kTexts = {
      "", "a", "Zoë <&>", "ﬁne ΑΣ", "\xf0\x9f\x8e\x89 yes", "%s {{"};
  constexpr std::array<std::int64_t, 6> kIntegers = {0, 1, -7, INT64_MAX, INT64_MIN, 40};
  std::vector<std::int32_t> offsets{0};
  for (std::int64_t i = 0; i < kRows; ++i) {
    integers.push_back(kIntegers[random() % kIntegers.size()]);
    decisions.push_back(below(random, 40) - 1);
    floats.push_back(static_cast<double>(below(random, 9)) / 3 - 1);
    booleans.push_back(static_cast<std::uint8_t>(random() % 2));
    texts.push_back(random() % 6 == 0 ? std::nullopt : std::optional(kTexts[random() % kTexts.size()]));
    offsets.push_back(offsets.back() + below(random, 4));
  }
  Bitmap sparse;
  for (std::int64_t i = 0; i < kRows; ++i) sparse.append(random() % 30 != 0);
  std::vector<std::int64_t> items(static_cast<std::size_t>(offsets.back()), 3);
  auto lists = std::make_shared<ArrayData>();
  lists->format = "+l";
  lists->length = kRows;
  lists->buffers = {SharedBuffer{}, SharedBuffer(offsets)};
  lists->children = {{"item", make_array(items)}};
  const auto records = [&](std::int64_t rows) {
    std::vector<double> prices;
    std::vector<std::optional<std::string_view>> titles;
    for (std::int64_t i = 0; i < rows; ++i) {
      prices.push_back(static_cast<double>(below(random, 1000)) / 8);
      titles.push_back(random() % 6 == 0 ? std::nullopt : std::optional(kTexts[random() % kTexts.size()]));
    }
    return make_struct_array(rows, {{"a", make_array(prices)}, {"t", make_text_array(titles)}});
  };
  auto shelves = std::make_shared<ArrayData>(*lists);
  shelves->children = {{"item", records(offsets.back())}};
  const ArrayPointer data = make_struct_array(kRows, {{"r", records(kRows)},
                                                      {"rs", shelves},
                                                      {"d", make_array(decisions, sparse)},
                                                      {"x", make_array(integers, validity())},
                                                      {"f", make_array(floats, validity())},
                                                      {"s", make_text_array(texts)},
                                                      {"b", make_boolean_array(booleans, validity())},
                                                      {"xs", lists}});
  ArrowSchema schema{};
  ArrowArray array{};
  export_schema(*data, &schema);
  export_array(data, &array);
  return import_batch(&schema, &array);
}

std::int32_t random_operand(Random& random, const Program& p, Operand kind, std::size_t at, std::size_t size,
                            bool forward, bool is_field) {
  switch (kind) {
    case Operand::target:
    case Operand::source:
      return below(random, static_cast<std::size_t>(p.registers));
    case Operand::sources:
      return below(random, 2);
    case Operand::count:
      return below(random, 4);
    case Operand::column: {
      // Field columns go with the opcode field, which alone has a register before its column.
      constexpr std::array<std::int32_t, 7> kRoots = {0, 1, 2, 3, 4, 6, 9};
      constexpr std::array<std::int32_t, 4> kFields = {7, 8, 11, 12};
      return is_field ? kFields[random() % kFields.size()] : kRoots[random() % kRoots.size()];
    }
    case Operand::constant:
      return below(random, p.constants.size());
    case Operand::literal:
      return below(random, p.literals.size());
    case Operand::format:
      return below(random, p.formats.size());
    case Operand::jump:
      return forward ? static_cast<std::int32_t>(std::min(size - 1, at + 1 + random() % 4))
                     : below(random, size);
    case Operand::loop:
      return below(random, static_cast<std::size_t>(p.loops));
    case Operand::table:
      return below(random, p.tables.size());
    case Operand::method:
      return below(random, kMethods.size());
    case Operand::filter:
      return below(random, kFilters.size());
    case Operand::test:
      return below(random, kTests.size());
    case Operand::attribute:
      return below(random, kLoopAttributes.size());
    case Operand::flag:
    case Operand::number:
      return below(random, 2);
    case Operand::outcome:
      return below(random, kOutcomes.size());
    default:
      return 0;
  }
}

Program random_program(Random& random, bool expression) {
  Program p;
  p.columns = {
      {"x", -1, ColumnRole::root, LogicalType::integer},  {"f", -1, ColumnRole::root, LogicalType::floating},
      {"s", -1, ColumnRole::root, LogicalType::text},     {"b", -1, ColumnRole::root, LogicalType::boolean},
      {"xs", -1, ColumnRole::root, LogicalType::list},    {"item", 4, ColumnRole::item, LogicalType::integer},
      {"r", -1, ColumnRole::root, LogicalType::record},   {"a", 6, ColumnRole::field, LogicalType::floating},
      {"t", 6, ColumnRole::field, LogicalType::text},     {"rs", -1, ColumnRole::root, LogicalType::list},
      {"item", 9, ColumnRole::item, LogicalType::record}, {"a", 10, ColumnRole::field, LogicalType::floating},
      {"t", 10, ColumnRole::field, LogicalType::text},    {"d", -1, ColumnRole::root, LogicalType::integer}};
  p.constants = {Value::integer(2),          p.keep_text("né<"),
                 p.keep_text("&amp;", true), Value::none(),
                 Value::boolean(false),      Value::floating(0.5),
                 p.keep_text("common"),      p.keep_list({Value::integer(2), p.keep_text("a")}, Kind::list)};
  p.literals = {"", "literal ", std::string(300, '.')};
  p.formats.emplace_back("%s=%.2f");
  p.formats.emplace_back("%5d|");
  p.formats.emplace_back("%.2f");
  p.formats.emplace_back("%f");
  p.registers = 6;
  p.loops = 2;
  p.spans = {{0, 1, 1, 1}};
  p.sources = {"random"};
  p.undefined = static_cast<UndefinedMode>(below(random, 3));
  p.limits = {40, 2000};
  const std::size_t size = 8 + random() % 20;
  p.tables = {{below(random, size), below(random, size)}};
  // Registers are set first, so that the data-flow check refuses fewer programs.
  for (std::int32_t r = 0; r < p.registers; ++r) {
    const bool reads = random() % 2 == 0;
    p.code.push_back({reads ? Opcode::column : Opcode::constant,
                      {r, reads ? below(random, 5) : below(random, p.constants.size()), 0, 0},
                      0});
  }
  const auto last = static_cast<std::size_t>(expression ? Opcode::jump_if_true : Opcode::captured);
  while (p.code.size() + 1 < size) {
    const auto opcode = static_cast<Opcode>(random() % (last + 1));
    if (opcode == Opcode::part || opcode == Opcode::skip || (expression && opcode == Opcode::append))
      continue;
    Instruction instruction{opcode, {}, 0};
    const OpcodeShape& shape = kOpcodes[static_cast<std::size_t>(opcode)];
    for (std::size_t i = 0; i < shape.operands.size(); ++i) {
      instruction.operands[i] = random_operand(random, p, shape.operands[i], p.code.size(), size,
                                               opcode != Opcode::loop_next, opcode == Opcode::field);
    }
    if (opcode == Opcode::method) {
      instruction.operands[3] = 1 + kMethods[static_cast<std::size_t>(instruction.operands[1])].arguments;
    }
    if (opcode == Opcode::filter) {
      const FilterShape& filter = kFilters[static_cast<std::size_t>(instruction.operands[1])];
      instruction.operands[3] = 1 + filter.arguments + (filter.autoescape ? 1 : 0);
    }
    if (opcode == Opcode::format) {
      instruction.operands[3] = static_cast<std::int32_t>(
          p.formats[static_cast<std::size_t>(instruction.operands[1])].argument_count());
    }
    if (opcode == Opcode::undefined) instruction.operands[1] = 1;
    if (opcode == Opcode::absent_field) instruction.operands[2] = 1;
    p.code.push_back(instruction);
  }
  p.code.push_back(expression ? Instruction{Opcode::result, {below(random, 6)}, 0} : Instruction{});
  return p;
}

// A sequence as the compiler writes it, which a tape makes into one step. Registers are drawn, so that some
// of them live on and the step must not be made.
void append_phrase(Random& random, Program& p) {
  const auto reg = [&] { return below(random, static_cast<std::size_t>(p.registers)); };
  const std::int32_t value = reg();
  const std::int32_t result = reg();
  const auto add = [&](Opcode opcode, std::array<std::int32_t, 4> operands) {
    p.code.push_back({opcode, operands, below(random, p.spans.size())});
  };
  const auto to = [&] { return static_cast<std::int32_t>(p.code.size() + 1 + random() % 6); };
  if (random() % 2 == 0) add(Opcode::emit_literal, {below(random, p.literals.size())});
  const bool is_number = random() % 8 != 0;
  if (random() % 3 == 0) {
    const std::int32_t record = random() % 2 == 0 ? reg() : 5;
    if (record != 5) add(Opcode::column, {record, 6});
    add(Opcode::field,
        {value, record, is_number ? 11 : random_operand(random, p, Operand::column, 0, 0, true, true)});
  } else if (random() % 4 != 0) {
    const std::int32_t any = random_operand(random, p, Operand::column, 0, 0, true, false);
    add(Opcode::column, {value, is_number ? below(random, 2) : any});
  }
  const auto emit = random() % 2 == 0 ? Opcode::emit : Opcode::emit_escaped;
  const auto jump = random() % 2 == 0 ? Opcode::jump_if_false : Opcode::jump_if_true;
  switch (random() % 6) {
    case 0:
      add(emit, {value});
      break;
    case 1:
      add(Opcode::format, {result, 2 + below(random, 2), value, 1});
      add(emit, {result});
      break;
    case 2:
      add(jump, {value, to()});
      break;
    case 3: {
      const std::int32_t constant = reg();
      add(Opcode::constant, {constant, below(random, p.constants.size())});
      const auto relation =
          static_cast<int>(Opcode::equal) + static_cast<int>(random() % (random() % 4 == 0 ? 8 : 2));
      add(static_cast<Opcode>(relation), {result, value, constant});
      add(jump, {result, to()});
      break;
    }
    case 4:
      add(Opcode::negation, {result, value});
      add(jump, {result, to()});
      break;
    default: {
      const std::int32_t first = below(random, 2);
      add(Opcode::column, {first, 2});
      add(Opcode::constant, {first + 1, 0});
      add(Opcode::constant, {first + 2, 4});
      add(Opcode::constant, {first + 3, 1});
      add(Opcode::constant, {first + 4, 0});
      add(Opcode::filter, {result, static_cast<std::int32_t>(Filter::truncate), first, 5});
      add(emit, {result});
    }
  }
}

Program random_phrases(Random& random) {
  Program p = random_program(random, false);
  p.spans = {{0, 1, 1, 1}, {0, 2, 1, 1}, {0, 3, 1, 1}};
  p.code.resize(static_cast<std::size_t>(p.registers));
  // One step leaves operators little to look through.
  p.limits = {random() % 4 == 0 ? 1 : 40, 1 << 20};
  const std::size_t size = p.code.size() + 4 + random() % 30;
  const bool loops = random() % 2 == 0;
  const bool captures = random() % 3 == 0;
  // Longer than the memory that captures begin with, when a loop writes it twice.
  p.literals.emplace_back(3000, '-');
  if (captures) p.code.push_back({Opcode::capture, {}, 0});
  if (loops) p.code.push_back({Opcode::column, {4, random() % 2 == 0 ? 4 : 9}, 0});
  const std::size_t loop = p.code.size();
  if (loops) p.code.push_back({Opcode::loop_begin, {0, 4, 5, 0}, 0});
  while (p.code.size() < size) append_phrase(random, p);
  const auto last = static_cast<std::int32_t>(p.code.size());
  for (Instruction& instruction : p.code) {
    const bool jumps =
        instruction.opcode == Opcode::jump_if_false || instruction.opcode == Opcode::jump_if_true;
    if (jumps) instruction.operands[1] = std::min(instruction.operands[1], last);
  }
  if (loops) {
    p.code.push_back({Opcode::loop_next, {0, 5, static_cast<std::int32_t>(loop) + 1}, 1});
    p.code[loop].operands[3] = last + 1;
  }
  if (captures) p.code.push_back({Opcode::captured, {below(random, 6), below(random, 2)}, 0});
  for (int i = 0; i < 4; ++i) p.code.push_back({Opcode::emit, {below(random, 6)}, 2});
  p.code.push_back({});
  return p;
}

// Slots one behind the other, each of components that are phrases; what was decided is int32, or any integer,
// at which nothing is looked for beforehand.
Program random_slots(Random& random) {
  constexpr std::int32_t kDecision = 13;
  Program p = random_program(random, false);
  p.limits = {40, 1 << 20};
  p.spans = {{0, 1, 1, 1}, {0, 2, 1, 1}, {0, 3, 1, 1}};
  p.literals.emplace_back(3000, '-');
  p.code.resize(static_cast<std::size_t>(p.registers));
  p.tables.clear();
  const std::int32_t decision = random() % 4 == 0 ? 0 : kDecision;
  const std::size_t slots = 1 + random() % 4;
  for (std::size_t slot = 0; slot < slots; ++slot) {
    p.code.push_back({Opcode::slot, {decision, static_cast<std::int32_t>(slot)}, 0});
    std::vector<std::size_t> ends;
    std::vector<std::int32_t> components(38 + random() % 3);
    for (std::size_t component = 0; component < components.size(); ++component) {
      // Most decisions share a component.
      if (component % 10 != 0) {
        components[component] = components[component - 1];
        continue;
      }
      components[component] = static_cast<std::int32_t>(p.code.size());
      for (std::size_t phrases = random() % 3; phrases > 0; --phrases) append_phrase(random, p);
      ends.push_back(p.code.size());
      p.code.push_back({Opcode::jump, {0}, 0});
    }
    // Jumps of phrases stay inside their component.
    auto end = ends.begin();
    for (auto at = static_cast<std::size_t>(components[0]); at < p.code.size(); ++at) {
      auto& [opcode, operands, span] = p.code[at];
      if (opcode == Opcode::jump_if_false || opcode == Opcode::jump_if_true)
        operands[1] = std::min(operands[1], static_cast<std::int32_t>(*end));
      if (at != *end) continue;
      operands[0] = static_cast<std::int32_t>(p.code.size());
      ++end;
    }
    p.tables.push_back(std::move(components));
    p.code.push_back({Opcode::emit_literal, {below(random, p.literals.size())}, 0});
  }
  p.code.push_back({});
  return p;
}

bool passes(const Program& program) {
  try {
    verify(program);
    return true;
  } catch (const Error& error) {
    CHECK(error.code() == "plan_invalid");
    return false;
  }
}

bool same(const Value& a, const Value& b) {
  if (a.kind != b.kind) return false;
  if (a.is_text()) return a.view() == b.view();
  // Each machine has them in an arena of its own.
  const bool is_made = a.kind == Kind::list || a.kind == Kind::tuple || a.kind == Kind::dict;
  if (is_made || a.kind == Kind::decimal) return a.length == b.length;
  return a.length == b.length && a.payload.integer == b.payload.integer;
}

std::vector<std::string> texts_of(const ArrayPointer& array) {
  ArrowSchema schema{};
  ArrowArray exported{};
  export_schema(*array, &schema);
  export_array(array, &exported);
  const auto batch = import_array(&schema, &exported);
  std::vector<std::string> out;
  for (std::int64_t row = 0; row < batch->length(); ++row) {
    out.emplace_back(batch->root().is_valid(row) ? batch->root().text(row) : "null");
  }
  return out;
}

struct Assembled {
  RowEvent event;
  std::string text;
};

// A row by the row machine, with as much room as there is.
Assembled plain_row(RowMachine& machine, std::int64_t row, std::vector<char>& memory) {
  PartCursor cursor{memory.data(), memory.data() + memory.size() - kPartSlack};
  const RowEvent event = machine.assemble(row, {&cursor, 1});
  return {event, {memory.data(), static_cast<std::size_t>(cursor.at - memory.data())}};
}

// Both machines over every row: blocks of rows, into memory that is often too small for all of them.
void check_tape(Random& random, const Program& program, int& done) {
  constexpr std::array<std::int64_t, 4> kBlocks = {0, 1, 9, kReadyRows};
  const Tape tape = make_tape(program);
  const Binding binding(program, random_batch(random));
  RowMachine plain(program, binding);
  std::vector<char> memory((1 << 20) + kPartSlack);
  TapeMachine taped(program, tape, binding, kBlocks[random() % kBlocks.size()]);
  std::int64_t row = 0;
  while (row < kRows) {
    // The last byte of the slack is the last of its memory, so that a sanitizer sees what passes it.
    std::vector<char> text((random() % 4 == 0 ? random() % 700 : 40000) + kPartSlack);
    std::vector<std::int32_t> offsets(kRows + 1, 0);
    PartCursor cursor{text.data(), text.data() + text.size() - kPartSlack};
    PartRows part{text.data(), offsets.data()};
    RowEnds ends({&cursor, 1}, {&part, 1}, program.limits.asset_bytes, 1 << 20);
    const RowEvent event = taped.assemble(row, kRows, ends);
    for (std::int64_t i = 0; i < ends.rows(); ++i, ++row, ++done) {
      const Assembled expected = plain_row(plain, row, memory);
      REQUIRE(expected.event.kind == RowEvent::Kind::done);
      const auto from = static_cast<std::size_t>(offsets[static_cast<std::size_t>(i)]);
      const auto to = static_cast<std::size_t>(offsets[static_cast<std::size_t>(i) + 1]);
      REQUIRE(expected.text == std::string_view(text.data() + from, to - from));
    }
    if (row == kRows) break;
    const Assembled expected = plain_row(plain, row, memory);
    const bool is_out_of_room =
        event.kind == RowEvent::Kind::full && expected.event.kind == RowEvent::Kind::done;
    if (is_out_of_room) REQUIRE(expected.text.size() > 0);
    // Where there is no room, the row comes again with more.
    if (event.kind == RowEvent::Kind::full && ends.rows() > 0) continue;
    if (event.kind != RowEvent::Kind::full) {
      REQUIRE(event.kind == expected.event.kind);
      REQUIRE(event.outcome == expected.event.outcome);
      REQUIRE(event.constant == expected.event.constant);
      REQUIRE(event.span == expected.event.span);
      const bool tells = event.kind == RowEvent::Kind::skipped && event.constant < 0;
      if (tells) REQUIRE(taped.reason() == plain.reason());
    }
    ++row;
  }
}

}  // namespace

TEST_CASE("block and row machine agree on random expressions") {
  Random random(20261122);
  int ran = 0;
  for (int round = 0; round < 4000; ++round) {
    const Program program = random_program(random, true);
    if (!passes(program) || !is_expression(program)) continue;
    const Binding binding(program, random_batch(random));
    BlockMachine blocks(program, binding);
    RowMachine rows(program, binding);
    std::vector<Value> values(kRows);
    std::vector<Outcome> outcomes(kRows);
    if (!blocks.evaluate(0, values, outcomes)) continue;
    ++ran;
    for (std::int64_t row = 0; row < kRows; ++row) {
      Value value;
      const RowEvent event = rows.evaluate(row, value);
      const auto at = static_cast<std::size_t>(row);
      REQUIRE(event.outcome == outcomes[at]);
      if (event.outcome == Outcome::ok) REQUIRE(same(value, values[at]));
    }
  }
  CHECK(ran > 500);
}

TEST_CASE("rows that take too much fail by themselves, whatever the rows beside them take") {
  Random random(20261123);
  Program program = random_program(random, true);
  program.constants.push_back(program.keep_text(std::string(100, 'x')));
  const auto text = static_cast<std::int32_t>(program.constants.size() - 1);
  // 100 bytes times x, five times, where x is 0, 1, -7, 40 or of 64 bits: only those of 40 take 20,000 bytes.
  program.tables.clear();
  program.code = {{Opcode::column, {1, 0}, 0}, {Opcode::constant, {0, text}, 0}};
  for (std::int32_t times = 0; times < 5; ++times) program.code.push_back({Opcode::multiply, {2, 0, 1}, 0});
  program.code.push_back({Opcode::result, {2}, 0});
  const std::shared_ptr<const Batch> batch = random_batch(random);
  for (const std::int64_t bytes : {std::int64_t{100}, std::int64_t{4000}, std::int64_t{5000}}) {
    program.limits = {40, bytes};
    verify(program);
    const Evaluated blocks = evaluate(program, batch, LogicalType::text, Machine::block);
    const Evaluated rows = evaluate(program, batch, LogicalType::text, Machine::row);
    const std::vector<std::string> codes = texts_of(blocks.codes);
    CHECK(codes == texts_of(rows.codes));
    CHECK(texts_of(blocks.values) == texts_of(rows.values));
    const bool takes_too_much = std::find(codes.begin(), codes.end(), "asset_too_large") != codes.end();
    CHECK(takes_too_much);
    CHECK(std::find(codes.begin(), codes.end(), "null") != codes.end());
  }
}

TEST_CASE("random templates that pass the verifier run to an end within their limits") {
  Random random(7);
  int ran = 0;
  for (int round = 0; round < 4000; ++round) {
    auto program = std::make_shared<Program>(random_program(random, false));
    if (!passes(*program)) continue;
    ++ran;
    const Assembler assembler(program);
    const auto batch = random_batch(random);
    std::int64_t rows = 0;
    for (const ArrayPointer& chunk : assembler.assemble(batch, {2, 700})) rows += chunk->length;
    REQUIRE(rows == kRows);
  }
  CHECK(ran > 300);
}

TEST_CASE("tape and row machine agree on random templates") {
  Random random(11);
  int ran = 0;
  int done = 0;
  for (int round = 0; round < 4000; ++round) {
    Program program = random_program(random, false);
    program.limits = {40, 1 << 20};
    if (!passes(program)) continue;
    ++ran;
    check_tape(random, program, done);
  }
  CHECK(ran > 300);
  CHECK(done > 1000);
}

TEST_CASE("tape and row machine agree on what tapes fuse") {
  Random random(20270101);
  int ran = 0;
  int done = 0;
  for (int round = 0; round < 3000; ++round) {
    const Program program = random_phrases(random);
    if (!passes(program)) continue;
    ++ran;
    check_tape(random, program, done);
  }
  CHECK(ran > 1000);
  CHECK(done > 5000);
}

TEST_CASE("tape and row machine agree on slots") {
  Random random(20270102);
  int ran = 0;
  int done = 0;
  for (int round = 0; round < 1500; ++round) {
    const Program program = random_slots(random);
    if (!passes(program)) continue;
    ++ran;
    check_tape(random, program, done);
  }
  CHECK(ran > 500);
  CHECK(done > 5000);
}

TEST_CASE("cells read by their access are what the column says") {
  Random random(3);
  const Program program = random_program(random, false);
  const Binding binding(program, random_batch(random));
  for (std::size_t column = 0; column < program.columns.size(); ++column) {
    const std::int64_t rows = binding.cells().at(column).column->length();
    for (std::int64_t row = 0; row < rows; ++row) {
      Value value;
      Value plain;
      REQUIRE(binding.cells().read(column, row, value) == binding.cells().read_plain(column, row, plain));
      REQUIRE(same(value, plain));
    }
  }
}

}  // namespace labfactory
