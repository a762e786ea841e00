#include "labfactory/select/price.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "labfactory/base/parallel.hpp"

namespace labfactory::select {

namespace {

// Rows summed by themselves before the sums are added: a fixed tree, whoever computes which block.
constexpr std::int64_t kBlockOfRows = 4096;

// What one row is worth after prices, or less than nothing where it may not have the option: a comparison
// with not a number is false.
double net_of(const float* values, std::span<const double> prices, std::size_t option) {
  return static_cast<double>(values[option]) - prices[option];
}

// The best option above 0; -1 when there is none.
std::int32_t best_of(const float* values, std::span<const double> prices, double& best) {
  std::int32_t where = -1;
  best = 0.0;
  for (std::size_t option = 0; option < prices.size(); ++option) {
    const double net = net_of(values, prices, option);
    if (net > best) {
      best = net;
      where = static_cast<std::int32_t>(option);
    }
  }
  return where;
}

struct Candidate {
  double net;
  std::int32_t option;
};

// One row's shares of a smoothed choice.
class Smooth {
 public:
  explicit Smooth(double smoothing) : smoothing_(smoothing) {}

  // Adds the row's shares to `amounts` and returns its surplus.
  double add(const float* values, std::span<const double> prices, double best, std::span<double> amounts) {
    gather(values, prices, std::max(0.0, best - smoothing_));
    const double threshold = threshold_of_simplex();
    double surplus = 0.0;
    for (const Candidate& candidate : near_) {
      if (candidate.net <= threshold) break;
      const double share = (candidate.net - threshold) / smoothing_;
      amounts[static_cast<std::size_t>(candidate.option)] += share;
      surplus += share * candidate.net - 0.5 * smoothing_ * share * share;
    }
    return surplus;
  }

 private:
  // No option further than the smoothing below the best gets a share.
  void gather(const float* values, std::span<const double> prices, double above) {
    near_.clear();
    for (std::size_t option = 0; option < prices.size(); ++option) {
      const double net = net_of(values, prices, option);
      if (net > above) near_.push_back({net, static_cast<std::int32_t>(option)});
    }
    std::ranges::stable_sort(near_, std::ranges::greater{}, &Candidate::net);
  }

  // Projection onto x >= 0, sum x <= 1: Held, Wolfe and Crowder 1974.
  [[nodiscard]] double threshold_of_simplex() const {
    double sum = 0.0;
    double threshold = 0.0;
    for (std::size_t taken = 0; taken < near_.size(); ++taken) {
      sum += near_[taken].net;
      const double level = (sum - smoothing_) / static_cast<double>(taken + 1);
      if (level >= near_[taken].net) break;
      threshold = level;
    }
    return std::max(threshold, 0.0);
  }

  double smoothing_;
  std::vector<Candidate> near_;
};

Demand demand_of_block(const Values& values, std::span<const double> prices, double smoothing,
                       std::int64_t first, std::int64_t last) {
  Demand made{0.0, std::vector<double>(prices.size())};
  Smooth smooth(smoothing);
  for (std::int64_t i = first; i < last; ++i) {
    double best = 0.0;
    const std::int32_t where = best_of(values.row(i), prices, best);
    if (where < 0) continue;
    if (smoothing > 0.0) {
      made.surplus += smooth.add(values.row(i), prices, best, made.amounts);
    } else {
      made.surplus += best;
      made.amounts[static_cast<std::size_t>(where)] += 1.0;
    }
  }
  return made;
}

void each_block(std::int64_t rows, int threads,
                const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& work) {
  const std::int64_t blocks = (rows + kBlockOfRows - 1) / kBlockOfRows;
  parallel_for(threads, blocks, [&](std::int64_t block, int) {
    work(block, block * kBlockOfRows, std::min(rows, (block + 1) * kBlockOfRows));
  });
}

// Puts a candidate into a list that is sorted by net, best first, and cut at `most`.
void insert(std::vector<Candidate>& list, std::size_t most, Candidate candidate) {
  if (list.size() == most && !(candidate.net > list.back().net)) return;
  const auto place = std::ranges::upper_bound(list, candidate.net, std::ranges::greater{}, &Candidate::net);
  if (list.size() == most) {
    list.insert(place, candidate);
    list.pop_back();
  } else {
    list.insert(place, candidate);
  }
}

bool holds(const std::vector<Candidate>& list, std::int32_t option) {
  return std::ranges::find(list, option, &Candidate::option) != list.end();
}

// The best of a group that the list does not hold yet, if the list holds none of the group.
void add_group(std::vector<Candidate>& list, const float* values, std::span<const double> prices,
               std::span<const std::int32_t> group) {
  Candidate best{0.0, -1};
  for (const std::int32_t option : group) {
    if (holds(list, option)) return;
    const double net = net_of(values, prices, static_cast<std::size_t>(option));
    if (!std::isnan(net) && (best.option < 0 || net > best.net)) best = {net, option};
  }
  if (best.option >= 0) list.push_back(best);
}

}  // namespace

Demand demand(const Values& values, std::span<const double> prices, double smoothing, int threads) {
  const std::int64_t rows = values.rows();
  std::vector<Demand> parts(static_cast<std::size_t>((rows + kBlockOfRows - 1) / kBlockOfRows));
  each_block(rows, threads, [&](std::int64_t block, std::int64_t first, std::int64_t last) {
    parts[static_cast<std::size_t>(block)] = demand_of_block(values, prices, smoothing, first, last);
  });
  Demand total{0.0, std::vector<double>(prices.size())};
  for (const Demand& part : parts) {
    total.surplus += part.surplus;
    for (std::size_t option = 0; option < prices.size(); ++option) {
      total.amounts[option] += part.amounts[option];
    }
  }
  return total;
}

Shortlist shortlist(const Values& values, std::span<const double> prices, std::int64_t best,
                    std::span<const std::vector<std::int32_t>> groups, int threads) {
  const std::int64_t rows = values.rows();
  const std::size_t most = static_cast<std::size_t>(std::min(best, values.options));
  Shortlist made;
  made.width = static_cast<std::int64_t>(most + groups.size());
  made.options.assign(static_cast<std::size_t>(rows * made.width), -1);
  made.values.assign(made.options.size(), 0.0F);
  each_block(rows, threads, [&](std::int64_t, std::int64_t first, std::int64_t last) {
    std::vector<Candidate> list;
    for (std::int64_t i = first; i < last; ++i) {
      const float* const row = values.row(i);
      list.clear();
      for (std::size_t option = 0; option < prices.size(); ++option) {
        const double net = net_of(row, prices, option);
        if (!std::isnan(net)) insert(list, most, {net, static_cast<std::int32_t>(option)});
      }
      for (const std::vector<std::int32_t>& group : groups) add_group(list, row, prices, group);
      for (std::size_t entry = 0; entry < list.size(); ++entry) {
        const std::size_t at = static_cast<std::size_t>(i * made.width) + entry;
        made.options[at] = list[entry].option;
        made.values[at] = row[list[entry].option];
      }
    }
  });
  return made;
}

}  // namespace labfactory::select
