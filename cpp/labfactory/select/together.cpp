#include "labfactory/select/together.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <string>
#include <utility>

#include "labfactory/base/error.hpp"

namespace labfactory::select {

Allowances::Allowances(std::span<const Slot* const> slots, std::vector<Allowance> all)
    : slots_(slots.begin(), slots.end()), all_(std::move(all)), of_(slots.size()) {
  for (std::size_t s = 0; s < slots.size(); ++s) of_[s].resize(slots[s]->settings().candidates.size());
  for (std::size_t k = 0; k < all_.size(); ++k) {
    for (const auto& [slot, candidate] : all_[k].members) {
      if (slot < 0 || static_cast<std::size_t>(slot) >= of_.size() || candidate < 0 ||
          static_cast<std::size_t>(candidate) >= of_[static_cast<std::size_t>(slot)].size()) {
        throw Error(ErrorKind::selection, "decision_input",
                    "expected limits of known candidates, found candidate " + std::to_string(candidate) +
                        " of slot " + std::to_string(slot));
      }
      of_[static_cast<std::size_t>(slot)][static_cast<std::size_t>(candidate)].push_back(k);
    }
  }
}

Together::Together(const Allowances& limits, std::span<const DecisionInput> inputs,
                   std::span<const Output> outputs, std::uint64_t seed, std::string_view version)
    : allowances_(limits), slots_(limits.slots()), limits_(limits.all()) {
  deciders_.reserve(slots_.size());  // they point into themselves
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    deciders_.emplace_back(*slots_[s], inputs[s], outputs[s], seed, version, true);
  }
}

std::unique_ptr<Together::Work> Together::start() const {
  auto work = std::make_unique<Work>();
  for (const Slot* const slot : slots_) work->slots.emplace_back(*slot);
  work->pending.resize(slots_.size());
  work->turn.resize(slots_.size());
  work->left.resize(limits_.size() * kBlockRows);
  work->spent.resize(limits_.size() * kBlockRows);
  work->undecided.resize(slots_.size());
  return work;
}

void Together::block(std::int64_t first, std::int64_t rows, Work& work) const {
  prepare(first, rows, work);
  play(first, rows, {}, work);
}

void Together::one(std::span<const CustomerInput> customers, std::span<const std::int32_t> left,
                   std::span<const std::vector<double>> bars, Work& work) const {
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    deciders_[s].admit_one(customers[s], work.slots[s]);
    work.pending[s] = 1;
  }
  for (std::size_t k = 0; k < limits_.size(); ++k) {
    work.left[k * kBlockRows] = left[k];
    work.spent[k * kBlockRows] = 0;
    if (left[k] <= 0) close(k, 1, work);
    raise(k, 0, 0, bars, work);
  }
  play(0, 1, bars, work);
}

void Together::play(std::int64_t first, std::int64_t rows, std::span<const std::vector<double>> bars,
                    Work& work) const {
  // Every round decides or refuses a slot of each row that has one pending.
  for (std::size_t round = 0; round < slots_.size(); ++round) {
    for (std::size_t s = 0; s < slots_.size(); ++s) {
      if (work.pending[s] != 0) deciders_[s].rank(work.slots[s]);
    }
    take_turns(first, rows, work);
    for (std::size_t s = 0; s < slots_.size(); ++s) {
      if (work.turn[s] == 0) continue;
      deciders_[s].draw(first, rows, work.slots[s]);
      for (std::uint64_t left = work.turn[s]; left != 0; left &= left - 1) {
        const auto r = static_cast<std::size_t>(std::countr_zero(left));
        spend(s, deciders_[s].decide(first, r, work.slots[s]), first, r, bars, work);
      }
    }
  }
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    work.undecided[s] = deciders_[s].finish(first, rows, work.slots[s]);
  }
}

void Together::prepare(std::int64_t first, std::int64_t rows, Work& work) const {
  const std::uint64_t all = rows == kBlockRows ? ~std::uint64_t{0} : (std::uint64_t{1} << rows) - 1;
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    deciders_[s].read(first, rows, work.slots[s]);
    deciders_[s].admit(rows, work.slots[s]);
    work.pending[s] = all;
  }
  for (std::size_t k = 0; k < limits_.size(); ++k) {
    std::uint64_t closed = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t left =
          limits_[k].left == nullptr ? limits_[k].at_most : limits_[k].left->integer(first + r);
      work.left[k * kBlockRows + static_cast<std::size_t>(r)] = static_cast<std::int32_t>(left);
      work.spent[k * kBlockRows + static_cast<std::size_t>(r)] = 0;
      if (left <= 0) closed |= std::uint64_t{1} << r;
    }
    if (closed != 0) close(k, closed, work);
    if (limits_[k].bars.empty()) continue;
    for (std::int64_t r = 0; r < rows; ++r) raise(k, first, static_cast<std::size_t>(r), {}, work);
  }
}

void Together::take_turns(std::int64_t first, std::int64_t rows, Work& work) const {
  std::ranges::fill(work.turn, 0);
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
    const std::uint64_t bit = std::uint64_t{1} << r;
    std::size_t taken = slots_.size();
    float highest = 0.0F;
    for (std::size_t s = 0; s < slots_.size(); ++s) {
      if ((work.pending[s] & bit) == 0) continue;
      const Scratch& scratch = work.slots[s];
      if ((scratch.open & ~scratch.missing & bit) == 0 || scratch.best.candidate[r] < 0) {
        deciders_[s].refuse(first, r, scratch);
        work.pending[s] &= ~bit;
        continue;
      }
      // A control arm is not personalised: its slots choose in their order.
      const float rank = (scratch.control & bit) != 0 ? 0.0F : scratch.best.rank[r];
      if (taken < slots_.size() && !(rank > highest)) continue;
      taken = s;
      highest = rank;
    }
    if (taken == slots_.size()) continue;
    work.turn[taken] |= bit;
    work.pending[taken] &= ~bit;
  }
}

void Together::spend(std::size_t slot, std::int32_t candidate, std::int64_t first, std::size_t r,
                     std::span<const std::vector<double>> bars, Work& work) const {
  for (const std::size_t k : allowances_.of(slot, candidate)) {
    ++work.spent[k * kBlockRows + r];
    if (--work.left[k * kBlockRows + r] <= 0) {
      close(k, std::uint64_t{1} << r, work);
    } else {
      raise(k, first, r, bars, work);
    }
  }
}

void Together::close(std::size_t limit, std::uint64_t rows, Work& work) const {
  for (const auto& [slot, candidate] : limits_[limit].members) {
    work.slots[static_cast<std::size_t>(slot)].eligible[static_cast<std::size_t>(candidate)] &= ~rows;
  }
}

void Together::raise(std::size_t limit, std::int64_t first, std::size_t r,
                     std::span<const std::vector<double>> bars, Work& work) const {
  const auto choice = static_cast<std::size_t>(work.spent[limit * kBlockRows + r]);
  double bar = -std::numeric_limits<double>::infinity();
  if (!bars.empty()) {
    if (choice < bars[limit].size()) bar = bars[limit][choice];
  } else if (choice < limits_[limit].bars.size()) {
    bar = limits_[limit].bars[choice]->floating(first + static_cast<std::int64_t>(r));
  }
  if (bar == -std::numeric_limits<double>::infinity()) return;
  const std::uint64_t bit = std::uint64_t{1} << r;
  for (const auto& [slot, candidate] : limits_[limit].members) {
    Scratch& scratch = work.slots[static_cast<std::size_t>(slot)];
    std::uint64_t& eligible = scratch.eligible[static_cast<std::size_t>(candidate)];
    const float score = scratch.scores[static_cast<std::size_t>(candidate) * kBlockRows + r];
    if ((eligible & bit) == 0 || ((scratch.control & bit) == 0 && static_cast<double>(score) > bar)) continue;
    eligible &= ~bit;
    if ((work.pending[static_cast<std::size_t>(slot)] & bit) != 0) scratch.reserved |= bit;
  }
}

}  // namespace labfactory::select
