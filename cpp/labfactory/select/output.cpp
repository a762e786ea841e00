#include "labfactory/select/output.hpp"

#include <bit>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace labfactory::select {

namespace {

ArrayPointer leaf(const char* format, std::int64_t length, std::int64_t null_count,
                  const SharedBuffer& validity, const SharedBuffer& values,
                  ArrayPointer dictionary = nullptr) {
  ArrayData array;
  array.format = format;
  array.length = length;
  array.null_count = null_count;
  array.buffers = {null_count == 0 ? SharedBuffer() : validity, values};
  array.dictionary = std::move(dictionary);
  return std::make_shared<const ArrayData>(std::move(array));
}

ArrayPointer texts(std::span<const std::string> entries) {
  std::vector<std::optional<std::string_view>> views(entries.begin(), entries.end());
  return make_text_array(views);
}

}  // namespace

std::span<const std::string> decision_reasons() {
  static const std::vector<std::string> reasons = {
      "chosen",   "explored",   "no_candidate", "missing_feature", "missing_key", "control",
      "held_out", "no_consent", "suppressed",   "quiet_hours",     "capped",      "reserved"};
  return reasons;
}

Output::Output(std::int64_t rows)
    : rows_(rows),
      index_(buffer<std::int32_t>(rows)),
      score_(buffer<float>(rows)),
      propensity_(buffer<double>(rows)),
      reason_(buffer<std::int8_t>(rows)),
      validity_(buffer<std::uint64_t>((rows + kBlockRows - 1) / kBlockRows)),
      estimated_(buffer<std::uint64_t>((rows + kBlockRows - 1) / kBlockRows)) {}

std::pair<PooledBuffer, std::int64_t> Output::exact() const {
  const std::int64_t blocks = (rows_ + kBlockRows - 1) / kBlockRows;
  PooledBuffer known = buffer<std::uint64_t>(blocks);
  std::int64_t count = 0;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::uint64_t word = at<std::uint64_t>(validity_)[block] & ~at<std::uint64_t>(estimated_)[block];
    at<std::uint64_t>(known)[block] = word;
    count += std::popcount(word);
  }
  return {std::move(known), rows_ - count};
}

void Output::chosen(std::int64_t row, std::span<const std::int32_t> components, const float* scores) const {
  const auto rows = static_cast<std::int64_t>(components.size());
  std::copy_n(components.data(), rows, at<std::int32_t>(index_) + row);
  std::copy_n(scores, rows, at<float>(score_) + row);
  std::fill_n(at<double>(propensity_) + row, rows, 1.0);
  std::fill_n(at<std::int8_t>(reason_) + row, rows, static_cast<std::int8_t>(Reason::chosen));
}

ArrayPointer Output::to_array(std::int64_t null_count, std::span<const std::string> components,
                              bool has_estimates) && {
  std::pair<PooledBuffer, std::int64_t> exact;
  if (!has_estimates) exact = this->exact();
  const SharedBuffer validity = std::move(validity_);
  const SharedBuffer index = std::move(index_);
  std::vector<Field> fields;
  fields.push_back({"component", leaf("i", rows_, null_count, validity, index, texts(components))});
  fields.push_back({"index", leaf("i", rows_, null_count, validity, index)});
  fields.push_back({"score", leaf("f", rows_, null_count, validity, std::move(score_))});
  const SharedBuffer known = has_estimates ? validity : SharedBuffer(std::move(exact.first));
  const std::int64_t unknown = has_estimates ? null_count : exact.second;
  fields.push_back({"propensity", leaf("g", rows_, unknown, known, std::move(propensity_))});
  fields.push_back({"reason", leaf("c", rows_, 0, {}, std::move(reason_), texts(decision_reasons())), false});
  fields.push_back({"is_estimate", leaf("b", rows_, 0, {}, std::move(estimated_)), false});
  return make_struct_array(rows_, std::move(fields));
}

}  // namespace labfactory::select
