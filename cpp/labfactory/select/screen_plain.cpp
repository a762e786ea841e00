#include "labfactory/select/screen_plain.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "labfactory/select/exponential.hpp"
#include "labfactory/select/plain.hpp"

namespace labfactory::select {

namespace {

// What the screen makes of one row: steps of its features, and how far apart keys may be.
struct ScreenRow {
  std::vector<std::int64_t> steps;
  int gap = 0;
};

ScreenRow screen_row(const ScreenView& view, const float* features, std::int64_t count) {
  float sum = view.half_ranges[count];
  float all = view.magnitudes[count];
  for (std::int64_t f = 0; f < count; ++f) {
    sum += std::fabs(features[f * kBlockRows]) * view.half_ranges[f];
    all += std::fabs(features[f * kBlockRows]) * view.magnitudes[f];
  }
  ScreenRow row;
  const float factor = sum >= 0x1p-60F && all <= 0x1p+100F ? view.target / sum : 0.0F;
  row.gap = static_cast<int>(std::fmin(view.slack + all * factor * view.rounding, 32767.0F));
  for (std::int64_t f = 0; f < view.terms; ++f) {
    const float x = f < count ? features[f * kBlockRows] : 1.0F;
    const float whole =
        factor > 0.0F ? (x * view.half_ranges[f] * factor + kRoundSingle) - kRoundSingle : 0.0F;
    row.steps.push_back(static_cast<std::int64_t>(whole));
  }
  return row;
}

std::int16_t screen_key(const ScreenView& view, const ScreenRow& row, std::int64_t candidate) {
  std::int64_t sum = std::int64_t{1} << 30;
  for (std::size_t f = 0; f < row.steps.size(); ++f) {
    const auto term = static_cast<std::int64_t>(f);
    const std::int64_t pair = candidate / kGroup * view.pairs + term / 2;
    sum += row.steps[f] * view.steps[(pair * kGroup + candidate % kGroup) * 2 + term % 2];
  }
  return static_cast<std::int16_t>(sum >> 16);
}

template <class View>
float score_one(const View& view, const float* features, std::int64_t count, std::int64_t candidate) {
  float sum = view.bias[candidate];
  for (std::int64_t f = 0; f < count; ++f)
    sum = std::fma(features[f * kBlockRows], view.weights[candidate * count + f], sum);
  return bounded(sum);
}

// Row r's best of the eligible candidates whose keys are not below its highest by `gap` or more; how many
// they are besides one.
template <class View>
std::int64_t settle(const View& view, const float* features, const float* prices, std::int64_t count,
                    std::int64_t candidates, std::int64_t r, int gap, const std::int16_t* keys, Best* best) {
  int highest = 0;
  for (std::int64_t c = 0; c < candidates; ++c) highest = std::max<int>(highest, keys[c * kBlockRows + r]);
  clear(best, r);
  std::int64_t near = 0;
  for (std::int64_t c = 0; c < candidates; ++c) {
    if (keys[c * kBlockRows + r] <= std::max(highest - gap, 0)) continue;
    ++near;
    const float score = score_one(view, features + r, count, c);
    const float rank = prices == nullptr ? score : score - prices[c];
    if (!(rank > best->rank[r])) continue;
    best->rank[r] = rank;
    best->score[r] = score;
    best->candidate[r] = static_cast<std::int32_t>(c);
  }
  return std::max<std::int64_t>(near - 1, 0);
}

// What the sieve makes of one row; not found where sums of magnitudes may have overflowed.
struct SieveRow {
  std::vector<std::int32_t> steps;
  int gap = 0;
  bool is_found = false;
};

SieveRow sieve_row(const SieveView& view, const float* features, std::int64_t count) {
  const auto feature = [&](std::int64_t f) { return f < count ? features[f * kBlockRows] : 1.0F; };
  float total = view.terms == count ? view.reaches[count] : 0.0F;
  float half = 0.0F;
  float peak = 0.0F;
  for (std::int64_t first = 0; first < view.terms; first += 4 * view.chunk) {
    std::array<float, 2> sums{};
    for (std::int64_t f = first; f < std::min(first + 4 * view.chunk, view.terms); ++f) {
      const float size = std::fabs(feature(f)) * view.reaches[f];
      sums.at(static_cast<std::size_t>(f % 4 / 2)) += size;
      peak = std::fmax(peak, size);
    }
    half = std::fmax(half, std::fmax(sums[0], sums[1]));
    total += sums[0] + sums[1];
  }
  SieveRow row;
  row.is_found = total <= 0x1p+100F;
  if (!row.is_found) return row;
  const float factor = peak >= 0x1p-60F ? std::fmin(view.target / half, kSieveMostStep / peak) : 0.0F;
  float errors = 0.0F;
  float steps = 0.0F;
  for (std::int64_t f = 0; f < view.terms; ++f) {
    const float scaled = feature(f) * view.half_ranges[f];
    constexpr float kOrigin = kRoundSingle + static_cast<float>(kSieveOrigin);
    const float step = std::fma(scaled, factor, kOrigin) - kOrigin;
    const float error = std::fma(scaled, factor, -step);
    errors = std::fma(error, error, errors);
    steps = std::fma(step, step, steps);
    row.steps.push_back(static_cast<std::int32_t>(step));
  }
  const float gap = view.slack + std::sqrt(errors) * view.error_gap + std::sqrt(steps) * view.step_gap +
                    total * factor * view.rounding;
  row.gap = static_cast<int>(std::fmin(gap, 32767.0F));
  return row;
}

std::int16_t sieve_key(const SieveView& view, const SieveRow& row, std::int64_t candidate) {
  std::int64_t sum = 0;
  for (std::size_t f = 0; f < row.steps.size(); ++f) {
    const auto term = static_cast<std::int64_t>(f);
    const std::int64_t quad = candidate / kGroup * view.quads + term / 4;
    const std::uint32_t four = view.steps[quad * kGroup + candidate % kGroup];
    sum += row.steps[f] * static_cast<std::int8_t>(four >> (term % 4 * 8));
  }
  return static_cast<std::int16_t>((sum * (view.widening & 0xFFFF) >> 16) + kSieveKeyOrigin);
}

}  // namespace

bool screen_plain(const ScreenView& view, const float* features, const float* prices, std::int64_t count,
                  std::int64_t candidates, const std::uint64_t* mask, const ScreenWork& work, Best* best) {
  std::int64_t rivals = 0;
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    const ScreenRow row = screen_row(view, features + r, count);
    for (std::int64_t c = 0; c < candidates; ++c)
      work.keys[c * kBlockRows + r] = is_eligible(mask, c, r) ? screen_key(view, row, c) : std::int16_t{0};
    rivals += settle(view, features, prices, count, candidates, r, row.gap, work.keys, best);
  }
  return rivals <= kMostRivals;
}

bool sieve_plain(const SieveView& view, const float* features, const float* prices, std::int64_t count,
                 std::int64_t candidates, const std::uint64_t* mask, const ScreenWork& work, Best* best) {
  std::int64_t rivals = 0;
  for (std::int64_t r = 0; r < kBlockRows; ++r) {
    const SieveRow row = sieve_row(view, features + r, count);
    if (!row.is_found) return false;
    for (std::int64_t c = 0; c < candidates; ++c)
      work.keys[c * kBlockRows + r] = is_eligible(mask, c, r) ? sieve_key(view, row, c) : std::int16_t{0};
    rivals += settle(view, features, prices, count, candidates, r, row.gap, work.keys, best);
  }
  return rivals <= view.most_rivals;
}

}  // namespace labfactory::select
