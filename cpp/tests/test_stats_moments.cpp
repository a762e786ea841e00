#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "labfactory/stats/arm_moments.hpp"
#include "labfactory/stats/moments.hpp"

using namespace labfactory;

namespace {

// A float64 column over borrowed memory.
class Doubles {
 public:
  Doubles(std::span<const double> values, const std::uint8_t* validity = nullptr, std::int64_t offset = 0)
      : buffers_{validity, values.data()} {
    type_.layout = Layout::float64;
    type_.format = "g";
    array_.length = static_cast<std::int64_t>(values.size()) - offset;
    array_.null_count = validity == nullptr ? 0 : -1;
    array_.offset = offset;
    array_.n_buffers = 2;
    array_.buffers = buffers_;
    array_.release = [](ArrowArray*) {};
  }

  [[nodiscard]] Column column() const { return {type_, array_, 0, array_.length}; }

 private:
  const void* buffers_[2];
  DataType type_;
  ArrowArray array_{};
};

// splitmix64, so that the test needs no library's generator.
std::vector<double> noise(std::size_t count, double mean) {
  std::vector<double> values;
  std::uint64_t state = 1;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t mixed = state += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    values.push_back(mean + static_cast<double>((mixed ^ (mixed >> 31)) >> 11) * 0x1p-53);
  }
  return values;
}

std::vector<std::int32_t> cyclic_arms(std::size_t count) {
  std::vector<std::int32_t> arms;
  for (std::size_t i = 0; i < count; ++i) arms.push_back(static_cast<std::int32_t>(i * i % 4) - 1);
  return arms;
}

ArmTotals totals_in_batches(const std::vector<std::int32_t>& arms, const std::vector<double>& values,
                            std::size_t batch, int threads) {
  ArmMoments moments(3, {OutcomeKind::number});
  for (std::size_t at = 0; at < values.size(); at += batch) {
    const std::size_t rows = std::min(batch, values.size() - at);
    const Doubles data{std::span(values).subspan(at, rows)};
    const Column column = data.column();
    const Column* const outcomes[] = {&column};
    moments.add(std::span(arms).subspan(at, rows), outcomes, threads);
  }
  return moments.totals();
}

}  // namespace

TEST_CASE("the variance of values one apart around 1e8 is exact") {
  std::vector<double> values;
  for (int i = 0; i < 100'000; ++i) values.push_back(1e8 + (i % 2 == 0 ? -1.0 : 1.0));
  ArmMoments moments(1, {OutcomeKind::number});
  const Doubles data(values);
  const Column column = data.column();
  const Column* const outcomes[] = {&column};
  moments.add(std::vector<std::int32_t>(values.size()), outcomes, 1);
  const Moments sum = moments.totals().outcomes.front().moments;
  CHECK(sum.count == 100'000);
  CHECK(sum.mean == 1e8);
  CHECK(sum.squares == 100'000.0);
}

TEST_CASE("no moments are the neutral element of a merge") {
  const Moments some = moments_of(std::vector<double>{1.0, 2.0, 4.0});
  CHECK(merged(some, {}) == some);
  CHECK(merged({}, some) == some);
  CHECK(moments_of({}) == Moments{});
}

TEST_CASE("a constant has no variance, whatever its digits and however often it is merged") {
  for (const double constant : {0.1, 1e8 + 0.3, -7e-12, 3.0}) {
    Moments sum;
    for (std::size_t rows = 1; rows < 300; ++rows)
      sum = merged(sum, moments_of(std::vector<double>(rows, constant)));
    CHECK(sum.mean == constant);
    CHECK(sum.squares == 0.0);
  }
}

TEST_CASE("moments are bit for bit the same for every split into batches and every number of threads") {
  const std::vector<double> values = noise(20'011, 1e6);
  const std::vector<std::int32_t> arms = cyclic_arms(values.size());
  const ArmTotals whole = totals_in_batches(arms, values, values.size(), 1);
  CHECK(whole.rows[0] + whole.rows[1] + whole.rows[2] < static_cast<std::int64_t>(values.size()));
  for (const std::size_t batch : {1, 7, 2047, 2048, 2049, 5000, 16'384}) {
    for (const int threads : {1, 2, 5}) {
      CAPTURE(batch);
      CAPTURE(threads);
      CHECK(totals_in_batches(arms, values, batch, threads) == whole);
    }
  }
}

TEST_CASE("nulls, slices and values that are not allowed are counted apart") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> values = {9.0, 1.0, nan, 3.0, 0.5, 1.0};
  const std::uint8_t validity = 0b110111;
  const Doubles data(values, &validity, 1);
  const Column column = data.column();
  const Column* const outcomes[] = {&column, &column};
  ArmMoments moments(1, {OutcomeKind::number, OutcomeKind::zero_or_one});
  moments.add(std::vector<std::int32_t>(5), outcomes, 1);
  const ArmTotals totals = moments.totals();
  CHECK(totals.rows.front() == 5);
  CHECK(totals.outcomes[0].missing == 1);
  CHECK(totals.outcomes[0].invalid == 1);
  CHECK(totals.outcomes[0].moments == moments_of(std::vector<double>{1.0, 0.5, 1.0}));
  CHECK(totals.outcomes[1].missing == 1);
  CHECK(totals.outcomes[1].invalid == 2);
  CHECK(totals.outcomes[1].moments == moments_of(std::vector<double>{1.0, 1.0}));
}
