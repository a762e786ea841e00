#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>

#include "labfactory/base/error.hpp"
#include "labfactory/plan/program.hpp"
#include "labfactory/values/outcome.hpp"

namespace labfactory {

namespace {

// A plan this large would need gigabytes before its first row.
constexpr std::int32_t kMostRegisters = 1 << 14;
constexpr std::int32_t kMostLoops = 1 << 12;
constexpr std::size_t kMostColumns = std::numeric_limits<std::uint16_t>::max();

[[noreturn]] void refuse(std::string_view what) {
  throw Error(ErrorKind::compile, "plan_invalid", "invalid plan: " + std::string(what));
}

[[noreturn]] void refuse_at(std::size_t at, const Instruction& instruction, std::string_view what) {
  refuse("instruction " + std::to_string(at) + " (" +
         std::string(kOpcodes[static_cast<std::size_t>(instruction.opcode)].name) +
         "): " + std::string(what));
}

bool within(std::int32_t index, std::size_t size) {
  return index >= 0 && static_cast<std::size_t>(index) < size;
}

bool ends(Opcode opcode) {
  return opcode == Opcode::end || opcode == Opcode::result || opcode == Opcode::skip ||
         opcode == Opcode::skip_as || opcode == Opcode::fail;
}

// Registers and loops that are surely set when control reaches an instruction, and the captures open there.
class Assigned {
 public:
  explicit Assigned(std::size_t bits) : words_((bits + 63) / 64, 0) {}
  [[nodiscard]] std::int32_t captures() const { return captures_; }
  void open(std::int32_t captures) { captures_ += captures; }
  void set(std::size_t bit) { words_[bit / 64] |= std::uint64_t{1} << (bit % 64); }
  [[nodiscard]] bool has(std::size_t bit) const { return (words_[bit / 64] >> (bit % 64) & 1) != 0; }
  // Keeps what both hold; true when something was lost.
  bool intersect(const Assigned& other) {
    bool changed = false;
    for (std::size_t i = 0; i < words_.size(); ++i) {
      const std::uint64_t both = words_[i] & other.words_[i];
      changed = changed || both != words_[i];
      words_[i] = both;
    }
    return changed;
  }

 private:
  std::vector<std::uint64_t> words_;
  std::int32_t captures_ = 0;
};

class Verifier {
 public:
  explicit Verifier(const Program& program) : program_(program) {}

  void run() {
    check_tables();
    for (std::size_t at = 0; at < program_.code.size(); ++at) check_operands(at);
    check_assignment();
  }

 private:
  void check_tables() {
    const Program& p = program_;
    if (p.code.empty()) refuse("no instructions");
    if (p.code.size() > std::size_t{std::numeric_limits<std::int32_t>::max()})
      refuse("too many instructions");
    if (p.registers < 0 || p.registers > kMostRegisters) refuse("register count out of range");
    if (p.loops < 0 || p.loops > kMostLoops) refuse("loop count out of range");
    if (p.columns.size() > kMostColumns) refuse("too many columns");
    if (p.limits.work <= 0 || p.limits.asset_bytes <= 0) refuse("limits must be positive");
    if (p.limits.asset_bytes > std::numeric_limits<std::int32_t>::max()) refuse("asset limit over 2 GiB");
    for (std::size_t i = 0; i < p.columns.size(); ++i) check_column(i);
    check_children();
    for (const Span& span : p.spans) {
      if (!within(span.source, p.sources.size())) refuse("span of an unknown template");
    }
    for (const auto& table : p.tables) {
      for (const std::int32_t to : table) {
        if (!within(to, p.code.size())) refuse("jump table leaves the code");
      }
    }
  }

  void check_column(std::size_t index) {
    const ColumnUse& use = program_.columns[index];
    if (use.type == LogicalType::zoned && !within(use.zone, program_.zones.size())) refuse("unknown zone");
    if (use.role == ColumnRole::root) {
      if (use.parent != -1) refuse("root column with a parent");
      return;
    }
    if (use.parent < 0 || static_cast<std::size_t>(use.parent) >= index) refuse("column before its parent");
    const LogicalType parent = program_.columns[static_cast<std::size_t>(use.parent)].type;
    const LogicalType expected = use.role == ColumnRole::field  ? LogicalType::record
                                 : use.role == ColumnRole::item ? LogicalType::list
                                                                : LogicalType::map;
    if (parent != expected) refuse("column under a parent of another type");
  }

  // The cells of a list or map are found through the columns below it.
  void check_children() const {
    constexpr unsigned kItem = 1;
    constexpr unsigned kKey = 2;
    constexpr unsigned kValue = 4;
    std::vector<unsigned> found(program_.columns.size(), 0);
    for (const ColumnUse& use : program_.columns) {
      if (use.role == ColumnRole::root || use.role == ColumnRole::field) continue;
      found[static_cast<std::size_t>(use.parent)] |= use.role == ColumnRole::item  ? kItem
                                                     : use.role == ColumnRole::key ? kKey
                                                                                   : kValue;
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
      const LogicalType type = program_.columns[i].type;
      if (type == LogicalType::list && found[i] != kItem) refuse("a list without its items");
      if (type == LogicalType::map && found[i] != (kKey | kValue))
        refuse("a map without its keys and values");
    }
  }

  void check_operands(std::size_t at) {
    const Instruction& instruction = program_.code[at];
    if (static_cast<std::size_t>(instruction.opcode) >= kOpcodes.size()) refuse("unknown opcode");
    if (!within(instruction.span, program_.spans.size())) refuse_at(at, instruction, "unknown span");
    const OpcodeShape& shape = kOpcodes[static_cast<std::size_t>(instruction.opcode)];
    for (std::size_t i = 0; i < shape.operands.size(); ++i) {
      if (!operand_holds(instruction, shape, i)) refuse_at(at, instruction, "operand " + std::to_string(i));
    }
    check_meaning(at, instruction);
  }

  [[nodiscard]] bool operand_holds(const Instruction& instruction, const OpcodeShape& shape,
                                   std::size_t i) const {
    const Program& p = program_;
    const std::int32_t operand = instruction.operands[i];
    switch (shape.operands[i]) {
      case Operand::none:
        return operand == 0;
      case Operand::target:
      case Operand::source:
        return within(operand, static_cast<std::size_t>(p.registers));
      case Operand::sources: {
        const std::int32_t count = instruction.operands[i + 1];
        return operand >= 0 && count >= 0 && std::int64_t{operand} + count <= p.registers;
      }
      case Operand::count:
      case Operand::number:
        return operand >= 0;
      case Operand::column:
        return within(operand, p.columns.size());
      case Operand::constant:
        return within(operand, p.constants.size());
      case Operand::literal:
        return within(operand, p.literals.size());
      case Operand::format:
        return within(operand, p.formats.size());
      case Operand::jump:
        return within(operand, p.code.size());
      case Operand::loop:
        return within(operand, static_cast<std::size_t>(p.loops));
      case Operand::part:
        return within(operand, p.parts.size());
      case Operand::table:
        return within(operand, p.tables.size());
      case Operand::filter:
        return within(operand, kFilters.size());
      case Operand::test:
        return within(operand, kTests.size());
      case Operand::method:
        return within(operand, kMethods.size());
      case Operand::function:
        return within(operand, p.functions.size());
      case Operand::attribute:
        return within(operand, kLoopAttributes.size());
      case Operand::flag:
        return operand == 0 || operand == 1;
      case Operand::outcome:
        return operand > 0 && within(operand, kOutcomes.size());
    }
    return false;
  }

  void check_meaning(std::size_t at, const Instruction& instruction) const {
    const auto& operands = instruction.operands;
    const auto column = [&](std::size_t i) -> const ColumnUse& {
      return program_.columns[static_cast<std::size_t>(operands[i])];
    };
    switch (instruction.opcode) {
      case Opcode::column:
        if (column(1).role != ColumnRole::root) refuse_at(at, instruction, "not a root column");
        break;
      case Opcode::emit_column:
      case Opcode::emit_column_escaped:
        if (column(0).role != ColumnRole::root) refuse_at(at, instruction, "not a root column");
        break;
      case Opcode::slot:
        if (column(0).role != ColumnRole::root || column(0).type != LogicalType::integer) {
          refuse_at(at, instruction, "not an integer root column");
        }
        break;
      case Opcode::field:
        if (column(2).role != ColumnRole::field) refuse_at(at, instruction, "not a field");
        break;
      case Opcode::filter: {
        const FilterShape& filter = kFilters[static_cast<std::size_t>(operands[1])];
        if (operands[3] != 1 + filter.arguments + (filter.autoescape ? 1 : 0)) {
          refuse_at(at, instruction, "wrong number of arguments");
        }
        break;
      }
      case Opcode::method: {
        const MethodShape& method = kMethods[static_cast<std::size_t>(operands[1])];
        const std::int32_t least = 1 + method.arguments;
        if (operands[3] < least || (operands[3] > least && !method.takes_more)) {
          refuse_at(at, instruction, "wrong number of arguments");
        }
        break;
      }
      case Opcode::format:
        if (static_cast<std::size_t>(operands[3]) !=
            program_.formats[static_cast<std::size_t>(operands[1])].argument_count()) {
          refuse_at(at, instruction, "wrong number of arguments");
        }
        break;
      case Opcode::slice:
        if (operands[2] != 4) refuse_at(at, instruction, "expected a container and three bounds");
        break;
      case Opcode::dict:
        if (operands[2] % 2 != 0) refuse_at(at, instruction, "a key without value");
        break;
      case Opcode::skip:
      case Opcode::undefined:
      case Opcode::attribute:
      case Opcode::absent_field: {
        const std::size_t i = instruction.opcode == Opcode::skip        ? 0
                              : instruction.opcode == Opcode::undefined ? 1
                                                                        : 2;
        if (!program_.constants[static_cast<std::size_t>(operands[i])].is_text()) {
          refuse_at(at, instruction, "not a text constant");
        }
        break;
      }
      default:
        break;
    }
    check_direction(at, instruction);
  }

  // Only loop_next goes back, and its steps are counted: every row comes to an end.
  void check_direction(std::size_t at, const Instruction& instruction) const {
    const auto forward = [&](std::int32_t to) {
      if (static_cast<std::size_t>(to) <= at) refuse_at(at, instruction, "jumps back");
    };
    const auto& operands = instruction.operands;
    switch (instruction.opcode) {
      case Opcode::jump:
        forward(operands[0]);
        break;
      case Opcode::jump_if_false:
      case Opcode::jump_if_true:
        forward(operands[1]);
        break;
      case Opcode::loop_begin:
        forward(operands[3]);
        break;
      case Opcode::slot:
        for (const std::int32_t to : program_.tables[static_cast<std::size_t>(operands[1])]) forward(to);
        break;
      default:
        break;
    }
  }

  // Forward data flow to a fixed point. Loops are bits behind the registers.
  void check_assignment() {
    const auto registers = static_cast<std::size_t>(program_.registers);
    const std::size_t bits = registers + static_cast<std::size_t>(program_.loops);
    std::vector<std::unique_ptr<Assigned>> before(program_.code.size());
    std::vector<std::size_t> pending{0};
    before[0] = std::make_unique<Assigned>(bits);
    const auto flow = [&](const Assigned& state, std::size_t to) {
      if (to >= program_.code.size()) refuse("control runs past the last instruction");
      if (!before[to]) {
        before[to] = std::make_unique<Assigned>(state);
        pending.push_back(to);
      } else if (before[to]->captures() != state.captures()) {
        refuse_at(to, program_.code[to], "captures differ by the path here");
      } else if (before[to]->intersect(state)) {
        pending.push_back(to);
      }
    };
    while (!pending.empty()) {
      const std::size_t at = pending.back();
      pending.pop_back();
      step(at, *before[at], registers, flow);
    }
  }

  template <typename Flow>
  void step(std::size_t at, const Assigned& before, std::size_t registers, const Flow& flow) const {
    const Instruction& instruction = program_.code[at];
    const auto& operands = instruction.operands;
    check_reads(at, instruction, before, registers);
    Assigned after = before;
    const OpcodeShape& shape = kOpcodes[static_cast<std::size_t>(instruction.opcode)];
    for (std::size_t i = 0; i < shape.operands.size(); ++i) {
      if (shape.operands[i] == Operand::target) after.set(static_cast<std::size_t>(operands[i]));
    }
    const auto target = [&](std::size_t i) { return static_cast<std::size_t>(operands[i]); };
    switch (instruction.opcode) {
      case Opcode::capture:
        after.open(1);
        break;
      case Opcode::captured:
        if (before.captures() == 0) refuse_at(at, instruction, "nothing is captured");
        after.open(-1);
        break;
      case Opcode::part:
      case Opcode::result:
      case Opcode::end:
        if (before.captures() != 0) refuse_at(at, instruction, "a capture is open");
        break;
      case Opcode::jump:
        flow(after, target(0));
        return;
      case Opcode::jump_if_false:
      case Opcode::jump_if_true:
        flow(after, target(1));
        break;
      case Opcode::loop_begin:
        flow(before, target(3));
        after.set(registers + target(0));
        break;
      case Opcode::loop_next:
        flow(after, target(2));
        flow(before, at + 1);
        return;
      case Opcode::slot:
        for (const std::int32_t to : program_.tables[target(1)]) flow(after, static_cast<std::size_t>(to));
        return;
      default:
        break;
    }
    if (!ends(instruction.opcode)) flow(after, at + 1);
  }

  static void check_reads(std::size_t at, const Instruction& instruction, const Assigned& before,
                          std::size_t registers) {
    const OpcodeShape& shape = kOpcodes[static_cast<std::size_t>(instruction.opcode)];
    for (std::size_t i = 0; i < shape.operands.size(); ++i) {
      const Operand kind = shape.operands[i];
      auto first = static_cast<std::size_t>(instruction.operands[i]);
      std::size_t count = 0;
      if (kind == Operand::source) count = 1;
      if (kind == Operand::sources) count = static_cast<std::size_t>(instruction.operands[i + 1]);
      if (kind == Operand::loop && instruction.opcode != Opcode::loop_begin) {
        first += registers;
        count = 1;
      }
      for (std::size_t bit = first; bit < first + count; ++bit) {
        if (!before.has(bit)) refuse_at(at, instruction, "reads what is not set on every path");
      }
    }
  }

  const Program& program_;
};

}  // namespace

void verify(const Program& program) {
  Verifier(program).run();
}

bool is_expression(const Program& program) {
  for (const Instruction& instruction : program.code) {
    if (instruction.opcode >= Opcode::emit_literal) return false;
    switch (instruction.opcode) {
      case Opcode::loop_begin:
      case Opcode::loop_next:
      case Opcode::loop_attribute:
      case Opcode::append:
      case Opcode::call:
      case Opcode::slot:
      case Opcode::part:
      case Opcode::skip:
      case Opcode::skip_as:
      case Opcode::fail:
      case Opcode::end:
        return false;
      default:
        break;
    }
  }
  return true;
}

}  // namespace labfactory
