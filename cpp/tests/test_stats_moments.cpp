#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "labfactory/stats/cell_moments.hpp"
#include "labfactory/stats/co_moments.hpp"
#include "labfactory/stats/poisson_bootstrap.hpp"
#include "labfactory/stats/sum_kernels.hpp"

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
std::vector<double> noise(std::size_t count, double mean, std::uint64_t state = 1) {
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t mixed = state += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    values.push_back(mean + static_cast<double>((mixed ^ (mixed >> 31)) >> 11) * 0x1p-53);
  }
  return values;
}

std::vector<std::int32_t> cyclic_cells(std::size_t count, std::size_t cells) {
  std::vector<std::int32_t> cyclic;
  for (std::size_t i = 0; i < count; ++i)
    cyclic.push_back(static_cast<std::int32_t>(i * i % (cells + 1)) - 1);
  return cyclic;
}

MomentLayout one_number() {
  return {{NumberColumn{}}, {MomentSet{.columns = {0}, .required = 1}}};
}

MomentLayout outcome_and_covariate() {
  return {{NumberColumn{}, NumberColumn{}}, {MomentSet{.columns = {0, 1}, .required = 1}}};
}

CellTotals totals_of(const MomentLayout& layout, std::span<const std::int32_t> cells, std::int32_t count,
                     const std::vector<std::vector<double>>& values, std::size_t batch, int threads,
                     std::int64_t block_rows) {
  CellMoments moments(layout, block_rows);
  for (std::size_t at = 0; at < cells.size(); at += batch) {
    const std::size_t rows = std::min(batch, cells.size() - at);
    std::vector<Doubles> data;
    std::vector<Column> columns;
    std::vector<const Column*> pointers;
    data.reserve(values.size());
    for (const std::vector<double>& each : values) data.emplace_back(std::span(each).subspan(at, rows));
    for (const Doubles& each : data) columns.push_back(each.column());
    for (const Column& each : columns) pointers.push_back(&each);
    moments.add(cells.subspan(at, rows), count, pointers, threads);
  }
  return moments.totals();
}

CellTotals of_one_cell(const std::vector<double>& values) {
  return totals_of(one_number(), std::vector<std::int32_t>(values.size()), 1, {values}, values.size(), 1,
                   2048);
}

}  // namespace

TEST_CASE("the variance of values one apart around 1e8 is exact") {
  std::vector<double> values;
  for (int i = 0; i < 100'000; ++i) values.push_back(1e8 + (i % 2 == 0 ? -1.0 : 1.0));
  const CellTotals sum = of_one_cell(values);
  CHECK(sum.counts[1] == 100'000);
  CHECK(sum.figures[0] == 1e8);
  CHECK(sum.figures[2] == 100'000.0);
  CHECK(sum.figures[3] == 1e8 - 1);
  CHECK(sum.figures[4] == 1e8 + 1);
}

TEST_CASE("a constant has no variance, whatever its digits and however often it is merged") {
  for (const double constant : {0.1, 1e8 + 0.3, -7e-12, 3.0}) {
    const CellTotals sum = of_one_cell(std::vector<double>(44'850, constant));
    CHECK(sum.figures[0] == constant);
    CHECK(sum.figures[2] == 0.0);
  }
}

TEST_CASE("one far value first in a block takes little from the variance of the others") {
  std::vector<double> values = noise(2048, 0.0);
  const double variance = of_one_cell({values.begin() + 1, values.end()}).figures[2];
  // Where the shift of a block is the far value, what it adds itself is larger by as much as what cancels.
  values[0] = 1e9;
  const double mean = of_one_cell(values).figures[0];
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  CHECK(of_one_cell(values).figures[2] == doctest::Approx(squares).epsilon(1e-12));
  CHECK(variance < 200.0);
}

TEST_CASE("moments are bit for bit the same for every split into batches and every number of threads") {
  const std::vector<std::vector<double>> values = {noise(20'011, 1e6), noise(20'011, -3.0, 9)};
  for (const std::size_t cells : {3, 40}) {
    const std::vector<std::int32_t> cell_of_row = cyclic_cells(values[0].size(), cells);
    const auto count = static_cast<std::int32_t>(cells);
    const CellTotals whole =
        totals_of(outcome_and_covariate(), cell_of_row, count, values, cell_of_row.size(), 1, 2048);
    for (const std::size_t batch : {7, 2047, 2048, 2049, 16'384}) {
      for (const int threads : {1, 2, 5}) {
        CAPTURE(batch);
        CAPTURE(threads);
        CHECK(totals_of(outcome_and_covariate(), cell_of_row, count, values, batch, threads, 2048) == whole);
      }
    }
  }
}

TEST_CASE("every kernel of every level gives the same bits as the plain one") {
  const std::vector<double> a = noise(1000, 0.5);
  const std::vector<double> b = noise(1000, -2.0, 5);
  std::vector<std::uint16_t> rows;
  for (std::size_t i = 0; i < 500; ++i) rows.push_back(static_cast<std::uint16_t>(i * 7 % 1000));
  const SumKernels& plain = sum_kernels_plain();
  const SumKernels& best = sum_kernels();
  for (const std::size_t count : {0, 1, 15, 16, 17, 100, 500}) {
    CHECK(plain.sum(a.data(), count) == best.sum(a.data(), count));
    CHECK(plain.dot(a.data(), b.data(), count) == best.dot(a.data(), b.data(), count));
    std::vector<double> gathered(count);
    std::vector<double> expected(count);
    best.gather(a.data(), rows.data(), count, 0.25, gathered.data());
    plain.gather(a.data(), rows.data(), count, 0.25, expected.data());
    CHECK(gathered == expected);
    double low = 1.0;
    double high = 1.0;
    best.widen_range(a.data(), count, &low, &high);
    CHECK(low == std::min(1.0, count == 0 ? 1.0
                                          : *std::min_element(
                                                a.begin(), a.begin() + static_cast<std::ptrdiff_t>(count))));
    CHECK(high == std::max(1.0, count == 0 ? 1.0
                                           : *std::max_element(
                                                 a.begin(), a.begin() + static_cast<std::ptrdiff_t>(count))));
  }
}

TEST_CASE("nulls, slices, bounds and values that are not allowed are told apart") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> values = {9.0, 1.0, nan, 3.0, 0.5, 1.0};
  const std::uint8_t validity = 0b110111;  // of the slice: 1.0, NaN, null, 0.5, 1.0
  const Doubles data(values, &validity, 1);
  const Column column = data.column();
  const Column* const columns[] = {&column, &column, &column};
  const MomentLayout layout(
      {NumberColumn{}, NumberColumn{.kind = NumberKind::zero_or_one}, NumberColumn{.upper = 0.75}},
      {MomentSet{.columns = {0}}, MomentSet{.columns = {1}}, MomentSet{.columns = {2}}});
  CellMoments moments(layout, 2048);
  moments.add(std::vector<std::int32_t>(5), 1, columns, 1);
  const CellTotals totals = moments.totals();
  // Rows, then rows of each set, nulls and invalid values of each column.
  CHECK(totals.counts == std::vector<std::int64_t>{5, 4, 4, 4, 1, 1, 1, 1, 2, 1});
  CHECK(totals.figures[static_cast<std::size_t>(layout.figures()) - 1] == 0.75);
}

TEST_CASE("sums of rows collapse to those of the whole in any grouping") {
  const std::vector<double> values = noise(9'000, 10.0);
  const std::vector<std::int32_t> cells = cyclic_cells(values.size(), 30);
  const MomentLayout layout = one_number();
  const CellTotals split = totals_of(layout, cells, 30, {values}, values.size(), 1, 2048);
  std::vector<std::int32_t> target(split.cells.size());
  const CellTotals whole = collapsed(layout, target, 1, split.counts, split.figures);
  std::vector<double> kept;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (cells[i] >= 0) kept.push_back(values[i]);
  }
  const CellTotals expected = of_one_cell(kept);
  CHECK(whole.counts == expected.counts);
  CHECK(whole.figures[0] == doctest::Approx(expected.figures[0]).epsilon(1e-14));
  CHECK(whole.figures[2] == doctest::Approx(expected.figures[2]).epsilon(1e-12));
}

TEST_CASE("bootstrap sums are the same for every split into batches and every number of threads") {
  const std::vector<double> values = noise(5'000, 1.0);
  const std::vector<std::int32_t> arms = cyclic_cells(values.size(), 2);
  const auto resampled = [&](std::size_t batch, int threads) {
    PoissonBootstrap bootstrap(one_number(), 2, 40, 7);
    for (std::size_t at = 0; at < values.size(); at += batch) {
      const std::size_t rows = std::min(batch, values.size() - at);
      const Doubles data(std::span<const double>(values).subspan(at, rows));
      const Column column = data.column();
      const Column* const columns[] = {&column};
      bootstrap.add(std::span(arms).subspan(at, rows), columns, threads);
    }
    return bootstrap.totals(threads);
  };
  const std::vector<double> whole = resampled(values.size(), 1);
  CHECK(whole.size() == 40 * 2 * 2);
  CHECK(resampled(777, 2) == whole);
  CHECK(resampled(2048, 5) == whole);
}

TEST_CASE("bootstrap weights have the mean and variance of a Poisson distribution") {
  constexpr std::size_t kRows = 40'000;
  const std::vector<double> ones(kRows, 1.0);
  const Doubles data(ones);
  const Column column = data.column();
  const Column* const columns[] = {&column};
  PoissonBootstrap bootstrap(one_number(), 1, 400, 3);
  bootstrap.add(std::vector<std::int32_t>(kRows), columns, 2);
  double sum = 0.0;
  double squares = 0.0;
  const std::vector<double> totals = bootstrap.totals(1);
  for (std::size_t i = 0; i < totals.size(); i += 2) {
    const double distance = (totals[i] - kRows) / std::sqrt(static_cast<double>(kRows));
    sum += distance;
    squares += distance * distance;
  }
  // Standardised sums of 400 replicates: five standard errors of their mean and of their variance.
  CHECK(std::abs(sum / 400) < 5 / std::sqrt(400.0));
  CHECK(std::abs(squares / 400 - 1.0) < 5 * std::sqrt(2.0 / 400));
}
