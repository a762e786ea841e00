// The columns that decisions are written to, and why a decision is what it is.
// Owner: pooled buffers, handed over to the array.
// Threads: tasks write disjoint rows, and whole words of validity.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

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
  void undecided(std::int64_t row, Reason why) const { decided(row, 0, 0.0F, 0.0, why); }
  // Which rows of block `block` have a decision.
  void valid(std::int64_t block, std::uint64_t rows) const { at<std::uint64_t>(validity_)[block] = rows; }

  // A struct for each row: component dictionary<int32, utf8>, index int32, score float32, propensity float64
  // (these are null where there is no decision), reason dictionary<int8, utf8>.
  [[nodiscard]] ArrayPointer to_array(std::int64_t null_count, std::span<const std::string> components) &&;

 private:
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
};

}  // namespace labfactory::select
