#include "labfactory/plan/tape.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace labfactory {

namespace {

constexpr std::int32_t kNone = -1;
// Beyond this many words of liveness (32 MiB) a program keeps its registers as they are.
constexpr std::size_t kMostLiveWords = std::size_t{1} << 22;

std::size_t index_of(std::int32_t i) {
  return static_cast<std::size_t>(i);
}

const OpcodeShape& shape_of(const Instruction& instruction) {
  return kOpcodes[static_cast<std::size_t>(instruction.opcode)];
}

bool is_conditional(Opcode opcode) {
  return opcode == Opcode::jump_if_false || opcode == Opcode::jump_if_true;
}
bool is_control(Opcode opcode) {
  return opcode >= Opcode::jump && opcode <= Opcode::end;
}
bool is_emit(Opcode opcode) {
  return opcode == Opcode::emit || opcode == Opcode::emit_escaped;
}
bool is_emit_column(Opcode opcode) {
  return opcode == Opcode::emit_column || opcode == Opcode::emit_column_escaped;
}
bool is_escaped(Opcode opcode) {
  return opcode == Opcode::emit_escaped || opcode == Opcode::emit_column_escaped;
}
bool is_relation(Opcode opcode) {
  return opcode >= Opcode::equal && opcode <= Opcode::not_contains;
}
bool is_read(Opcode opcode) {
  return opcode == Opcode::column || opcode == Opcode::field;
}

// The register that an instruction writes when it can be another one: not those of loops.
std::int32_t target_of(const Instruction& instruction) {
  return shape_of(instruction).operands[0] == Operand::target ? instruction.operands[0] : kNone;
}

template <class Visit>
void visit_reads(const Instruction& instruction, const Visit& visit) {
  const OpcodeShape& shape = shape_of(instruction);
  for (std::size_t i = 0; i < shape.operands.size(); ++i) {
    if (shape.operands[i] == Operand::source) visit(instruction.operands[i]);
    if (shape.operands[i] != Operand::sources) continue;
    for (std::int32_t n = 0; n < instruction.operands[i + 1]; ++n) visit(instruction.operands[i] + n);
  }
}

// What is known of a register while instructions are read in order; forgotten all at once.
class Known {
 public:
  explicit Known(std::size_t registers) : values_(registers, kNone), since_(registers, 0) {}
  void set(std::int32_t reg, std::int32_t value) {
    values_[index_of(reg)] = value;
    since_[index_of(reg)] = now_;
  }
  [[nodiscard]] std::int32_t get(std::int32_t reg) const {
    return index_of(reg) < values_.size() && since_[index_of(reg)] == now_ ? values_[index_of(reg)] : kNone;
  }
  void forget() { ++now_; }

 private:
  std::vector<std::int32_t> values_;
  std::vector<std::uint32_t> since_;
  std::uint32_t now_ = 1;
};

// Which registers are read again after each instruction: backward data flow to a fixed point.
class Liveness {
 public:
  Liveness(const Program& program, const std::vector<Instruction>& code)
      : registers_(program.registers), words_((index_of(program.registers) + 63) / 64) {
    if (words_ * code.size() > kMostLiveWords) return;
    is_known_ = true;
    after_.assign(words_ * code.size(), 0);
    before_.assign(words_ * code.size(), 0);
    bool changed = true;
    while (changed) {
      changed = false;
      for (std::size_t at = code.size(); at-- > 0;) changed = step(program, code, at) || changed;
    }
  }

  [[nodiscard]] bool is_dead_after(std::size_t at, std::int32_t reg) const {
    // Slots behind the registers have one reader.
    if (reg >= registers_) return true;
    return is_known_ && (after_[at * words_ + index_of(reg) / 64] >> (reg % 64) & 1) == 0;
  }

 private:
  bool step(const Program& program, const std::vector<Instruction>& code, std::size_t at) {
    const Instruction& instruction = code[at];
    const auto& o = instruction.operands;
    std::uint64_t* const after = &after_[at * words_];
    const auto join = [&](std::size_t to) {
      if (to >= code.size()) return;  // only code that is never reached runs out
      for (std::size_t w = 0; w < words_; ++w) after[w] |= before_[to * words_ + w];
    };
    switch (instruction.opcode) {
      case Opcode::jump:
        join(index_of(o[0]));
        break;
      case Opcode::jump_if_false:
      case Opcode::jump_if_true:
        join(index_of(o[1]));
        join(at + 1);
        break;
      case Opcode::loop_begin:
        join(index_of(o[3]));
        join(at + 1);
        break;
      case Opcode::loop_next:
        join(index_of(o[2]));
        join(at + 1);
        break;
      case Opcode::slot:
        for (const std::int32_t to : program.tables[index_of(o[1])]) join(index_of(to));
        break;
      case Opcode::skip:
      case Opcode::fail:
      case Opcode::result:
      case Opcode::end:
        break;
      default:
        join(at + 1);
    }
    bool changed = false;
    const std::int32_t target = target_of(instruction);
    std::uint64_t* const before = &before_[at * words_];
    for (std::size_t w = 0; w < words_; ++w) {
      std::uint64_t live = after[w];
      if (target >= 0 && target < registers_ && index_of(target) / 64 == w)
        live &= ~(std::uint64_t{1} << (target % 64));
      changed = changed || (live & ~before[w]) != 0;
      before[w] |= live;
    }
    visit_reads(instruction, [&](std::int32_t reg) {
      if (reg >= registers_) return;
      const std::uint64_t bit = std::uint64_t{1} << (reg % 64);
      changed = changed || (before[index_of(reg) / 64] & bit) == 0;
      before[index_of(reg) / 64] |= bit;
    });
    return changed;
  }

  std::int32_t registers_;
  std::size_t words_;
  bool is_known_ = false;
  std::vector<std::uint64_t> after_;
  std::vector<std::uint64_t> before_;
};

class TapeMaker {
 public:
  explicit TapeMaker(const Program& program)
      : program_(program), code_(program.code), is_removed_(code_.size(), 0) {}

  Tape make() {
    tape_.slots = program_.registers + static_cast<std::int32_t>(program_.constants.size());
    for (std::size_t i = 0; i < program_.constants.size(); ++i) {
      tape_.presets.emplace_back(program_.registers + static_cast<std::int32_t>(i),
                                 static_cast<std::int32_t>(i));
    }
    for (const std::string& literal : program_.literals) {
      literal_at_.push_back(tape_.literals.size());
      tape_.literals += literal;
    }
    tape_.literals.append(kLiteralSlack, '\0');
    thread_jumps();
    find_leaders();
    place_constants();
    place_arguments(Liveness(program_, code_));
    remove_dead(Liveness(program_, code_));
    const Liveness liveness(program_, code_);
    liveness_ = &liveness;
    write_steps();
    return std::move(tape_);
  }

 private:
  // --- the instructions made fewer ---

  // A jump on a register that lands on another jump on it knows what that one will do: `a or b`, `a and b`.
  void thread_jumps() {
    for (std::size_t at = code_.size(); at-- > 0;) {
      Instruction& jump = code_[at];
      if (!is_conditional(jump.opcode)) continue;
      const Instruction& next = code_[index_of(jump.operands[1])];
      if (!is_conditional(next.opcode) || next.operands[0] != jump.operands[0]) continue;
      jump.operands[1] = next.opcode == jump.opcode ? next.operands[1] : jump.operands[1] + 1;
    }
  }

  void find_leaders() {
    is_leader_.assign(code_.size() + 1, 0);
    const auto mark = [&](std::int32_t to) { is_leader_[index_of(to)] = 1; };
    for (const Instruction& instruction : code_) {
      const auto& o = instruction.operands;
      switch (instruction.opcode) {
        case Opcode::jump:
          mark(o[0]);
          break;
        case Opcode::jump_if_false:
        case Opcode::jump_if_true:
          mark(o[1]);
          break;
        case Opcode::loop_begin:
          mark(o[3]);
          break;
        case Opcode::loop_next:
          mark(o[2]);
          break;
        case Opcode::slot:
          std::for_each(program_.tables[index_of(o[1])].begin(), program_.tables[index_of(o[1])].end(), mark);
          break;
        default:
          break;
      }
    }
  }

  // Reads of a register that holds a constant become reads of the constant's slot.
  void place_constants() {
    Known constants(index_of(program_.registers));
    for (std::size_t at = 0; at < code_.size(); ++at) {
      if (is_leader_[at] != 0) constants.forget();
      Instruction& instruction = code_[at];
      auto& o = instruction.operands;
      const OpcodeShape& shape = shape_of(instruction);
      for (std::size_t i = 0; i < shape.operands.size(); ++i) {
        // append writes the list that it reads.
        if (shape.operands[i] != Operand::source || (instruction.opcode == Opcode::append && i == 0))
          continue;
        if (const std::int32_t constant = constants.get(o[i]); constant != kNone)
          o[i] = program_.registers + constant;
      }
      constant_at_.push_back(constant_arguments(instruction, constants));
      for (std::size_t i = 0; i < shape.operands.size(); ++i) {
        const bool writes =
            shape.operands[i] == Operand::target || (instruction.opcode == Opcode::append && i == 0);
        if (writes) constants.set(o[i], instruction.opcode == Opcode::constant ? o[1] : kNone);
      }
    }
  }

  static std::vector<std::int32_t> constant_arguments(const Instruction& instruction,
                                                      const Known& constants) {
    std::vector<std::int32_t> found;
    const OpcodeShape& shape = shape_of(instruction);
    for (std::size_t i = 0; i < shape.operands.size(); ++i) {
      if (shape.operands[i] != Operand::sources) continue;
      for (std::int32_t n = 0; n < instruction.operands[i + 1]; ++n) {
        found.push_back(constants.get(instruction.operands[i] + n));
      }
    }
    return found;
  }

  // Arguments of a call move to slots of its own, where its constants stand for good.
  void place_arguments(const Liveness& liveness) {
    Known writer(index_of(program_.registers));
    for (std::size_t at = 0; at < code_.size(); ++at) {
      if (is_leader_[at] != 0) writer.forget();
      place_arguments_of(at, liveness, writer);
      Instruction& instruction = code_[at];
      // A value that is read before its call cannot move.
      visit_reads(instruction, [&](std::int32_t reg) {
        if (reg < program_.registers) writer.set(reg, kNone);
      });
      const std::int32_t target = target_of(instruction);
      if (instruction.opcode == Opcode::append) writer.set(instruction.operands[0], kNone);
      if (target >= 0 && target < program_.registers) writer.set(target, static_cast<std::int32_t>(at));
      if (is_control(instruction.opcode)) writer.forget();
    }
  }

  void place_arguments_of(std::size_t at, const Liveness& liveness, const Known& writer) {
    Instruction& call = code_[at];
    const OpcodeShape& shape = shape_of(call);
    const auto place = std::find(shape.operands.begin(), shape.operands.end(), Operand::sources);
    if (place == shape.operands.end()) return;
    const auto operand = static_cast<std::size_t>(place - shape.operands.begin());
    const std::int32_t first = call.operands[operand];
    const std::int32_t count = call.operands[operand + 1];
    const std::vector<std::int32_t>& constants = constant_at_[at];
    for (std::int32_t n = 0; n < count; ++n) {
      if (constants[index_of(n)] != kNone) continue;
      const std::int32_t reg = first + n;
      const bool is_last_read = liveness.is_dead_after(at, reg) || reg == call.operands[0];
      if (writer.get(reg) == kNone || !is_last_read) return;
    }
    if (tape_.slots > std::numeric_limits<std::int32_t>::max() - count) return;
    for (std::int32_t n = 0; n < count; ++n) {
      if (constants[index_of(n)] != kNone) {
        tape_.presets.emplace_back(tape_.slots + n, constants[index_of(n)]);
      } else {
        code_[index_of(writer.get(first + n))].operands[0] = tape_.slots + n;
      }
    }
    call.operands[operand] = tape_.slots;
    tape_.slots += count;
  }

  // Constants that nobody reads any more.
  void remove_dead(const Liveness& liveness) {
    for (std::size_t at = 0; at < code_.size(); ++at) {
      const Opcode opcode = code_[at].opcode;
      if (opcode != Opcode::constant || code_[at].operands[0] >= program_.registers) continue;
      if (!liveness.is_dead_after(at, code_[at].operands[0])) continue;
      is_removed_[at] = 1;
      if (is_leader_[at] != 0) is_leader_[at + 1] = 1;
    }
  }

  // --- the steps ---

  void write_steps() {
    std::vector<std::int32_t> step_of(code_.size() + 1, 0);
    std::size_t at = 0;
    while (at < code_.size()) {
      const std::size_t from = at;
      if (is_removed_[at] != 0) {
        ++at;
      } else {
        at = write_step(at);
      }
      // What was removed or fused leads to the step that follows; only its first instruction is jumped to.
      const bool wrote = !is_removed_[from];
      const auto number = static_cast<std::int32_t>(tape_.steps.size()) - (wrote ? 1 : 0);
      for (std::size_t i = from; i < at; ++i) step_of[i] = number;
    }
    for (Step& step : tape_.steps) {
      if (jumps(step.kind)) step.to = step_of[index_of(step.to)];
    }
    for (const auto& table : program_.tables) {
      auto& steps = tape_.tables.emplace_back();
      for (const std::int32_t to : table) steps.push_back(step_of[index_of(to)]);
    }
  }

  static bool jumps(StepKind kind) {
    return (kind >= StepKind::jump && kind <= StepKind::compare_field) || kind == StepKind::loop_begin ||
           kind == StepKind::loop_next;
  }

  // The next instruction when control only reaches it from `at`, else none.
  [[nodiscard]] std::size_t follower(std::size_t at) const {
    if (is_control(code_[at].opcode)) return code_.size();
    for (++at; at < code_.size() && is_leader_[at] == 0; ++at) {
      if (is_removed_[at] == 0) return at;
    }
    return code_.size();
  }
  [[nodiscard]] bool is_follower(std::size_t at) const { return at < code_.size(); }
  [[nodiscard]] bool dies(std::size_t at, std::int32_t reg) const {
    return liveness_->is_dead_after(at, reg);
  }

  // Writes the step that begins at an instruction and returns the first instruction behind it.
  std::size_t write_step(std::size_t at) {
    Step step;
    step.span = step.read_span = code_[at].span;
    if (code_[at].opcode == Opcode::emit_literal) return write_literal(at, step);
    if (const std::size_t next = read_emit(at, step); next != at) return keep(step, next);
    if (const std::size_t next = read_jump(at, step); next != at) return keep(step, next);
    write_single(code_[at], step);
    return keep(step, at + 1);
  }

  std::size_t keep(const Step& step, std::size_t next) {
    tape_.steps.push_back(step);
    return next;
  }

  // A literal and what is emitted behind it.
  std::size_t write_literal(std::size_t at, Step& step) {
    const std::size_t literal = index_of(code_[at].operands[0]);
    step.kind = StepKind::literal;
    step.literal_at = literal_at_[literal];
    step.literal_bytes = program_.literals[literal].size();
    const std::size_t next = follower(at);
    if (is_follower(next)) {
      Step emitting = step;
      emitting.span = emitting.read_span = code_[next].span;
      if (const std::size_t behind = read_emit(next, emitting); behind != next) return keep(emitting, behind);
    }
    return keep(step, at + 1);
  }

  static StepKind from(StepKind slot, const Instruction& read) {
    const int place = read.opcode == Opcode::column ? 1 : read.opcode == Opcode::field ? 2 : 0;
    return static_cast<StepKind>(static_cast<int>(slot) + place);
  }

  void set_source(const Instruction& read, Step& step) const {
    step.read_span = read.span;
    if (read.opcode == Opcode::column) {
      step.column = read.operands[1];
    } else if (read.opcode == Opcode::field) {
      step.source = read.operands[1];
      step.column = read.operands[2];
      step.parent = program_.columns[index_of(read.operands[2])].parent;
    }
  }

  // '%.Nf' alone, of one argument.
  [[nodiscard]] bool is_fixed(const Instruction& instruction) const {
    if (instruction.opcode != Opcode::format || instruction.operands[3] != 1) return false;
    const Format& format = program_.formats[index_of(instruction.operands[1])];
    const Format::Piece& piece = format.pieces().front();
    const Conversion& c = piece.conversion;
    return piece.literal.empty() && format.tail().empty() && c.type == 'f' && !c.is_left && !c.has_plus &&
           !c.has_space && !c.has_zero && !c.is_alternate && c.width == 0;
  }

  // Something that ends in output; returns `at` when there is none.
  std::size_t read_emit(std::size_t at, Step& step) {
    const Instruction& first = code_[at];
    if (is_emit_column(first.opcode)) {
      step.kind = StepKind::emit_column;
      step.column = first.operands[0];
      step.flag = is_escaped(first.opcode);
      return at + 1;
    }
    if (is_emit(first.opcode)) {
      step.kind = StepKind::emit_slot;
      step.source = first.operands[0];
      step.flag = is_escaped(first.opcode);
      return at + 1;
    }
    if (is_fixed(first)) return read_fixed(at, nullptr, step);
    if (!is_read(first.opcode)) return at;
    const std::size_t second = follower(at);
    if (!is_follower(second)) return at;
    const Instruction& next = code_[second];
    if (is_emit(next.opcode) && next.operands[0] == first.operands[0] && dies(second, first.operands[0])) {
      step.kind = from(StepKind::emit_slot, first);
      set_source(first, step);
      step.span = next.span;
      step.flag = is_escaped(next.opcode);
      return second + 1;
    }
    const bool is_argument = is_fixed(next) && next.operands[2] == first.operands[0] &&
                             (dies(second, first.operands[0]) || next.operands[0] == first.operands[0]);
    if (!is_argument) return at;
    const std::size_t behind = read_fixed(second, &first, step);
    return behind == second ? at : behind;
  }

  std::size_t read_fixed(std::size_t at, const Instruction* read, Step& step) {
    const Instruction& format = code_[at];
    const std::size_t second = follower(at);
    if (!is_follower(second)) return at;
    const Instruction& emit = code_[second];
    if (!is_emit(emit.opcode) || emit.operands[0] != format.operands[0] || !dies(second, format.operands[0]))
      return at;
    step.kind = StepKind::fixed_slot;
    step.source = format.operands[2];
    if (read != nullptr) {
      step.kind = from(StepKind::fixed_slot, *read);
      set_source(*read, step);
    }
    step.flag = is_escaped(emit.opcode);
    step.span = format.span;
    step.target = format.operands[0];
    const int precision =
        program_.formats[index_of(format.operands[1])].pieces().front().conversion.precision;
    step.other = precision < 0 ? 6 : precision;
    step.to = static_cast<std::int32_t>(tape_.instructions.size());
    tape_.instructions.push_back(format);
    return second + 1;
  }

  // Something that ends in a conditional jump; returns `at` when there is none.
  std::size_t read_jump(std::size_t at, Step& step) const {
    std::size_t here = at;
    const Instruction* read = nullptr;
    if (is_read(code_[here].opcode)) {
      read = &code_[here];
      here = follower(here);
      if (!is_follower(here)) return at;
    }
    // The value that the read gave must die where it is used.
    const auto takes = [&](std::int32_t source) {
      return read == nullptr || (source == read->operands[0] && dies(here, source));
    };
    const Instruction& next = code_[here];
    if (is_conditional(next.opcode) && takes(next.operands[0])) {
      set_jump(StepKind::jump_slot, read, next, step);
      return here + 1;
    }
    const std::int32_t result = next.operands[0];
    if (next.opcode == Opcode::negation && read == nullptr) {
      const std::size_t last = follower(here);
      if (!is_follower(last) || !tests(last, result)) return at;
      set_jump(StepKind::jump_slot, nullptr, code_[last], step);
      step.source = next.operands[1];
      step.flag = !step.flag;
      step.span = next.span;
      return last + 1;
    }
    if (!is_relation(next.opcode)) return at;
    const std::int32_t left = next.operands[1];
    const bool is_taken = read == nullptr || (left == read->operands[0] && next.operands[2] != left &&
                                              (dies(here, left) || result == left));
    const std::size_t last = follower(here);
    if (!is_taken || !is_follower(last) || !tests(last, result)) return at;
    set_jump(StepKind::compare_slot, read, code_[last], step);
    if (read == nullptr) step.source = left;
    step.other = next.operands[2];
    step.relation = next.opcode;
    step.span = next.span;
    return last + 1;
  }

  // A conditional jump on a register that nobody reads behind it.
  [[nodiscard]] bool tests(std::size_t at, std::int32_t reg) const {
    return is_conditional(code_[at].opcode) && code_[at].operands[0] == reg && dies(at, reg);
  }

  void set_jump(StepKind slot, const Instruction* read, const Instruction& jump, Step& step) const {
    step.kind = slot;
    step.source = jump.operands[0];
    step.span = jump.span;
    step.flag = jump.opcode == Opcode::jump_if_true;
    step.to = jump.operands[1];
    if (read == nullptr) return;
    step.kind = from(slot, *read);
    set_source(*read, step);
  }

  void write_single(const Instruction& instruction, Step& step) {
    const auto& o = instruction.operands;
    step.target = o[0];
    switch (instruction.opcode) {
      case Opcode::constant:
        step.kind = StepKind::move;
        step.source = program_.registers + o[1];
        break;
      case Opcode::move:
        step.kind = StepKind::move;
        step.source = o[1];
        break;
      case Opcode::column:
      case Opcode::field:
        step.kind = instruction.opcode == Opcode::column ? StepKind::load_column : StepKind::load_field;
        set_source(instruction, step);
        break;
      case Opcode::jump:
        step.kind = StepKind::jump;
        step.to = o[0];
        break;
      case Opcode::loop_begin:
        step.kind = StepKind::loop_begin;
        step.other = o[0];
        step.source = o[1];
        step.target = o[2];
        step.to = o[3];
        break;
      case Opcode::loop_next:
        step.kind = StepKind::loop_next;
        step.other = o[0];
        step.target = o[1];
        step.to = o[2];
        break;
      case Opcode::loop_attribute:
        step.kind = StepKind::loop_attribute;
        step.other = o[1];
        step.column = o[2];
        break;
      case Opcode::append:
        step.kind = StepKind::append;
        step.source = o[1];
        break;
      case Opcode::slot:
        step.kind = StepKind::slot;
        step.column = o[0];
        step.other = o[1];
        break;
      case Opcode::part:
        step.kind = StepKind::part;
        step.other = o[0];
        break;
      case Opcode::skip:
        step.kind = StepKind::skip;
        step.other = o[0];
        break;
      case Opcode::fail:
        step.kind = StepKind::fail;
        step.other = o[0];
        break;
      case Opcode::capture:
        step.kind = StepKind::capture;
        break;
      case Opcode::captured:
        step.kind = StepKind::captured;
        step.flag = o[1] != 0;
        break;
      case Opcode::result:
      case Opcode::end:
        step.kind = StepKind::end;
        break;
      default:
        step.kind = StepKind::call;
        step.other = static_cast<std::int32_t>(tape_.instructions.size());
        tape_.instructions.push_back(instruction);
        break;
    }
  }

  const Program& program_;
  std::vector<Instruction> code_;
  std::vector<char> is_removed_;
  std::vector<char> is_leader_;
  std::vector<std::vector<std::int32_t>> constant_at_;  // by instruction: the constants among its arguments
  std::vector<std::size_t> literal_at_;
  const Liveness* liveness_ = nullptr;
  Tape tape_;
};

}  // namespace

Tape make_tape(const Program& program) {
  return TapeMaker(program).make();
}

}  // namespace labfactory
