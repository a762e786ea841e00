#include "labfactory/execute/entrances.hpp"

#include <algorithm>

#include "labfactory/execute/relation.hpp"

namespace labfactory {

Entrances::Entrances(const Tape& tape, const Cells& cells, const BoundTape& bound, std::int64_t rows)
    : steps_(bound.steps.data()),
      parts_(reinterpret_cast<const char*>(bound.parts.data())),
      literals_(tape.literals.data()),
      rows_(rows) {
  const auto entrance_of = [&](std::int32_t number) {
    const auto at = static_cast<std::size_t>(number);
    const BoundStep& step = bound.steps[at];
    Entrance out{.step = number};
    if (step.run != nullptr)
      out.part = static_cast<std::int32_t>(reinterpret_cast<const char*>(step.run) - parts_);
    const std::size_t behind = std::min(at + 1, bound.steps.size() - 1);
    out.literal = static_cast<std::int32_t>(bound.steps[behind].literal - literals_);
    return out;
  };
  for (const BoundStep& step : bound.steps) {
    if (step.kind != StepKind::slot) continue;
    Slot& slot = slots_.emplace_back(Slot{&cells.reader(static_cast<std::size_t>(step.column)), {}});
    if (slot.reader->access != Access::int32) rows_ = 0;
    for (const std::int32_t first : tape.tables[static_cast<std::size_t>(step.other)])
      slot.components.push_back(entrance_of(first));
  }
  if (slots_.empty()) rows_ = 0;
  if (rows_ > 0) entrances_.resize(static_cast<std::size_t>(rows_) * slots_.size() + 2);
}

void Entrances::find(std::int64_t first, std::int64_t last) {
  first_ = first;
  count_ = std::min(last - first, rows_);
  if (count_ == 0) return;
  const std::size_t step = slots_.size();
  for (std::size_t at = 0; at < step; ++at) {
    const Slot& slot = slots_[at];
    Entrance* out = entrances_.data() + at;
    for (std::int64_t row = first; row < first + count_; ++row, out += step) {
      const auto number = static_cast<std::size_t>(load_as<std::uint32_t>(slot.reader->values + row * 4));
      const bool is_known = is_set(*slot.reader, row) && number < slot.components.size();
      *out = is_known ? slot.components[number] : Entrance{};
    }
  }
}

}  // namespace labfactory
