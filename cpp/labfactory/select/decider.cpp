#include "labfactory/select/decider.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "labfactory/base/dispatch.hpp"
#include "labfactory/select/draw.hpp"
#include "labfactory/select/exponential.hpp"
#include "labfactory/select/ucb.hpp"

namespace labfactory::select {

namespace {

// Rows whose bits are a line of the cache.
constexpr std::int64_t kLineRows = 512;
// Sets of eligible candidates whose chances a worker keeps at a time.
constexpr std::size_t kMostSets = 4096;
// Blocks that do without the sieve, or the screen, after one that it was of no use to.
constexpr int kUnscreened = 31;
// A screen looks at a whole block, scores at no more rows than there are.
constexpr std::int64_t kLeastScreened = 17;

bool has(std::uint64_t rows, std::size_t r) {
  return ((rows >> r) & 1) != 0;
}

std::int32_t nth_eligible(std::span<const std::uint64_t> eligible, std::size_t row, std::int64_t nth) {
  for (std::size_t c = 0; c < eligible.size(); ++c) {
    if (has(eligible[c], row) && nth-- == 0) return static_cast<std::int32_t>(c);
  }
  return -1;
}

bool is_uncertain(Base base) {
  return base == Base::ucb || base == Base::thompson;
}

bool has_lots(Base base) {
  return base == Base::softmax || base == Base::squarecb;
}

// As float32, which is never infinite: a gap of 0 times it is still 0.
float float_of(double number) {
  constexpr double kMost = std::numeric_limits<float>::max();
  return static_cast<float>(std::min(number, kMost));
}

// exp(gap / temperature) is 2^(gap · this).
float steepness_of(double temperature) {
  return float_of(kLog2E / temperature);
}

// Whether candidates may be taken before the deviations of all are known.
bool comes_late(const Slot& slot, const DecisionInput& input) {
  const SlotSettings& settings = slot.settings();
  const Base base = settings.exploration.base;
  const bool is_taken_first = base == Base::ucb || (base == Base::thompson && !input.has_estimates);
  return is_taken_first && settings.uncertainty.has_own() && slot.model().is_sum() &&
         settings.arbitration.is_empty();
}

// Bases whose scores are the sums that choose() has in its registers.
bool keeps_sums(const Slot& slot) {
  const Base base = slot.settings().exploration.base;
  const bool is_kept = base == Base::softmax || base == Base::squarecb || is_uncertain(base);
  return is_kept && slot.model().is_sum() && slot.settings().arbitration.is_empty();
}

}  // namespace

Scratch::Scratch(const Slot& slot)
    : contest(is_uncertain(slot.settings().exploration.base) ? slot.model().candidates() : 0) {
  const Model& model = slot.model();
  const SlotSettings& settings = slot.settings();
  const auto candidates = static_cast<std::size_t>(model.candidates());
  const auto matrix = static_cast<std::size_t>(model.groups() * kGroup * kBlockRows);
  features.resize(static_cast<std::size_t>(std::max<std::int64_t>(model.features(), 1) * kBlockRows));
  terms.resize(static_cast<std::size_t>(settings.arbitration.columns() * kBlockRows));
  scores.resize(matrix);
  if (is_uncertain(settings.exploration.base)) deviations.resize(matrix);
  if (has_lots(settings.exploration.base)) {
    weights.resize(matrix);
    groups.resize(matrix / kGroup);
    highest.resize(matrix / kGroup);
    before.resize(matrix / kGroup);
  }
  eligible.resize(candidates);
  picks.resize(candidates);
  conditions.resize(slot.condition_count());
  lines.resize(conditions.size() * static_cast<std::size_t>(kLineRows / kBlockRows));
  if (slot.screen().is_empty()) return;
  steps.resize(static_cast<std::size_t>((model.features() + 2) / 2 * kBlockRows));  // also at prices
  keys.resize(matrix);
}

Decider::Decider(const Slot& slot, const DecisionInput& input, const Output& output, std::uint64_t seed,
                 std::string_view version, bool shares_limits)
    : slot_(slot),
      settings_(slot.settings()),
      exploration_(settings_.exploration),
      model_(slot.model()),
      input_(input),
      output_(output),
      kernels_(kernels(dispatch_level())),
      choice_(seed, version, settings_.name, "choice"),
      belief_(seed, version, settings_.name, "belief"),
      thompson_(kernels_, belief_, slot.hashes(), exploration_.strength),
      prices_(input.prices.begin(), input.prices.end()),
      has_scores_(shares_limits || (exploration_.base != Base::best && exploration_.base != Base::beta) ||
                  !model_.is_sum() || !settings_.arbitration.is_empty()),
      scores_late_(!shares_limits && keeps_sums(slot)),
      deviations_late_(!shares_limits && comes_late(slot, input)) {
  for (const Column* const column : input.conditions) conditions_.emplace_back(*column);
  if (exploration_.base == Base::beta && !input.prices.empty()) {
    priced_race_ = BetaRace(settings_.beliefs, input.prices);
  }
  if (!prices_.empty() && input.keys != nullptr) {
    priced_screen_ = slot.screen_at(input.prices, input.keys->length());
  }
  if (!prices_.empty()) prices_.resize(static_cast<std::size_t>(model_.groups() * kGroup));
}

std::int64_t Decider::block(std::int64_t first, std::int64_t rows, Scratch& scratch) const {
  read(first, rows, scratch);
  admit(rows, scratch);
  return choose(first, rows, scratch);
}

void Decider::one(Scratch& scratch) const {
  choose(0, 1, scratch);
}

void Decider::admit_one(const CustomerInput& customer, Scratch& scratch) const {
  scratch.missing = scratch.control = 0;
  const auto place = [&](std::optional<double> value, std::optional<float> stand_in, float& out) {
    const auto number = static_cast<float>(value.value_or(std::numeric_limits<double>::quiet_NaN()));
    out = std::isfinite(number) ? number : stand_in.value_or(0.0F);
    if (!std::isfinite(number) && !stand_in) scratch.missing = 1;
  };
  for (std::size_t f = 0; f < customer.features.size(); ++f) {
    place(customer.features[f], settings_.missing[f], scratch.features[f * kBlockRows]);
  }
  for (std::size_t i = 0; i < customer.terms.size(); ++i) {
    place(customer.terms[i], std::nullopt, scratch.terms[i * kBlockRows]);
  }
  for (std::size_t i = 0; i < customer.conditions.size(); ++i) scratch.conditions[i] = customer.conditions[i];
  scratch.customer = customer.key.value_or(0);
  scratch.open = customer.key ? 1 : 0;
  gate_row(0, customer.gate, scratch);
  admit(1, scratch);
}

void Decider::worth(std::int64_t first, std::int64_t rows, Scratch& scratch, float* out) const {
  read(first, rows, scratch);
  admit(rows, scratch);
  const std::uint64_t open = scratch.open & ~scratch.missing;
  const std::int64_t candidates = model_.candidates();
  for (std::int64_t c = 0; c < candidates; ++c) {
    const std::uint64_t may_have = open & scratch.eligible[static_cast<std::size_t>(c)];
    const float* const scores = scratch.scores.data() + c * kBlockRows;
    for (std::int64_t r = 0; r < rows; ++r) {
      out[r * candidates + c] =
          has(may_have, static_cast<std::size_t>(r)) ? scores[r] : std::numeric_limits<float>::quiet_NaN();
    }
  }
}

std::int64_t Decider::choose(std::int64_t first, std::int64_t rows, Scratch& scratch) const {
  rank(scratch);
  if (!exploration_.is_random() && scratch.control == 0) return take_best(first, rows, scratch);
  draw(first, rows, scratch);
  const bool is_pure = exploration_.epsilon == 0.0 && exploration_.floor == 0.0 && scratch.control == 0;
  if (is_pure && has_lots(exploration_.base)) return take_drawn(first, rows, scratch);
  const std::uint64_t open = scratch.open & ~scratch.missing;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto lane = static_cast<std::size_t>(r);
    if (has(open, lane) && scratch.best.candidate[lane] >= 0) {
      decide(first, lane, scratch);
    } else {
      refuse(first, lane, scratch);
    }
  }
  return finish(first, rows, scratch);
}

// What decide() comes to where nothing is random, for all rows at once.
std::int64_t Decider::take_best(std::int64_t first, std::int64_t rows, Scratch& scratch) const {
  std::array<std::int32_t, kBlockRows> components;
  std::uint64_t found = 0;
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
    const std::int32_t best = scratch.best.candidate[r];
    components[r] = best < 0 ? 0 : settings_.candidates[static_cast<std::size_t>(best)];
    found |= static_cast<std::uint64_t>(best >= 0) << r;
  }
  output_.chosen(first, {components.data(), static_cast<std::size_t>(rows)}, scratch.best.score);
  return finish_found(first, rows, found, scratch);
}

// What decide() comes to where everybody is drawn for by lots.
std::int64_t Decider::take_drawn(std::int64_t first, std::int64_t rows, Scratch& scratch) const {
  const Draws& draws = scratch.draws;
  std::uint64_t found = 0;
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
    const std::int32_t best = scratch.best.candidate[r];
    const auto taken = static_cast<std::size_t>(best < 0 ? 0 : draws.candidate[r]);
    output_.decided(first + static_cast<std::int64_t>(r), settings_.candidates[taken],
                    scratch.scores[taken * kBlockRows + r], draws.chance[r],
                    draws.candidate[r] == best ? Reason::chosen : Reason::explored);
    found |= static_cast<std::uint64_t>(best >= 0) << r;
  }
  return finish_found(first, rows, found, scratch);
}

// Ends a block whose rows are written for those of which something is found.
std::int64_t Decider::finish_found(std::int64_t first, std::int64_t rows, std::uint64_t found,
                                   Scratch& scratch) const {
  scratch.decided = found & scratch.open & ~scratch.missing;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto lane = static_cast<std::size_t>(r);
    if (!has(scratch.decided, lane)) refuse(first, lane, scratch);
  }
  return finish(first, rows, scratch);
}

void Decider::read(std::int64_t first, std::int64_t rows, Scratch& scratch) const {
  scratch.control = 0;
  scratch.missing = model_.read(kernels_, input_.features, first, rows, scratch.features.data());
  scratch.open = valid_rows(*input_.keys, first, rows);
  gate(first, rows, scratch);
  read_terms(first, rows, scratch);
  read_conditions(first, scratch);
}

// Conditions lie on pages of their own, so that to come back for each word costs more than the word: a whole
// line of each is read at once.
void Decider::read_conditions(std::int64_t first, Scratch& scratch) const {
  const std::size_t count = conditions_.size();
  const std::int64_t line = first / kLineRows * kLineRows;
  if (scratch.lines_first != line) {
    scratch.lines_first = line;
    const std::int64_t end = std::min(line + kLineRows, input_.keys->length());
    for (std::size_t i = 0; i < count; ++i) {
      for (std::int64_t row = line; row < end; row += kBlockRows) {
        const auto block = static_cast<std::size_t>((row - line) / kBlockRows);
        scratch.lines[block * count + i] = conditions_[i].word(row, std::min(kBlockRows, end - row));
      }
    }
  }
  const auto block = static_cast<std::size_t>((first - line) / kBlockRows);
  std::copy_n(scratch.lines.data() + block * count, count, scratch.conditions.data());
}

void Decider::admit(std::int64_t rows, Scratch& scratch) const {
  scratch.rows = rows;
  scratch.decided = scratch.estimated = scratch.admitted = scratch.reserved = 0;
  slot_.mask().fill(scratch.conditions, rows, scratch.eligible.data());
  if (settings_.rules) {
    apply_rules(*settings_.rules, scratch.conditions, scratch.eligible.data(), scratch.picks);
  }
  for (std::size_t c = 0; c < scratch.eligible.size(); ++c) scratch.admitted |= base(scratch)[c];
  if (!has_scores_) return;
  if (!scores_late_) model_.score(kernels_, scratch.features.data(), rows, scratch.scores.data());
  const Arbitration& arbitration = settings_.arbitration;
  if (!is_uncertain(exploration_.base)) {
    if (!arbitration.is_empty()) {
      arbitration.apply(scratch.terms.data(), model_.candidates(), scratch.scores.data());
    }
    return;
  }
  if (!deviations_late_) spread(scratch);
}

void Decider::spread(Scratch& scratch) const {
  const Arbitration& arbitration = settings_.arbitration;
  settings_.uncertainty.deviations(kernels_, scratch.features.data(), scratch.rows, scratch.products,
                                   scratch.deviations.data());
  if (!model_.is_sum()) {
    // The slope of a probability at its logit.
    for (std::size_t i = 0; i < scratch.scores.size(); ++i) {
      scratch.deviations[i] *= scratch.scores[i] * (1.0F - scratch.scores[i]);
    }
  }
  if (!arbitration.is_empty()) {
    arbitration.apply(scratch.terms.data(), model_.candidates(), scratch.scores.data(),
                      scratch.deviations.data());
  }
}

void Decider::gate(std::int64_t first, std::int64_t rows, Scratch& scratch) const {
  if (input_.gates == nullptr && scratch.open == ~std::uint64_t{0}) return scratch.gates.fill(Reason::chosen);
  for (std::int64_t r = 0; r < rows; ++r) {
    const Reason given =
        input_.gates == nullptr ? Reason::chosen : static_cast<Reason>(input_.gates->integer(first + r));
    gate_row(static_cast<std::size_t>(r), given, scratch);
  }
}

void Decider::gate_row(std::size_t r, Reason gate, Scratch& scratch) {
  const std::uint64_t bit = std::uint64_t{1} << r;
  scratch.gates[r] = gate;
  if ((scratch.open & bit) == 0) {
    scratch.gates[r] = Reason::missing_key;
  } else if (gate == Reason::control) {
    scratch.control |= bit;
  } else if (gate != Reason::chosen) {
    scratch.open &= ~bit;
  }
}

void Decider::read_terms(std::int64_t first, std::int64_t rows, Scratch& scratch) const {
  for (std::size_t i = 0; i < input_.terms.size(); ++i) {
    float* const out = scratch.terms.data() + i * kBlockRows;
    scratch.missing |= read_column(kernels_, *input_.terms[i], first, rows, std::nullopt, out);
  }
}

void Decider::rank(Scratch& scratch) const {
  if (settings_.rules) {
    apply_rules(*settings_.rules, scratch.conditions, scratch.eligible.data(), scratch.picks);
  }
  if (scores_late_ && exploration_.base == Base::softmax) {
    model_.weigh(kernels_, scratch.features.data(), prices(), base(scratch), scratch.scores.data(),
                 lots(scratch), &scratch.best);
    return;
  }
  if (!has_scores_ || scores_late_) {
    if (screen(scratch)) return;
    float* const scores = scores_late_ ? scratch.scores.data() : nullptr;
    model_.choose(kernels_, scratch.features.data(), prices(), scratch.rows, base(scratch), scores,
                  &scratch.best);
    return;
  }
  kernels_.argmax(scratch.scores.data(), prices(), base(scratch), model_.candidates(), &scratch.best);
}

// Whether the sieve or the screen found the best.
bool Decider::screen(Scratch& scratch) const {
  const Screen& screen = prices_.empty() ? slot_.screen() : priced_screen_;
  if (screen.is_empty() || scratch.rows < kLeastScreened) return false;
  const ScreenWork work{scratch.steps.data(), scratch.keys.data()};
  const auto is_found = [&](auto kernel, const auto& view, int& left_out) {
    if (left_out > 0) {
      --left_out;
      return false;
    }
    const bool found = kernel(view, scratch.features.data(), prices(), model_.features(), model_.candidates(),
                              base(scratch), work, &scratch.best);
    if (!found) left_out = kUnscreened;
    return found;
  };
  if (kernels_.sieve != nullptr && is_found(kernels_.sieve, screen.sieve(), scratch.unsieved)) return true;
  return is_found(kernels_.screen, screen.view(), scratch.unscreened);
}

void Decider::draw(std::int64_t first, std::int64_t rows, Scratch& scratch) const {
  if (!exploration_.is_random() && scratch.control == 0) return;
  std::uint64_t every = ~std::uint64_t{0};  // rows that may get any candidate
  for (const std::uint64_t eligible : scratch.eligible) every &= eligible;
  if (every == ~std::uint64_t{0}) {
    scratch.counts.fill(static_cast<std::int32_t>(model_.candidates()));
  } else {
    kernels_.count(scratch.eligible.data(), model_.candidates(), scratch.counts.data());
  }
  if (input_.keys == nullptr) {
    scratch.customers[0] = scratch.customer;
  } else {
    // Decisions take uint64 keys alone.
    const auto bytes = static_cast<std::int64_t>(sizeof(std::uint64_t));
    std::memcpy(scratch.customers.data(), input_.keys->values() + first * bytes,
                static_cast<std::size_t>(rows * bytes));
  }
  std::array<double, kBlockRows> numbers{};
  kernels_.uniforms(scratch.customers.data(), nullptr, choice_.purpose(), choice_.key().data(),
                    (rows + kDraws - 1) / kDraws * kDraws, numbers.data());
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
    const std::int64_t eligible = scratch.counts[r];
    scratch.splits[r] = {};
    if (eligible < 2) continue;  // one candidate has probability 1, whatever the number
    const double rate = has(scratch.control, r) ? 1.0 : exploration_.rate(eligible);
    scratch.splits[r] = split(numbers[r], rate, eligible);
    numbers[r] = scratch.splits[r].base;
  }
  if (deviations_late_) {
    const auto strength = static_cast<float>(exploration_.strength);
    scratch.is_late = settings_.uncertainty.lengths(scratch.features.data(), strength, scratch.norms.data());
    if (!scratch.is_late) spread(scratch);
  }
  draw_base(rows, numbers.data(), scratch);
}

Lots Decider::lots(Scratch& scratch) const {
  const bool is_softmax = exploration_.base == Base::softmax;
  return {.weights = scratch.weights.data(),
          .groups = scratch.groups.data(),
          .highest = is_softmax ? scratch.highest.data() : nullptr,
          .before = scratch.before.data(),
          .count = model_.groups(),
          .steepness = is_softmax ? steepness_of(exploration_.strength) : 0.0F,
          .whole = is_softmax ? 0.0 : 1.0};
}

Beliefs Decider::beliefs(const Scratch& scratch) const {
  return {.means = scratch.scores.data(),
          .deviations = scratch.is_late ? nullptr : scratch.deviations.data(),
          .prices = prices(),
          .mask = base(scratch),
          .candidates = model_.candidates(),
          .rows = scratch.rows,
          .late = {&kernels_, &settings_.uncertainty, scratch.features.data(), scratch.norms.data()}};
}

void Decider::draw_base(std::int64_t rows, const double* numbers, Scratch& scratch) const {
  const std::uint64_t* const mask = base(scratch);
  const std::int64_t candidates = model_.candidates();
  switch (exploration_.base) {
    case Base::best:
      return;
    case Base::softmax:
      if (!scores_late_) kernels_.softmax(scratch.scores.data(), prices(), mask, candidates, lots(scratch));
      return kernels_.draw(lots(scratch), scratch.best, numbers, &scratch.draws);
    case Base::squarecb:
      kernels_.squarecb(scratch.scores.data(), prices(), mask, candidates, scratch.best,
                        scratch.counts.data(), float_of(exploration_.strength), lots(scratch));
      return kernels_.draw(lots(scratch), scratch.best, numbers, &scratch.draws);
    case Base::ucb:
      return draw_bounds(scratch);
    case Base::thompson:
      return draw_beliefs(rows, scratch);
    case Base::beta:
      if (scratch.odds.size() >= kMostSets) scratch.odds.clear();
      for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
        if (scratch.counts[r] > 1) draw_beta(r, numbers[r], scratch);
      }
  }
}

void Decider::draw_bounds(Scratch& scratch) const {
  const auto strength = static_cast<float>(exploration_.strength);
  if (scratch.is_late) {
    if (take_highest_bound(kernels_, beliefs(scratch), strength, scratch.contest, scratch.second.candidate)) {
      return;
    }
    spread(scratch);
    scratch.is_late = false;
  }
  kernels_.ceilings(beliefs(scratch).outlook(strength), nullptr, &scratch.second);
}

void Decider::draw_beliefs(std::int64_t rows, Scratch& scratch) const {
  Contest& contest = scratch.contest;
  thompson_.draw(beliefs(scratch), scratch.best.candidate, scratch.open, scratch.customers, contest);
  std::array<std::int32_t, kBlockRows> taken;
  taken.fill(-1);
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
    scratch.draws.candidate[r] = contest.best[r];
    if (contest.best[r] < 0 || scratch.counts[r] < 2 || has(scratch.control, r)) continue;
    const std::int64_t nth = scratch.splits[r].uniform;
    taken[r] = nth < 0 ? contest.best[r] : nth_eligible(scratch.eligible, r, nth);
  }
  if (!input_.has_estimates) return;
  thompson_.chances(beliefs(scratch), taken.data(), contest, scratch.likely.data());
}

void Decider::draw_beta(std::size_t r, double number, Scratch& scratch) const {
  const BetaRace& race = prices_.empty() ? slot_.race() : priced_race_;
  const std::size_t candidates = scratch.eligible.size();
  std::vector<std::uint64_t> set((candidates + 63) / 64);
  for (std::size_t c = 0; c < candidates; ++c) {
    if (has(scratch.eligible[c], r)) set[c / 64] |= std::uint64_t{1} << (c % 64);
  }
  auto found = scratch.odds.find(set);
  if (found == scratch.odds.end()) {
    std::vector<std::uint8_t> is_eligible(candidates);
    for (std::size_t c = 0; c < candidates; ++c) is_eligible[c] = has(scratch.eligible[c], r) ? 1 : 0;
    found = scratch.odds.emplace(std::move(set), race.probabilities(is_eligible)).first;
  }
  scratch.chances[r] = &found->second;
  double sum = 0.0;
  for (std::size_t c = 0; c < candidates && sum <= number; ++c) {
    const double chance = found->second[c];
    if (chance > 0.0) scratch.draws.candidate[r] = static_cast<std::int32_t>(c);
    sum += chance;
  }
}

std::int32_t Decider::decide(std::int64_t first, std::size_t r, Scratch& scratch) const {
  const std::int64_t row = first + static_cast<std::int64_t>(r);
  const std::int32_t best = scratch.best.candidate[r];
  const bool is_control = has(scratch.control, r);
  std::int32_t taken = best;
  double propensity = 1.0;
  if ((exploration_.is_random() || is_control) && scratch.counts[r] > 1) {
    const std::int64_t nth = scratch.splits[r].uniform;
    if (nth >= 0) {
      taken = nth_eligible(scratch.eligible, r, nth);
    } else if (exploration_.base == Base::ucb) {
      taken = scratch.second.candidate[r];
    } else if (exploration_.base != Base::best) {
      taken = scratch.draws.candidate[r];
    }
    const double rate = is_control ? 1.0 : exploration_.rate(scratch.counts[r]);
    propensity = rate / scratch.counts[r];
    if (rate < 1.0) {
      propensity += (1.0 - rate) * base_probability(taken, r, scratch);
      if (exploration_.base == Base::thompson) scratch.estimated |= std::uint64_t{1} << r;
    }
  }
  float score = scratch.best.score[r];
  if (taken != best) {
    score = has_scores_ ? scratch.scores[static_cast<std::size_t>(taken * kBlockRows) + r]
                        : model_.score_of(scratch.features.data(), taken, static_cast<std::int64_t>(r));
  }
  const Reason why = is_control ? Reason::control : taken == best ? Reason::chosen : Reason::explored;
  output_.decided(row, settings_.candidates[static_cast<std::size_t>(taken)], score, propensity, why);
  scratch.decided |= std::uint64_t{1} << r;
  return taken;
}

double Decider::base_probability(std::int32_t taken, std::size_t r, Scratch& scratch) const {
  const auto candidate = static_cast<std::size_t>(taken);
  switch (exploration_.base) {
    case Base::best:
      return taken == scratch.best.candidate[r] ? 1.0 : 0.0;
    case Base::ucb:
      return taken == scratch.second.candidate[r] ? 1.0 : 0.0;
    case Base::thompson:
      return scratch.likely[r];
    case Base::beta:
      return (*scratch.chances[r])[candidate];
    default:
      return chance_of(lots(scratch), scratch.best, scratch.draws, taken, static_cast<std::int64_t>(r));
  }
}

void Decider::refuse(std::int64_t first, std::size_t r, const Scratch& scratch) const {
  Reason why = scratch.gates[r];
  if (has(scratch.open, r)) {
    why = Reason::missing_feature;
    if (scratch.best.candidate[r] < 0) {
      why = !has(scratch.admitted, r)  ? Reason::no_candidate
            : has(scratch.reserved, r) ? Reason::reserved
                                       : Reason::capped;
    }
  }
  output_.undecided(first + static_cast<std::int64_t>(r), why);
}

std::int64_t Decider::finish(std::int64_t first, std::int64_t rows, const Scratch& scratch) const {
  output_.finish(first / kBlockRows, scratch.decided, scratch.estimated);
  return rows - std::popcount(scratch.decided);
}

}  // namespace labfactory::select
