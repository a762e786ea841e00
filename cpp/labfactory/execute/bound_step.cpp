#include "labfactory/execute/bound_step.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>

namespace labfactory {

namespace {

// Entries that a machine keeps texts of, of all sites together: 8 MiB.
constexpr std::int64_t kMostEntries = std::int64_t{1} << 18;

std::size_t place(std::int32_t i) {
  return static_cast<std::size_t>(i);
}

class Binder {
 public:
  Binder(const Tape& tape, const Cells& cells, const std::vector<Value>& slots)
      : tape_(tape), cells_(cells), slots_(slots), is_constant_(slots.size(), 0) {
    for (const auto& [slot, constant] : tape.presets) is_constant_[place(slot)] = 1;
  }

  [[nodiscard]] BoundStep bind(const Step& step) const {
    const StepKind kind = kind_of(step);
    return {.kind = kind,
            .plain = kind,
            .flag = step.flag,
            .relation = step.relation,
            .source = step.source,
            .column = step.column,
            .parent = step.parent,
            .to = step.to,
            .other = step.other,
            .literal_bytes = step.literal_bytes,
            .literal = tape_.literals.data() + step.literal_at,
            .target = step.target,
            .span = step.span,
            .read_span = step.read_span};
  }

 private:
  // The step that reads a column's layout itself.
  [[nodiscard]] StepKind kind_of(const Step& step) const {
    const auto access = [&] { return cells_.reader(place(step.column)).access; };
    switch (step.kind) {
      case StepKind::emit_column:
        return access() == Access::utf8_view ? StepKind::emit_view_column
               : access() == Access::utf8    ? StepKind::emit_utf8_column
                                             : step.kind;
      case StepKind::emit_field:
        return access() == Access::utf8_view ? StepKind::emit_view_field
               : access() == Access::utf8    ? StepKind::emit_utf8_field
                                             : step.kind;
      case StepKind::jump_column:
        return access() == Access::boolean ? StepKind::jump_bit_column : step.kind;
      case StepKind::compare_column:
        return is_integer_compared(step) ? StepKind::compare_int64_column : step.kind;
      case StepKind::compare_field:
        return is_integer_compared(step) ? StepKind::compare_int64_field : step.kind;
      default:
        return step.kind;
    }
  }

  // Whether 64-bit integers are compared with a constant one.
  [[nodiscard]] bool is_integer_compared(const Step& step) const {
    return cells_.reader(place(step.column)).access == Access::int64 &&
           is_constant_[place(step.other)] != 0 && slots_[place(step.other)].kind == Kind::integer &&
           step.relation <= Opcode::greater_equal;
  }

  const Tape& tape_;
  const Cells& cells_;
  const std::vector<Value>& slots_;
  std::vector<char> is_constant_;
};

bool is_item(const Step& step) {
  return step.kind == StepKind::emit_field || step.kind == StepKind::fixed_field ||
         step.kind == StepKind::load_field;
}

// The dictionary column that a site reads, when each entry comes by often enough; takes its entries off
// `left`.
const Column* dictionary_of(const Step& first, const Cells& cells, std::int64_t rows, std::int64_t& left) {
  const Column* const column = cells.at(place(first.column)).column;
  if (column == nullptr || column->layout() != Layout::dictionary) return nullptr;
  const std::int64_t length = column->dictionary().length();
  if (length > std::min(rows, left)) return nullptr;
  left -= length;
  return column;
}

// Binds the steps that write what is ready, or what is kept of a dictionary's entries.
void bind_sites(const Tape& tape, const Cells& cells, const ReadyTexts& ready, EntryTextStore& entries,
                std::int64_t rows, std::vector<BoundStep>& steps) {
  std::int64_t left = kMostEntries;
  for (std::size_t i = 0; i < tape.sites.size(); ++i) {
    const TextSite& site = tape.sites[i];
    const Step& first = tape.steps[place(site.step)];
    const ReadyText* const text = ready.at(i);
    const bool is_choice = site.kind == TextSite::Kind::choice;
    const Column* const dictionary = is_choice ? nullptr : dictionary_of(first, cells, rows, left);
    if (text == nullptr && dictionary == nullptr) continue;
    // The literal before it is written by the same step.
    BoundStep& step = steps[place(site.step) - (site.has_literal ? 1 : 0)];
    step.next = steps.data() + site.behind;
    if (text != nullptr) {
      step.kind = is_item(first) ? StepKind::ready_item : StepKind::ready_text;
      step.ready = text;
      step.is_choice = is_choice;
    } else {
      step.kind = is_item(first) ? StepKind::entry_item : StepKind::entry_text;
      step.entries = &entries.emplace_back(*dictionary);
    }
    step.source = site.has_literal ? first.source : step.source;
    step.parent = site.has_literal ? first.parent : step.parent;
  }
}

// Whether the step behind what is ready is ready as well, for the same row or item.
bool joins(const BoundStep& step) {
  const BoundStep& next = *step.next;
  if (next.kind != step.kind) return false;
  return step.kind == StepKind::ready_text || (next.source == step.source && next.parent == step.parent);
}

// Lets the steps of a run know its parts, which are not moved any more.
void bind_run(std::span<RunPart> run, std::vector<BoundStep>& steps) {
  std::ptrdiff_t room = 0;
  for (std::size_t i = run.size(); i-- > 0;) {
    room += static_cast<std::ptrdiff_t>(run[i].literal_bytes + kShortText);
    run[i].room = room;
    BoundStep& step = steps[static_cast<std::size_t>(run[i].step - steps.data())];
    step.run = &run[i];
    step.run_end = run.data() + run.size();
    step.behind = run.back().step->next;
  }
}

std::vector<RunPart> bind_runs(std::vector<BoundStep>& steps) {
  std::vector<RunPart> parts;
  std::vector<std::size_t> ends;
  std::vector<char> has_part(steps.size(), 0);
  for (std::size_t head = 0; head < steps.size(); ++head) {
    if (steps[head].ready == nullptr || has_part[head] != 0) continue;
    for (const BoundStep* step = &steps[head];; step = step->next) {
      has_part[static_cast<std::size_t>(step - steps.data())] = 1;
      parts.push_back({.literal = step->literal,
                       .literal_bytes = step->literal_bytes,
                       .pieces = step->ready->pieces,
                       .apart = step->ready->step,
                       .step = step,
                       .is_choice = step->is_choice});
      if (!joins(*step)) break;
    }
    ends.push_back(parts.size());
  }
  std::size_t first = 0;
  for (const std::size_t end : ends) {
    bind_run(std::span(parts).subspan(first, end - first), steps);
    first = end;
  }
  return parts;
}

// Numbers the slots, and lets each know the one that comes next.
void bind_slots(std::vector<BoundStep>& steps) {
  const auto is_slot = [](const BoundStep& step) { return step.kind == StepKind::slot; };
  const BoundStep* next = &*std::find_if(steps.begin(), std::prev(steps.end()), is_slot);
  std::int32_t number = static_cast<std::int32_t>(std::count_if(steps.begin(), steps.end(), is_slot));
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    if (!is_slot(*step)) continue;
    step->behind = next;
    step->source = --number;
    next = &*step;
  }
}

// Whether the pieces of a row lie side by side.
bool is_by_rows(std::span<const RunPart> run) {
  for (std::size_t i = 0; i < run.size(); ++i) {
    if (run[i].pieces != run.front().pieces + i || run[i].apart != run.front().apart) return false;
  }
  return true;
}

// The whole tape, where it is one run and perhaps a literal.
StraightRows straight_of(const std::vector<BoundStep>& steps) {
  const BoundStep& head = steps.front();
  if (head.kind != StepKind::ready_text || !is_by_rows({head.run, head.run_end})) return {};
  StraightRows out{.parts = {head.run, head.run_end}, .tail = head.literal, .copy = padded_copy()};
  const BoundStep* behind = head.behind;
  if (behind->kind == StepKind::literal) {
    out.tail = behind->literal;
    out.tail_bytes = behind->literal_bytes;
    ++behind;
  }
  return behind->kind == StepKind::end ? out : StraightRows{};
}

}  // namespace

BoundTape bind_tape(const Tape& tape, const Cells& cells, const std::vector<Value>& slots,
                    const ReadyTexts& ready, EntryTextStore& entries, std::int64_t rows) {
  const Binder binder(tape, cells, slots);
  BoundTape out;
  out.steps.reserve(tape.steps.size());
  for (const Step& step : tape.steps) out.steps.push_back(binder.bind(step));
  bind_sites(tape, cells, ready, entries, rows, out.steps);
  out.parts = bind_runs(out.steps);
  bind_slots(out.steps);
  out.straight = straight_of(out.steps);
  return out;
}

}  // namespace labfactory
