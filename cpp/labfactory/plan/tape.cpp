#include "labfactory/plan/tape.hpp"

#include <algorithm>
#include <cstddef>

#include "labfactory/plan/instructions.hpp"
#include "labfactory/plan/tape_code.hpp"
#include "labfactory/plan/text_sites.hpp"

namespace labfactory {

namespace {

class TapeMaker {
 public:
  explicit TapeMaker(const Program& program) : program_(program), code_(program) {}

  Tape make() {
    tape_.slots = code_.slots();
    tape_.presets = code_.presets();
    tape_.literals.append(kLiteralSlack, '\0');
    for (const std::string& literal : program_.literals) {
      literal_at_.push_back(tape_.literals.size());
      tape_.literals += literal;
    }
    tape_.literals.append(kLiteralSlack, '\0');
    write_steps();
    tape_.loops = find_loops(program_, tape_);
    return std::move(tape_);
  }

 private:
  void write_steps() {
    std::vector<std::int32_t> step_of(code_.size() + 1, 0);
    std::size_t at = 0;
    while (at < code_.size()) {
      const std::size_t from = at;
      if (code_.is_removed(at)) {
        ++at;
      } else {
        at = write_step(at);
      }
      // What was removed or fused leads to the step that follows; only its first instruction is jumped to.
      const bool wrote = !code_.is_removed(from);
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
    for (const auto& [first, last] : chains_) {
      tape_.sites.push_back({TextSite::Kind::chain, step_of[first], step_of[last] + 1});
    }
    find_sites(tape_);
  }

  [[nodiscard]] std::size_t follower(std::size_t at) const { return code_.follower(at); }
  [[nodiscard]] bool is_follower(std::size_t at) const { return at < code_.size(); }
  [[nodiscard]] bool dies(std::size_t at, std::int32_t reg) const { return code_.dies(at, reg); }

  // Writes the step that begins at an instruction and returns the first instruction behind it.
  std::size_t write_step(std::size_t at) {
    Step step;
    step.span = step.read_span = code_[at].span;
    if (code_[at].opcode == Opcode::emit_literal) return write_literal(at, step);
    if (const std::size_t next = read_emit(at, step); next != at) return keep(step, next);
    if (const std::size_t next = read_jump(at, step); next != at) return keep(step, next);
    note_chain(at);
    write_single(code_[at], step);
    return keep(step, at + 1);
  }

  // A read, what is made of it alone, and what emits that: nobody else may see what lies between.
  void note_chain(std::size_t first) {
    if (!is_read(code_[first].opcode)) return;
    std::vector<std::int32_t> made{code_[first].operands[0]};
    const auto is_made = [&](std::int32_t slot) {
      return std::find(made.begin(), made.end(), slot) != made.end();
    };
    for (std::size_t at = follower(first); is_follower(at); at = follower(at)) {
      const Instruction& next = code_[at];
      if (is_emit(next.opcode)) {
        const bool is_last = next.operands[0] == made.back();
        const bool dies_here =
            std::all_of(made.begin(), made.end(), [&](std::int32_t slot) { return dies(at, slot); });
        if (is_last && dies_here) chains_.emplace_back(first, at);
        return;
      }
      if (!is_pure(next.opcode) || is_read(next.opcode)) return;
      bool is_own = true;
      visit_reads(next,
                  [&](std::int32_t slot) { is_own = is_own && (is_made(slot) || code_.is_preset(slot)); });
      if (!is_own) return;
      made.push_back(target_of(next));
    }
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
      case Opcode::skip_as:
        step.kind = StepKind::skip_as;
        step.source = o[0];
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
  const TapeCode code_;
  std::vector<std::size_t> literal_at_;
  std::vector<std::pair<std::size_t, std::size_t>> chains_;  // first and last instruction
  Tape tape_;
};

}  // namespace

Tape make_tape(const Program& program) {
  return TapeMaker(program).make();
}

}  // namespace labfactory
