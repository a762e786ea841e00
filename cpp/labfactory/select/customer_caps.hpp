// What the slots of one customer may get together, and the best that they can get within it.
// Owner: what it is made of belongs to the caller. Threads: immutable; each worker brings its own scratch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "labfactory/select/price.hpp"
#include "labfactory/select/settle.hpp"

namespace labfactory::select {

// What a slot of a customer could take: `option` -1 stands for one that its list does not name.
struct Choice {
  double net = 0.0;
  std::int32_t option = -1;
};

// What a row could take that is worth its price, best first. Where its list is cut, an option that it does
// not name is worth no more than the last but one of the best: the last may have made room for what was
// drawn.
void choices_of(const SettleInput& input, std::int64_t row, std::vector<Choice>& made);

class CustomerCaps {
 public:
  // `left`: [customers][columns of the caps].
  CustomerCaps(std::span<const CustomerCap> caps, std::span<const std::int32_t> left, std::size_t options);

  [[nodiscard]] bool is_empty() const { return caps_.empty(); }

  // Whether `option` fits a customer whose other slots have `others`, -1 for nothing.
  [[nodiscard]] bool fits(std::int64_t customer, std::int32_t option,
                          std::span<const std::int32_t> others) const;

  // The most that a customer's slots can be worth together, a slot taking one of its choices or nothing.
  // Choices are above 0, best first. `taken` gets what each slot takes, -1 for nothing.
  double best(std::int64_t customer, std::span<const std::vector<Choice>> slots,
              std::vector<std::int32_t>& taken) const;

 private:
  struct Search;
  void visit(Search& search, std::size_t slot, double worth) const;

  std::span<const CustomerCap> caps_;
  std::span<const std::int32_t> left_;
  std::size_t columns_ = 0;
  std::vector<std::vector<std::int32_t>> of_option_;  // the caps that count each option
};

// What customers are worth after prices, and how many take each option, a customer's slots together.
[[nodiscard]] Demand demand_together(const SettleInput& input, int threads);

}  // namespace labfactory::select
