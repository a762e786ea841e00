// Thompson sampling over independent normal scores. Coefficients are never drawn: a score is normal with its
// own mean and standard deviation, whatever the dimension. Owner: what it is made of belongs to the caller.
// Threads: immutable; each worker brings its own contest.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "labfactory/select/kernels.hpp"
#include "labfactory/select/sample.hpp"
#include "labfactory/select/uncertainty.hpp"

namespace labfactory::select {

// What finds the deviations of a block for some pairs, where not all of them are needed.
struct Late {
  const Kernels* kernels;
  const Uncertainty* uncertainty;
  const float* features;
  const float* norms;  // at least the lengths of the features
};

// The scores of a block: all [candidates][kBlockRows].
struct Beliefs {
  [[nodiscard]] bool is_late() const { return deviations == nullptr; }
  // What bounds are found from; draws have more to say.
  [[nodiscard]] Outlook outlook(float strength) const;
  void deviations_of(std::span<const std::int32_t> rows, std::span<const std::int32_t> candidates_of,
                     float* out) const;

  const float* means;
  const float* deviations;  // or nullptr: `late` has them
  const float* prices;      // [candidates], or nullptr
  const std::uint64_t* mask;
  std::int64_t candidates;
  std::int64_t rows;  // of the block
  Late late;
};

// What a worker needs for a block.
struct Contest {
  // Draws that are made at a time: rows and candidates in any order.
  static constexpr std::size_t kPairs = 512;

  // The pairs that wait.
  [[nodiscard]] std::span<const std::int32_t> waiting_rows() const { return std::span(rows).first(pairs); }
  [[nodiscard]] std::span<const std::int32_t> waiting_candidates() const {
    return std::span(candidates).first(pairs);
  }
  // Of each row whose candidate is not -1 that pair alone.
  void reach_only(const std::int32_t* first);

  explicit Contest(std::int64_t candidates)
      : reaching(static_cast<std::size_t>(candidates)),
        rivals(static_cast<std::size_t>(candidates * kBlockRows)),
        bounds(static_cast<std::size_t>(candidates * kBlockRows)) {}

  std::vector<std::uint64_t> reaching;
  std::vector<std::int32_t> rivals;  // [kBlockRows][candidates]: who has a chance against the one taken
  std::vector<float> bounds;         // [candidates][kBlockRows]: what no draw is above
  std::array<std::int32_t, kBlockRows> rival_counts{};
  std::array<double, kBlockRows> highest{};
  std::array<std::int32_t, kBlockRows> best{};
  alignas(64) std::array<float, kBlockRows> floor{};
  std::size_t pairs = 0;
  std::array<std::uint64_t, kPairs> customers{};
  std::array<std::uint64_t, kPairs> components{};
  std::array<std::int32_t, kPairs> rows{};
  std::array<std::int32_t, kPairs> candidates{};
  std::array<float, kPairs> deviations{};
  std::array<double, kPairs> numbers{};
};

class Thompson {
 public:
  // `components`: the 32-bit hash of each candidate's name; `strength` scales the standard deviations.
  Thompson(const Kernels& kernels, const Stream& stream, std::span<const std::uint32_t> components,
           double strength)
      : kernels_(&kernels),
        stream_(&stream),
        components_(components),
        strength_(static_cast<float>(strength)) {}

  // For each row in `open` the candidate with the highest draw, the lowest of equals; -1 for others. `tops`:
  // the candidate with the highest mean. It is drawn first; a draw is never further than kMostDeviations from
  // its mean, so those that cannot come up to it are not drawn. Where that leaves many, or deviations come
  // late, all have a bound by the first bits of their number, and those that cannot come up to the draw of
  // the highest bound are left out.
  void draw(const Beliefs& beliefs, const std::int32_t* tops, std::uint64_t open,
            std::span<const std::uint64_t> customers, Contest& contest) const;

  // For each row the probability that `taken`, -1 for none, has the highest draw, by Gauss-Hermite quadrature
  // over its own score. Candidates that it beats at every node that counts are left out.
  void chances(const Beliefs& beliefs, const std::int32_t* taken, Contest& contest, double* out) const;

 private:
  void add(const Beliefs& beliefs, std::int64_t candidate, std::int32_t row, std::uint64_t customer,
           Contest& contest) const;
  void flush(const Beliefs& beliefs, Contest& contest) const;
  // Draws the pairs that reach.
  void draw_reaching(const Beliefs& beliefs, std::span<const std::uint64_t> customers,
                     Contest& contest) const;
  // Draws the candidates `first` and sets the floors to the highest draws.
  void draw_first(const Beliefs& beliefs, const std::int32_t* first, std::uint64_t open,
                  std::span<const std::uint64_t> customers, Contest& contest) const;
  void look_out(const Beliefs& beliefs, const std::int32_t* tops, std::uint64_t open,
                std::span<const std::uint64_t> customers, Contest& contest) const;
  [[nodiscard]] double chance(const Beliefs& beliefs, std::int64_t row, std::int32_t taken,
                              std::span<const std::int32_t> rivals) const;

  const Kernels* kernels_;
  const Stream* stream_;
  std::span<const std::uint32_t> components_;
  float strength_;
};

}  // namespace labfactory::select
