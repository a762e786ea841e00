// One slot's decisions: mask, score and draw for every row of a batch, in blocks that stay inside the cache.
// Owner: the slot owns its model and names; decisions own their buffers.
// Threads: immutable; decide() splits its rows over threads, and what it gives does not depend on how many.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "labfactory/arrow/builder.hpp"
#include "labfactory/arrow/column.hpp"
#include "labfactory/select/mask.hpp"
#include "labfactory/select/model.hpp"
#include "labfactory/select/sample.hpp"

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
  Exploration exploration;
};

struct DecisionInput {
  const Column* keys = nullptr;  // uint64: hashes of the customers' keys
  std::vector<const Column*> features;
  std::vector<const Column*> conditions;
  std::span<const float>
      prices;  // for each candidate what is taken off its score when it is compared, or none
};

class Slot {
 public:
  // Error(selection, "model_shape" or "model_value").
  explicit Slot(SlotSettings settings);

  [[nodiscard]] std::size_t feature_count() const { return settings_.missing.size(); }

  // Output::to_array() says of what. Error(selection, "feature_type", "condition_type" or "decision_input").
  [[nodiscard]] ArrayPointer decide(const DecisionInput& input, std::uint64_t seed, std::string_view version,
                                    int threads) const;

 private:
  void check(const DecisionInput& input) const;

  SlotSettings settings_;
  Mask mask_;
  Model model_;
  std::int32_t condition_count_ = 0;
};

}  // namespace labfactory::select
