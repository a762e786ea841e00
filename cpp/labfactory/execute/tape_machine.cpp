#include "labfactory/execute/tape_machine.hpp"

#include <algorithm>

#include "labfactory/execute/copy.hpp"
#include "labfactory/execute/pure.hpp"
#include "labfactory/values/moment.hpp"
#include "labfactory/values/text.hpp"

namespace labfactory {

namespace {

static_assert(kPartSlack >= kWideSlack && kLiteralSlack >= kWideSlack);
static_assert(kPartSlack >= kEscapeSlack);
// Numbers and dates are written where there is room for the slack only, and looked at afterwards.
static_assert(kPartSlack >= kIntegerBound + 8 && kPartSlack >= kReprBound && kPartSlack >= kDateBound);

// What Conversion::floating_bound asks for beyond fixed_bound; below it the plain format says
// asset_too_large.
constexpr std::size_t kFormatReserve = 64;

enum class Written : std::uint8_t { yes, full, failed };

[[gnu::always_inline]] inline Outcome truth_of(const Scope& scope, const Value& value, bool& out) {
  switch (value.kind) {
    case Kind::boolean:
    case Kind::integer:
      out = value.payload.integer != 0;
      return Outcome::ok;
    case Kind::text:
      out = value.length != 0;
      return Outcome::ok;
    case Kind::none:
      out = false;
      return Outcome::ok;
    default:
      return truth(scope, value, out);
  }
}

template <class T>
bool relate(Opcode relation, T a, T b) {
  switch (relation) {
    case Opcode::equal:
      return a == b;
    case Opcode::not_equal:
      return a != b;
    case Opcode::less:
      return a < b;
    case Opcode::less_equal:
      return a <= b;
    case Opcode::greater:
      return a > b;
    default:
      return a >= b;
  }
}

Outcome relate_plainly(const Scope& scope, Opcode relation, const Value& a, const Value& b, bool& out) {
  switch (relation) {
    case Opcode::equal:
      return equal(scope, a, b, out);
    case Opcode::not_equal: {
      const Outcome outcome = equal(scope, a, b, out);
      out = !out;
      return outcome;
    }
    case Opcode::contains:
      return contains(scope, a, b, out);
    case Opcode::not_contains: {
      const Outcome outcome = contains(scope, a, b, out);
      out = !out;
      return outcome;
    }
    default: {
      const auto order = static_cast<Order>(static_cast<int>(relation) - static_cast<int>(Opcode::less));
      return compare(scope, order, a, b, out);
    }
  }
}

[[gnu::always_inline]] inline Outcome relation_of(const Scope& scope, Opcode relation, const Value& a,
                                                  const Value& b, bool& out) {
  if (a.kind == b.kind && relation <= Opcode::greater_equal) {
    if (a.kind == Kind::integer) {
      out = relate(relation, a.payload.integer, b.payload.integer);
      return Outcome::ok;
    }
    if (a.kind == Kind::floating) {
      out = relate(relation, a.payload.floating, b.payload.floating);
      return Outcome::ok;
    }
    if (a.kind == Kind::text && relation <= Opcode::not_equal) {
      if (a.length == b.length) charge_text(scope, a.view());
      const bool is_same = a.length == b.length &&
                           (a.length == 0 || std::memcmp(a.payload.text, b.payload.text, a.length) == 0);
      out = is_same == (relation == Opcode::equal);
      return Outcome::ok;
    }
  }
  return relate_plainly(scope, relation, a, b, out);
}

}  // namespace

// Where the part under way is written; kept in registers while a row runs.
class TapeMachine::Output {
 public:
  explicit Output(PartCursor* part) : part_(part), at_(part->at), limit_(part->limit) {}

  void leave() { part_->at = at_; }
  void enter(PartCursor* part) {
    leave();
    part_ = part;
    at_ = part->at;
    limit_ = part->limit;
  }
  // Goes on at a cursor that stands where it should, as the one under way does already.
  void resume(PartCursor* part) {
    part_ = part;
    at_ = part->at;
    limit_ = part->limit;
  }
  [[nodiscard]] PartCursor* part() const { return part_; }
  [[nodiscard]] std::size_t room() const { return static_cast<std::size_t>(limit_ - at_); }

  [[gnu::always_inline]] bool literal(const char* text, std::size_t size) {
    if (size > room()) return false;
    copy_wide(at_, text, size);
    at_ += size;
    return true;
  }

  [[gnu::always_inline]] bool text(std::string_view text) {
    if (text.size() > room()) return false;
    copy_bytes(at_, text.data(), text.size());
    at_ += text.size();
    return true;
  }

  [[gnu::always_inline]] bool escaped(std::string_view text, EscapeWriter escape) {
    // The bound is five times the text; only near the end is the exact size worth a pass.
    if (escaped_bound(text.size()) - kEscapeSlack > room() && escaped_size(text) > room()) return false;
    at_ = escape(at_, text);
    return true;
  }

  // What was written at at() ends there; false when that is behind the limit.
  [[gnu::always_inline]] bool advance(char* end) {
    if (end > limit_) return false;
    at_ = end;
    return true;
  }
  [[nodiscard]] char* at() const { return at_; }

 private:
  PartCursor* part_;
  char* at_;
  char* limit_;
};

TapeMachine::TapeMachine(const Program& program, const Tape& tape, const Binding& binding)
    : program_(program),
      tape_(tape),
      scope_{arena_,
             binding.cells(),
             program.undefined,
             static_cast<std::size_t>(program.limits.asset_bytes),
             binding.memo(),
             kLooksAStep * static_cast<std::size_t>(program.limits.work)},
      most_arena_bytes_(kArenaShare * static_cast<std::size_t>(program.limits.asset_bytes)),
      most_charged_(kLooksAStep * static_cast<std::size_t>(program.limits.work)),
      escape_(escape_writer()),
      slots_(static_cast<std::size_t>(tape.slots)),
      loops_(static_cast<std::size_t>(program.loops)),
      captures_(program) {
  for (const auto& [slot, constant] : tape.presets) {
    slots_[static_cast<std::size_t>(slot)] = program.constants[static_cast<std::size_t>(constant)];
  }
}

RowEvent TapeMachine::assemble(std::int64_t row, std::span<PartCursor> parts) {
  if (!captures_.any()) return assemble_once(row, parts);
  starts_.clear();
  for (const PartCursor& part : parts) starts_.push_back(part.at);
  for (;;) {
    captures_.reset();
    const RowEvent event = assemble_once(row, parts);
    if (event.kind != RowEvent::Kind::full || event.constant != kNoPart) return event;
    if (!captures_.grow()) return {RowEvent::Kind::failed, Outcome::asset_too_large, -1, event.span};
    for (std::size_t part = 0; part < parts.size(); ++part) parts[part].at = starts_[part];
  }
}

RowEvent TapeMachine::assemble_once(std::int64_t row, std::span<PartCursor> parts) {
  arena_.reset();
  Value* const slots = slots_.data();
  const Frame<1> frame{slots};
  const Cells& cells = scope_.cells;
  const Step* const steps = tape_.steps.data();
  const char* const literals = tape_.literals.data();
  const Instruction* const instructions = tape_.instructions.data();
  const EscapeWriter escape = escape_;
  const Step* at = steps;
  std::int64_t work = program_.limits.work;
  Output output(parts.data());
  Outcome outcome = Outcome::ok;

  const auto failed = [&](Outcome found, std::int32_t span) {
    output.leave();
    return RowEvent{RowEvent::Kind::failed, found, -1, span};
  };
  const auto full = [&] {
    output.leave();
    const bool is_captured = captures_.owns(output.part());
    const auto part = is_captured ? kNoPart : static_cast<std::int32_t>(output.part() - parts.data());
    return RowEvent{RowEvent::Kind::full, Outcome::ok, part, at->span};
  };

  // A record's field, as read_field() does, its own column first.
  const auto read_field_of = [&](const Step& step, Value& out) __attribute__((always_inline)) {
    const Value base = slots[step.source];
    if (base.kind == Kind::record && base.column == step.parent) {
      return cells.read(static_cast<std::size_t>(step.column), base.payload.integer, out);
    }
    return read_field(program_, scope_, base, step.column, out);
  };
  const auto read_column_of = [&](const Step& step, Value& out) __attribute__((always_inline)) {
    return cells.read(static_cast<std::size_t>(step.column), row, out);
  };
  const auto emit = [&](const Value& value, bool is_escaped) __attribute__((always_inline)) {
    bool fits = false;
    switch (value.kind) {
      case Kind::text:
        fits = is_escaped ? output.escaped(value.view(), escape) : output.text(value.view());
        break;
      case Kind::markup:
        fits = output.text(value.view());
        break;
      case Kind::integer:
        fits = output.advance(write_integer(output.at(), value.payload.integer));
        break;
      case Kind::floating:
        fits = output.advance(write_repr(output.at(), value.payload.floating));
        break;
      default: {
        // Of what is left only lists and dicts may print what needs escaping.
        std::string_view text;
        outcome = text_of(scope_, value, text);
        if (outcome != Outcome::ok) return Written::failed;
        fits = is_escaped && is_container(value) ? output.escaped(text, escape) : output.text(text);
      }
    }
    return fits ? Written::yes : Written::full;
  };
  const auto lead = [&] {
    return at->literal_bytes == 0 || output.literal(literals + at->literal_at, at->literal_bytes);
  };
  const auto emit_fixed = [&](const Value& value) __attribute__((always_inline)) {
    if (value.kind == Kind::floating || value.kind == Kind::integer) {
      const double number =
          value.kind == Kind::floating ? value.payload.floating : static_cast<double>(value.payload.integer);
      const std::size_t bound = fixed_bound(number, at->other);
      if (bound <= output.room() + kPartSlack && bound + kFormatReserve <= scope_.most_bytes) {
        return output.advance(write_fixed(output.at(), number, at->other)) ? Written::yes : Written::full;
      }
    }
    const Instruction& format = instructions[at->to];
    slots[format.operands[2]] = value;
    outcome = compute(program_, scope_, format, frame, row);
    if (outcome == Outcome::ok) outcome = charge();
    if (outcome != Outcome::ok) return Written::failed;
    return emit(slots[at->target], at->flag);
  };

  for (;;) {
    Value value;
    switch (at->kind) {
      case StepKind::literal:
        if (!output.literal(literals + at->literal_at, at->literal_bytes)) return full();
        break;

      case StepKind::emit_column:
        if (!lead()) return full();
        if (outcome = read_column_of(*at, value); outcome != Outcome::ok)
          return failed(outcome, at->read_span);
        if (const Written w = emit(value, at->flag); w != Written::yes) {
          return w == Written::full ? full() : failed(outcome, at->span);
        }
        break;
      case StepKind::emit_field:
        if (!lead()) return full();
        if (outcome = read_field_of(*at, value); outcome != Outcome::ok)
          return failed(outcome, at->read_span);
        if (const Written w = emit(value, at->flag); w != Written::yes) {
          return w == Written::full ? full() : failed(outcome, at->span);
        }
        break;
      case StepKind::emit_slot:
        if (!lead()) return full();
        if (const Written w = emit(slots[at->source], at->flag); w != Written::yes) {
          return w == Written::full ? full() : failed(outcome, at->span);
        }
        break;

      case StepKind::fixed_slot:
      case StepKind::fixed_column:
      case StepKind::fixed_field:
        if (!lead()) return full();
        if (at->kind == StepKind::fixed_slot) {
          value = slots[at->source];
        } else {
          outcome =
              at->kind == StepKind::fixed_column ? read_column_of(*at, value) : read_field_of(*at, value);
          if (outcome != Outcome::ok) return failed(outcome, at->read_span);
        }
        if (const Written w = emit_fixed(value); w != Written::yes) {
          return w == Written::full ? full() : failed(outcome, at->span);
        }
        break;

      case StepKind::load_column:
        if (outcome = read_column_of(*at, slots[at->target]); outcome != Outcome::ok) {
          return failed(outcome, at->read_span);
        }
        break;
      case StepKind::load_field:
        if (outcome = read_field_of(*at, value); outcome != Outcome::ok)
          return failed(outcome, at->read_span);
        slots[at->target] = value;
        break;
      case StepKind::move:
        slots[at->target] = slots[at->source];
        break;

      case StepKind::jump:
        at = steps + at->to;
        continue;
      case StepKind::jump_slot:
      case StepKind::jump_column:
      case StepKind::jump_field: {
        if (at->kind == StepKind::jump_slot) {
          value = slots[at->source];
        } else {
          outcome =
              at->kind == StepKind::jump_column ? read_column_of(*at, value) : read_field_of(*at, value);
          if (outcome != Outcome::ok) return failed(outcome, at->read_span);
        }
        bool holds = false;
        if (outcome = truth_of(scope_, value, holds); outcome != Outcome::ok)
          return failed(outcome, at->span);
        if (holds == at->flag) {
          at = steps + at->to;
          continue;
        }
        break;
      }
      case StepKind::compare_slot:
      case StepKind::compare_column:
      case StepKind::compare_field: {
        if (at->kind == StepKind::compare_slot) {
          value = slots[at->source];
        } else {
          outcome =
              at->kind == StepKind::compare_column ? read_column_of(*at, value) : read_field_of(*at, value);
          if (outcome != Outcome::ok) return failed(outcome, at->read_span);
        }
        bool holds = false;
        outcome = relation_of(scope_, at->relation, value, slots[at->other], holds);
        if (outcome == Outcome::ok) outcome = charge();
        if (outcome != Outcome::ok) return failed(outcome, at->span);
        if (holds == at->flag) {
          at = steps + at->to;
          continue;
        }
        break;
      }

      case StepKind::loop_begin: {
        Loop& loop = loops_[static_cast<std::size_t>(at->other)];
        if (outcome = begin_loop(scope_, slots[at->source], loop); outcome != Outcome::ok)
          return failed(outcome, at->span);
        if (loop.items.length == 0) {
          at = steps + at->to;
          continue;
        }
        if (outcome = loop_item(scope_, loop, 0, slots[at->target]); outcome != Outcome::ok)
          return failed(outcome, at->span);
        break;
      }
      case StepKind::loop_next: {
        Loop& loop = loops_[static_cast<std::size_t>(at->other)];
        if (--work <= 0) return failed(Outcome::work_limit, at->span);
        if (++loop.index < loop.items.length) {
          outcome = loop_item(scope_, loop, loop.index, slots[at->target]);
          if (outcome != Outcome::ok) return failed(outcome, at->span);
          at = steps + at->to;
          continue;
        }
        break;
      }
      case StepKind::loop_attribute: {
        const Loop& loop = loops_[static_cast<std::size_t>(at->other)];
        outcome = loop_attribute(scope_, loop, static_cast<LoopAttribute>(at->column), slots[at->target]);
        if (outcome != Outcome::ok) return failed(outcome, at->span);
        break;
      }
      case StepKind::append:
        if (outcome = append(scope_, slots[at->source], slots[at->target]); outcome != Outcome::ok) {
          return failed(outcome, at->span);
        }
        break;

      case StepKind::slot: {
        const auto& table = tape_.tables[static_cast<std::size_t>(at->other)];
        if (outcome = read_column_of(*at, value); outcome != Outcome::ok) return failed(outcome, at->span);
        const bool is_known = value.kind == Kind::integer && value.payload.integer >= 0 &&
                              static_cast<std::uint64_t>(value.payload.integer) < table.size();
        if (!is_known) return failed(Outcome::no_component, at->span);
        at = steps + table[static_cast<std::size_t>(value.payload.integer)];
        continue;
      }
      case StepKind::part:
        output.enter(&parts[static_cast<std::size_t>(at->other)]);
        break;
      case StepKind::skip:
        output.leave();
        return {RowEvent::Kind::skipped, Outcome::ok, at->other, at->span};
      case StepKind::fail:
        return failed(static_cast<Outcome>(at->other), at->span);
      case StepKind::capture:
        output.leave();
        output.resume(captures_.begin(output.part()));
        break;
      case StepKind::captured: {
        output.leave();
        std::string_view text;
        output.resume(captures_.end(arena_, text));
        slots[at->target] = Value::text(text, at->flag);
        if (outcome = charge(); outcome != Outcome::ok) return failed(outcome, at->span);
        break;
      }
      case StepKind::end:
        output.leave();
        return {};

      case StepKind::call:
        outcome = compute(program_, scope_, instructions[at->other], frame, row);
        if (outcome == Outcome::ok) outcome = charge();
        if (outcome != Outcome::ok) return failed(outcome, at->span);
        break;
    }
    ++at;
  }
}

}  // namespace labfactory
