#include "labfactory/execute/tape_machine.hpp"

#include <algorithm>
#include <bit>

#include "labfactory/execute/copy.hpp"
#include "labfactory/execute/pure.hpp"
#include "labfactory/values/escape_entity.hpp"
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

template <class T>
[[gnu::always_inline]] inline T load_as(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
[[gnu::always_inline]] inline bool bit_at(const char* bits, std::int64_t i) {
  return ((static_cast<unsigned char>(bits[i >> 3]) >> (i & 7)) & 1) != 0;
}
// Whether a row is not null.
[[gnu::always_inline]] inline bool is_set(const Reader& reader, std::int64_t row) {
  return reader.validity == nullptr ||
         bit_at(reinterpret_cast<const char*>(reader.validity), reader.first_bit + row);
}
// The text of a view that does not hold it itself.
[[gnu::always_inline]] inline const char* viewed(const Reader& reader, const char* view) {
  return static_cast<const char*>(reader.variadic[load_as<std::int32_t>(view + 8)]) +
         load_as<std::int32_t>(view + 12);
}

}  // namespace

// A text of up to 12 bytes with entities where bytes are marked.
[[gnu::noinline]] char* write_marked(char* out, const char* text, std::size_t size, std::uint32_t marked) {
  std::size_t from = 0;
  while (marked != 0) {
    const auto at = static_cast<std::size_t>(std::countr_zero(marked));
    for (; from < at; ++from) *out++ = text[from];
    const auto& entity = escape_detail::kEntityTable.at[static_cast<unsigned char>(text[from++])];
    std::memcpy(out, entity.text, sizeof entity.text);
    out += entity.size;
    marked &= marked - 1;
  }
  for (; from < size; ++from) *out++ = text[from];
  return out;
}

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

  // A step's literal before a text; no, and nothing that counts is written, where there is no room.
  [[gnu::always_inline]] bool lead_text(const char* literal, std::size_t literal_bytes, std::string_view text,
                                        bool is_escaped, EscapeWriter escape) {
    if (literal_bytes + text.size() > room()) return false;
    if (!is_escaped) {
      lead(literal, literal_bytes);
      copy_bytes(at_ + literal_bytes, text.data(), text.size());
      at_ += literal_bytes + text.size();
      return true;
    }
    if (literal_bytes + escaped_bound(text.size()) - kEscapeSlack > room()) return false;
    lead(literal, literal_bytes);
    at_ += literal_bytes;
    if (text.size() <= kMostUnescaped && copy_unescaped(at_, text.data(), text.size())) {
      at_ += text.size();
    } else {
      at_ = escape(at_, text);
    }
    return true;
  }
  // The same of up to 12 bytes that lie in a view, with its size before them.
  [[gnu::always_inline]] bool lead_inlined(const char* literal, std::size_t literal_bytes, const char* view,
                                           std::size_t size, bool is_escaped) {
    // Room for the case that every byte becomes an entity; the longest has five.
    if (literal_bytes + 5 * size > room()) return false;
    std::uint64_t halves[2] = {0, 0};
    std::memcpy(&halves[0], view + 4, 8);
    std::memcpy(&halves[1], view + 12, 4);
    Bytes16 bytes;
    std::memcpy(&bytes, halves, sizeof bytes);
    lead(literal, literal_bytes);
    at_ += literal_bytes;
    store16(at_, bytes);
    if (is_escaped) {
      std::uint32_t marked = mask16(marks16(bytes)) & ((1U << size) - 1);
      if (marked != 0) [[unlikely]] {
        at_ = write_marked(at_, view + 4, size, marked);
        return true;
      }
    }
    at_ += size;
    return true;
  }
  // A step's literal where there is room for it; most are short.
  [[gnu::always_inline]] void lead(const char* literal, std::size_t literal_bytes) {
    store16(at_, load16(literal));
    store16(at_ + 16, load16(literal + 16));
    if (literal_bytes > 32) copy_wide(at_, literal, literal_bytes);
  }
  [[gnu::always_inline]] bool lead_literal(const char* literal, std::size_t literal_bytes) {
    if (literal_bytes > room()) return false;
    lead(literal, literal_bytes);
    at_ += literal_bytes;
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
      steps_(tape.steps),
      slots_(static_cast<std::size_t>(tape.slots)),
      loops_(static_cast<std::size_t>(program.loops)),
      captures_(program) {
  for (const auto& [slot, constant] : tape.presets) {
    slots_[static_cast<std::size_t>(slot)] = program.constants[static_cast<std::size_t>(constant)];
  }
  bind_steps();
}

void TapeMachine::bind_steps() {
  std::vector<char> is_constant(slots_.size(), 0);
  for (const auto& [slot, constant] : tape_.presets) is_constant[static_cast<std::size_t>(slot)] = 1;
  for (Step& step : steps_) {
    const auto access = [&] { return scope_.cells.reader(static_cast<std::size_t>(step.column)).access; };
    const bool is_field = step.kind == StepKind::emit_field || step.kind == StepKind::fixed_field;
    const auto chosen = [&](StepKind column, StepKind field) { step.kind = is_field ? field : column; };
    switch (step.kind) {
      case StepKind::emit_column:
      case StepKind::emit_field:
        if (access() == Access::utf8_view) {
          chosen(StepKind::emit_view_column, StepKind::emit_view_field);
        } else if (access() == Access::utf8) {
          chosen(StepKind::emit_utf8_column, StepKind::emit_utf8_field);
        } else if (access() == Access::int64) {
          chosen(StepKind::emit_int64_column, StepKind::emit_int64_field);
        }
        break;
      case StepKind::fixed_column:
      case StepKind::fixed_field:
        if (access() == Access::float64)
          chosen(StepKind::fixed_float64_column, StepKind::fixed_float64_field);
        break;
      case StepKind::jump_column:
        if (access() == Access::boolean) step.kind = StepKind::jump_bit_column;
        break;
      case StepKind::compare_column: {
        const auto other = static_cast<std::size_t>(step.other);
        const bool is_integer = is_constant[other] != 0 && slots_[other].kind == Kind::integer;
        if (access() == Access::int64 && is_integer && step.relation <= Opcode::greater_equal) {
          step.kind = StepKind::compare_int64_column;
        }
        break;
      }
      default:
        break;
    }
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
  const Step* const steps = steps_.data();
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

  // Where a record's field lies in its own column; false where it is another record, or none.
  const auto own_row = [&](const Step& step, std::int64_t& index) __attribute__((always_inline)) {
    const Value& base = slots[step.source];
    index = base.payload.integer;
    return base.kind == Kind::record && base.column == step.parent;
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

  const auto emit_view = [&](std::int64_t index) __attribute__((always_inline)) {
    const Reader& reader = cells.reader(static_cast<std::size_t>(at->column));
    if (!is_set(reader, index)) return false;
    const char* const view = reader.values + index * 16;
    const auto size = static_cast<std::size_t>(load_as<std::uint32_t>(view));
    const char* const literal = literals + at->literal_at;
    // Up to 12 bytes lie in the view itself, behind its size.
    if (size <= 12) return output.lead_inlined(literal, at->literal_bytes, view, size, at->flag);
    return output.lead_text(literal, at->literal_bytes, {viewed(reader, view), size}, at->flag, escape);
  };
  const auto emit_utf8 = [&](std::int64_t index) __attribute__((always_inline)) {
    const Reader& reader = cells.reader(static_cast<std::size_t>(at->column));
    if (!is_set(reader, index)) return false;
    const char* const offsets = reader.offsets + index * 4;
    const auto first = load_as<std::int32_t>(offsets);
    const auto size = static_cast<std::size_t>(load_as<std::int32_t>(offsets + 4) - first);
    const char* const literal = literals + at->literal_at;
    return output.lead_text(literal, at->literal_bytes, {reader.values + first, size}, at->flag, escape);
  };

  Value value;
  for (;;) {
    switch (at->kind) {
      case StepKind::literal:
        if (!output.literal(literals + at->literal_at, at->literal_bytes)) return full();
        break;

      // What is null or has no room is left to the plain steps.
      case StepKind::emit_view_column:
        if (emit_view(row)) break;
        goto plain_column;
      case StepKind::emit_view_field:
        if (std::int64_t index = 0; own_row(*at, index) && emit_view(index)) break;
        goto plain_field;
      case StepKind::emit_utf8_column:
        if (emit_utf8(row)) break;
        goto plain_column;
      case StepKind::emit_utf8_field:
        if (std::int64_t index = 0; own_row(*at, index) && emit_utf8(index)) break;
        goto plain_field;
      case StepKind::emit_int64_column:
      case StepKind::emit_int64_field: {
        std::int64_t index = row;
        const bool is_field = at->kind == StepKind::emit_int64_field;
        if (is_field && !own_row(*at, index)) goto plain_field;
        const Reader& reader = cells.reader(static_cast<std::size_t>(at->column));
        if (!is_set(reader, index)) {
          if (is_field) goto plain_field;
          goto plain_column;
        }
        if (!output.lead_literal(literals + at->literal_at, at->literal_bytes)) return full();
        if (!output.advance(write_integer(output.at(), load_as<std::int64_t>(reader.values + index * 8))))
          return full();
        break;
      }
      case StepKind::fixed_float64_column:
      case StepKind::fixed_float64_field: {
        std::int64_t index = row;
        const bool is_field = at->kind == StepKind::fixed_float64_field;
        if (is_field && !own_row(*at, index)) goto plain_fixed;
        const Reader& reader = cells.reader(static_cast<std::size_t>(at->column));
        if (!is_set(reader, index)) goto plain_fixed;
        if (!output.lead_literal(literals + at->literal_at, at->literal_bytes)) return full();
        const auto number = load_as<double>(reader.values + index * 8);
        // Such a number has fewer bytes than the slack.
        if (number < 1e9 && number > -1e9 && at->other <= 8 && scope_.most_bytes > 2 * kFormatReserve) {
          if (!output.advance(write_fixed(output.at(), number, at->other))) return full();
          break;
        }
        if (const Written w = emit_fixed(Value::floating(number)); w != Written::yes) {
          return w == Written::full ? full() : failed(outcome, at->span);
        }
        break;
      }
      case StepKind::jump_bit_column: {
        const Reader& reader = cells.reader(static_cast<std::size_t>(at->column));
        const bool holds = is_set(reader, row) && bit_at(reader.values, reader.first_bit + row);
        if (holds == at->flag) {
          at = steps + at->to;
          continue;
        }
        break;
      }
      case StepKind::compare_int64_column: {
        const Reader& reader = cells.reader(static_cast<std::size_t>(at->column));
        if (!is_set(reader, row)) goto plain_compare;
        const auto number = load_as<std::int64_t>(reader.values + row * 8);
        if (relate(at->relation, number, slots[at->other].payload.integer) == at->flag) {
          at = steps + at->to;
          continue;
        }
        break;
      }

      case StepKind::emit_column:
      plain_column:
        if (!lead()) return full();
        if (outcome = read_column_of(*at, value); outcome != Outcome::ok)
          return failed(outcome, at->read_span);
        if (const Written w = emit(value, at->flag); w != Written::yes) {
          return w == Written::full ? full() : failed(outcome, at->span);
        }
        break;
      case StepKind::emit_field:
      plain_field:
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
      plain_fixed:
        if (!lead()) return full();
        if (at->kind == StepKind::fixed_slot) {
          value = slots[at->source];
        } else {
          const bool is_field =
              at->kind == StepKind::fixed_field || at->kind == StepKind::fixed_float64_field;
          outcome = is_field ? read_field_of(*at, value) : read_column_of(*at, value);
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
      case StepKind::compare_field:
      plain_compare:
        {
          if (at->kind == StepKind::compare_slot) {
            value = slots[at->source];
          } else {
            outcome =
                at->kind == StepKind::compare_field ? read_field_of(*at, value) : read_column_of(*at, value);
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
