#include "labfactory/plan/text_sites.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace labfactory {

namespace {

std::size_t place(std::int32_t step) {
  return static_cast<std::size_t>(step);
}

bool is_branch(StepKind kind) {
  return kind >= StepKind::jump_slot && kind <= StepKind::compare_field;
}

// How often a row comes by each step, by the tape alone: half of them take each way of an `if`, components of
// a slot are drawn alike, and what stands in a loop counts for each item.
std::vector<double> expected_uses(const Tape& tape) {
  const std::vector<Step>& steps = tape.steps;
  std::vector<double> uses(steps.size() + 1, 0);
  uses[0] = 1;
  for (std::size_t at = 0; at < steps.size(); ++at) {
    const Step& step = steps[at];
    const double here = uses[at];
    // Only loops go back, and what they go back to has been counted.
    if (is_branch(step.kind)) {
      uses[place(step.to)] += here / 2;
      uses[at + 1] += here / 2;
    } else if (step.kind == StepKind::jump) {
      uses[place(step.to)] += here;
    } else if (step.kind == StepKind::slot) {
      const auto& table = tape.tables[place(step.other)];
      for (const std::int32_t to : table) uses[place(to)] += here / static_cast<double>(table.size());
    } else if (step.kind != StepKind::skip && step.kind != StepKind::skip_as && step.kind != StepKind::fail &&
               step.kind != StepKind::end) {
      uses[at + 1] += here;
    }
  }
  return uses;
}

// Steps that control may reach other than from the step before.
std::vector<char> find_targets(const Tape& tape) {
  std::vector<char> is_target(tape.steps.size() + 1, 0);
  for (const Step& step : tape.steps) {
    if (jumps(step.kind)) is_target[place(step.to)] = 1;
  }
  for (const auto& table : tape.tables) {
    for (const std::int32_t to : table) is_target[place(to)] = 1;
  }
  return is_target;
}

// A branch whose ways write a literal or nothing and meet behind them.
std::optional<TextSite> choice_at(const Tape& tape, std::size_t at) {
  const std::vector<Step>& steps = tape.steps;
  const Step& branch = steps[at];
  const auto is_literal = [&](std::size_t i) {
    return i < steps.size() && steps[i].kind == StepKind::literal;
  };
  if ((branch.kind != StepKind::jump_column && branch.kind != StepKind::compare_column) ||
      !is_literal(at + 1))
    return std::nullopt;
  const auto jumped = place(branch.to);
  TextSite site{
      TextSite::Kind::choice, static_cast<std::int32_t>(at), branch.to, 0, static_cast<std::int32_t>(at + 1),
      TextSite::kNothing};
  if (jumped == at + 2) return site;
  // The other way begins where the first one jumps over.
  if (jumped != at + 3 || steps[at + 2].kind != StepKind::jump || !is_literal(at + 3) ||
      place(steps[at + 2].to) != at + 4)
    return std::nullopt;
  site.behind = static_cast<std::int32_t>(at + 4);
  site.jumped = static_cast<std::int32_t>(at + 3);
  return site;
}

}  // namespace

void find_sites(Tape& tape) {
  const std::vector<double> uses = expected_uses(tape);
  const std::vector<char> is_target = find_targets(tape);
  for (std::size_t at = 0; at < tape.steps.size(); ++at) {
    const StepKind kind = tape.steps[at].kind;
    const auto number = static_cast<std::int32_t>(at);
    const bool is_value = kind == StepKind::emit_column || kind == StepKind::emit_field ||
                          kind == StepKind::fixed_column || kind == StepKind::fixed_field;
    if (is_value) {
      tape.sites.push_back({TextSite::Kind::value, number, number + 1});
    } else if (const auto choice = choice_at(tape, at)) {
      tape.sites.push_back(*choice);
    }
  }
  for (TextSite& site : tape.sites) {
    site.uses = uses[place(site.step)];
    // A step that writes a literal of its own leaves the one before it alone.
    const bool follows =
        site.step > 0 && is_target[place(site.step)] == 0 && tape.steps[place(site.step)].literal_bytes == 0;
    site.has_literal = follows && tape.steps[place(site.step) - 1].kind == StepKind::literal;
  }
}

}  // namespace labfactory
