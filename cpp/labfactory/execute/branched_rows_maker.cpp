#include "labfactory/execute/branched_rows_maker.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

namespace labfactory {

namespace {

// Literals of up to so many bytes are joined, so that one store writes them.
constexpr std::size_t kJoinedBytes = 128;
// Texts that a stretch may have when it goes on into what other stretches come to as well.
constexpr std::size_t kSharedTexts = 8;
// Stretches for each step of the tape, beyond which none are made twice.
constexpr std::size_t kMostStretches = 2;
constexpr std::int64_t kMostRoom = std::int64_t{1} << 30;
constexpr char kNoText[kShortText] = {};
constexpr Piece kNothing{kNoText, 0};

std::size_t index_of(std::int32_t i) {
  return static_cast<std::size_t>(i);
}

// The integers of a relation with a constant, as those of a range, or those outside of it.
Condition range_of(Opcode relation, std::int64_t constant) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const auto range = [](std::int64_t low, std::int64_t high, bool is_within) {
    const std::uint64_t width = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
    return Condition{.low = low, .width = width, .jumps = is_within};
  };
  switch (relation) {
    case Opcode::equal:
      return range(constant, constant, true);
    case Opcode::not_equal:
      return range(constant, constant, false);
    case Opcode::less:
      return range(constant, kMost, false);
    case Opcode::less_equal:
      return range(kLeast, constant, true);
    case Opcode::greater:
      return range(kLeast, constant, false);
    default:
      return range(constant, kMost, true);
  }
}

}  // namespace

BranchedRowsMaker::BranchedRowsMaker(const Tape& tape, const BoundTape& bound, const Cells& cells,
                                     const std::vector<Value>& slots, BranchedRows& out)
    : tape_(tape),
      bound_(bound),
      cells_(cells),
      slots_(slots),
      out_(out),
      is_target_(bound.steps.size() + 1, 0),
      nowhere_(static_cast<std::uint16_t>(tape.loops.size() + 1)) {
  for (const Step& step : tape.steps) {
    if (jumps(step.kind)) is_target_[index_of(step.to)] = 1;
  }
}

void BranchedRowsMaker::make() {
  if (tape_.loops.size() >= std::numeric_limits<std::uint16_t>::max() - 1) return;
  out_.places_.resize(tape_.loops.size() + 2);
  find_open_loops();
  static_cast<void>(number_of({0, {}}));
  for (std::size_t number = 0; number < drafts_.size(); ++number) write(number);
  place_stretches();
}

// Loops whose items a row goes through without values.
void BranchedRowsMaker::find_open_loops() {
  for (const TapeLoop& loop : tape_.loops) {
    const Column* const list = cells_.at(index_of(loop.list)).column;
    const Column* const item = cells_.at(index_of(loop.item)).column;
    const bool is_outer_open = loop.outer == TapeLoop::kRow || is_open_[index_of(loop.outer)] != 0;
    is_open_.push_back(list != nullptr && is_list(list->layout()) && item != nullptr && !item->has_nulls() &&
                       is_outer_open);
    out_.loops_.push_back({.list = list,
                           .outer = static_cast<std::uint16_t>(loop.outer + 1),
                           .place = static_cast<std::uint16_t>(is_open_.size())});
  }
}

std::int32_t BranchedRowsMaker::number_of(const Start& start) {
  const auto next = static_cast<std::int32_t>(drafts_.size());
  const auto [known, is_new] =
      numbers_.try_emplace({start.step, start.literal.data(), start.literal.size()}, next);
  if (is_new) drafts_.push_back({.start = start});
  return known->second;
}

bool BranchedRowsMaker::is_many() const {
  return drafts_.size() > kMostStretches * bound_.steps.size();
}

void BranchedRowsMaker::write(std::size_t number) {
  Draft draft{.start = drafts_[number].start};
  literal_ = draft.start.literal;
  const std::int32_t step = write_texts(draft);
  end(draft, step);
  std::int64_t room = static_cast<std::int64_t>(draft.stretch.tail_bytes);
  bool fits = !draft.is_too_long;
  for (std::size_t i = draft.texts.size(); i-- > 0 && fits;) {
    room += static_cast<std::int64_t>(draft.texts[i].literal_bytes + kShortText);
    fits = room <= kMostRoom;
    draft.texts[i].room = static_cast<std::uint32_t>(room);
  }
  if (!fits) draft = {.start = draft.start};
  draft.stretch.room = static_cast<std::uint32_t>(fits ? room : 0);
  drafts_[number] = std::move(draft);
}

// Writes texts up to a step that is something else, or that other stretches come to as well.
std::int32_t BranchedRowsMaker::write_texts(Draft& draft) {
  std::int32_t at = draft.start.step;
  for (;;) {
    const BoundStep& step = bound_.steps[index_of(at)];
    const bool is_shared = at != draft.start.step && is_target_[index_of(at)] != 0;
    if (is_shared && (draft.texts.size() >= kSharedTexts || is_many())) return at;
    if (step.kind == StepKind::literal) {
      add_literal(draft, {step.literal, step.literal_bytes});
      ++at;
    } else if (step.kind == StepKind::jump) {
      at = step.to;
    } else if (is_nothing(at)) {
      ++at;
    } else if (const auto place = place_of(at); place && step.ready != nullptr) {
      add_literal(draft, {step.literal, step.literal_bytes});
      add_text(draft, step.ready->pieces, *place, step.is_choice);
      draft.texts.back().apart = step.ready->step;
      at = static_cast<std::int32_t>(step.next - bound_.steps.data());
    } else {
      return at;
    }
  }
}

// What a row goes by without doing anything: a value that cannot fail and that nobody reads here, as what
// reads a slot is left, save for loops.
bool BranchedRowsMaker::is_nothing(std::int32_t at) const {
  const BoundStep& step = bound_.steps[index_of(at)];
  switch (step.kind) {
    case StepKind::part:
    case StepKind::move:
      return true;
    case StepKind::load_column:
      return reader_of(step).access != Access::plain || open_loop(at + 1, &TapeLoop::begin);
    case StepKind::load_field:
      return open_loop(at + 1, &TapeLoop::begin).has_value();
    default:
      return false;
  }
}

// The place of a text that is ready, where that is certain.
std::optional<std::uint16_t> BranchedRowsMaker::place_of(std::int32_t at) const {
  const BoundStep& step = bound_.steps[index_of(at)];
  if (step.kind == StepKind::ready_text || step.kind == StepKind::compare_int64_column ||
      step.kind == StepKind::jump_bit_column)
    return 0;
  if (step.kind != StepKind::ready_item && step.kind != StepKind::compare_int64_field) return std::nullopt;
  const std::int32_t loop = loop_of(tape_.loops, at, step.source, step.parent);
  if (loop == TapeLoop::kRow || is_open_[index_of(loop)] == 0) return std::nullopt;
  return static_cast<std::uint16_t>(loop + 1);
}

// The open loop that begins, or comes to its next turn, at a step.
std::optional<std::uint32_t> BranchedRowsMaker::open_loop(std::int32_t at,
                                                          std::int32_t TapeLoop::* step) const {
  for (std::size_t i = 0; i < tape_.loops.size(); ++i) {
    if (tape_.loops[i].*step == at && is_open_[i] != 0) return static_cast<std::uint32_t>(i);
  }
  return std::nullopt;
}

void BranchedRowsMaker::add_literal(Draft& draft, std::string_view literal) {
  if (literal.empty()) return;
  if (literal_.empty()) {
    literal_ = literal;
  } else if (literal_.size() + literal.size() <= kJoinedBytes) {
    std::string& joined = out_.literals_.emplace_back(literal_);
    joined.append(literal).append(kLiteralSlack, '\0');
    literal_ = std::string_view(joined).substr(0, joined.size() - kLiteralSlack);
  } else {
    add_text(draft, &kNothing, nowhere_, false);
    literal_ = literal;
  }
}

// The literal that was not written yet and a text.
void BranchedRowsMaker::add_text(Draft& draft, const Piece* pieces, std::uint16_t place, bool is_literal) {
  draft.texts.push_back({.literal = literal_.empty() ? kNoText : literal_.data(),
                         .pieces = pieces,
                         .literal_bytes = static_cast<std::uint32_t>(literal_.size()),
                         .place = place,
                         .is_literal = is_literal});
  if (literal_.size() > index_of(kMostRoom)) draft.is_too_long = true;
  literal_ = {};
}

void BranchedRowsMaker::end(Draft& draft, std::int32_t at) {
  const BoundStep& step = bound_.steps[index_of(at)];
  Stretch& stretch = draft.stretch;
  const auto place = place_of(at);
  // What a branch comes behind is written by both of its ways, which may join it with their own.
  std::string_view passed_on;
  const bool is_branch = place.has_value() && step.ready == nullptr;
  if (is_branch && literal_.size() <= kJoinedBytes && !is_many()) std::swap(passed_on, literal_);
  stretch.tail = literal_.empty() ? kNoText : literal_.data();
  stretch.tail_bytes = static_cast<std::uint32_t>(literal_.size());
  if (literal_.size() > index_of(kMostRoom)) draft.is_too_long = true;
  if (is_branch) {
    stretch.ending = step.kind == StepKind::jump_bit_column ? Ending::bit : Ending::compare;
    stretch.detail = static_cast<std::uint32_t>(out_.conditions_.size());
    out_.conditions_.push_back(condition_of(step, *place));
    draft.next = number_of({at + 1, passed_on});
    draft.other = number_of({step.to, passed_on});
  } else if (const auto begun = open_loop(at, &TapeLoop::begin)) {
    stretch.ending = Ending::loop;
    stretch.detail = *begun;
    draft.next = number_of({at + 1, {}});
    draft.other = number_of({step.to, {}});
  } else if (const auto ended = open_loop(at, &TapeLoop::next)) {
    stretch.ending = Ending::turn;
    stretch.place = static_cast<std::uint16_t>(*ended + 1);
    draft.next = number_of({step.to, {}});
    draft.other = number_of({at + 1, {}});
  } else if (step.kind == StepKind::slot && reader_of(step).access == Access::int32) {
    stretch.ending = Ending::slot;
    stretch.detail = slot_of(at);
  } else if (step.kind == StepKind::end) {
    stretch.ending = Ending::end;
  } else if (step.kind == StepKind::literal || step.kind == StepKind::jump || place.has_value() ||
             is_nothing(at)) {
    stretch.ending = Ending::go;
    draft.next = number_of({at, {}});
  }
}

const Reader& BranchedRowsMaker::reader_of(const BoundStep& step) const {
  return cells_.reader(index_of(step.column));
}

Condition BranchedRowsMaker::condition_of(const BoundStep& step, std::uint16_t place) const {
  const Reader& reader = reader_of(step);
  Condition out = step.kind == StepKind::jump_bit_column
                      ? Condition{.jumps = true}
                      : range_of(step.relation, slots_[index_of(step.other)].payload.integer);
  out.values = reader.values;
  out.validity = reader.validity;
  out.first_bit = reader.first_bit;
  out.place = place;
  if (!step.flag) out.jumps = !out.jumps;
  return out;
}

// The number of a slot, in the order of the tape; its components are new stretches.
std::uint32_t BranchedRowsMaker::slot_of(std::int32_t at) {
  const auto known = std::find(slot_steps_.begin(), slot_steps_.end(), at);
  const auto number = static_cast<std::uint32_t>(known - slot_steps_.begin());
  if (known != slot_steps_.end()) return number;
  slot_steps_.push_back(at);
  auto& components = components_.emplace_back();
  for (const std::int32_t step : tape_.tables[index_of(bound_.steps[index_of(at)].other)])
    components.push_back(number_of({step, {}}));
  out_.slots_.push_back({&reader_of(bound_.steps[index_of(at)]), {}});
  return number;
}

// Puts what follows each other in a row side by side.
std::vector<std::int32_t> BranchedRowsMaker::order() const {
  std::vector<std::int32_t> order;
  std::vector<char> is_known(drafts_.size(), 0);
  std::vector<std::int32_t> open{0};
  while (!open.empty()) {
    const std::int32_t number = open.back();
    open.pop_back();
    if (number < 0 || is_known[index_of(number)] != 0) continue;
    is_known[index_of(number)] = 1;
    order.push_back(number);
    const Draft& draft = drafts_[index_of(number)];
    if (draft.stretch.ending == Ending::slot) {
      const auto& components = components_[draft.stretch.detail];
      open.insert(open.end(), components.rbegin(), components.rend());
    }
    open.push_back(draft.other);
    open.push_back(draft.next);
  }
  return order;
}

void BranchedRowsMaker::place_stretches() {
  const std::vector<std::int32_t> numbers = order();
  std::vector<Stretch*> placed(drafts_.size(), nullptr);
  std::size_t texts = 0;
  for (const Draft& draft : drafts_) texts += draft.texts.size();
  out_.texts_.reserve(texts + 1);
  out_.stretches_.resize(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const Draft& draft = drafts_[index_of(numbers[i])];
    Stretch& stretch = out_.stretches_[i];
    stretch = draft.stretch;
    stretch.texts = out_.texts_.data() + out_.texts_.size();
    stretch.count = static_cast<std::uint32_t>(draft.texts.size());
    out_.texts_.insert(out_.texts_.end(), draft.texts.begin(), draft.texts.end());
    placed[index_of(numbers[i])] = &stretch;
  }
  for (const std::int32_t number : numbers) {
    const Draft& draft = drafts_[index_of(number)];
    Stretch& stretch = *placed[index_of(number)];
    if (draft.next >= 0) stretch.next = placed[index_of(draft.next)];
    if (draft.other >= 0) stretch.other = placed[index_of(draft.other)];
  }
  for (std::size_t slot = 0; slot < components_.size(); ++slot) {
    for (const std::int32_t number : components_[slot]) {
      const Stretch* const stretch = placed[index_of(number)];
      const char* const literal = stretch->count > 0 ? stretch->texts->literal : stretch->tail;
      out_.slots_[slot].components.push_back({stretch, literal});
    }
  }
  set_ready_items();
}

// Lets each loop know which of its items are ready; all texts of an item are at once.
void BranchedRowsMaker::set_ready_items() {
  for (std::size_t at = 0; at < bound_.steps.size(); ++at) {
    const BoundStep& step = bound_.steps[at];
    if (step.kind != StepKind::ready_item) continue;
    if (const auto place = place_of(static_cast<std::int32_t>(at)))
      out_.loops_[*place - 1U].ready = step.ready;
  }
}

}  // namespace labfactory
