#include "labfactory/select/model.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "labfactory/base/error.hpp"
#include "labfactory/select/mask.hpp"

namespace labfactory::select {

namespace {

void check_finite(std::span<const float> numbers, const char* what) {
  for (const float number : numbers) {
    if (!std::isfinite(number)) {
      throw Error(ErrorKind::selection, "model_value",
                  std::string("expected finite ") + what + ", found " + std::to_string(number));
    }
  }
}

bool is_finite(float x) {
  return (std::bit_cast<std::uint32_t>(x) & 0x7F800000U) != 0x7F800000U;
}

template <class T>
void convert(const char* values, std::int64_t rows, float* out) {
  for (std::int64_t i = 0; i < rows; ++i) {
    T value;
    std::memcpy(&value, values + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
    out[i] = static_cast<float>(value);
  }
}

template <class T>
void convert_from(const Column& column, std::int64_t first, std::int64_t rows, float* out) {
  convert<T>(column.values() + first * static_cast<std::int64_t>(sizeof(T)), rows, out);
}

void convert_bits(const Column& column, std::int64_t first, std::int64_t rows, float* out) {
  const std::uint64_t word = word_of(column.value_bits(), column.first_bit() + first, rows);
  for (std::int64_t i = 0; i < rows; ++i) out[i] = static_cast<float>((word >> i) & 1);
}

void convert_column(const Column& column, std::int64_t first, std::int64_t rows, float* out) {
  switch (column.layout()) {
    case Layout::null:
      return;
    case Layout::boolean:
      return convert_bits(column, first, rows, out);
    case Layout::int8:
      return convert_from<std::int8_t>(column, first, rows, out);
    case Layout::int16:
      return convert_from<std::int16_t>(column, first, rows, out);
    case Layout::int32:
      return convert_from<std::int32_t>(column, first, rows, out);
    case Layout::int64:
      return convert_from<std::int64_t>(column, first, rows, out);
    case Layout::uint8:
      return convert_from<std::uint8_t>(column, first, rows, out);
    case Layout::uint16:
      return convert_from<std::uint16_t>(column, first, rows, out);
    case Layout::uint32:
      return convert_from<std::uint32_t>(column, first, rows, out);
    case Layout::uint64:
      return convert_from<std::uint64_t>(column, first, rows, out);
    case Layout::float32:
      return convert_from<float>(column, first, rows, out);
    case Layout::float64:
      return convert_from<double>(column, first, rows, out);
    default:
      throw Error(ErrorKind::selection, "feature_type",
                  "expected a feature of numbers or booleans, found " + type_name(column.type()));
  }
}

// Replaces missing values, or says which rows have them.
std::uint64_t fill_missing(std::uint64_t valid, std::int64_t rows, const std::optional<float>& stand_in,
                           float* values) {
  std::uint64_t missing = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    if (((valid >> i) & 1) != 0 && is_finite(values[i])) continue;
    values[i] = stand_in.value_or(0.0F);
    missing |= std::uint64_t{1} << i;
  }
  return stand_in ? 0 : missing;
}

}  // namespace

std::uint64_t read_column(const Kernels& kernels, const Column& column, std::int64_t first, std::int64_t rows,
                          const std::optional<float>& stand_in, float* out) {
  bool is_finite = false;
  if (column.layout() == Layout::float32 && rows == kBlockRows) {
    is_finite = kernels.read(column.values() + first * static_cast<std::int64_t>(sizeof(float)), out);
  } else {
    convert_column(column, first, rows, out);
    std::memset(out + rows, 0, static_cast<std::size_t>(kBlockRows - rows) * sizeof(float));
    is_finite = kernels.read(out, out);
  }
  if (!column.has_nulls() && is_finite) return 0;
  return fill_missing(valid_rows(column, first, rows), rows, stand_in, out);
}

Model::Model(std::span<const float> weights, std::span<const float> bias,
             std::vector<std::optional<float>> missing, Scale scale)
    : candidates_(static_cast<std::int64_t>(bias.size())), missing_(std::move(missing)), scale_(scale) {
  const std::size_t count = missing_.size();
  if (weights.size() != bias.size() * count) {
    throw Error(ErrorKind::selection, "model_shape",
                "expected " + std::to_string(bias.size()) + " x " + std::to_string(count) +
                    " weights, found " + std::to_string(weights.size()));
  }
  check_finite(weights, "weights");
  check_finite(bias, "biases");
  const auto padded = static_cast<std::size_t>(groups() * kGroup);
  weights_.resize(padded * count);
  bias_.resize(padded);
  for (std::size_t c = 0; c < bias.size(); ++c) {
    bias_[c] = bias[c] + 0.0F;  // the kernels start from 0 + bias, which is never -0
    float* const group = weights_.data() + c / kGroup * kGroup * count;
    for (std::size_t f = 0; f < count; ++f) group[f * kGroup + c % kGroup] = weights[c * count + f];
  }
}

std::uint64_t Model::read(const Kernels& kernels, std::span<const Column* const> columns, std::int64_t first,
                          std::int64_t rows, float* features) const {
  std::uint64_t missing = 0;
  for (std::size_t f = 0; f < columns.size(); ++f) {
    float* const out = features + static_cast<std::int64_t>(f) * kBlockRows;
    missing |= read_column(kernels, *columns[f], first, rows, missing_[f], out);
  }
  return missing;
}

void Model::score(const Kernels& kernels, const float* features, std::int64_t rows, float* scores) const {
  kernels.score(features, weights_.data(), bias_.data(), this->features(), groups(), rows, scores);
  if (scale_ == Scale::probability) kernels.sigmoid(scores, groups() * kGroup * kBlockRows);
}

void Model::choose(const Kernels& kernels, const float* features, const float* prices, std::int64_t rows,
                   const std::uint64_t* mask, float* scores, Best* best) const {
  kernels.choose(features, weights_.data(), bias_.data(), prices, this->features(), candidates_, rows, mask,
                 scores, best);
}

void Model::weigh(const Kernels& kernels, const float* features, const float* prices,
                  const std::uint64_t* mask, float* scores, const Lots& lots, Best* best) const {
  kernels.weigh(features, weights_.data(), bias_.data(), prices, this->features(), candidates_, mask, scores,
                lots, best);
}

float Model::score_of(const float* features, std::int64_t candidate, std::int64_t row) const {
  const float* const weights =
      weights_.data() + candidate / kGroup * kGroup * this->features() + candidate % kGroup;
  float sum = bias_[static_cast<std::size_t>(candidate)];
  for (std::int64_t f = 0; f < this->features(); ++f) {
    sum = std::fma(features[f * kBlockRows + row], weights[f * kGroup], sum);
  }
  constexpr float kHighest = std::numeric_limits<float>::max();
  return std::fmin(std::fmax(sum, -kHighest), kHighest);
}

}  // namespace labfactory::select
