// A linear model of every candidate of a slot, packed for the kernels, and the features of a block of rows.
// Owner: numbers inside; the columns that are read belong to their batch.
// Threads: immutable.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "labfactory/arrow/column.hpp"
#include "labfactory/select/kernels.hpp"

namespace labfactory::select {

// Writes rows [first, first + rows) of a column of numbers as float32 to out, [kBlockRows]. A value is
// missing when it is null, or not finite as float32; returns the rows with a missing value that nothing
// stands in for, theirs is 0. Error(selection, "feature_type") when the column is not of numbers.
std::uint64_t read_column(const Kernels& kernels, const Column& column, std::int64_t first, std::int64_t rows,
                          const std::optional<float>& stand_in, float* out);

// What a score is: the sum itself, or its sigmoid.
enum class Scale : std::uint8_t { sum, probability };

class Model {
 public:
  // `bias` has a value for each candidate, `weights` one for each candidate and feature, candidate by
  // candidate; `missing` one for each feature: the value that stands in for a missing one, if any does.
  // Error(selection, "model_shape") when the sizes differ, "model_value" when a number is not finite.
  Model(std::span<const float> weights, std::span<const float> bias,
        std::vector<std::optional<float>> missing, Scale scale);

  [[nodiscard]] std::int64_t candidates() const { return candidates_; }
  [[nodiscard]] std::int64_t features() const { return static_cast<std::int64_t>(missing_.size()); }
  [[nodiscard]] std::int64_t groups() const { return (candidates_ + kGroup - 1) / kGroup; }

  // Feature f of row `first` + i goes to features[f · kBlockRows + i]; returns the rows with a missing value.
  std::uint64_t read(const Kernels& kernels, std::span<const Column* const> columns, std::int64_t first,
                     std::int64_t rows, float* features) const;

  // The scores of a block's first rows, [groups · kGroup][kBlockRows], from its features.
  void score(const Kernels& kernels, const float* features, std::int64_t rows, float* scores) const;
  // The best candidate of each row, without a matrix of scores; only where is_sum().
  void choose(const Kernels& kernels, const float* features, const float* prices, std::int64_t rows,
              const std::uint64_t* mask, float* scores, Best* best) const;
  // The same, and the lots that softmax draws by.
  void weigh(const Kernels& kernels, const float* features, const float* prices, const std::uint64_t* mask,
             float* scores, const Lots& lots, Best* best) const;
  // One score, the same bits as among the others.
  [[nodiscard]] float score_of(const float* features, std::int64_t candidate, std::int64_t row) const;
  [[nodiscard]] bool is_sum() const { return scale_ == Scale::sum; }

 private:
  std::int64_t candidates_;
  std::vector<float> weights_;
  std::vector<float> bias_;
  std::vector<std::optional<float>> missing_;
  Scale scale_;
};

}  // namespace labfactory::select
