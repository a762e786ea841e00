#include "labfactory/execute/row_machine.hpp"

#include "labfactory/execute/copy.hpp"
#include "labfactory/execute/pure.hpp"
#include "labfactory/values/escape.hpp"
#include "labfactory/values/text.hpp"

namespace labfactory {

RowMachine::RowMachine(const Program& program, const Binding& binding)
    : program_(program),
      scope_{arena_,
             binding.cells(),
             program.undefined,
             static_cast<std::size_t>(program.limits.asset_bytes),
             binding.memo(),
             kLooksAStep * static_cast<std::size_t>(program.limits.work)},
      most_arena_bytes_(kArenaShare * static_cast<std::size_t>(program.limits.asset_bytes)),
      most_charged_(kLooksAStep * static_cast<std::size_t>(program.limits.work)),
      registers_(static_cast<std::size_t>(program.registers)),
      loops_(static_cast<std::size_t>(program.loops)),
      captures_(program) {}

RowEvent RowMachine::assemble(std::int64_t row, std::span<PartCursor> parts) {
  return run(row, parts);
}

RowEvent RowMachine::evaluate(std::int64_t row, Value& out) {
  const RowEvent event = run(row, {});
  out = result_;
  return event;
}

void RowMachine::collect(std::int64_t row) {
  collects_ = true;
  // What fails here fails again, or not, when the row runs with what it waits for.
  static_cast<void>(run(row, {}));
  collects_ = false;
}

// Whether an instruction reads what a function has not given yet.
bool RowMachine::waits(const Instruction& instruction) const {
  const OpcodeShape& shape = kOpcodes[static_cast<std::size_t>(instruction.opcode)];
  const auto is_pending = [&](std::int32_t reg) {
    return registers_[static_cast<std::size_t>(reg)].kind == Kind::pending;
  };
  for (std::size_t i = 0; i < shape.operands.size(); ++i) {
    const std::int32_t first = instruction.operands[i];
    if (shape.operands[i] == Operand::source && is_pending(first)) return true;
    if (shape.operands[i] != Operand::sources) continue;
    for (std::int32_t n = 0; n < instruction.operands[i + 1]; ++n) {
      if (is_pending(first + n)) return true;
    }
  }
  return false;
}

RowEvent RowMachine::run(std::int64_t row, std::span<PartCursor> parts) {
  parts_ = parts;
  starts_.clear();
  for (const PartCursor& part : parts) starts_.push_back(part.at);
  for (;;) {
    part_ = parts.data();
    const RowEvent event = run_once(row);
    if (event.kind != RowEvent::Kind::full || event.constant != kNoPart) return event;
    if (!captures_.grow()) return {RowEvent::Kind::failed, Outcome::asset_too_large, -1, event.span};
    for (std::size_t part = 0; part < parts.size(); ++part) parts[part].at = starts_[part];
  }
}

RowEvent RowMachine::run_once(std::int64_t row) {
  arena_.reset();
  captures_.reset();
  result_ = Value::none();
  const Frame<1> frame{registers_.data()};
  const Instruction* const code = program_.code.data();
  const Instruction* at = code;
  std::int64_t work = program_.limits.work;
  const auto failed = [&](Outcome outcome) {
    return RowEvent{RowEvent::Kind::failed, outcome, -1, at->span};
  };
  const auto full = [&] {
    const auto part = captures_.owns(part_) ? kNoPart : static_cast<std::int32_t>(part_ - parts_.data());
    return RowEvent{RowEvent::Kind::full, Outcome::ok, part, at->span};
  };
  for (;;) {
    const auto& o = at->operands;
    if (collects_ && waits(*at)) {
      // Output of it is dropped, a value made of it waits too, and no way is taken by it.
      const bool is_output = at->opcode == Opcode::emit || at->opcode == Opcode::emit_escaped;
      const bool is_value = at->opcode < Opcode::jump && at->opcode != Opcode::append;
      if (!is_value && (!is_output || captures_.owns(part_))) return failed(Outcome::suspended);
      if (is_value) frame[o[0]].kind = Kind::pending;
      ++at;
      continue;
    }
    switch (at->opcode) {
      case Opcode::emit_literal:
        if (!write(program_.literals[static_cast<std::size_t>(o[0])])) return full();
        break;
      case Opcode::emit_column:
      case Opcode::emit_column_escaped: {
        Value value;
        if (const Outcome r = scope_.cells.read(static_cast<std::size_t>(o[0]), row, value);
            r != Outcome::ok) {
          return failed(r);
        }
        bool is_full = false;
        const Outcome r = emit(value, at->opcode == Opcode::emit_column_escaped, is_full);
        if (r != Outcome::ok) return failed(r);
        if (is_full) return full();
        break;
      }
      case Opcode::emit:
      case Opcode::emit_escaped: {
        bool is_full = false;
        const Outcome r = emit(frame[o[0]], at->opcode == Opcode::emit_escaped, is_full);
        if (r != Outcome::ok) return failed(r);
        if (is_full) return full();
        break;
      }
      case Opcode::jump:
        at = code + o[0];
        continue;
      case Opcode::jump_if_false:
      case Opcode::jump_if_true: {
        bool holds = false;
        if (const Outcome r = truth(scope_, frame[o[0]], holds); r != Outcome::ok) return failed(r);
        if (holds == (at->opcode == Opcode::jump_if_true)) {
          at = code + o[1];
          continue;
        }
        break;
      }
      case Opcode::loop_begin: {
        Loop& loop = loops_[static_cast<std::size_t>(o[0])];
        if (const Outcome r = begin_loop(scope_, frame[o[1]], loop); r != Outcome::ok) return failed(r);
        if (loop.items.length == 0) {
          at = code + o[3];
          continue;
        }
        if (const Outcome r = loop_item(scope_, loop, 0, frame[o[2]]); r != Outcome::ok) return failed(r);
        break;
      }
      case Opcode::loop_next: {
        Loop& loop = loops_[static_cast<std::size_t>(o[0])];
        if (--work <= 0) return failed(Outcome::work_limit);
        if (++loop.index < loop.items.length) {
          if (const Outcome r = loop_item(scope_, loop, loop.index, frame[o[1]]); r != Outcome::ok)
            return failed(r);
          at = code + o[2];
          continue;
        }
        break;
      }
      case Opcode::loop_attribute: {
        const Loop& loop = loops_[static_cast<std::size_t>(o[1])];
        const Outcome r = loop_attribute(scope_, loop, static_cast<LoopAttribute>(o[2]), frame[o[0]]);
        if (r != Outcome::ok) return failed(r);
        break;
      }
      case Opcode::append:
        if (const Outcome r = append(scope_, frame[o[1]], frame[o[0]]); r != Outcome::ok) return failed(r);
        break;
      case Opcode::slot: {
        const auto& table = program_.tables[static_cast<std::size_t>(o[1])];
        Value choice;
        if (const Outcome r = scope_.cells.read(static_cast<std::size_t>(o[0]), row, choice);
            r != Outcome::ok) {
          return failed(r);
        }
        const bool is_known = choice.kind == Kind::integer && choice.payload.integer >= 0 &&
                              static_cast<std::uint64_t>(choice.payload.integer) < table.size();
        if (!is_known) return failed(Outcome::no_component);
        at = code + table[static_cast<std::size_t>(choice.payload.integer)];
        continue;
      }
      case Opcode::part:
        if (!parts_.empty()) part_ = &parts_[static_cast<std::size_t>(o[0])];
        break;
      case Opcode::skip:
        return {RowEvent::Kind::skipped, Outcome::ok, o[0], at->span};
      case Opcode::skip_as:
        if (const Outcome r = text_of(scope_, frame[o[0]], reason_); r != Outcome::ok) return failed(r);
        if (reason_.size() > kMostReasonBytes) return failed(Outcome::asset_too_large);
        return {RowEvent::Kind::skipped, Outcome::ok, -1, at->span};
      case Opcode::fail:
        return failed(static_cast<Outcome>(o[0]));
      case Opcode::capture:
        part_ = captures_.begin(part_);
        break;
      case Opcode::captured: {
        std::string_view text;
        part_ = captures_.end(arena_, text);
        frame[o[0]] = Value::text(text, o[1] != 0);
        if (arena_.used() > most_arena_bytes_) return failed(Outcome::asset_too_large);
        break;
      }
      case Opcode::result:
        result_ = frame[o[0]];
        return {};
      case Opcode::end:
        return {};
      default: {
        if (const Outcome r = compute(program_, scope_, *at, frame, row); r != Outcome::ok) {
          if (!collects_ || r != Outcome::suspended) return failed(r);
          frame[o[0]].kind = Kind::pending;
        }
        if (arena_.used() > most_arena_bytes_) return failed(Outcome::asset_too_large);
        if (arena_.charged() > most_charged_) return failed(Outcome::work_limit);
        break;
      }
    }
    ++at;
  }
}

bool RowMachine::write(std::string_view text) {
  if (part_ == nullptr) return true;
  if (text.size() > static_cast<std::size_t>(part_->limit - part_->at)) return false;
  copy_bytes(part_->at, text.data(), text.size());
  part_->at += text.size();
  return true;
}

bool RowMachine::write_escaped(std::string_view text) {
  if (part_ == nullptr) return true;
  static_assert(kPartSlack >= kEscapeSlack);
  const auto room = static_cast<std::size_t>(part_->limit - part_->at);
  // The bound is five times the text; only near the end is the exact size worth a pass.
  if (escaped_bound(text.size()) - kEscapeSlack > room && escaped_size(text) > room) return false;
  part_->at = labfactory::write_escaped(part_->at, text);
  return true;
}

Outcome RowMachine::emit(const Value& value, bool escaped, bool& full) {
  switch (value.kind) {
    case Kind::text:
      full = !(escaped ? write_escaped(value.view()) : write(value.view()));
      return Outcome::ok;
    case Kind::markup:
      full = !write(value.view());
      return Outcome::ok;
    case Kind::integer:
    case Kind::floating: {
      char buffer[kReprBound];
      const char* const end = value.kind == Kind::integer ? write_integer(buffer, value.payload.integer)
                                                          : write_repr(buffer, value.payload.floating);
      full = !write({buffer, static_cast<std::size_t>(end - buffer)});
      return Outcome::ok;
    }
    default: {
      // Of what is left only lists and dicts may print what needs escaping.
      std::string_view text;
      if (const Outcome o = text_of(scope_, value, text); o != Outcome::ok) return o;
      full = !(escaped && is_container(value) ? write_escaped(text) : write(text));
      return Outcome::ok;
    }
  }
}

}  // namespace labfactory
