// Exploration: one uniform number for a customer and slot becomes a choice with a known probability.
// Owner: nothing.
// Threads: values.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace labfactory::select {

// What chooses among the eligible candidates when exploration does not take one alike.
enum class Base : std::uint8_t {
  best,      // the highest score
  softmax,   // drawn in proportion to exp(score / strength)
  squarecb,  // drawn by inverse gap weighting, `strength` its gamma
  ucb,       // the highest score + strength · standard deviation
  thompson,  // the highest of independent normal draws, strength · standard deviation around the scores
  beta,      // the highest of independent Beta draws, one for each candidate
};

// With probability rate(n) one of the n eligible candidates is taken, each alike; else the base's.
struct Exploration {
  Base base = Base::best;
  double strength = 0.0;
  double epsilon = 0.0;
  double floor = 0.0;  // no eligible candidate is less probable, unless floor · n > 1

  [[nodiscard]] bool is_random() const { return base != Base::best || epsilon > 0.0 || floor > 0.0; }
  // The floor is kept by mixing in the uniform choice, so that propensities stay exact: rate / n >= floor.
  [[nodiscard]] double rate(std::int64_t eligible) const;
};

// One uniform number in [0, 1), split: the share below `rate` says which candidate is taken alike, what is
// above it draws from the base.
struct Split {
  std::int64_t uniform = -1;  // the how-manieth eligible candidate, or -1: the base's
  double base = 0.0;          // the number for the base, in [0, 1)
};
[[nodiscard]] Split split(double number, double rate, std::int64_t eligible);

// The random numbers of one slot in one run: key = seed and policy version; counter = the customer's 64-bit
// hash, the 32-bit hash of slot and purpose, and 0 where one draw serves the slot or the component's 32-bit
// hash.
class Stream {
 public:
  Stream(std::uint64_t seed, std::string_view version, std::string_view slot, std::string_view purpose);

  // In [0, 1), a multiple of 2^-53.
  [[nodiscard]] double uniform(std::uint64_t customer, std::uint32_t component = 0) const;

  // What kernels draw by.
  [[nodiscard]] const std::array<std::uint32_t, 2>& key() const { return key_; }
  [[nodiscard]] std::uint32_t purpose() const { return purpose_; }

 private:
  std::array<std::uint32_t, 2> key_;
  std::uint32_t purpose_;
};

}  // namespace labfactory::select
