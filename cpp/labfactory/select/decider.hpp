// The decisions of one slot, block by block of rows.
// Owner: what it is made of belongs to the caller, who keeps it.
// Threads: immutable; each worker brings its own scratch.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "labfactory/select/kernels.hpp"
#include "labfactory/select/mask.hpp"
#include "labfactory/select/model.hpp"
#include "labfactory/select/output.hpp"
#include "labfactory/select/sample.hpp"
#include "labfactory/select/slot.hpp"

namespace labfactory::select {

// What one worker needs for a block of rows.
struct Scratch {
  Scratch(const Model& model, std::size_t conditions);

  std::vector<float> features;
  std::vector<float> scores;
  std::vector<float> weights;
  std::vector<double> before;
  std::vector<std::uint64_t> conditions;
  std::vector<std::uint64_t> eligible;
  std::vector<std::uint64_t> picks;
  Best best{};
  std::array<std::int32_t, kBlockRows> counts{};
  std::array<Split, kBlockRows> splits{};
  std::array<Draw, kBlockRows> draws{};
};

class Decider {
 public:
  // Error(selection, "condition_type").
  Decider(const SlotSettings& settings, const Mask& mask, const Model& model, const DecisionInput& input,
          const Stream& stream, const Output& output);

  // Decides rows [first, first + rows) of the batch, at most kBlockRows; returns how many got nothing.
  std::int64_t block(std::int64_t first, std::int64_t rows, Scratch& scratch) const;

 private:
  // The candidates that the base may take: those that a rule picked, where rules choose.
  [[nodiscard]] const std::uint64_t* base(const Scratch& scratch) const {
    return settings_.rules ? scratch.picks.data() : scratch.eligible.data();
  }

  void admit(std::int64_t first, std::int64_t rows, Scratch& scratch) const;
  void rank(Scratch& scratch) const;
  void draw(std::int64_t first, std::int64_t rows, Scratch& scratch) const;
  void decide(std::int64_t row, std::size_t r, const Scratch& scratch) const;
  [[nodiscard]] double base_probability(std::int32_t taken, std::size_t r, const Scratch& scratch) const;

  const SlotSettings& settings_;
  const Exploration& exploration_;
  const Mask& mask_;
  const Model& model_;
  const DecisionInput& input_;
  const Stream& stream_;
  const Output& output_;
  const Kernels& kernels_;
  std::vector<Condition> conditions_;
  std::vector<float> prices_;  // padded to whole groups; empty: none
  float inverse_temperature_;
  bool has_scores_;  // a matrix of scores is made, else choose() keeps them in registers
};

}  // namespace labfactory::select
