#include "labfactory/select/slot.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <map>
#include <memory>

#include "labfactory/base/error.hpp"
#include "labfactory/base/hash.hpp"
#include "labfactory/base/parallel.hpp"
#include "labfactory/select/decider.hpp"
#include "labfactory/select/output.hpp"
#include "labfactory/select/together.hpp"

namespace labfactory::select {

namespace {

// Blocks handed to a thread at a time: 4,096 rows, some 100 µs of work against a few of handing out.
constexpr std::int64_t kTaskBlocks = 64;

std::size_t count_conditions(const SlotSettings& settings) {
  std::int32_t last = -1;
  for (const auto& needed : settings.needed) {
    for (const std::int32_t condition : needed) last = std::max(last, condition);
  }
  for (const Rule& rule : settings.rules.value_or(std::vector<Rule>{})) last = std::max(last, rule.condition);
  return static_cast<std::size_t>(last + 1);
}

// Whether sums decide by being the highest, and nothing asks for those of the others.
bool is_screened(const SlotSettings& settings) {
  return settings.is_screened && settings.exploration.base == Base::best && settings.scale == Scale::sum &&
         settings.arbitration.is_empty() && !settings.rules;
}

std::vector<std::uint32_t> hashes_of(const SlotSettings& settings) {
  std::vector<std::uint32_t> hashes;
  for (const std::int32_t candidate : settings.candidates) {
    hashes.push_back(hash32(settings.components.at(static_cast<std::size_t>(candidate))));
  }
  return hashes;
}

void expect(std::size_t expected, std::size_t found, const char* what) {
  if (expected == found) return;
  throw Error(ErrorKind::selection, "decision_input",
              "expected " + std::to_string(expected) + " " + what + ", found " + std::to_string(found));
}

// To make a screen costs as much as it saves over some thousand rows.
constexpr std::int64_t kFewestPricedRows = 8192;

// Slots whose scratch a thread keeps: to make it costs as much as the decision, and the slots of one policy
// decide in turns.
constexpr std::size_t kMostKept = 16;

// What a thread keeps from one customer to the next, by what it belongs to.
template <class Number, class Kept, class Make>
Kept& kept(const Number& number, const Make& make) {
  thread_local std::map<Number, std::unique_ptr<Kept>> all;
  auto found = all.find(number);
  if (found == all.end()) {
    if (all.size() >= kMostKept) all.clear();
    found = all.emplace(number, make()).first;
  }
  return *found->second;
}

Decision decision_of(const Output& output, const Scratch& scratch) {
  const bool is_decided = scratch.decided != 0;
  return {.component = is_decided ? output.component(0) : -1,
          .score = output.score(0),
          .propensity = output.propensity(0),
          .reason = output.reason(0),
          .is_estimate = scratch.estimated != 0};
}

// Calls work(first row, rows, worker) for every block of the rows.
void for_blocks(int threads, std::int64_t rows,
                const std::function<void(std::int64_t, std::int64_t, int)>& work) {
  constexpr std::int64_t kTaskRows = kTaskBlocks * kBlockRows;
  parallel_for(threads, (rows + kTaskRows - 1) / kTaskRows, [&](std::int64_t task, int worker) {
    const std::int64_t last = std::min(rows, (task + 1) * kTaskRows);
    for (std::int64_t first = task * kTaskRows; first < last; first += kBlockRows) {
      work(first, std::min(kBlockRows, last - first), worker);
    }
  });
}

}  // namespace

Slot::Slot(SlotSettings settings)
    : settings_(std::move(settings)),
      mask_(settings_.needed),
      model_(settings_.weights, settings_.bias, settings_.missing, settings_.scale),
      condition_count_(count_conditions(settings_)) {
  const std::size_t count = settings_.candidates.size();
  expect(count, settings_.bias.size(), "biases, one for each candidate");
  if (settings_.exploration.base == Base::beta) {
    expect(count, settings_.beliefs.size(), "beliefs");
    race_ = BetaRace(settings_.beliefs, {});
  }
  const bool is_uncertain =
      settings_.exploration.base == Base::ucb || settings_.exploration.base == Base::thompson;
  if (is_uncertain && settings_.uncertainty.is_empty()) {
    throw Error(ErrorKind::selection, "model_shape", "expected the uncertainty of the weights, found none");
  }
  expect(count, settings_.needed.size(), "lists of conditions, one for each candidate");
  for (const std::int32_t candidate : settings_.candidates) {
    if (candidate < 0 || static_cast<std::size_t>(candidate) >= settings_.components.size()) {
      throw Error(ErrorKind::selection, "decision_input",
                  "expected candidates below " + std::to_string(settings_.components.size()) + ", found " +
                      std::to_string(candidate));
    }
  }
  if (is_screened(settings_)) screen_ = Screen(settings_.weights, settings_.bias, {});
  hashes_ = hashes_of(settings_);
  static std::atomic<std::uint64_t> slots = 0;
  number_ = ++slots;
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

DecisionInput Slot::input_of(const Batch& columns) const {
  const std::size_t features = settings_.missing.size();
  const auto terms = static_cast<std::size_t>(settings_.arbitration.columns());
  DecisionInput input;
  for (std::size_t i = 0; i < columns.names().size(); ++i) {
    const Column* const column = &columns.column(i);
    if (i == 0) {
      input.keys = column;
    } else {
      (i <= features           ? input.features
       : i <= features + terms ? input.terms
                               : input.conditions)
          .push_back(column);
    }
  }
  check(input);
  return input;
}

void Slot::check(const DecisionInput& input) const {
  expect(settings_.missing.size(), input.features.size(), "features");
  expect(static_cast<std::size_t>(settings_.arbitration.columns()), input.terms.size(), "terms");
  expect(condition_count_, input.conditions.size(), "conditions");
  if (input.keys == nullptr || input.keys->layout() != Layout::uint64) {
    throw Error(ErrorKind::selection, "decision_input", "expected the keys' hashes as uint64");
  }
  if (input.prices.empty()) return;
  expect(settings_.candidates.size(), input.prices.size(), "prices");
  for (const float price : input.prices) {
    if (std::isfinite(price)) continue;
    throw Error(ErrorKind::selection, "decision_input",
                "expected finite prices, found " + std::to_string(price));
  }
}

Screen Slot::screen_at(std::span<const float> prices, std::int64_t rows) const {
  if (screen_.is_empty() || rows < kFewestPricedRows) return {};
  return {settings_.weights, settings_.bias, prices};
}

ArrayPointer Slot::decide(const DecisionInput& input, std::uint64_t seed, std::string_view version,
                          int threads) const {
  check(input);
  const std::int64_t rows = input.keys->length();
  Output output(rows);
  const Decider decider(*this, input, output, seed, version, false);
  std::vector<std::unique_ptr<Scratch>> scratch(static_cast<std::size_t>(std::max(threads, 1)));
  std::atomic<std::int64_t> undecided = 0;
  for_blocks(threads, rows, [&](std::int64_t first, std::int64_t count, int worker) {
    std::unique_ptr<Scratch>& own = scratch[static_cast<std::size_t>(worker)];
    if (!own) own = std::make_unique<Scratch>(*this);
    undecided += decider.block(first, count, *own);
  });
  return std::move(output).to_array(undecided, settings_.components, input.has_estimates);
}

void Slot::check(const CustomerInput& customer) const {
  expect(settings_.missing.size(), customer.features.size(), "features");
  expect(static_cast<std::size_t>(settings_.arbitration.columns()), customer.terms.size(), "terms");
  expect(condition_count_, customer.conditions.size(), "conditions");
  if (!customer.prices.empty()) expect(settings_.candidates.size(), customer.prices.size(), "prices");
}

Decision Slot::decide_one(const CustomerInput& customer, std::uint64_t seed, std::string_view version) const {
  check(customer);
  Scratch& scratch = kept<std::uint64_t, Scratch>(number_, [&] { return std::make_unique<Scratch>(*this); });
  if (!customer.prices.empty()) scratch.odds.clear();
  DecisionInput input;
  input.prices = customer.prices;
  const Output output(1);
  const Decider decider(*this, input, output, seed, version, false);
  decider.admit_one(customer, scratch);
  decider.one(scratch);
  if (!customer.prices.empty()) scratch.odds.clear();
  return decision_of(output, scratch);
}

void Slot::values(const DecisionInput& input, int threads, std::span<float> out) const {
  check(input);
  const std::int64_t rows = input.keys->length();
  const std::int64_t candidates = model_.candidates();
  expect(static_cast<std::size_t>(rows * candidates), out.size(), "values to write");
  const Output output(0);
  const Decider decider(*this, input, output, 0, "", true);
  std::vector<std::unique_ptr<Scratch>> scratch(static_cast<std::size_t>(std::max(threads, 1)));
  for_blocks(threads, rows, [&](std::int64_t first, std::int64_t count, int worker) {
    std::unique_ptr<Scratch>& own = scratch[static_cast<std::size_t>(worker)];
    if (!own) own = std::make_unique<Scratch>(*this);
    decider.worth(first, count, *own, out.data() + first * candidates);
  });
}

std::vector<ArrayPointer> decide_together(const Allowances& limits, std::span<const DecisionInput> inputs,
                                          std::uint64_t seed, std::string_view version, int threads) {
  const std::span<const Slot* const> slots = limits.slots();
  if (slots.empty()) return {};
  const std::int64_t rows = inputs[0].keys->length();
  for (std::size_t s = 0; s < slots.size(); ++s) slots[s]->check(inputs[s]);
  std::vector<Output> outputs;
  outputs.reserve(slots.size());  // deciders point to them
  for (std::size_t s = 0; s < slots.size(); ++s) outputs.emplace_back(rows);
  const Together together(limits, inputs, outputs, seed, version);
  std::vector<std::unique_ptr<Together::Work>> work(static_cast<std::size_t>(std::max(threads, 1)));
  std::vector<std::atomic<std::int64_t>> undecided(slots.size());
  for_blocks(threads, rows, [&](std::int64_t first, std::int64_t count, int worker) {
    std::unique_ptr<Together::Work>& own = work[static_cast<std::size_t>(worker)];
    if (!own) own = together.start();
    together.block(first, count, *own);
    for (std::size_t s = 0; s < slots.size(); ++s) undecided[s] += own->undecided[s];
  });
  std::vector<ArrayPointer> arrays;
  for (std::size_t s = 0; s < slots.size(); ++s) {
    arrays.push_back(std::move(outputs[s])
                         .to_array(undecided[s], slots[s]->settings().components, inputs[s].has_estimates));
  }
  return arrays;
}

std::vector<Decision> decide_one_together(const Allowances& limits, std::span<const CustomerInput> customers,
                                          std::span<const std::int32_t> left,
                                          std::span<const std::vector<double>> bars, std::uint64_t seed,
                                          std::string_view version) {
  const std::span<const Slot* const> slots = limits.slots();
  expect(slots.size(), customers.size(), "customers, one for each slot");
  expect(limits.all().size(), left.size(), "numbers of what limits leave");
  expect(limits.all().size(), bars.size(), "bars of limits");
  std::vector<std::uint64_t> numbers;
  std::vector<DecisionInput> inputs(slots.size());
  std::vector<Output> outputs;
  outputs.reserve(slots.size());  // deciders point to them
  for (std::size_t s = 0; s < slots.size(); ++s) {
    slots[s]->check(customers[s]);
    inputs[s].prices = customers[s].prices;
    numbers.push_back(slots[s]->number());
    outputs.emplace_back(1);
  }
  numbers.push_back(limits.all().size());
  const Together together(limits, inputs, outputs, seed, version);
  auto& work = kept<std::vector<std::uint64_t>, Together::Work>(numbers, [&] { return together.start(); });
  const auto forget_odds = [&] {
    for (std::size_t s = 0; s < slots.size(); ++s) {
      if (!customers[s].prices.empty()) work.slots[s].odds.clear();
    }
  };
  forget_odds();
  together.one(customers, left, bars, work);
  forget_odds();
  std::vector<Decision> made;
  for (std::size_t s = 0; s < slots.size(); ++s) made.push_back(decision_of(outputs[s], work.slots[s]));
  return made;
}

}  // namespace labfactory::select
