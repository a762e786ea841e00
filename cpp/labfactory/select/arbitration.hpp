// Arbitration: a formula over a model's score and three terms of each candidate, P x C x V x L unless edited.
// Owner: the program and constants inside; columns that are read belong to their batch.
// Threads: immutable.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "labfactory/arrow/column.hpp"
#include "labfactory/select/kernels.hpp"

namespace labfactory::select {

// One step of a formula in postfix notation.
struct Step {
  enum class Kind : std::uint8_t { score, term, number, add, subtract, multiply, divide, negate };
  Kind kind = Kind::score;
  std::int32_t term = 0;  // of Kind::term: 0 context, 1 value, 2 lever
  float number = 0.0F;    // of Kind::number
};

// A candidate's term: a number, or a column of numbers.
struct Term {
  float number = 1.0F;
  std::int32_t column = -1;
};

inline constexpr std::int32_t kTerms = 3;

class Arbitration {
 public:
  Arbitration() = default;
  // `terms` has kTerms entries for each candidate. Error(selection, "formula") when the steps do not make one
  // number, or take more than kDeepest of them at once.
  Arbitration(std::vector<Step> steps, std::vector<Term> terms);

  [[nodiscard]] bool is_empty() const { return steps_.empty(); }
  // How many columns the terms read.
  [[nodiscard]] std::int64_t columns() const { return columns_; }

  // As below; and multiplies `deviations`, as scores, by the formula's slope at the score: a formula that is
  // linear in the score makes a normal score one of this deviation, any other nearly so (the delta method).
  void apply(const float* columns, std::int64_t candidates, float* scores, float* deviations) const;

  // Replaces scores [candidates][kBlockRows] by the formula's value, in float32, one rounding a step; what is
  // not a number becomes the lowest score, infinity the largest of its sign. `columns` is
  // [columns()][kBlockRows].
  void apply(const float* columns, std::int64_t candidates, float* scores) const;

 private:
  static constexpr std::size_t kDeepest = 16;

  void slope(const float* columns, std::int64_t candidate, const float* scores, float* slopes) const;

  std::vector<Step> steps_;
  std::vector<Term> terms_;
  std::int64_t columns_ = 0;
};

}  // namespace labfactory::select
