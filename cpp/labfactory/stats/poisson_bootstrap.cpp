#include "labfactory/stats/poisson_bootstrap.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "labfactory/base/parallel.hpp"
#include "labfactory/base/philox.hpp"
#include "labfactory/stats/cell_rows.hpp"
#include "labfactory/stats/sum_kernels.hpp"

namespace labfactory {

namespace {

// Replicates of a task: so many times a block is used while it lies in L1.
constexpr std::int32_t kTaskReplicates = 16;

// Of 65,536 equally likely numbers, those from the k-th bound on have a weight above k: Poisson(1) to the
// nearest 2^-16, with mean 1.00005 and variance 1.0002.
constexpr std::array<std::uint16_t, 8> kBounds = {24'109, 48'218, 60'273, 64'291,
                                                  65'296, 65'497, 65'530, 65'535};

// Weights of the places of one block in one replicate; eight of each draw of 128 bits.
void draw_weights(std::uint64_t seed, std::int64_t block, std::int32_t replicate, std::span<double> weights) {
  const std::array<std::uint32_t, 2> key = {static_cast<std::uint32_t>(seed),
                                            static_cast<std::uint32_t>(seed >> 32)};
  std::array<std::uint16_t, PoissonBootstrap::kBlockRows> numbers;
  for (std::size_t i = 0; i < weights.size(); i += 8) {
    const std::array<std::uint32_t, 4> drawn =
        philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                    static_cast<std::uint32_t>(replicate), static_cast<std::uint32_t>(i / 8)},
                   key);
    for (std::size_t k = 0; k < 8; ++k)
      numbers[i + k] = static_cast<std::uint16_t>(drawn[k / 2] >> (16 * (k % 2)));
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    std::int32_t weight = 0;
    for (const std::uint16_t bound : kBounds) weight += static_cast<std::int32_t>(numbers[i] >= bound);
    weights[i] = weight;
  }
}

}  // namespace

PoissonBootstrap::PoissonBootstrap(MomentLayout layout, std::int32_t arms, std::int32_t replicates,
                                   std::uint64_t seed)
    : layout_(std::move(layout)),
      arms_(static_cast<std::size_t>(arms)),
      replicates_(replicates),
      seed_(seed),
      pending_(layout_.columns().size(), kBlockRows) {
  for (const MomentSet& set : layout_.sets()) width_ += 1 + static_cast<std::size_t>(set.required);
  sums_.resize(static_cast<std::size_t>(replicates_) * arms_ * width_);
}

void PoissonBootstrap::add(std::span<const std::int32_t> arms, std::span<const Column* const> columns,
                           int threads) {
  const std::int64_t rows = pending_rows_ + static_cast<std::int64_t>(arms.size());
  const std::int64_t blocks = rows / kBlockRows;
  std::vector<Sorted> sorted_blocks(static_cast<std::size_t>(blocks));
  std::vector<BlockRows> desks(static_cast<std::size_t>(std::max(threads, 1)),
                               BlockRows(columns.size(), kBlockRows));
  parallel_for(threads, blocks, [&](std::int64_t block, int worker) {
    BlockRows& desk = desks[static_cast<std::size_t>(worker)];
    if (block == 0 && pending_rows_ > 0) {
      desk = pending_;
      desk.copy(layout_, arms, columns, 0, pending_rows_, kBlockRows);
    } else {
      desk.borrow(layout_, arms, columns, block * kBlockRows - pending_rows_);
    }
    sorted_blocks[static_cast<std::size_t>(block)] = sorted(desk.view(kBlockRows));
  });
  resample_all(sorted_blocks, blocks_, sums_, threads);
  blocks_ += blocks;
  const std::int64_t first = blocks == 0 ? pending_rows_ : 0;
  pending_.copy(layout_, arms, columns, blocks * kBlockRows - pending_rows_ + first, first,
                rows - blocks * kBlockRows);
  pending_rows_ = rows - blocks * kBlockRows;
}

std::vector<double> PoissonBootstrap::totals(int threads) const {
  std::vector<double> sums = sums_;
  const std::array<Sorted, 1> last = {sorted(pending_.view(pending_rows_))};
  resample_all(last, blocks_, sums, threads);
  return sums;
}

PoissonBootstrap::Sorted PoissonBootstrap::sorted(const BlockView& block) const {
  CellRows by_arm;
  by_arm.sort(block.cells, static_cast<std::int32_t>(arms_));
  std::vector<std::uint16_t> order;
  Sorted out;
  out.starts.assign(arms_ + 1, 0);
  for (std::size_t place = 0; place < by_arm.cells().size(); ++place) {
    const std::span<const std::uint16_t> rows = by_arm.rows(place);
    order.insert(order.end(), rows.begin(), rows.end());
    out.starts[static_cast<std::size_t>(by_arm.cells()[place]) + 1] = rows.size();
  }
  for (std::size_t arm = 0; arm < arms_; ++arm) out.starts[arm + 1] += out.starts[arm];
  for (const MomentSet& set : layout_.sets()) {
    std::vector<double>& known = out.values.emplace_back(order.size(), 1.0);
    for (std::int32_t k = 0; k < set.required; ++k) {
      const std::uint8_t* const valid =
          block.valid[static_cast<std::size_t>(set.columns[static_cast<std::size_t>(k)])];
      if (valid == nullptr) continue;
      for (std::size_t i = 0; i < order.size(); ++i) known[i] = valid[order[i]] != 0 ? known[i] : 0.0;
    }
    const std::size_t weight = out.values.size() - 1;
    for (std::int32_t k = 0; k < set.required; ++k) {
      const double* const values =
          block.values[static_cast<std::size_t>(set.columns[static_cast<std::size_t>(k)])];
      std::vector<double> mine(order.size());
      for (std::size_t i = 0; i < order.size(); ++i) mine[i] = out.values[weight][i] * values[order[i]];
      out.values.push_back(std::move(mine));
    }
  }
  return out;
}

void PoissonBootstrap::resample(const Sorted& block, std::int64_t number, std::int32_t first,
                                std::int32_t last, std::vector<double>& sums) const {
  const SumKernels& kernels = sum_kernels();
  std::array<double, kBlockRows> weights;
  const std::size_t rows = block.starts.back();
  for (std::int32_t replicate = first; replicate < last; ++replicate) {
    draw_weights(seed_, number, replicate, std::span(weights).first(rows));
    double* const mine = sums.data() + static_cast<std::size_t>(replicate) * arms_ * width_;
    for (std::size_t arm = 0; arm < arms_; ++arm) {
      const std::size_t start = block.starts[arm];
      const std::size_t count = block.starts[arm + 1] - start;
      for (std::size_t place = 0; place < width_; ++place)
        mine[arm * width_ + place] +=
            kernels.dot(weights.data() + start, block.values[place].data() + start, count);
    }
  }
}

void PoissonBootstrap::resample_all(std::span<const Sorted> blocks, std::int64_t first_number,
                                    std::vector<double>& sums, int threads) const {
  const std::int64_t tasks = (replicates_ + kTaskReplicates - 1) / kTaskReplicates;
  parallel_for(threads, tasks, [&](std::int64_t task, int) {
    const auto first = static_cast<std::int32_t>(task) * kTaskReplicates;
    const std::int32_t last = std::min(first + kTaskReplicates, replicates_);
    for (std::size_t block = 0; block < blocks.size(); ++block)
      resample(blocks[block], first_number + static_cast<std::int64_t>(block), first, last, sums);
  });
}

}  // namespace labfactory
