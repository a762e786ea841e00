#include "labfactory/stats/arm_moments.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

#include "labfactory/base/parallel.hpp"
#include "labfactory/stats/numbers.hpp"

namespace labfactory {

namespace {

// Rows of a block by arm, within an arm as in the stream: a counting sort that all outcomes share, after
// which sums run over contiguous values.
class RowsByArm {
 public:
  RowsByArm(std::span<const std::int32_t> arms, std::size_t arm_count)
      : order_(arms.size()), starts_(arm_count + 1) {
    for (const std::int32_t arm : arms) {
      if (arm >= 0) ++starts_[static_cast<std::size_t>(arm) + 1];
    }
    std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
    std::vector<std::size_t> next(starts_);
    for (std::size_t row = 0; row < arms.size(); ++row) {
      if (arms[row] >= 0)
        order_[next[static_cast<std::size_t>(arms[row])]++] = static_cast<std::uint16_t>(row);
    }
  }

  [[nodiscard]] std::span<const std::uint16_t> rows(std::size_t arm) const {
    return std::span(order_).subspan(starts_[arm], starts_[arm + 1] - starts_[arm]);
  }

 private:
  std::vector<std::uint16_t> order_;
  std::vector<std::size_t> starts_;  // of each arm in order_, and the end
};

// Copies what is not null, in order, and returns how many that are.
std::size_t gather_valid(std::span<const std::uint16_t> rows, std::span<const double> values,
                         std::span<const std::uint8_t> valid, std::span<double> out) {
  std::size_t kept = 0;
  for (const std::uint16_t row : rows) {
    out[kept] = values[row];
    kept += valid[row];
  }
  return kept;
}

std::size_t gather_all(std::span<const std::uint16_t> rows, std::span<const double> values,
                       std::span<double> out) {
  for (std::size_t i = 0; i < rows.size(); ++i) out[i] = values[rows[i]];
  return rows.size();
}

bool all_zero_or_one(std::span<const double> values) {
  bool allowed = true;
  // No branch, so that it becomes vector code. NOLINTNEXTLINE(readability-implicit-bool-conversion)
  for (const double value : values) allowed &= (value == 0.0) | (value == 1.0);
  return allowed;
}

// Values that the kind does not allow are taken out and counted; there are none, nearly always.
ArmOutcome outcome_of(std::span<double> values, OutcomeKind kind) {
  const Moments moments = moments_of(values);
  // One value that is not finite makes the squares not finite, which spares a pass.
  const bool allowed =
      kind == OutcomeKind::zero_or_one ? all_zero_or_one(values) : std::isfinite(moments.squares);
  if (allowed) return {moments, 0, 0};
  const auto is_invalid = [kind](double value) {
    return kind == OutcomeKind::zero_or_one ? value != 0.0 && value != 1.0 : !std::isfinite(value);
  };
  const auto dropped = std::ranges::remove_if(values, is_invalid);
  return {moments_of({values.begin(), dropped.begin()}), 0, std::ssize(dropped)};
}

void merge_into(ArmTotals& earlier, const ArmTotals& later) {
  for (std::size_t arm = 0; arm < earlier.rows.size(); ++arm) earlier.rows[arm] += later.rows[arm];
  for (std::size_t i = 0; i < earlier.outcomes.size(); ++i) {
    ArmOutcome& sum = earlier.outcomes[i];
    const ArmOutcome& next = later.outcomes[i];
    sum = {merged(sum.moments, next.moments), sum.missing + next.missing, sum.invalid + next.invalid};
  }
}

}  // namespace

ArmMoments::Rows::Rows(std::size_t outcomes)
    : arms(kBlockRows), values(outcomes * kBlockRows), valid(outcomes * kBlockRows), has_nulls(outcomes) {}

void ArmMoments::Rows::copy(std::span<const std::int32_t> from_arms, std::span<const Column* const> outcomes,
                            std::int64_t from, std::int64_t first, std::int64_t last) {
  const auto at = static_cast<std::size_t>(first);
  const auto count = static_cast<std::size_t>(last - first);
  std::copy_n(from_arms.begin() + from, count, arms.begin() + first);
  for (std::size_t k = 0; k < outcomes.size(); ++k) {
    const bool nulls = widen(*outcomes[k], from, std::span(values).subspan(k * kBlockRows + at, count),
                             std::span(valid).subspan(k * kBlockRows + at, count));
    has_nulls[k] = static_cast<std::uint8_t>(nulls || (first > 0 && has_nulls[k] != 0));
  }
}

ArmMoments::ArmMoments(std::int32_t arms, std::vector<OutcomeKind> outcomes)
    : arms_(static_cast<std::size_t>(arms)), kinds_(std::move(outcomes)), pending_(kinds_.size()) {}

void ArmMoments::add(std::span<const std::int32_t> arms, std::span<const Column* const> outcomes,
                     int threads) {
  const std::int64_t rows = pending_rows_ + static_cast<std::int64_t>(arms.size());
  const std::int64_t blocks = rows / kBlockRows;
  std::vector<ArmTotals> reduced(static_cast<std::size_t>(blocks));
  std::vector<Rows> work(static_cast<std::size_t>(std::max(threads, 1)), Rows(kinds_.size()));
  // Block b starts at row b * kBlockRows - pending_rows_ of this batch; the first one begins with the pending
  // rows.
  parallel_for(threads, blocks, [&](std::int64_t block, int worker) {
    Rows& mine = work[static_cast<std::size_t>(worker)];
    const std::int64_t first = block == 0 ? pending_rows_ : 0;
    if (first > 0) mine = pending_;
    mine.copy(arms, outcomes, block * kBlockRows - pending_rows_ + first, first, kBlockRows);
    reduced[static_cast<std::size_t>(block)] = reduce(mine, kBlockRows);
  });
  for (ArmTotals& block : reduced) push(std::move(block));

  const std::int64_t first = blocks == 0 ? pending_rows_ : 0;
  pending_.copy(arms, outcomes, blocks * kBlockRows - pending_rows_ + first, first,
                rows - blocks * kBlockRows);
  pending_rows_ = rows - blocks * kBlockRows;
}

ArmTotals ArmMoments::totals() const {
  ArmTotals sum = reduce(pending_, pending_rows_);
  for (std::size_t level = 0; level < tree_.size(); ++level) {
    if (((pushed_ >> level) & 1) == 0) continue;
    ArmTotals earlier = tree_[level];
    merge_into(earlier, sum);
    sum = std::move(earlier);
  }
  return sum;
}

ArmTotals ArmMoments::reduce(const Rows& block, std::int64_t rows) const {
  const RowsByArm by_arm(std::span(block.arms).first(static_cast<std::size_t>(rows)), arms_);
  std::vector<double> gathered(static_cast<std::size_t>(rows));
  ArmTotals totals;
  for (std::size_t arm = 0; arm < arms_; ++arm) {
    const std::span<const std::uint16_t> members = by_arm.rows(arm);
    totals.rows.push_back(std::ssize(members));
    for (std::size_t k = 0; k < kinds_.size(); ++k) {
      const auto values = std::span(block.values).subspan(k * kBlockRows, kBlockRows);
      const auto valid = std::span(block.valid).subspan(k * kBlockRows, kBlockRows);
      const std::size_t present = block.has_nulls[k] != 0 ? gather_valid(members, values, valid, gathered)
                                                          : gather_all(members, values, gathered);
      ArmOutcome outcome = outcome_of(std::span(gathered).first(present), kinds_[k]);
      outcome.missing = std::ssize(members) - static_cast<std::int64_t>(present);
      totals.outcomes.push_back(outcome);
    }
  }
  return totals;
}

void ArmMoments::push(ArmTotals block) {
  // A binary counter: two sums of 2^i blocks become one of 2^(i+1), so rounding grows with the logarithm of
  // the rows.
  std::size_t level = 0;
  for (; ((pushed_ >> level) & 1) != 0; ++level) {
    merge_into(tree_[level], block);
    block = std::move(tree_[level]);
  }
  if (level == tree_.size()) tree_.emplace_back();
  tree_[level] = std::move(block);
  ++pushed_;
}

}  // namespace labfactory
