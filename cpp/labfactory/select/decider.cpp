#include "labfactory/select/decider.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "labfactory/base/dispatch.hpp"

namespace labfactory::select {

namespace {

// A gap of 0 times this is still 0.
constexpr double kMostInverseTemperature = std::numeric_limits<float>::max();

std::int32_t nth_eligible(std::span<const std::uint64_t> eligible, std::size_t row, std::int64_t nth) {
  for (std::size_t c = 0; c < eligible.size(); ++c) {
    if (((eligible[c] >> row) & 1) != 0 && nth-- == 0) return static_cast<std::int32_t>(c);
  }
  return -1;
}

}  // namespace

Scratch::Scratch(const Model& model, std::size_t conditions)
    : features(static_cast<std::size_t>(model.features() * kBlockRows)),
      scores(static_cast<std::size_t>(model.groups() * kGroup * kBlockRows)),
      weights(static_cast<std::size_t>(model.candidates() * kBlockRows)),
      before(static_cast<std::size_t>((model.candidates() + kStride - 1) / kStride * kBlockRows)),
      conditions(conditions),
      eligible(static_cast<std::size_t>(model.candidates())),
      picks(static_cast<std::size_t>(model.candidates())) {}

Decider::Decider(const SlotSettings& settings, const Mask& mask, const Model& model,
                 const DecisionInput& input, const Stream& stream, const Output& output)
    : settings_(settings),
      exploration_(settings.exploration),
      mask_(mask),
      model_(model),
      input_(input),
      stream_(stream),
      output_(output),
      kernels_(kernels(dispatch_level())),
      prices_(input.prices.begin(), input.prices.end()),
      inverse_temperature_(static_cast<float>(
          std::min(1.0 / exploration_.temperature.value_or(1.0), kMostInverseTemperature))),
      has_scores_(exploration_.temperature || !model.is_sum()) {
  for (const Column* const column : input.conditions) conditions_.emplace_back(*column);
  if (!prices_.empty()) prices_.resize(static_cast<std::size_t>(model.groups() * kGroup));
}

std::int64_t Decider::block(std::int64_t first, std::int64_t rows, Scratch& scratch) const {
  const std::uint64_t missing = model_.read(kernels_, input_.features, first, rows, scratch.features.data());
  const std::uint64_t keyed = valid_rows(*input_.keys, first, rows);
  admit(first, rows, scratch);
  rank(scratch);
  if (exploration_.is_random()) draw(first, rows, scratch);
  std::uint64_t decided = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto lane = static_cast<std::size_t>(r);
    if (((keyed >> r) & 1) == 0) {
      output_.undecided(first + r, Reason::missing_key);
    } else if (scratch.best.candidate[lane] < 0) {
      output_.undecided(first + r, Reason::no_candidate);
    } else if (((missing >> r) & 1) != 0) {
      output_.undecided(first + r, Reason::missing_feature);
    } else {
      decide(first + r, lane, scratch);
      decided |= std::uint64_t{1} << r;
    }
  }
  output_.valid(first / kBlockRows, decided);
  return rows - std::popcount(decided);
}

void Decider::admit(std::int64_t first, std::int64_t rows, Scratch& scratch) const {
  for (std::size_t i = 0; i < conditions_.size(); ++i) {
    scratch.conditions[i] = conditions_[i].word(first, rows);
  }
  mask_.fill(scratch.conditions, rows, scratch.eligible.data());
  if (settings_.rules) {
    apply_rules(*settings_.rules, scratch.conditions, scratch.eligible.data(), scratch.picks);
  }
}

void Decider::rank(Scratch& scratch) const {
  const float* const prices = prices_.empty() ? nullptr : prices_.data();
  if (!has_scores_) {
    model_.choose(kernels_, scratch.features.data(), prices, base(scratch), &scratch.best);
    return;
  }
  model_.score(kernels_, scratch.features.data(), scratch.scores.data());
  kernels_.argmax(scratch.scores.data(), prices, base(scratch), model_.candidates(), &scratch.best);
}

void Decider::draw(std::int64_t first, std::int64_t rows, Scratch& scratch) const {
  kernels_.count(scratch.eligible.data(), model_.candidates(), scratch.counts.data());
  std::array<double, kBlockRows> numbers{};
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto at = static_cast<std::size_t>(r);
    const std::int64_t eligible = scratch.counts[at];
    scratch.splits[at] = {};
    if (eligible < 2) continue;  // one candidate has probability 1, whatever the number
    const auto customer = static_cast<std::uint64_t>(input_.keys->integer(first + r));
    scratch.splits[at] = split(stream_.uniform(customer), exploration_.rate(eligible), eligible);
    numbers[at] = scratch.splits[at].base;
  }
  if (!exploration_.temperature) return;
  kernels_.softmax(scratch.scores.data(), prices_.empty() ? nullptr : prices_.data(), base(scratch),
                   model_.candidates(), scratch.best.rank, inverse_temperature_, numbers.data(),
                   scratch.weights.data(), scratch.before.data(), scratch.draws.data());
}

void Decider::decide(std::int64_t row, std::size_t r, const Scratch& scratch) const {
  const std::int32_t best = scratch.best.candidate[r];
  if (!exploration_.is_random() || scratch.counts[r] < 2) {
    output_.decided(row, settings_.candidates[static_cast<std::size_t>(best)], scratch.best.score[r], 1.0,
                    Reason::chosen);
    return;
  }
  std::int32_t taken = best;
  if (const std::int64_t nth = scratch.splits[r].uniform; nth >= 0) {
    taken = nth_eligible(scratch.eligible, r, nth);
  } else if (exploration_.temperature) {
    taken = scratch.draws[r].candidate;
  }
  float score = scratch.best.score[r];
  if (taken != best) {
    score = has_scores_ ? scratch.scores[static_cast<std::size_t>(taken * kBlockRows) + r]
                        : model_.score_of(scratch.features.data(), taken, static_cast<std::int64_t>(r));
  }
  const double rate = exploration_.rate(scratch.counts[r]);
  const double propensity = (1.0 - rate) * base_probability(taken, r, scratch) + rate / scratch.counts[r];
  output_.decided(row, settings_.candidates[static_cast<std::size_t>(taken)], score, propensity,
                  taken == best ? Reason::chosen : Reason::explored);
}

double Decider::base_probability(std::int32_t taken, std::size_t r, const Scratch& scratch) const {
  if (!exploration_.temperature) return taken == scratch.best.candidate[r] ? 1.0 : 0.0;
  const float weight = scratch.weights[static_cast<std::size_t>(taken * kBlockRows) + r];
  return static_cast<double>(weight) / scratch.draws[r].total;
}

}  // namespace labfactory::select
