// What candidates have for each term of their scores, as far as it differs between them: what screens are
// made of. Owner: the lists belong to the caller. Threads: each its own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace labfactory::select {

// The nearest float32 that is not below; infinity beyond the largest.
[[nodiscard]] float rounded_up(double x);

// What candidates have for one feature: its weights, or their biases less prices.
struct Contrasted {
  std::span<const double> values;
  float half_range = 0.0F;  // half the range of the values, or a little more
  float magnitude = 0.0F;   // the largest of weights, and of biases plus prices, or a little more
  double middle = 0.0;      // of the range: it is everybody's, and left out

  // Of the values, in shares of half the range.
  [[nodiscard]] double share(std::size_t candidate) const {
    return (values[candidate] - middle) / static_cast<double>(half_range);
  }
};

class Contrast {
 public:
  // `weights` candidates x features, `bias`, and `prices`, one for each candidate, or none.
  Contrast(std::span<const float> weights, std::span<const float> bias, std::span<const float> prices);

  [[nodiscard]] std::int64_t candidates() const { return static_cast<std::int64_t>(bias_.size()); }
  [[nodiscard]] std::int64_t features() const;
  // The features, and one more where biases less prices differ.
  [[nodiscard]] std::int64_t terms() const { return features() + (is_biased_ ? 1 : 0); }
  // That of a feature, or after the last of them that of the biases; good until the next is asked for.
  [[nodiscard]] Contrasted term(std::int64_t feature);

 private:
  std::span<const float> weights_;
  std::span<const float> bias_;
  std::span<const float> prices_;
  bool is_biased_ = false;
  std::vector<double> values_;
};

}  // namespace labfactory::select
