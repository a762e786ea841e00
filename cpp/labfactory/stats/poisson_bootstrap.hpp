// Bootstrap replicates of weighted sums by arm: every row has a Poisson weight in every replicate, so rows
// need not be drawn, and a stream of any length is resampled in one pass.
// Owner: its sums, and a copy of the rows of the block that is not full yet.
// Threads: one caller; add() spreads replicates over threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "labfactory/arrow/column.hpp"
#include "labfactory/stats/block_rows.hpp"
#include "labfactory/stats/moment_layout.hpp"

namespace labfactory {

// A weight depends on the seed, the block, the place within it and the replicate alone, and sums are added
// block by block: batches and threads change no bit. J. Chamandy et al., Estimating uncertainty for massive
// data streams, 2012, for Poisson weights.
class PoissonBootstrap {
 public:
  static constexpr std::int64_t kBlockRows = 2'048;

  PoissonBootstrap(MomentLayout layout, std::int32_t arms, std::int32_t replicates, std::uint64_t seed);

  // As CellMoments::add().
  void add(std::span<const std::int32_t> arms, std::span<const Column* const> columns, int threads);

  // By replicate, arm and set: the weight of its complete rows, then the weighted sum of each outcome.
  [[nodiscard]] std::vector<double> totals(int threads) const;

  // Sums of one arm in one replicate.
  [[nodiscard]] std::size_t width() const { return width_; }

 private:
  // Rows of a block, those of an arm side by side.
  struct Sorted {
    std::vector<std::size_t> starts;          // of each arm, and the end
    std::vector<std::vector<double>> values;  // by place in width_: 1 or 0 for a weight, else an outcome
  };

  [[nodiscard]] Sorted sorted(const BlockView& block) const;
  void resample(const Sorted& block, std::int64_t number, std::int32_t first, std::int32_t last,
                std::vector<double>& sums) const;
  void resample_all(std::span<const Sorted> blocks, std::int64_t first_number, std::vector<double>& sums,
                    int threads) const;

  MomentLayout layout_;
  std::size_t arms_;
  std::int32_t replicates_;
  std::uint64_t seed_;
  std::size_t width_ = 0;
  std::vector<double> sums_;
  std::int64_t blocks_ = 0;
  BlockRows pending_;
  std::int64_t pending_rows_ = 0;
};

}  // namespace labfactory
