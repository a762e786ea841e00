// Settlement: from shortlists and frozen prices to one option for every customer, within every limit.
// Owner: results own their numbers; the shortlists are the caller's.
// Threads: one; the same answer for the same customers in any order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace labfactory::select {

// What customers may take together of some options: at most `bound`, or at least. Costs and bounds are whole
// numbers, so that a sum has one value in any order.
struct Limit {
  std::vector<std::int64_t> costs;  // of each option, 0 or more; 0 where the limit does not count it
  std::int64_t bound = 0;
  bool is_minimum = false;
};

// What one customer may get of some options, over all its slots.
struct CustomerCap {
  std::vector<std::int32_t> options;
  std::int32_t at_most = 0;
  std::int32_t column = -1;  // of SettleInput::left, in place of at_most; or none
};

// A row is a customer's slot; the rows of a customer follow one another.
struct SettleInput {
  std::span<const std::uint64_t> keys;    // hashes of the customers' keys: they order what is otherwise equal
  std::span<const std::int32_t> options;  // [rows][width], -1 for none
  std::span<const float> values;          // [rows][width], what each is worth; nothing is worth 0
  std::int64_t width = 0;
  std::span<const std::int32_t> chosen;  // of each row the entry that was drawn, -1 for none; empty: the best
  std::span<const double> prices;        // of each option
  std::span<const Limit> limits;
  double paid = 0.0;  // what the limits' prices come to: with the surplus, the bound
  std::span<const CustomerCap> caps;
  std::span<const std::int32_t> left;  // [customers][columns of caps]
  std::span<const std::int32_t>
      listed;  // of each slot how many of the best its rows list, 0 for all there are

  [[nodiscard]] std::int64_t slots() const {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(listed.size()));
  }
};

struct Settlement {
  std::vector<std::int32_t> entries;    // of each row the entry of its shortlist; -1 for nothing
  std::vector<std::uint8_t> repaired;   // whether it is another than was chosen
  std::vector<std::int64_t> used;       // of each limit
  std::vector<std::int64_t> reachable;  // of each limit what all customers could take of it at most
  double value = 0.0;                   // what the customers' options are worth together
  double surplus = 0.0;                 // what the best of each would be after prices: part of the bound
};

// Customers come by what they would lose, most first, and take their choice, or the next best that has room.
// Then minimums that are short draw over those who lose least, by chains where none can go directly; then
// room that is left is filled by those who gain most; and while the bound is far, chains of customers
// exchange places that gain together. No limit is ever exceeded, nor any cap; a minimum may stay short.
[[nodiscard]] Settlement settle(const SettleInput& input);

}  // namespace labfactory::select
