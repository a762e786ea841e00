// Slots that share limits, block by block of rows.
// Owner: what it is made of belongs to the caller, who keeps it.
// Threads: immutable; each worker brings its own work.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "labfactory/select/decider.hpp"
#include "labfactory/select/slot.hpp"

namespace labfactory::select {

class Together {
 public:
  // What one worker needs.
  struct Work {
    std::vector<Scratch> slots;
    std::vector<std::uint64_t> pending;   // for each slot the rows that are still to be decided
    std::vector<std::uint64_t> turn;      // for each slot the rows that it decides in this round
    std::vector<std::int32_t> left;       // [limits][kBlockRows]
    std::vector<std::int32_t> spent;      // [limits][kBlockRows]
    std::vector<std::int64_t> undecided;  // for each slot, of the last block
  };

  Together(const Allowances& limits, std::span<const DecisionInput> inputs, std::span<const Output> outputs,
           std::uint64_t seed, std::string_view version);

  [[nodiscard]] std::unique_ptr<Work> start() const;
  void block(std::int64_t first, std::int64_t rows, Work& work) const;
  // Decides one customer without columns, given what each limit leaves it and its bars.
  void one(std::span<const CustomerInput> customers, std::span<const std::int32_t> left,
           std::span<const std::vector<double>> bars, Work& work) const;

 private:
  // `bars`: of one customer; else they are those of the limits.
  void play(std::int64_t first, std::int64_t rows, std::span<const std::vector<double>> bars,
            Work& work) const;
  void prepare(std::int64_t first, std::int64_t rows, Work& work) const;
  // Gives every pending row to the slot whose best candidate ranks highest; refuses slots that have none
  // left.
  void take_turns(std::int64_t first, std::int64_t rows, Work& work) const;
  void spend(std::size_t slot, std::int32_t candidate, std::int64_t first, std::size_t r,
             std::span<const std::vector<double>> bars, Work& work) const;
  void close(std::size_t limit, std::uint64_t rows, Work& work) const;
  // Leaves a limit's next choice of a row what is worth more than its bar; a control arm's choices are worth
  // no more than others.
  void raise(std::size_t limit, std::int64_t first, std::size_t r, std::span<const std::vector<double>> bars,
             Work& work) const;

  const Allowances& allowances_;
  std::span<const Slot* const> slots_;
  std::span<const Allowance> limits_;
  std::vector<Decider> deciders_;
};

}  // namespace labfactory::select
