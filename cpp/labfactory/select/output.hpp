// The columns that decisions are written to, and why a decision is what it is.
// Owner: pooled buffers, handed over to the array.
// Threads: tasks write disjoint rows, and whole words of validity.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "labfactory/arrow/builder.hpp"
#include "labfactory/base/buffer_pool.hpp"
#include "labfactory/select/kernels.hpp"

namespace labfactory::select {

// Why a decision is what it is; decision_reasons() has the words, in this order.
enum class Reason : std::int8_t {
  chosen,           // the eligible candidate with the highest score, or the one that the rules name
  explored,         // another eligible candidate, by exploration
  no_candidate,     // none is eligible
  missing_feature,  // a feature has no value, and nothing stands in for it
  missing_key,      // the customer has no key to draw by
  control,          // an eligible candidate, each alike: the customer is in a control arm
  held_out,         // the customer is held out
  no_consent,       // no consent is known
  suppressed,       // the customer is suppressed, or it is not known whether
  quiet_hours,      // the customer's quiet hours
  capped,           // caps leave none of the eligible candidates
  reserved,         // caps leave none beside what is planned
};
[[nodiscard]] std::span<const std::string> decision_reasons();

class Output {
 public:
  explicit Output(std::int64_t rows);

  void decided(std::int64_t row, std::int32_t component, float score, double propensity, Reason why) const {
    at<std::int32_t>(index_)[row] = component;
    at<float>(score_)[row] = score;
    at<double>(propensity_)[row] = propensity;
    at<std::int8_t>(reason_)[row] = static_cast<std::int8_t>(why);
  }
  // Rows from `row` on, each its best candidate, and nothing left to chance.
  void chosen(std::int64_t row, std::span<const std::int32_t> components, const float* scores) const;
  void undecided(std::int64_t row, Reason why) const { decided(row, 0, 0.0F, 0.0, why); }
  // Which rows of block `block` have a decision, and of which the propensity is an estimate.
  void finish(std::int64_t block, std::uint64_t decided, std::uint64_t estimated) const {
    at<std::uint64_t>(validity_)[block] = decided;
    at<std::uint64_t>(estimated_)[block] = estimated;
  }

  // What was written for a row that is decided, or not.
  [[nodiscard]] std::int32_t component(std::int64_t row) const { return at<std::int32_t>(index_)[row]; }
  [[nodiscard]] float score(std::int64_t row) const { return at<float>(score_)[row]; }
  [[nodiscard]] double propensity(std::int64_t row) const { return at<double>(propensity_)[row]; }
  [[nodiscard]] Reason reason(std::int64_t row) const {
    return static_cast<Reason>(at<std::int8_t>(reason_)[row]);
  }

  // A struct for each row: component dictionary<int32, utf8>, index int32, score float32, propensity float64
  // (these are null where there is no decision), reason dictionary<int8, utf8>,
  // is_estimate boolean. Propensities that are estimates are null too unless there are estimates.
  [[nodiscard]] ArrayPointer to_array(std::int64_t null_count, std::span<const std::string> components,
                                      bool has_estimates) &&;

 private:
  // The validity of exact propensities, and how many are null.
  [[nodiscard]] std::pair<PooledBuffer, std::int64_t> exact() const;

  template <class T>
  static PooledBuffer buffer(std::int64_t count) {
    return BufferPool::acquire(static_cast<std::size_t>(std::max<std::int64_t>(count, 1)) * sizeof(T));
  }
  template <class T>
  static T* at(const PooledBuffer& buffer) {
    return reinterpret_cast<T*>(buffer.data());
  }

  std::int64_t rows_;
  PooledBuffer index_;
  PooledBuffer score_;
  PooledBuffer propensity_;
  PooledBuffer reason_;
  PooledBuffer validity_;
  PooledBuffer estimated_;
};

}  // namespace labfactory::select
