// One slot's decisions: mask, score and draw for every row of a batch, in blocks that stay inside the cache.
// Owner: the slot owns its model and names; decisions own their buffers.
// Threads: immutable; decide() splits its rows over threads, and what it gives does not depend on how many.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/builder.hpp"
#include "labfactory/arrow/column.hpp"
#include "labfactory/select/arbitration.hpp"
#include "labfactory/select/beta_race.hpp"
#include "labfactory/select/mask.hpp"
#include "labfactory/select/model.hpp"
#include "labfactory/select/output.hpp"
#include "labfactory/select/sample.hpp"
#include "labfactory/select/screen.hpp"
#include "labfactory/select/uncertainty.hpp"

namespace labfactory::select {

struct SlotSettings {
  std::string name;
  std::vector<std::string>
      components;  // those that can fill the slot: the entries of the output's dictionary
  std::vector<std::int32_t>
      candidates;  // those that are chosen from, as positions in components; the first wins ties
  std::vector<std::vector<std::int32_t>> needed;  // for each candidate the conditions it needs
  std::optional<std::vector<Rule>> rules;         // choose in place of the score
  std::vector<std::optional<float>> missing;      // for each feature what stands in for a missing value
  std::vector<float> weights;                     // candidates x features
  std::vector<float> bias;                        // candidates
  Scale scale = Scale::sum;
  Arbitration arbitration;          // empty: the score is the model's
  Uncertainty uncertainty;          // for Base::ucb and Base::thompson
  std::vector<BetaBelief> beliefs;  // one for each candidate, for Base::beta
  Exploration exploration;
  bool is_screened = true;  // where it can be; else every candidate is scored, to the same end
};

struct DecisionInput {
  const Column* keys = nullptr;  // uint64: hashes of the customers' keys
  std::vector<const Column*> features;
  std::vector<const Column*> terms;
  std::vector<const Column*> conditions;
  std::span<const float>
      prices;  // for each candidate what is taken off its score when it is compared, or none
  const Column* gates =
      nullptr;                // int8, for each customer 0 or the Reason that nothing is chosen by; or none
  bool has_estimates = true;  // whether to find propensities that are estimates; they are null without
};

// One customer, for whom columns would cost more than the decision.
struct CustomerInput {
  std::optional<std::uint64_t> key;  // the hash of the key
  std::vector<std::optional<double>> features;
  std::vector<std::optional<double>> terms;
  std::vector<bool> conditions;
  std::span<const float> prices;
  Reason gate = Reason::chosen;  // why nothing is chosen, or Reason::control
};

struct Decision {
  std::int32_t component = -1;  // position in components, or none
  float score = 0.0F;
  double propensity = 0.0;
  Reason reason = Reason::no_candidate;
  bool is_estimate = false;
};

class Slot {
 public:
  // Error(selection, "model_shape", "model_value" or "decision_input").
  explicit Slot(SlotSettings settings);

  [[nodiscard]] const SlotSettings& settings() const { return settings_; }
  [[nodiscard]] const Mask& mask() const { return mask_; }
  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] const BetaRace& race() const { return race_; }
  // Empty unless the highest sums are all that is asked for.
  [[nodiscard]] const Screen& screen() const { return screen_; }
  // The same at prices; empty also where the rows are too few to pay for making it.
  [[nodiscard]] Screen screen_at(std::span<const float> prices, std::int64_t rows) const;
  [[nodiscard]] std::size_t condition_count() const { return condition_count_; }
  // The 32-bit hashes of the candidates' names.
  [[nodiscard]] std::span<const std::uint32_t> hashes() const { return hashes_; }

  // Takes a slot's columns one after the other: keys, features, terms, conditions; and checks them.
  [[nodiscard]] DecisionInput input_of(const Batch& columns) const;
  // Error(selection, "decision_input") when there are more or fewer columns or prices than the slot reads,
  // the keys are of another type, or a price is not finite.
  void check(const DecisionInput& input) const;
  void check(const CustomerInput& customer) const;

  // Output::to_array() says of what. Error(selection, "feature_type", "condition_type" or "decision_input").
  [[nodiscard]] ArrayPointer decide(const DecisionInput& input, std::uint64_t seed, std::string_view version,
                                    int threads) const;
  // The same decision for one customer. Error(selection, "decision_input").
  [[nodiscard]] Decision decide_one(const CustomerInput& customer, std::uint64_t seed,
                                    std::string_view version) const;
  // Every candidate's score for every row, [rows][candidates] in `out`; not a number where the row may not
  // have it. Errors as decide().
  void values(const DecisionInput& input, int threads, std::span<float> out) const;

  // A number that no other slot of the process has, save copies.
  [[nodiscard]] std::uint64_t number() const { return number_; }

 private:
  SlotSettings settings_;
  Mask mask_;
  Model model_;
  Screen screen_;  // without prices
  BetaRace race_;  // of Base::beta without prices
  std::vector<std::uint32_t> hashes_;
  std::size_t condition_count_ = 0;
  std::uint64_t number_ = 0;
};

// A number of choices that a customer may get among some candidates.
struct Allowance {
  std::int32_t at_most = 0;
  const Column* left = nullptr;  // int32, for each customer in place of at_most; or none
  std::vector<std::pair<std::int32_t, std::int32_t>> members;  // slot and candidate
  // float64, for each customer: what its first choice must be worth more than, its second, ...; what comes
  // after the last of them need not.
  std::vector<const Column*> bars;
};

// Slots and the allowances that they share, looked up by candidate. The slots belong to the caller.
class Allowances {
 public:
  // Error(selection, "decision_input") for an allowance of candidates that are not there.
  Allowances(std::span<const Slot* const> slots, std::vector<Allowance> all);

  [[nodiscard]] std::span<const Slot* const> slots() const { return slots_; }
  [[nodiscard]] std::span<const Allowance> all() const { return all_; }
  // The allowances that count a candidate of a slot.
  [[nodiscard]] std::span<const std::size_t> of(std::size_t slot, std::int32_t candidate) const {
    return of_[slot][static_cast<std::size_t>(candidate)];
  }

 private:
  std::vector<const Slot*> slots_;
  std::vector<Allowance> all_;
  std::vector<std::vector<std::vector<std::size_t>>> of_;
};

// Decides slots that share allowances: of a customer's slots the one with the highest score chooses first, so
// that limits are spent on what is worth most; the propensity is that given what was chosen before. An array
// for each slot.
[[nodiscard]] std::vector<ArrayPointer> decide_together(const Allowances& limits,
                                                        std::span<const DecisionInput> inputs,
                                                        std::uint64_t seed, std::string_view version,
                                                        int threads);

// The same for one customer, `left` in place of each allowance's column or number and `bars` in place of its
// columns of them; a decision for each slot.
[[nodiscard]] std::vector<Decision> decide_one_together(const Allowances& limits,
                                                        std::span<const CustomerInput> customers,
                                                        std::span<const std::int32_t> left,
                                                        std::span<const std::vector<double>> bars,
                                                        std::uint64_t seed, std::string_view version);

}  // namespace labfactory::select
