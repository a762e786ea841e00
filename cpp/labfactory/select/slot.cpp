#include "labfactory/select/slot.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>

#include "labfactory/base/error.hpp"
#include "labfactory/base/parallel.hpp"
#include "labfactory/select/decider.hpp"
#include "labfactory/select/output.hpp"

namespace labfactory::select {

namespace {

// Blocks handed to a thread at a time: 4,096 rows, some 100 µs of work against a few of handing out.
constexpr std::int64_t kTaskBlocks = 64;

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
  if (!input.prices.empty()) expect(settings_.candidates.size(), input.prices.size(), "prices");
  for (const float price : input.prices) {
    if (std::isfinite(price)) continue;
    throw Error(ErrorKind::selection, "decision_input",
                "expected finite prices, found " + std::to_string(price));
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
  return std::move(output).to_array(undecided, settings_.components);
}

}  // namespace labfactory::select
