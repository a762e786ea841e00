#include "labfactory/execute/tape_machine.hpp"

#include <algorithm>
#include <limits>

#include "labfactory/base/prefetch.hpp"
#include "labfactory/execute/pure.hpp"
#include "labfactory/execute/relation.hpp"
#include "labfactory/execute/tape_output.hpp"
#include "labfactory/values/moment.hpp"
#include "labfactory/values/text.hpp"

namespace labfactory {

namespace {

// Numbers and dates are written where there is room for the slack only, and looked at afterwards.
static_assert(kPartSlack >= kIntegerBound + 8 && kPartSlack >= kReprBound && kPartSlack >= kDateBound);

// What Conversion::floating_bound asks for beyond fixed_bound; below it the plain format says
// asset_too_large.
constexpr std::size_t kFormatReserve = 64;

enum class Written : std::uint8_t { yes, full, failed };
enum class Copied : std::uint8_t { yes, full, not_ready };

// A call for each of some short runs would cost more than wider copies save.
void copy_short(char* to, const char* from) {
  copy_short_text(to, from);
}

#include "labfactory/execute/ready_run.inc"

// The text of a view that does not hold it itself.
[[gnu::always_inline]] inline const char* viewed(const Reader& reader, const char* view) {
  return static_cast<const char*>(reader.variadic[load_as<std::int32_t>(view + 8)]) +
         load_as<std::int32_t>(view + 12);
}

std::vector<Value> make_slots(const Program& program, const Tape& tape) {
  std::vector<Value> slots(static_cast<std::size_t>(tape.slots));
  for (const auto& [slot, constant] : tape.presets) {
    slots[static_cast<std::size_t>(slot)] = program.constants[static_cast<std::size_t>(constant)];
  }
  return slots;
}

// Whether numbers may be made ready: the plain format refuses those that a tiny asset has no room for.
std::int64_t ready_rows_of(const Program& program, std::int64_t rows) {
  return program.limits.asset_bytes > static_cast<std::int64_t>(2 * kFormatReserve) ? rows : 0;
}

// Rows that are written as branched ones at a time. Making their stretches takes as long as writing some
// rows.
std::int64_t branched_rows_of(const Program& program, const BoundTape& bound, std::int64_t all,
                              std::int64_t ready_rows) {
  return bound.straight.parts.empty() && all >= kReadyRows ? ready_rows_of(program, ready_rows) : 0;
}

// An entry of a dictionary whose text is being written for the first time.
struct Keeping {
  const BoundStep* behind = nullptr;  // null: none
  EntryText* entry = nullptr;
  const char* from = nullptr;  // where its text begins
  std::size_t used = 0;
  std::size_t charged = 0;
};

}  // namespace

TapeMachine::TapeMachine(const Program& program, const Tape& tape, const Binding& binding,
                         std::int64_t ready_rows)
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
      copy_(padded_copy()),
      slots_(make_slots(program, tape)),
      loops_(static_cast<std::size_t>(program.loops)),
      captures_(program),
      ready_(program, tape, binding.cells(), slots_, ready_rows_of(program, ready_rows)),
      bound_(bind_tape(tape, binding.cells(), slots_, ready_, entries_, ready_rows > 0 ? binding.rows() : 0)),
      branched_(program, tape, bound_, binding.cells(), slots_,
                branched_rows_of(program, bound_, binding.rows(), ready_rows), labfactory::write_branched()),
      entrances_(tape, binding.cells(), bound_, ready_rows),
      write_rows_(write_rows()) {}

RowEvent TapeMachine::assemble(std::int64_t first, std::int64_t last, RowEnds& ends) {
  for (std::int64_t row = first; row < last;) {
    if (row < ready_first_ || row >= ready_last_) {
      ready_first_ = row;
      ready_last_ = ready_.make(row, last);
      if (branched_.is_worth()) {
        ready_last_ = branched_.find(row, ready_last_);
      } else {
        entrances_.find(row, ready_last_);
      }
    }
    std::int64_t until = std::min(last, ready_last_);
    if (!bound_.straight.parts.empty() && program_.parts.size() <= 1) {
      row = write_straight(row, until, ends);
      if (row == until) continue;
    } else if (branched_.is_worth()) {
      row = write_branched(row, until, ends);
      if (row == until) continue;
      until = row + 1;
    }
    const RowEvent event = run(row, until, ends);
    if (row == until) continue;
    const bool is_captured = event.kind == RowEvent::Kind::full && event.constant == kNoPart;
    if (!is_captured) return event;
    ends.rewind();
    if (!captures_.grow()) return {RowEvent::Kind::failed, Outcome::asset_too_large, -1, event.span};
  }
  return {};
}

RowEvent TapeMachine::assemble(std::int64_t row, std::span<PartCursor> parts) {
  starts_.clear();
  for (const PartCursor& part : parts) starts_.push_back(part.at);
  constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max();
  for (;;) {
    RowEnds ends(parts, {}, kAny, kAny);
    std::int64_t at = row;
    const RowEvent event = run(at, row + 1, ends);
    if (event.kind != RowEvent::Kind::full || event.constant != kNoPart) return event;
    if (!captures_.grow()) return {RowEvent::Kind::failed, Outcome::asset_too_large, -1, event.span};
    for (std::size_t part = 0; part < parts.size(); ++part) parts[part].at = starts_[part];
  }
}

std::int64_t TapeMachine::write_straight(std::int64_t first, std::int64_t last, RowEnds& ends) {
  const WrittenRows written =
      write_rows_(bound_.straight, first - ready_first_, last - ready_first_, ends.space());
  ends.commit(written);
  return first + written.rows;
}

std::int64_t TapeMachine::write_branched(std::int64_t first, std::int64_t last, RowEnds& ends) {
  const WrittenRows written = branched_.write(first, last, ends.space());
  ends.commit(written);
  return first + written.rows;
}

RowEvent TapeMachine::run(std::int64_t& current, std::int64_t last, RowEnds& ends) {
  Value* const slots = slots_.data();
  const Frame<1> frame{slots};
  const Cells& cells = scope_.cells;
  const BoundStep* const steps = bound_.steps.data();
  const Instruction* const instructions = tape_.instructions.data();
  const EscapeWriter escape = escape_;
  const bool has_captures = captures_.any();
  PartCursor* const parts = ends.cursors().data();
  std::int64_t row = current;
  const BoundStep* at = steps;
  std::int64_t work = 0;
  TapeOutput output(parts, copy_);
  Outcome outcome = Outcome::ok;
  Keeping keeping;
  const Entrance* upcoming = nullptr;  // of the next slot, and then
  Entrance soon;                       // what it says
  Entrance later;                      // and the one behind it

  const auto begin_row = [&]() __attribute__((always_inline)) {
    if (arena_.used() + arena_.charged() != 0) arena_.reset();
    if (has_captures) captures_.reset();
    keeping.behind = nullptr;
    work = program_.limits.work;
    at = steps;
  };
  const auto failed = [&](Outcome found, std::int32_t span) __attribute__((always_inline)) {
    output.leave();
    current = row;
    return RowEvent{RowEvent::Kind::failed, found, -1, span};
  };
  const auto full = [&]() __attribute__((always_inline)) {
    output.leave();
    current = row;
    const bool is_captured = captures_.owns(output.part());
    const auto part = is_captured ? kNoPart : static_cast<std::int32_t>(output.part() - parts);
    return RowEvent{RowEvent::Kind::full, Outcome::ok, part, at->span};
  };

  // Where a record's field lies in its own column; false where it is another record, or none.
  const auto own_row = [&](const BoundStep& step, std::int64_t& index) __attribute__((always_inline)) {
    const Value& base = slots[step.source];
    index = base.payload.integer;
    return base.kind == Kind::record && base.column == step.parent;
  };
  // A record's field, as read_field() does, its own column first.
  const auto read_field_of = [&](const BoundStep& step, Value& out) __attribute__((always_inline)) {
    const Value base = slots[step.source];
    if (base.kind == Kind::record && base.column == step.parent) {
      return cells.read(static_cast<std::size_t>(step.column), base.payload.integer, out);
    }
    return read_field(program_, scope_, base, step.column, out);
  };
  const auto read_column_of = [&](const BoundStep& step, Value& out) __attribute__((always_inline)) {
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
  const auto lead = [&]() __attribute__((always_inline)) {
    return at->literal_bytes == 0 || output.literal(at->literal, at->literal_bytes);
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
    // Up to 12 bytes lie in the view itself, behind its size.
    if (size <= 12) return output.lead_inlined(at->literal, at->literal_bytes, view, size, at->flag);
    return output.lead_text(at->literal, at->literal_bytes, {viewed(reader, view), size}, at->flag, escape);
  };
  const auto emit_utf8 = [&](std::int64_t index) __attribute__((always_inline)) {
    const Reader& reader = cells.reader(static_cast<std::size_t>(at->column));
    if (!is_set(reader, index)) return false;
    const char* const offsets = reader.offsets + index * 4;
    const auto first = load_as<std::int32_t>(offsets);
    const auto size = static_cast<std::size_t>(load_as<std::int32_t>(offsets + 4) - first);
    return output.lead_text(at->literal, at->literal_bytes, {reader.values + first, size}, at->flag, escape);
  };
  // The component of a slot that is known beforehand. That of the next slot is asked for meanwhile, and that
  // of the one behind it read, so that nothing waits for either.
  const auto enter_known = [&]() __attribute__((always_inline)) {
    const Entrance* const here = entrances_.at(row, at->source);
    if (here == nullptr) return false;
    const bool is_expected = here == upcoming;
    const std::int32_t step = is_expected ? soon.step : here->step;
    soon = is_expected ? later : here[1];
    later = here[2];
    upcoming = here + 1;
    if (step < 0) return false;
    entrances_.prefetch(soon);
    if (at->behind != steps) prefetch(at->behind - 1);
    prefetch(at->behind);
    at = steps + step;
    return true;
  };
  // Texts that are ready, one behind the other, and goes on behind them; false at the first that is not, or
  // has no room.
  const auto copy_ready = [&](std::int64_t index) __attribute__((always_inline)) {
    const RunPart* const end = at->run_end;
    const BoundStep* const behind = at->behind;
    const char* const limit = output.limit();
    if (limit - output.at() < at->run->room) return false;
    const CopiedRun copied = put_parts(at->run, end, index, output.at(), [&] { return limit; }, copy_);
    output.set(copied.to);
    at = copied.part == end ? behind : copied.part->step;
    return copied.part == end;
  };
  // What is kept of an entry of a dictionary, and what making it took. Where that would be too much for the
  // row, the plain steps say so in their place.
  const auto copy_entry = [&](std::int64_t index) __attribute__((always_inline)) {
    EntryText* const entry = at->entries->at(index);
    if (entry == nullptr) return Copied::not_ready;
    if (entry->text == nullptr) {
      keeping = {at->next, entry, output.at() + at->literal_bytes, arena_.used(), arena_.charged()};
      return Copied::not_ready;
    }
    const bool is_allowed = arena_.used() + entry->used <= most_arena_bytes_ &&
                            arena_.charged() + entry->charged <= most_charged_;
    if (!is_allowed) return Copied::not_ready;
    if (!output.long_texts(at->literal, at->literal_bytes, entry->text, entry->size, false))
      return Copied::full;
    arena_.charge(entry->charged);
    arena_.charge_bytes(entry->used);
    return Copied::yes;
  };
  const auto keep_entry = [&]() __attribute__((always_inline)) {
    const auto size = static_cast<std::size_t>(output.at() - keeping.from);
    *keeping.entry = {entry_memory_.keep({keeping.from, size}), size, arena_.used() - keeping.used,
                      arena_.charged() - keeping.charged};
    keeping.behind = nullptr;
  };

  Value value;
  begin_row();
  for (;;) {
    StepKind kind = at->kind;
  again:
    switch (kind) {
      case StepKind::ready_text:
      case StepKind::ready_item: {
        std::int64_t index = row - ready_first_;
        if (kind == StepKind::ready_item) {
          index = own_row(*at, index) ? index - at->ready->first : -1;
          if (static_cast<std::uint64_t>(index) >= at->ready->count) {
            kind = at->plain;
            goto again;
          }
        }
        if (copy_ready(index)) continue;
        kind = at->plain;
        goto again;
      }
      case StepKind::entry_text:
      case StepKind::entry_item: {
        std::int64_t index = row;
        const bool is_own = kind == StepKind::entry_text || own_row(*at, index);
        const Copied copied = is_own ? copy_entry(index) : Copied::not_ready;
        if (copied == Copied::full) return full();
        if (copied == Copied::not_ready) {
          kind = at->plain;
          goto again;
        }
        at = at->next;
        continue;
      }

      case StepKind::literal:
        if (!output.literal(at->literal, at->literal_bytes)) return full();
        break;

      // What is null or has no room is left to the plain steps.
      case StepKind::emit_view_column:
      case StepKind::emit_utf8_column:
        if (kind == StepKind::emit_view_column ? emit_view(row) : emit_utf8(row)) break;
        kind = StepKind::emit_column;
        goto again;
      case StepKind::emit_view_field:
      case StepKind::emit_utf8_field: {
        std::int64_t index = 0;
        const bool is_own = own_row(*at, index);
        if (is_own && (kind == StepKind::emit_view_field ? emit_view(index) : emit_utf8(index))) break;
        kind = StepKind::emit_field;
        goto again;
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
      case StepKind::compare_int64_column:
      case StepKind::compare_int64_field: {
        const Reader& reader = cells.reader(static_cast<std::size_t>(at->column));
        std::int64_t index = row;
        const bool is_own = kind == StepKind::compare_int64_column || own_row(*at, index);
        if (!is_own || !is_set(reader, index)) {
          kind = kind == StepKind::compare_int64_column ? StepKind::compare_column : StepKind::compare_field;
          goto again;
        }
        const auto number = load_as<std::int64_t>(reader.values + index * 8);
        if (relate(at->relation, number, slots[at->other].payload.integer) == at->flag) {
          at = steps + at->to;
          continue;
        }
        break;
      }

      case StepKind::emit_slot:
      case StepKind::emit_column:
      case StepKind::emit_field:
      case StepKind::fixed_slot:
      case StepKind::fixed_column:
      case StepKind::fixed_field: {
        if (!lead()) return full();
        if (kind == StepKind::emit_slot || kind == StepKind::fixed_slot) {
          value = slots[at->source];
        } else {
          const bool is_field = kind == StepKind::emit_field || kind == StepKind::fixed_field;
          outcome = is_field ? read_field_of(*at, value) : read_column_of(*at, value);
          if (outcome != Outcome::ok) return failed(outcome, at->read_span);
        }
        const Written written = kind < StepKind::fixed_slot ? emit(value, at->flag) : emit_fixed(value);
        if (written == Written::full) return full();
        if (written == Written::failed) return failed(outcome, at->span);
        break;
      }

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
        if (kind == StepKind::jump_slot) {
          value = slots[at->source];
        } else {
          outcome = kind == StepKind::jump_column ? read_column_of(*at, value) : read_field_of(*at, value);
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
        if (kind == StepKind::compare_slot) {
          value = slots[at->source];
        } else {
          outcome = kind == StepKind::compare_field ? read_field_of(*at, value) : read_column_of(*at, value);
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
        if (enter_known()) continue;
        const auto& table = tape_.tables[static_cast<std::size_t>(at->other)];
        if (outcome = read_column_of(*at, value); outcome != Outcome::ok) return failed(outcome, at->span);
        const bool is_known = value.kind == Kind::integer && value.payload.integer >= 0 &&
                              static_cast<std::uint64_t>(value.payload.integer) < table.size();
        if (!is_known) return failed(Outcome::no_component, at->span);
        at = steps + table[static_cast<std::size_t>(value.payload.integer)];
        continue;
      }
      case StepKind::part:
        output.enter(&parts[at->other]);
        break;
      case StepKind::skip:
        output.leave();
        return {RowEvent::Kind::skipped, Outcome::ok, at->other, at->span};
      case StepKind::skip_as:
        if (outcome = text_of(scope_, slots[at->source], reason_); outcome != Outcome::ok)
          return failed(outcome, at->span);
        if (reason_.size() > kMostReasonBytes) return failed(Outcome::asset_too_large, at->span);
        output.leave();
        return {RowEvent::Kind::skipped, Outcome::ok, -1, at->span};
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
        if (!ends.commit()) {
          current = row;
          return {};
        }
        if (++row == last) {
          current = row;
          return {};
        }
        if (output.part() != parts) output.resume(parts);
        begin_row();
        continue;

      case StepKind::call:
        outcome = compute(program_, scope_, instructions[at->other], frame, row);
        if (outcome == Outcome::ok) outcome = charge();
        if (outcome != Outcome::ok) return failed(outcome, at->span);
        break;
      default:
        // The kinds above are all that there are. NOLINTNEXTLINE(clang-diagnostic-covered-switch-default)
        __builtin_unreachable();
    }
    ++at;
    if (at == keeping.behind) [[unlikely]]
      keep_entry();
  }
}

}  // namespace labfactory
