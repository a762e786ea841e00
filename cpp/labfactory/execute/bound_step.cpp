#include "labfactory/execute/bound_step.hpp"

#include <algorithm>
#include <cstddef>

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
            .target = step.target,
            .source = step.source,
            .column = step.column,
            .parent = step.parent,
            .other = step.other,
            .to = step.to,
            .span = step.span,
            .read_span = step.read_span,
            .literal_bytes = step.literal_bytes,
            .literal = tape_.literals.data() + step.literal_at};
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

}  // namespace

std::vector<BoundStep> bind_steps(const Tape& tape, const Cells& cells, const std::vector<Value>& slots,
                                  const ReadyTexts& ready, EntryTextStore& entries, std::int64_t rows) {
  const Binder binder(tape, cells, slots);
  std::vector<BoundStep> steps;
  steps.reserve(tape.steps.size());
  for (const Step& step : tape.steps) steps.push_back(binder.bind(step));
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
      step.pieces = text->pieces;
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
  for (BoundStep& step : steps) {
    if (step.ready == nullptr || step.next->kind != step.kind) continue;
    const bool is_same_record = step.next->source == step.source && step.next->parent == step.parent;
    step.joins = step.kind == StepKind::ready_text || is_same_record;
  }
  return steps;
}

}  // namespace labfactory
