// Fuzz target: any program that passes the verifier runs on any batch without a fault, and the machines
// agree.
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/input.hpp"
#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/builder.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/execute/block_machine.hpp"
#include "labfactory/execute/row_machine.hpp"
#include "labfactory/execute/tape_machine.hpp"
#include "labfactory/plan/program.hpp"
#include "labfactory/plan/tape.hpp"

namespace labfactory::fuzz {
namespace {

constexpr std::int64_t kRows = 5;
constexpr std::int32_t kRegisters = 6;

std::shared_ptr<const Batch> make_batch() {
  const std::vector<std::optional<std::string_view>> texts = {"Zo\xc3\xab <&>", std::nullopt, "", "%s {{",
                                                              "7"};
  const std::vector<std::int64_t> integers = {0, -7, INT64_MAX, INT64_MIN, 3};
  Bitmap validity;
  for (std::int64_t i = 0; i < kRows; ++i) validity.append(i != 1);
  const ArrayPointer record = make_struct_array(
      kRows, {{"a", make_array(std::vector<double>{0.5, -1, 1e300, 0, 2})}, {"t", make_text_array(texts)}});
  auto list = std::make_shared<ArrayData>();
  list->format = "+l";
  list->length = kRows;
  list->buffers = {SharedBuffer{}, SharedBuffer(std::vector<std::int32_t>{0, 2, 2, 5, 5, 5})};
  list->children = {{"item", record}};
  const ArrayPointer data =
      make_struct_array(kRows, {{"x", make_array(integers, validity)},
                                {"f", make_array(std::vector<double>{0.1, -2.5, 1e16, 0, 7})},
                                {"s", make_text_array(texts)},
                                {"b", make_boolean_array(std::vector<std::uint8_t>{1, 0, 1, 0, 1}, validity)},
                                {"r", record},
                                {"rs", list}});
  ArrowSchema schema{};
  ArrowArray array{};
  export_schema(*data, &schema);
  export_array(data, &array);
  return import_batch(&schema, &array);
}

void set_tables(Program& p, Input& input) {
  p.columns = {
      {"x", -1, ColumnRole::root, LogicalType::integer}, {"f", -1, ColumnRole::root, LogicalType::floating},
      {"s", -1, ColumnRole::root, LogicalType::text},    {"b", -1, ColumnRole::root, LogicalType::boolean},
      {"r", -1, ColumnRole::root, LogicalType::record},  {"a", 4, ColumnRole::field, LogicalType::floating},
      {"t", 4, ColumnRole::field, LogicalType::text},    {"rs", -1, ColumnRole::root, LogicalType::list},
      {"", 7, ColumnRole::item, LogicalType::record},    {"a", 8, ColumnRole::field, LogicalType::floating}};
  p.constants = {Value::integer(2),          p.keep_text("n\xc3\xa9<"),
                 p.keep_text("&amp;", true), Value::none(),
                 Value::boolean(false),      Value::floating(0.5),
                 p.keep_text("common"),      p.keep_list({Value::integer(2), p.keep_text("a")}, Kind::list)};
  p.literals = {"", "literal ", std::string(300, '.')};
  for (const char* format : {"%s=%.2f", "%5d|", "%.2f"}) p.formats.emplace_back(format);
  p.functions = {"f"};
  p.parts = input.one_in(2) ? std::vector<std::string>{} : std::vector<std::string>{"a", "b"};
  p.registers = kRegisters;
  p.loops = 2;
  p.spans = {{0, 1, 1, 1}};
  p.sources = {"fuzzed"};
  p.undefined = static_cast<UndefinedMode>(input.below(3));
  p.limits = {1 + input.byte(), 4000};
}

std::int32_t operand(Input& input, const Program& p, Operand kind, std::size_t at) {
  switch (kind) {
    case Operand::target:
    case Operand::source:
      return input.below(kRegisters + 1);
    case Operand::sources:
    case Operand::count:
      return input.below(4);
    case Operand::column:
      return input.below(p.columns.size() + 1);
    case Operand::constant:
      return input.below(p.constants.size() + 1);
    case Operand::jump:
      return static_cast<std::int32_t>(at) + input.below(12) - 4;
    default:
      return input.below(32);
  }
}

Program read_program(Input& input) {
  Program p;
  set_tables(p, input);
  for (std::int32_t r = 0; r < kRegisters; ++r) p.code.push_back({Opcode::constant, {r, input.below(8)}, 0});
  while (input.left() > 4 && p.code.size() < 60) {
    Instruction instruction{static_cast<Opcode>(input.byte() % kOpcodes.size()), {}, 0};
    const OpcodeShape& shape = kOpcodes[static_cast<std::size_t>(instruction.opcode)];
    for (std::size_t i = 0; i < shape.operands.size(); ++i) {
      if (shape.operands[i] == Operand::none) continue;
      instruction.operands[i] = operand(input, p, shape.operands[i], p.code.size());
    }
    // Counts that a format or a filter asks for are rarely met by chance.
    if (instruction.opcode == Opcode::method && instruction.operands[1] >= 0 &&
        instruction.operands[1] < static_cast<std::int32_t>(kMethods.size())) {
      instruction.operands[3] = 1 + kMethods[static_cast<std::size_t>(instruction.operands[1])].arguments;
    }
    if (instruction.opcode == Opcode::filter &&
        instruction.operands[1] < static_cast<std::int32_t>(kFilters.size())) {
      const FilterShape& filter = kFilters[static_cast<std::size_t>(instruction.operands[1])];
      instruction.operands[3] = 1 + filter.arguments + (filter.autoescape ? 1 : 0);
    }
    p.code.push_back(instruction);
  }
  p.tables = {{static_cast<std::int32_t>(p.code.size()), static_cast<std::int32_t>(p.code.size())}};
  const bool is_template = !input.one_in(3);
  p.code.push_back(is_template ? Instruction{} : Instruction{Opcode::result, {input.below(kRegisters)}, 0});
  return p;
}

bool passes(const Program& program) {
  try {
    verify(program);
    return true;
  } catch (const Error& error) {
    expect(error.code() == "plan_invalid");
    return false;
  }
}

struct Assembled {
  RowEvent event;
  std::string text;
};

struct Parts {
  std::vector<std::vector<char>> memory;
  std::vector<PartCursor> cursors;

  Parts(const Program& program, std::size_t room)
      : memory(std::max<std::size_t>(program.parts.size(), 1), std::vector<char>(room + kPartSlack)) {
    for (auto& part : memory) cursors.push_back({part.data(), part.data() + room});
  }
  [[nodiscard]] std::string text() const {
    std::string out;
    for (std::size_t i = 0; i < memory.size(); ++i) {
      out.append(memory[i].data(), static_cast<std::size_t>(cursors[i].at - memory[i].data()))
          .push_back('\0');
    }
    return out;
  }
};

Assembled assemble(RowMachine& machine, const Program& program, std::int64_t row, std::size_t room) {
  Parts parts(program, room);
  const RowEvent event = machine.assemble(row, parts.cursors);
  return {event, parts.text()};
}

Assembled assemble(TapeMachine& machine, const Program& program, std::int64_t row, std::size_t room) {
  Parts parts(program, room);
  std::vector<std::array<std::int32_t, 2>> offsets(parts.memory.size());
  std::vector<PartRows> rows;
  for (std::size_t i = 0; i < offsets.size(); ++i)
    rows.push_back({parts.memory[i].data(), offsets[i].data()});
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  RowEnds ends(parts.cursors, rows, kMost, kMost);
  const RowEvent event = machine.assemble(row, row + 1, ends);
  return {event, parts.text()};
}

void check_template(const Program& program, const Binding& binding, std::size_t room) {
  const Tape tape = make_tape(program);
  RowMachine plain(program, binding);
  TapeMachine taped(program, tape, binding);
  for (std::int64_t row = 0; row < kRows; ++row) {
    const Assembled a = assemble(plain, program, row, room);
    const Assembled b = assemble(taped, program, row, room);
    const bool is_full = a.event.kind == RowEvent::Kind::full || b.event.kind == RowEvent::Kind::full;
    // Each asks for more room in its own way.
    if (is_full) continue;
    expect(a.event.kind == b.event.kind && a.event.outcome == b.event.outcome &&
           a.event.constant == b.event.constant);
    if (a.event.kind == RowEvent::Kind::done) expect(a.text == b.text);
  }
}

bool same(const Value& a, const Value& b) {
  if (a.kind != b.kind || a.length != b.length) return false;
  if (a.is_text()) return a.view() == b.view();
  const bool points = a.kind == Kind::list || a.kind == Kind::tuple || a.kind == Kind::dict;
  return points || a.payload.integer == b.payload.integer;
}

void check_expression(const Program& program, const Binding& binding) {
  if (!is_expression(program)) return;
  BlockMachine blocks(program, binding);
  RowMachine rows(program, binding);
  std::array<Value, kRows> values{};
  std::array<Outcome, kRows> outcomes{};
  if (!blocks.evaluate(0, values, outcomes)) return;
  for (std::int64_t row = 0; row < kRows; ++row) {
    Value value;
    const RowEvent event = rows.evaluate(row, value);
    const auto at = static_cast<std::size_t>(row);
    expect(event.outcome == outcomes[at]);
    if (event.outcome == Outcome::ok) expect(same(value, values[at]));
  }
}

bool gives_result(const Program& program) {
  return std::any_of(program.code.begin(), program.code.end(),
                     [](const Instruction& i) { return i.opcode == Opcode::result; });
}

}  // namespace
}  // namespace labfactory::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace labfactory;
  using namespace labfactory::fuzz;
  static const std::shared_ptr<const Batch> batch = make_batch();
  Input input(data, size);
  const Program program = read_program(input);
  if (!passes(program)) return 0;
  static_cast<void>(explain(program));
  const Binding binding(program, batch);
  if (gives_result(program)) {
    check_expression(program, binding);
  } else {
    check_template(program, binding, input.one_in(2) ? 4000 : std::size_t{input.byte()});
  }
  return 0;
}
