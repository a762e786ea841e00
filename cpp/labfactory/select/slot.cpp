#include "labfactory/select/slot.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <memory>

#include "labfactory/base/buffer_pool.hpp"
#include "labfactory/base/dispatch.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/base/parallel.hpp"

namespace labfactory::select {

namespace {

// Blocks handed to a thread at a time: 4,096 rows, some 100 µs of work against a few of handing out.
constexpr std::int64_t kTaskBlocks = 64;

// The columns of the output; tasks write disjoint rows, and whole words of validity.
struct Output {
  explicit Output(std::int64_t rows)
      : index(buffer<std::int32_t>(rows)),
        score(buffer<float>(rows)),
        propensity(buffer<double>(rows)),
        reason(buffer<std::int8_t>(rows)),
        validity(buffer<std::uint64_t>((rows + kBlockRows - 1) / kBlockRows)) {}

  template <class T>
  static PooledBuffer buffer(std::int64_t count) {
    return BufferPool::acquire(static_cast<std::size_t>(std::max<std::int64_t>(count, 1)) * sizeof(T));
  }
  template <class T>
  static T* at(const PooledBuffer& buffer) {
    return reinterpret_cast<T*>(buffer.data());
  }

  void decided(std::int64_t row, std::int32_t component, float value, double probability, Reason why) const {
    at<std::int32_t>(index)[row] = component;
    at<float>(score)[row] = value;
    at<double>(propensity)[row] = probability;
    at<std::int8_t>(reason)[row] = static_cast<std::int8_t>(why);
  }
  void undecided(std::int64_t row, Reason why) const { decided(row, 0, 0.0F, 0.0, why); }

  PooledBuffer index;
  PooledBuffer score;
  PooledBuffer propensity;
  PooledBuffer reason;
  PooledBuffer validity;
};

ArrayPointer leaf(const char* format, std::int64_t length, std::int64_t null_count,
                  const SharedBuffer& validity, const SharedBuffer& values,
                  ArrayPointer dictionary = nullptr) {
  ArrayData array;
  array.format = format;
  array.length = length;
  array.null_count = null_count;
  array.buffers = {null_count == 0 ? SharedBuffer() : validity, values};
  array.dictionary = std::move(dictionary);
  return std::make_shared<const ArrayData>(std::move(array));
}

ArrayPointer texts(std::span<const std::string> entries) {
  std::vector<std::optional<std::string_view>> views(entries.begin(), entries.end());
  return make_text_array(views);
}

ArrayPointer to_array(Output output, std::int64_t rows, std::int64_t null_count,
                      std::span<const std::string> components) {
  const SharedBuffer validity = std::move(output.validity);
  const SharedBuffer index = std::move(output.index);
  std::vector<Field> fields;
  fields.push_back({"component", leaf("i", rows, null_count, validity, index, texts(components))});
  fields.push_back({"index", leaf("i", rows, null_count, validity, index)});
  fields.push_back({"score", leaf("f", rows, null_count, validity, std::move(output.score))});
  fields.push_back({"propensity", leaf("g", rows, null_count, validity, std::move(output.propensity))});
  fields.push_back(
      {"reason", leaf("c", rows, 0, {}, std::move(output.reason), texts(decision_reasons())), false});
  return make_struct_array(rows, std::move(fields));
}

// What one worker needs for a block of rows.
struct Scratch {
  Scratch(const Model& model, std::size_t conditions)
      : features(static_cast<std::size_t>(model.features() * kBlockRows)),
        scores(static_cast<std::size_t>(model.groups() * kGroup * kTileRows)),
        weights(static_cast<std::size_t>(model.candidates() * kDrawRows)),
        conditions(conditions),
        eligible(static_cast<std::size_t>(model.candidates())),
        picks(static_cast<std::size_t>(model.candidates())) {}

  std::vector<float> features;
  std::vector<float> scores;
  std::vector<double> weights;
  std::vector<std::uint64_t> conditions;
  std::vector<std::uint64_t> eligible;
  std::vector<std::uint64_t> picks;
  std::array<float, kTileRows> best{};
  std::array<std::int32_t, kTileRows> where{};
  std::array<std::int32_t, kTileRows> counts{};
  std::array<Split, kTileRows> splits{};
  std::array<Draw, kDrawRows> draws{};
};

std::int32_t nth_eligible(std::span<const std::uint64_t> eligible, std::int64_t row, std::int64_t nth) {
  for (std::size_t c = 0; c < eligible.size(); ++c) {
    if (((eligible[c] >> row) & 1) != 0 && nth-- == 0) return static_cast<std::int32_t>(c);
  }
  return -1;
}

// One call of Slot::decide, as every task sees it.
class Decider {
 public:
  Decider(const SlotSettings& settings, const Mask& mask, const Model& model, const DecisionInput& input,
          const Stream& stream, const Output& output)
      : settings_(settings),
        exploration_(settings.exploration),
        mask_(mask),
        model_(model),
        input_(input),
        stream_(stream),
        output_(output),
        kernels_(kernels(dispatch_level())) {}

  // Decides rows [first, first + rows) of the batch, at most kBlockRows; returns how many got nothing.
  std::int64_t block(std::int64_t first, std::int64_t rows, Scratch& scratch) const {
    const std::uint64_t missing = model_.read(input_.features, first, rows, scratch.features.data());
    const std::uint64_t keyed = valid_rows(*input_.keys, first, rows);
    for (std::size_t i = 0; i < scratch.conditions.size(); ++i) {
      scratch.conditions[i] = true_rows(*input_.conditions[i], first, rows);
    }
    mask_.fill(scratch.conditions, rows, scratch.eligible.data());
    if (settings_.rules) {
      apply_rules(*settings_.rules, scratch.conditions, scratch.eligible.data(), scratch.picks);
    }
    std::uint64_t decided = 0;
    for (std::int64_t tile = 0; tile < rows; tile += kTileRows) {
      decided |= this->tile(first, tile, std::min(rows - tile, kTileRows), missing, keyed, scratch);
    }
    Output::at<std::uint64_t>(output_.validity)[first / kBlockRows] = decided;
    return rows - std::popcount(decided);
  }

 private:
  // The candidates that the base may take: those that a rule picked, where rules choose.
  [[nodiscard]] const std::uint64_t* base(const Scratch& scratch) const {
    return settings_.rules ? scratch.picks.data() : scratch.eligible.data();
  }

  std::uint64_t tile(std::int64_t first, std::int64_t tile, std::int64_t rows, std::uint64_t missing,
                     std::uint64_t keyed, Scratch& scratch) const {
    model_.score(kernels_, scratch.features.data() + tile, scratch.scores.data());
    kernels_.argmax(scratch.scores.data(), base(scratch), tile, model_.candidates(), scratch.best.data(),
                    scratch.where.data());
    if (exploration_.is_random()) {
      kernels_.count(scratch.eligible.data(), tile, model_.candidates(), scratch.counts.data());
      draw_numbers(first + tile, rows, scratch);
    }
    std::uint64_t decided = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      if (r % kDrawRows == 0 && exploration_.temperature)
        draw_base(tile, r, *exploration_.temperature, scratch);
      const std::int64_t row = first + tile + r;
      if (((keyed >> (tile + r)) & 1) == 0) {
        output_.undecided(row, Reason::missing_key);
      } else if (scratch.where[static_cast<std::size_t>(r)] < 0) {
        output_.undecided(row, Reason::no_candidate);
      } else if (((missing >> (tile + r)) & 1) != 0) {
        output_.undecided(row, Reason::missing_feature);
      } else {
        decide(row, tile, static_cast<std::size_t>(r), scratch);
        decided |= std::uint64_t{1} << (tile + r);
      }
    }
    return decided;
  }

  void draw_numbers(std::int64_t first, std::int64_t rows, Scratch& scratch) const {
    for (std::int64_t r = 0; r < kTileRows; ++r) {
      const auto at = static_cast<std::size_t>(r);
      const std::int64_t eligible = scratch.counts[at];
      scratch.splits[at] = {};
      if (r >= rows || eligible < 2) continue;  // one candidate has probability 1, whatever the number
      const auto customer = static_cast<std::uint64_t>(input_.keys->integer(first + r));
      scratch.splits[at] = split(stream_.uniform(customer), exploration_.rate(eligible), eligible);
    }
  }

  // Draws from the softmax for kDrawRows rows of the tile, from row r on.
  void draw_base(std::int64_t tile, std::int64_t r, double temperature, Scratch& scratch) const {
    std::array<double, kDrawRows> numbers{};
    for (std::size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = scratch.splits[static_cast<std::size_t>(r) + i].base;
    kernels_.softmax(scratch.scores.data() + r, base(scratch), tile + r, model_.candidates(),
                     scratch.best.data() + r, 1.0 / temperature, numbers.data(), scratch.weights.data(),
                     scratch.draws.data());
  }

  void decide(std::int64_t row, std::int64_t tile, std::size_t r, const Scratch& scratch) const {
    const std::int32_t best = scratch.where[r];
    std::int32_t taken = best;
    double propensity = 1.0;
    if (exploration_.is_random() && scratch.counts[r] > 1) {
      const std::size_t lane = r % kDrawRows;
      const std::int64_t nth = scratch.splits[r].uniform;
      if (nth >= 0) {
        taken = nth_eligible(scratch.eligible, tile + static_cast<std::int64_t>(r), nth);
      } else if (exploration_.temperature) {
        taken = scratch.draws[lane].candidate;
      }
      const double rate = exploration_.rate(scratch.counts[r]);
      propensity = (1.0 - rate) * base_probability(taken, best, lane, scratch) + rate / scratch.counts[r];
    }
    const auto candidate = static_cast<std::size_t>(taken);
    output_.decided(row, settings_.candidates[candidate], scratch.scores[candidate * kTileRows + r],
                    propensity, taken == best ? Reason::chosen : Reason::explored);
  }

  [[nodiscard]] double base_probability(std::int32_t taken, std::int32_t best, std::size_t lane,
                                        const Scratch& scratch) const {
    if (!exploration_.temperature) return taken == best ? 1.0 : 0.0;
    return scratch.weights[static_cast<std::size_t>(taken) * kDrawRows + lane] / scratch.draws[lane].total;
  }

  const SlotSettings& settings_;
  const Exploration& exploration_;
  const Mask& mask_;
  const Model& model_;
  const DecisionInput& input_;
  const Stream& stream_;
  const Output& output_;
  const Kernels& kernels_;
};

std::int32_t count_conditions(const SlotSettings& settings) {
  std::int32_t last = -1;
  for (const auto& needed : settings.needed) {
    for (const std::int32_t condition : needed) last = std::max(last, condition);
  }
  for (const Rule& rule : settings.rules.value_or(std::vector<Rule>{})) last = std::max(last, rule.condition);
  return last + 1;
}

void expect(std::size_t expected, std::size_t found, const char* what) {
  if (expected == found) return;
  throw Error(ErrorKind::selection, "decision_input",
              "expected " + std::to_string(expected) + " " + what + ", found " + std::to_string(found));
}

}  // namespace

std::span<const std::string> decision_reasons() {
  static const std::vector<std::string> reasons = {"chosen", "explored", "no_candidate", "missing_feature",
                                                   "missing_key"};
  return reasons;
}

Slot::Slot(SlotSettings settings)
    : settings_(std::move(settings)),
      mask_(settings_.needed),
      model_(settings_.weights, settings_.bias, settings_.missing, settings_.scale),
      condition_count_(count_conditions(settings_)) {
  const std::size_t count = settings_.candidates.size();
  expect(count, settings_.bias.size(), "biases, one for each candidate");
  expect(count, settings_.needed.size(), "lists of conditions, one for each candidate");
  for (const std::int32_t candidate : settings_.candidates) {
    if (candidate < 0 || static_cast<std::size_t>(candidate) >= settings_.components.size()) {
      throw Error(ErrorKind::selection, "decision_input",
                  "expected candidates below " + std::to_string(settings_.components.size()) + ", found " +
                      std::to_string(candidate));
    }
  }
  for (const std::vector<std::int32_t>& needed : settings_.needed) {
    for (const std::int32_t condition : needed) {
      if (condition >= 0) continue;
      throw Error(ErrorKind::selection, "decision_input",
                  "expected conditions from 0 on, found " + std::to_string(condition));
    }
  }
  for (const Rule& rule : settings_.rules.value_or(std::vector<Rule>{})) {
    if (rule.candidate < 0 || static_cast<std::size_t>(rule.candidate) >= count) {
      throw Error(ErrorKind::selection, "decision_input",
                  "expected rules for candidates below " + std::to_string(count) + ", found " +
                      std::to_string(rule.candidate));
    }
  }
}

void Slot::check(const DecisionInput& input) const {
  expect(settings_.missing.size(), input.features.size(), "features");
  expect(static_cast<std::size_t>(condition_count_), input.conditions.size(), "conditions");
  if (input.keys == nullptr || input.keys->layout() != Layout::uint64) {
    throw Error(ErrorKind::selection, "decision_input", "expected the keys' hashes as uint64");
  }
}

ArrayPointer Slot::decide(const DecisionInput& input, std::uint64_t seed, std::string_view version,
                          int threads) const {
  check(input);
  const std::int64_t rows = input.keys->length();
  Output output(rows);
  const Stream stream(seed, version, settings_.name, "choice");
  const Decider decider(settings_, mask_, model_, input, stream, output);
  std::vector<std::unique_ptr<Scratch>> scratch(static_cast<std::size_t>(std::max(threads, 1)));
  std::atomic<std::int64_t> undecided = 0;
  constexpr std::int64_t kTaskRows = kTaskBlocks * kBlockRows;
  parallel_for(threads, (rows + kTaskRows - 1) / kTaskRows, [&](std::int64_t task, int worker) {
    std::unique_ptr<Scratch>& own = scratch[static_cast<std::size_t>(worker)];
    if (!own) own = std::make_unique<Scratch>(model_, input.conditions.size());
    const std::int64_t last = std::min(rows, (task + 1) * kTaskRows);
    std::int64_t without = 0;
    for (std::int64_t first = task * kTaskRows; first < last; first += kBlockRows) {
      without += decider.block(first, std::min(kBlockRows, last - first), *own);
    }
    undecided += without;
  });
  return to_array(std::move(output), rows, undecided, settings_.components);
}

}  // namespace labfactory::select
