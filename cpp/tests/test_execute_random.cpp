// Random programs: whatever the verifier lets through runs on any batch without a fault, and both machines
// agree.
#include <doctest/doctest.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "labfactory/arrow/builder.hpp"
#include "labfactory/arrow/column.hpp"
#include "labfactory/assemble/assembler.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/execute/block_machine.hpp"
#include "labfactory/execute/evaluator.hpp"
#include "labfactory/execute/row_machine.hpp"
#include "labfactory/plan/program.hpp"

namespace labfactory {
namespace {

using Random = std::mt19937_64;

std::int32_t below(Random& random, std::size_t n) {
  return static_cast<std::int32_t>(random() % n);
}

constexpr std::int64_t kRows = 70;

// x: integer, f: floating, s: text, b: boolean, xs: list of integer, all with nulls
std::shared_ptr<const Batch> random_batch(Random& random) {
  const auto validity = [&] {
    Bitmap bits;
    for (std::int64_t i = 0; i < kRows; ++i) bits.append(random() % 5 != 0);
    return bits;
  };
  std::vector<std::int64_t> integers;
  std::vector<double> floats;
  std::vector<std::uint8_t> booleans;
  std::vector<std::optional<std::string_view>> texts;
  constexpr std::array<std::string_view, 6> kTexts = {
      "", "a", "Zoë <&>", "ﬁne ΑΣ", "\xf0\x9f\x8e\x89 yes", "%s {{"};
  constexpr std::array<std::int64_t, 6> kIntegers = {0, 1, -7, INT64_MAX, INT64_MIN, 40};
  std::vector<std::int32_t> offsets{0};
  for (std::int64_t i = 0; i < kRows; ++i) {
    integers.push_back(kIntegers[random() % kIntegers.size()]);
    floats.push_back(static_cast<double>(below(random, 9)) / 3 - 1);
    booleans.push_back(static_cast<std::uint8_t>(random() % 2));
    texts.push_back(random() % 6 == 0 ? std::nullopt : std::optional(kTexts[random() % kTexts.size()]));
    offsets.push_back(offsets.back() + below(random, 4));
  }
  std::vector<std::int64_t> items(static_cast<std::size_t>(offsets.back()), 3);
  auto lists = std::make_shared<ArrayData>();
  lists->format = "+l";
  lists->length = kRows;
  lists->buffers = {SharedBuffer{}, SharedBuffer(offsets)};
  lists->children = {{"item", make_array(items)}};
  const ArrayPointer data = make_struct_array(kRows, {{"x", make_array(integers, validity())},
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
                            bool forward) {
  switch (kind) {
    case Operand::target:
    case Operand::source:
      return below(random, static_cast<std::size_t>(p.registers));
    case Operand::sources:
      return below(random, 2);
    case Operand::count:
      return below(random, 4);
    case Operand::column:
      return below(random, p.columns.size());
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
    case Operand::filter:
      return below(random, kFilters.size());
    case Operand::test:
      return below(random, kTests.size());
    case Operand::attribute:
      return below(random, kLoopAttributes.size());
    case Operand::flag:
      return below(random, 2);
    default:
      return 0;
  }
}

Program random_program(Random& random, bool expression) {
  Program p;
  p.columns = {
      {"x", -1, ColumnRole::root, LogicalType::integer}, {"f", -1, ColumnRole::root, LogicalType::floating},
      {"s", -1, ColumnRole::root, LogicalType::text},    {"b", -1, ColumnRole::root, LogicalType::boolean},
      {"xs", -1, ColumnRole::root, LogicalType::list},   {"item", 4, ColumnRole::item, LogicalType::integer}};
  p.constants = {Value::integer(2),          p.keep_text("né<"),
                 p.keep_text("&amp;", true), Value::none(),
                 Value::boolean(false),      Value::floating(0.5),
                 p.keep_text("common"),      p.keep_list({Value::integer(2), p.keep_text("a")}, Kind::list)};
  p.literals = {"", "literal ", std::string(300, '.')};
  p.formats.emplace_back("%s=%.2f");
  p.formats.emplace_back("%5d|");
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
  const auto last = static_cast<std::size_t>(expression ? Opcode::jump_if_true : Opcode::emit_column_escaped);
  while (p.code.size() + 1 < size) {
    const auto opcode = static_cast<Opcode>(random() % (last + 1));
    if (opcode == Opcode::part || opcode == Opcode::skip || (expression && opcode == Opcode::append))
      continue;
    Instruction instruction{opcode, {}, 0};
    const OpcodeShape& shape = kOpcodes[static_cast<std::size_t>(opcode)];
    for (std::size_t i = 0; i < shape.operands.size(); ++i) {
      instruction.operands[i] =
          random_operand(random, p, shape.operands[i], p.code.size(), size, opcode != Opcode::loop_next);
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
  if (a.kind == Kind::list || a.kind == Kind::tuple) return a.length == b.length;
  return a.length == b.length && a.payload.integer == b.payload.integer;
}

}  // namespace

TEST_CASE("block and row machine agree on random expressions") {
  Random random(20261122);
  int ran = 0;
  for (int round = 0; round < 4000; ++round) {
    const Program program = random_program(random, true);
    if (!passes(program) || !is_expression(program)) continue;
    ++ran;
    const Binding binding(program, random_batch(random));
    BlockMachine blocks(program, binding);
    RowMachine rows(program, binding);
    std::vector<Value> values(kRows);
    std::vector<Outcome> outcomes(kRows);
    blocks.evaluate(0, values, outcomes);
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

}  // namespace labfactory
