#include "labfactory/select/thompson.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "labfactory/select/normal.hpp"

namespace labfactory::select {

namespace {

// The quantile of half the smallest uniform number, 2^-54, is -8.29.
constexpr float kMostDeviations = 8.3F;
// Nodes further out weigh less than 10^-9 together; beyond 5.5 deviations the distribution function is 1 to
// 2 · 10^-8, which is below its own error here.
constexpr float kFarNode = 6.5F;
constexpr float kFarTail = 5.5F;

// Where more than an eighth of the candidates may come up, bounds cost less than their draws.
constexpr std::int64_t kManyShare = 8;
// For the rounding of a bound's products.
constexpr float kOutlookRoom = 1.0F + 0x1p-16F;

float price_of(const Beliefs& beliefs, std::int64_t candidate) {
  return beliefs.prices == nullptr ? 0.0F : beliefs.prices[candidate];
}

// The nearest float32 that is not above.
float rounded_down(double x) {
  const auto near = static_cast<float>(x);
  return static_cast<double>(near) > x ? std::nextafterf(near, -std::numeric_limits<float>::infinity())
                                       : near;
}

// A node that counts for less is left out, and so are all below it; together they are less than 10^-8.
constexpr double kLeastShare = 0x1p-32;

// The chance that a normal score is higher than all of its rivals, by quadrature: at each node what the node
// weighs, times the chance that each rival is below it.
class Round {
 public:
  Round(float mean, float spread) {
    for (std::size_t m = 0; m < kNodes; ++m) at_[m] = mean + spread * static_cast<float>(node(m).at);
    product_.fill(1.0F);
  }

  // The lowest node that still counts.
  [[nodiscard]] float lowest() const { return at_[first_]; }

  void add(const Kernels& kernels, float mean, float inverse_deviation) {
    means_[waiting_] = mean;
    inverses_[waiting_] = inverse_deviation;
    if (++waiting_ == means_.size()) run(kernels);
  }

  [[nodiscard]] double finish(const Kernels& kernels) {
    run(kernels);
    double total = 0.0;
    for (std::size_t m = first_; m < kNodes; ++m) total += share(m);
    return total;
  }

 private:
  // The outermost nodes weigh less than 10^-12 together.
  [[nodiscard]] static const HermiteNode& node(std::size_t m) {
    constexpr std::size_t kLeftOut =
        (std::tuple_size_v<std::remove_cvref_t<decltype(hermite_nodes())>> - kNodes) / 2;
    return hermite_nodes()[m + kLeftOut];
  }
  [[nodiscard]] double share(std::size_t m) const {
    return node(m).weight * static_cast<double>(product_[m]);
  }

  // A product only falls, and from node to node it rises.
  void run(const Kernels& kernels) {
    kernels.race(at_.data(), means_.data(), inverses_.data(), static_cast<std::int64_t>(waiting_),
                 static_cast<std::int64_t>(first_), product_.data());
    waiting_ = 0;
    while (first_ + 1 < kNodes && share(first_) < kLeastShare) ++first_;
  }

  alignas(64) std::array<float, kNodeSlots> at_{};
  alignas(64) std::array<float, kNodeSlots> product_;
  std::size_t first_ = 0;
  std::array<float, 4> means_{};  // rivals that wait
  std::array<float, 4> inverses_{};
  std::size_t waiting_ = 0;
};

template <class Work>
void for_bits(std::uint64_t bits, const Work& work) {
  for (; bits != 0; bits &= bits - 1) work(static_cast<std::int32_t>(std::countr_zero(bits)));
}

}  // namespace

Outlook Beliefs::outlook(float strength) const {
  return {.means = means,
          .deviations = deviations,
          .scales = is_late() ? late.uncertainty->stretches().data() : nullptr,
          .norms = late.norms,
          .prices = prices,
          .mask = mask,
          .candidates = candidates,
          .rows = rows,
          .strength = strength};
}

void Beliefs::deviations_of(std::span<const std::int32_t> rows, std::span<const std::int32_t> candidates_of,
                            float* out) const {
  if (is_late()) {
    late.uncertainty->deviations_of(*late.kernels, late.features, rows, candidates_of, out);
    return;
  }
  for (std::size_t i = 0; i < rows.size(); ++i) out[i] = deviations[candidates_of[i] * kBlockRows + rows[i]];
}

void Contest::reach_only(const std::int32_t* first) {
  std::ranges::fill(reaching, 0);
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    if (first[r] >= 0) reaching[static_cast<std::size_t>(first[r])] |= std::uint64_t{1} << r;
  }
}

void Thompson::add(const Beliefs& beliefs, std::int64_t candidate, std::int32_t row, std::uint64_t customer,
                   Contest& contest) const {
  const std::size_t at = contest.pairs++;
  contest.customers[at] = customer;
  contest.components[at] = components_[static_cast<std::size_t>(candidate)];
  contest.rows[at] = row;
  contest.candidates[at] = static_cast<std::int32_t>(candidate);
  if (contest.pairs == Contest::kPairs) flush(beliefs, contest);
}

// Draws for the pairs that wait; a row's highest draw stays, the lowest candidate of equals.
void Thompson::flush(const Beliefs& beliefs, Contest& contest) const {
  const auto count = static_cast<std::int64_t>((contest.pairs + kDraws - 1) / kDraws * kDraws);
  kernels_->uniforms(contest.customers.data(), contest.components.data(), stream_->purpose(),
                     stream_->key().data(), count, contest.numbers.data());
  kernels_->normals(contest.numbers.data(), count);
  beliefs.deviations_of(contest.waiting_rows(), contest.waiting_candidates(), contest.deviations.data());
  for (std::size_t i = 0; i < contest.pairs; ++i) {
    const std::int32_t c = contest.candidates[i];
    const auto r = static_cast<std::size_t>(contest.rows[i]);
    const std::int64_t at = c * kBlockRows + static_cast<std::int64_t>(r);
    const double deviation = static_cast<double>(strength_) * static_cast<double>(contest.deviations[i]);
    const double mean = static_cast<double>(beliefs.means[at]) - static_cast<double>(price_of(beliefs, c));
    const double drawn = mean + deviation * contest.numbers[i];
    const bool is_higher = contest.best[r] < 0 || drawn > contest.highest[r] ||
                           (drawn == contest.highest[r] && c < contest.best[r]);
    if (!is_higher) continue;
    contest.highest[r] = drawn;
    contest.best[r] = c;
  }
  contest.pairs = 0;
}

void Thompson::draw_reaching(const Beliefs& beliefs, std::span<const std::uint64_t> customers,
                             Contest& contest) const {
  for (std::int64_t c = 0; c < beliefs.candidates; ++c) {
    for_bits(contest.reaching[static_cast<std::size_t>(c)], [&](std::int32_t r) {
      // The highest so far was drawn.
      if (contest.best[static_cast<std::size_t>(r)] != c) {
        add(beliefs, c, r, customers[static_cast<std::size_t>(r)], contest);
      }
    });
  }
  flush(beliefs, contest);
}

void Thompson::draw_first(const Beliefs& beliefs, const std::int32_t* first, std::uint64_t open,
                          std::span<const std::uint64_t> customers, Contest& contest) const {
  contest.reach_only(first);
  for (std::uint64_t& rows : contest.reaching) rows &= open;
  draw_reaching(beliefs, customers, contest);
  for (std::size_t r = 0; r < contest.best.size(); ++r) {
    if (contest.best[r] >= 0) contest.floor[r] = rounded_down(contest.highest[r]);
  }
}

void Thompson::look_out(const Beliefs& beliefs, const std::int32_t* tops, std::uint64_t open,
                        std::span<const std::uint64_t> customers, Contest& contest) const {
  Outlook view = beliefs.outlook(strength_ * kOutlookRoom);
  view.customers = customers.data();
  view.components = components_.data();
  view.purpose = stream_->purpose();
  view.key = stream_->key().data();
  Best best;
  kernels_->outlook(view, contest.bounds.data(), &best);
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    if (tops[r] < 0 || best.candidate[r] < 0) best.candidate[r] = tops[r];
  }
  draw_first(beliefs, best.candidate, open, customers, contest);
  kernels_->above(contest.bounds.data(), beliefs.mask, beliefs.candidates, contest.floor.data(),
                  contest.reaching.data());
  for (std::uint64_t& rows : contest.reaching) rows &= open;
}

void Thompson::draw(const Beliefs& beliefs, const std::int32_t* tops, std::uint64_t open,
                    std::span<const std::uint64_t> customers, Contest& contest) const {
  contest.best.fill(-1);
  contest.floor.fill(std::numeric_limits<float>::infinity());
  bool are_many = beliefs.is_late();
  if (!are_many) {
    draw_first(beliefs, tops, open, customers, contest);
    kernels_->reach(beliefs.means, beliefs.deviations, beliefs.prices, beliefs.mask, beliefs.candidates,
                    kMostDeviations * strength_, contest.floor.data(), contest.reaching.data());
    std::int64_t pairs = 0;
    for (const std::uint64_t rows : contest.reaching) pairs += std::popcount(rows);
    are_many = pairs * kManyShare > beliefs.candidates * kBlockRows;
  }
  if (are_many) look_out(beliefs, tops, open, customers, contest);
  draw_reaching(beliefs, customers, contest);
}

void Thompson::chances(const Beliefs& beliefs, const std::int32_t* taken, Contest& contest,
                       double* out) const {
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    const std::int64_t own = taken[r] * kBlockRows + r;
    contest.floor[static_cast<std::size_t>(r)] = taken[r] < 0
                                                     ? std::numeric_limits<float>::infinity()
                                                     : beliefs.means[own] - price_of(beliefs, taken[r]) -
                                                           kFarNode * strength_ * beliefs.deviations[own];
  }
  kernels_->reach(beliefs.means, beliefs.deviations, beliefs.prices, beliefs.mask, beliefs.candidates,
                  kFarTail * strength_, contest.floor.data(), contest.reaching.data());
  contest.rival_counts.fill(0);
  for (std::int64_t c = 0; c < beliefs.candidates; ++c) {
    for_bits(contest.reaching[static_cast<std::size_t>(c)], [&](std::int32_t r) {
      if (taken[r] == c) return;
      std::int32_t& count = contest.rival_counts[static_cast<std::size_t>(r)];
      contest.rivals[static_cast<std::size_t>(r * beliefs.candidates + count)] = static_cast<std::int32_t>(c);
      ++count;
    });
  }
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    if (taken[r] < 0) continue;
    const std::span<const std::int32_t> all = contest.rivals;
    const auto count = static_cast<std::size_t>(contest.rival_counts[static_cast<std::size_t>(r)]);
    out[r] =
        chance(beliefs, r, taken[r], all.subspan(static_cast<std::size_t>(r * beliefs.candidates), count));
  }
}

double Thompson::chance(const Beliefs& beliefs, std::int64_t row, std::int32_t taken,
                        std::span<const std::int32_t> rivals) const {
  if (rivals.empty()) return 1.0;
  const std::int64_t own = taken * kBlockRows + row;
  const float mean = beliefs.means[own] - price_of(beliefs, taken);
  const float spread = strength_ * beliefs.deviations[own];
  const float highest = mean + kFarNode * spread;
  Round round(mean, spread);
  constexpr float kLeastDeviation = std::numeric_limits<float>::min();
  for (const std::int32_t c : rivals) {
    const std::int64_t other = c * kBlockRows + row;
    const float rival = beliefs.means[other] - price_of(beliefs, c);
    const float deviation = std::max(strength_ * beliefs.deviations[other], kLeastDeviation);
    if (rival - kFarTail * deviation > highest) return 0.0;
    if (rival + kFarTail * deviation < round.lowest()) continue;
    round.add(*kernels_, rival, 1.0F / deviation);
  }
  return round.finish(*kernels_);
}

}  // namespace labfactory::select
