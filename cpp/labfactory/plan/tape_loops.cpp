#include "labfactory/plan/tape_loops.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "labfactory/plan/program.hpp"
#include "labfactory/plan/tape.hpp"

namespace labfactory {

namespace {

// A jump, or a way of a slot.
struct Way {
  std::int32_t from;
  std::int32_t to;
};

std::vector<Way> ways_of(const Tape& tape) {
  std::vector<Way> ways;
  for (std::size_t at = 0; at < tape.steps.size(); ++at) {
    const Step& step = tape.steps[at];
    const auto from = static_cast<std::int32_t>(at);
    if (jumps(step.kind)) ways.push_back({from, step.to});
    if (step.kind != StepKind::slot) continue;
    for (const std::int32_t to : tape.tables[static_cast<std::size_t>(step.other)])
      ways.push_back({from, to});
  }
  return ways;
}

bool sets_item(const Step& step) {
  return step.kind == StepKind::loop_begin || step.kind == StepKind::loop_next ||
         step.kind == StepKind::load_column || step.kind == StepKind::load_field ||
         step.kind == StepKind::move;
}

class LoopFinder {
 public:
  LoopFinder(const Program& program, const Tape& tape)
      : program_(program), tape_(tape), ways_(ways_of(tape)) {}

  std::vector<TapeLoop> find() {
    for (std::size_t at = 1; at < tape_.steps.size(); ++at) {
      if (tape_.steps[at].kind != StepKind::loop_begin) continue;
      if (const auto loop = loop_at(at)) loops_.push_back(*loop);
    }
    return std::move(loops_);
  }

 private:
  [[nodiscard]] std::optional<TapeLoop> loop_at(std::size_t at) const {
    const Step& begin = tape_.steps[at];
    const Step& load = tape_.steps[at - 1];
    TapeLoop loop{.begin = static_cast<std::int32_t>(at), .list = load.column, .slot = begin.target};
    const bool is_loaded = load.kind == StepKind::load_column || load.kind == StepKind::load_field;
    if (!is_loaded || load.target != begin.source || is_target(loop.begin)) return std::nullopt;
    loop.next = next_of(begin.other);
    if (loop.next <= loop.begin) return std::nullopt;
    const Step& next = tape_.steps[static_cast<std::size_t>(loop.next)];
    if (next.to != loop.begin + 1 || next.target != loop.slot) return std::nullopt;
    loop.item = item_of(loop.list);
    if (load.kind == StepKind::load_field)
      loop.outer = loop_of(loops_, loop.begin - 1, load.source, load.parent);
    const bool has_outer = load.kind == StepKind::load_column || loop.outer != TapeLoop::kRow;
    const bool is_sound = loop.item >= 0 && has_outer && !is_entered(loop) && !is_set_within(loop);
    return is_sound ? std::optional(loop) : std::nullopt;
  }

  [[nodiscard]] bool is_target(std::int32_t step) const {
    return std::any_of(ways_.begin(), ways_.end(), [&](const Way& way) { return way.to == step; });
  }

  // The step that ends the turns of a loop; -1 where a loop begins or ends in several places.
  [[nodiscard]] std::int32_t next_of(std::int32_t number) const {
    std::int32_t next = -1;
    std::size_t steps = 0;
    for (std::size_t at = 0; at < tape_.steps.size(); ++at) {
      const Step& step = tape_.steps[at];
      const bool is_loop = step.kind == StepKind::loop_begin || step.kind == StepKind::loop_next;
      if (!is_loop || step.other != number) continue;
      ++steps;
      if (step.kind == StepKind::loop_next) next = static_cast<std::int32_t>(at);
    }
    return steps == 2 ? next : -1;
  }

  [[nodiscard]] std::int32_t item_of(std::int32_t list) const {
    for (std::size_t column = 0; column < program_.columns.size(); ++column) {
      const ColumnUse& use = program_.columns[column];
      if (use.role == ColumnRole::item && use.parent == list) return static_cast<std::int32_t>(column);
    }
    return -1;
  }

  // Whether somebody outside jumps behind the first step.
  [[nodiscard]] bool is_entered(const TapeLoop& loop) const {
    const auto is_inside = [&](std::int32_t step) { return step > loop.begin && step <= loop.next; };
    return std::any_of(ways_.begin(), ways_.end(),
                       [&](const Way& way) { return is_inside(way.to) && !is_inside(way.from); });
  }

  // Whether another step sets the item. What a machine cannot go through without values it leaves anyway.
  [[nodiscard]] bool is_set_within(const TapeLoop& loop) const {
    const auto first = tape_.steps.begin() + loop.begin + 1;
    return std::any_of(first, tape_.steps.begin() + loop.next,
                       [&](const Step& step) { return sets_item(step) && step.target == loop.slot; });
  }

  const Program& program_;
  const Tape& tape_;
  const std::vector<Way> ways_;
  std::vector<TapeLoop> loops_;
};

}  // namespace

std::int32_t loop_of(const std::vector<TapeLoop>& loops, std::int32_t step, std::int32_t slot,
                     std::int32_t item) {
  for (std::size_t i = loops.size(); i-- > 0;) {
    const TapeLoop& loop = loops[i];
    const bool is_inside = step > loop.begin && step <= loop.next;
    if (is_inside && loop.slot == slot && loop.item == item) return static_cast<std::int32_t>(i);
  }
  return TapeLoop::kRow;
}

std::vector<TapeLoop> find_loops(const Program& program, const Tape& tape) {
  return LoopFinder(program, tape).find();
}

}  // namespace labfactory
