#include "labfactory/select/sieve.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace labfactory::select {

namespace {

// In percent of the candidates, how many of a block's rivals cost what the sieve saves; and for how many it
// is tried in any case.
constexpr std::int64_t kRivalsShare = 250;
constexpr std::int64_t kFewestRivals = 128;
// Up to these, the longest distance between two candidates is looked for; it is some 0.7 of twice the longest
// from the middle, but costs a product for every two of them and each feature.
constexpr std::size_t kMostPaired = 128;

// How far apart vectors are of which one number for each candidate is added after the other.
class Apart {
 public:
  explicit Apart(std::size_t candidates)
      : squares_(candidates), pairs_(candidates <= kMostPaired ? candidates * candidates : 0) {}

  void add(std::span<const double> numbers) {
    for (std::size_t c = 0; c < numbers.size(); ++c) squares_[c] += numbers[c] * numbers[c];
    if (pairs_.empty()) return;
    for (std::size_t c = 1; c < numbers.size(); ++c) {
      double* const row = pairs_.data() + c * numbers.size();
      const double own = numbers[c];
      for (std::size_t other = 0; other < c; ++other) {
        const double apart = own - numbers[other];
        row[other] += apart * apart;
      }
    }
  }

  [[nodiscard]] double most() const {
    return pairs_.empty() ? 2.0 * std::sqrt(std::ranges::max(squares_)) : std::sqrt(std::ranges::max(pairs_));
  }

 private:
  std::vector<double> squares_;
  std::vector<double> pairs_;
};

}  // namespace

Sieve::Sieve(Contrast& contrast) {
  const std::int64_t count = contrast.features();
  const std::int64_t candidates = contrast.candidates();
  view_.terms = contrast.terms();
  view_.most_rivals = std::clamp(kRivalsShare * candidates / 100, kFewestRivals, kMostSieved);
  view_.quads = (view_.terms + 3) / 4;
  view_.chunks = (view_.quads + kSieveQuads - 1) / kSieveQuads;
  view_.chunk = (view_.quads + view_.chunks - 1) / view_.chunks;
  view_.chunks = (view_.quads + view_.chunk - 1) / view_.chunk;
  steps_.resize(static_cast<std::size_t>((candidates + kGroup - 1) / kGroup * view_.quads * kGroup));
  std::vector<double> exact(static_cast<std::size_t>(candidates));
  std::vector<double> errors(exact.size());
  Apart weights_apart(exact.size());
  Apart errors_apart(exact.size());
  for (std::int64_t f = 0; f <= count; ++f) {
    const Contrasted term = contrast.term(f);
    half_ranges_.push_back(term.half_range);
    reaches_.push_back(
        std::max(term.half_range, rounded_up(static_cast<double>(term.magnitude) / kSieveReach)));
    if (term.half_range == 0.0F) continue;
    for (std::int64_t c = 0; c < candidates; ++c) {
      const auto own = static_cast<std::size_t>(c);
      exact[own] = kSieveSteps * term.share(own);
      const double step = std::clamp(std::nearbyint(exact[own]), -kSieveSteps, kSieveSteps);
      errors[own] = exact[own] - step;
      const auto at = static_cast<std::size_t>((c / kGroup * view_.quads + f / 4) * kGroup + c % kGroup);
      steps_[at] |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(static_cast<std::int8_t>(step)))
                    << (f % 4 * 8);
    }
    weights_apart.add(exact);
    errors_apart.add(errors);
  }
  start(candidates);
  bound(count, weights_apart.most(), errors_apart.most());
}

// Features' bytes are kSieveOrigin too high, so that sums start as much lower, modulo 2^16.
void Sieve::start(std::int64_t candidates) {
  starts_.resize(static_cast<std::size_t>((candidates + kGroup - 1) / kGroup * view_.chunks * kGroup));
  for (std::int64_t c = 0; c < candidates; ++c) {
    for (std::int64_t q = 0; q < view_.quads; ++q) {
      const auto from = static_cast<std::size_t>((c / kGroup * view_.quads + q) * kGroup + c % kGroup);
      const auto step = [&](int i) {
        return static_cast<std::int8_t>(static_cast<std::uint8_t>(steps_[from] >> (8 * i)));
      };
      const auto to =
          static_cast<std::size_t>((c / kGroup * view_.chunks + q / view_.chunk) * kGroup + c % kGroup);
      const auto low = static_cast<std::uint16_t>(starts_[to] - kSieveOrigin * (step(0) + step(1)));
      const auto high = static_cast<std::uint16_t>((starts_[to] >> 16) - kSieveOrigin * (step(2) + step(3)));
      starts_[to] = static_cast<std::uint32_t>(high) << 16 | low;
    }
  }
}

// Let u be a row's features times half the ranges times its factor, x their steps and e = u - x; v a
// candidate's weights in steps as they are, w in whole ones and d = v - w. Of two candidates,
//   u · (v1 - v2) = x · (w1 - w2) + x · (d1 - d2) + e · (v1 - v2),
// of which keys have the first product; the others are at most |x| |d1 - d2| + |e| |v1 - v2| (Cauchy and
// Schwarz), with the longest distances of any two candidates.
// The scores themselves are each wrong by the roundings of `count` fused additions and a price (Higham 2002,
// ch. 3): relative to the sum of magnitudes, which is at most kSieveReach times that of features times
// reaches, one unit of 2^-24 for each.
// A key is in units of `unit`, and lost less than one of them; so did the other, and the gap is cut to a
// whole number: 2.02. float32's own roundings: e is that of features times half the ranges rounded once, 127
// · 2^-24 for each, and once more when it is written, together below 2^-16; sums, roots and products on the
// way to the gap take a relative 8000 · 2^-24 at most, for which all is 1.01 times as much.
void Sieve::bound(std::int64_t count, double weights_apart, double errors_apart) {
  const auto shift = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(view_.chunks - 1)));
  const std::int32_t widening = 16384 >> shift;
  const double unit = 65536.0 / widening;
  const auto half = static_cast<double>(2 * view_.chunk);  // terms of half a chunk
  view_.widening = widening << 16 | widening;
  // With half a step more of each term still 64 · 511 = 32704, inside 16 bits.
  view_.target = static_cast<float>(511.0 - 0.5 * half - 1.0);
  const double rounding = 0x1p-16 * std::sqrt(static_cast<double>(view_.terms));
  view_.slack = static_cast<float>(2.02 + 1.01 * rounding * weights_apart / unit);
  view_.error_gap = static_cast<float>(1.01 * weights_apart / unit);
  view_.step_gap = static_cast<float>(1.01 * errors_apart / unit);
  view_.rounding =
      static_cast<float>(2.05 * static_cast<double>(count + 2) * 0x1p-24 * kSieveReach * kSieveSteps / unit);
}

SieveView Sieve::view() const {
  SieveView view = view_;
  view.half_ranges = half_ranges_.data();
  view.reaches = reaches_.data();
  view.steps = steps_.data();
  view.starts = starts_.data();
  return view;
}

}  // namespace labfactory::select
