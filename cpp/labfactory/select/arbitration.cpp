#include "labfactory/select/arbitration.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "labfactory/base/error.hpp"

namespace labfactory::select {

namespace {

using Row = std::array<float, kBlockRows>;

bool is_binary(Step::Kind kind) {
  return kind == Step::Kind::add || kind == Step::Kind::subtract || kind == Step::Kind::multiply ||
         kind == Step::Kind::divide;
}

void combine(Step::Kind kind, Row& left, const Row& right) {
  switch (kind) {
    case Step::Kind::add:
      for (std::size_t i = 0; i < left.size(); ++i) left[i] += right[i];
      return;
    case Step::Kind::subtract:
      for (std::size_t i = 0; i < left.size(); ++i) left[i] -= right[i];
      return;
    case Step::Kind::multiply:
      for (std::size_t i = 0; i < left.size(); ++i) left[i] *= right[i];
      return;
    default:
      for (std::size_t i = 0; i < left.size(); ++i) left[i] /= right[i];
  }
}

// A value and its derivative by the score.
struct Dual {
  Row value;
  Row slope;
};

void combine(Step::Kind kind, Dual& left, const Dual& right) {
  for (std::size_t i = 0; i < left.slope.size(); ++i) {
    const float value = left.value[i];
    const float other = right.value[i];
    float& slope = left.slope[i];
    switch (kind) {
      case Step::Kind::add:
        slope += right.slope[i];
        break;
      case Step::Kind::subtract:
        slope -= right.slope[i];
        break;
      case Step::Kind::multiply:
        slope = slope * other + value * right.slope[i];
        break;
      default:
        slope = (slope - value / other * right.slope[i]) / other;
    }
  }
  combine(kind, left.value, right.value);
}

[[noreturn]] void refuse() {
  throw Error(ErrorKind::selection, "formula",
              "expected a formula of one number with at most 16 at once, found none");
}

}  // namespace

Arbitration::Arbitration(std::vector<Step> steps, std::vector<Term> terms)
    : steps_(std::move(steps)), terms_(std::move(terms)) {
  std::size_t depth = 0;
  for (const Step& step : steps_) {
    const std::size_t taken = is_binary(step.kind) ? 2 : step.kind == Step::Kind::negate ? 1 : 0;
    if (depth < taken || step.term < 0 || step.term >= kTerms) refuse();
    depth = depth - taken + 1;
    if (depth > kDeepest) refuse();
  }
  if (!steps_.empty() && depth != 1) refuse();
  for (const Term& term : terms_) columns_ = std::max<std::int64_t>(columns_, term.column + 1);
}

void Arbitration::apply(const float* columns, std::int64_t candidates, float* scores,
                        float* deviations) const {
  constexpr float kHighest = std::numeric_limits<float>::max();
  for (std::int64_t c = 0; c < candidates; ++c) {
    Row slopes;
    slope(columns, c, scores + c * kBlockRows, slopes.data());
    float* const deviation = deviations + c * kBlockRows;
    for (std::size_t i = 0; i < slopes.size(); ++i) {
      const float scaled = std::fabs(slopes[i]) * deviation[i];
      deviation[i] = scaled < kHighest ? scaled : 0.0F;  // where the formula has no slope, it has no spread
    }
  }
  apply(columns, candidates, scores);
}

void Arbitration::slope(const float* columns, std::int64_t candidate, const float* scores,
                        float* slopes) const {
  std::array<Dual, kDeepest> stack;
  std::size_t depth = 0;
  for (const Step& step : steps_) {
    if (is_binary(step.kind)) {
      --depth;
      combine(step.kind, stack[depth - 1], stack[depth]);
      continue;
    }
    if (step.kind == Step::Kind::negate) {
      for (float& value : stack[depth - 1].value) value = -value;
      for (float& own : stack[depth - 1].slope) own = -own;
      continue;
    }
    Dual& top = stack[depth++];
    const Term& term = terms_[static_cast<std::size_t>(candidate * kTerms + step.term)];
    top.slope.fill(step.kind == Step::Kind::score ? 1.0F : 0.0F);
    if (step.kind == Step::Kind::score) {
      std::copy_n(scores, kBlockRows, top.value.begin());
    } else if (step.kind == Step::Kind::term && term.column >= 0) {
      std::copy_n(columns + term.column * kBlockRows, kBlockRows, top.value.begin());
    } else {
      top.value.fill(step.kind == Step::Kind::number ? step.number : term.number);
    }
  }
  std::copy_n(stack[0].slope.begin(), kBlockRows, slopes);
}

void Arbitration::apply(const float* columns, std::int64_t candidates, float* scores) const {
  constexpr float kHighest = std::numeric_limits<float>::max();
  std::array<Row, kDeepest> stack;
  for (std::int64_t c = 0; c < candidates; ++c) {
    float* const score = scores + c * kBlockRows;
    std::size_t depth = 0;
    for (const Step& step : steps_) {
      if (is_binary(step.kind)) {
        --depth;
        combine(step.kind, stack[depth - 1], stack[depth]);
        continue;
      }
      if (step.kind == Step::Kind::negate) {
        for (float& value : stack[depth - 1]) value = -value;
        continue;
      }
      Row& top = stack[depth++];
      const Term& term = terms_[static_cast<std::size_t>(c * kTerms + step.term)];
      if (step.kind == Step::Kind::score) {
        std::copy_n(score, kBlockRows, top.begin());
      } else if (step.kind == Step::Kind::term && term.column >= 0) {
        std::copy_n(columns + term.column * kBlockRows, kBlockRows, top.begin());
      } else {
        top.fill(step.kind == Step::Kind::number ? step.number : term.number);
      }
    }
    for (std::size_t i = 0; i < stack[0].size(); ++i) {
      const float value = stack[0][i] > -kHighest ? stack[0][i] : -kHighest;
      score[i] = value < kHighest ? value : kHighest;
    }
  }
}

}  // namespace labfactory::select
