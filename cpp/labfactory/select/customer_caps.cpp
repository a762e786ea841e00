#include "labfactory/select/customer_caps.hpp"

#include <algorithm>

#include "labfactory/base/parallel.hpp"

namespace labfactory::select {

namespace {

// Customers summed by themselves before the sums are added: a fixed tree, whoever computes which block.
constexpr std::int64_t kBlockOfCustomers = 4096;

}  // namespace

void choices_of(const SettleInput& input, std::int64_t row, std::vector<Choice>& made) {
  made.clear();
  const auto at = [&](std::int64_t entry) { return static_cast<std::size_t>(row * input.width + entry); };
  const auto net = [&](std::int64_t entry) {
    const auto option = static_cast<std::size_t>(input.options[at(entry)]);
    return static_cast<double>(input.values[at(entry)]) - input.prices[option];
  };
  for (std::int64_t entry = 0; entry < input.width && input.options[at(entry)] >= 0; ++entry) {
    if (net(entry) > 0.0) made.push_back({net(entry), input.options[at(entry)]});
  }
  const std::int32_t listed =
      input.listed.empty() ? 0 : input.listed[static_cast<std::size_t>(row % input.slots())];
  if (listed > 1 && input.options[at(listed - 1)] >= 0 && net(listed - 2) > 0.0) {
    made.push_back({net(listed - 2), -1});
  }
  std::ranges::stable_sort(made, std::ranges::greater{}, &Choice::net);
}

struct CustomerCaps::Search {
  std::int64_t customer;
  std::span<const std::vector<Choice>> slots;
  std::vector<double> hoped;  // of each slot what it and those after it are worth at most
  std::vector<std::int32_t> chosen;
  std::vector<std::int32_t>& taken;
  double most = -1.0;
};

CustomerCaps::CustomerCaps(std::span<const CustomerCap> caps, std::span<const std::int32_t> left,
                           std::size_t options)
    : caps_(caps), left_(left), of_option_(options) {
  for (std::size_t k = 0; k < caps.size(); ++k) {
    columns_ = std::max(columns_, static_cast<std::size_t>(caps[k].column + 1));
    for (const std::int32_t option : caps[k].options) {
      of_option_[static_cast<std::size_t>(option)].push_back(static_cast<std::int32_t>(k));
    }
  }
}

bool CustomerCaps::fits(std::int64_t customer, std::int32_t option,
                        std::span<const std::int32_t> others) const {
  if (option < 0) return true;
  for (const std::int32_t k : of_option_[static_cast<std::size_t>(option)]) {
    const CustomerCap& cap = caps_[static_cast<std::size_t>(k)];
    std::int32_t used = 1;
    for (const std::int32_t other : others) {
      if (other >= 0 && std::ranges::find(of_option_[static_cast<std::size_t>(other)], k) !=
                            of_option_[static_cast<std::size_t>(other)].end()) {
        ++used;
      }
    }
    const std::size_t at = static_cast<std::size_t>(customer) * columns_;
    const std::int32_t most = cap.column < 0 ? cap.at_most : left_[at + static_cast<std::size_t>(cap.column)];
    if (used > most) return false;
  }
  return true;
}

double CustomerCaps::best(std::int64_t customer, std::span<const std::vector<Choice>> slots,
                          std::vector<std::int32_t>& taken) const {
  Search search{customer, slots, std::vector<double>(slots.size() + 1), {}, taken};
  for (std::size_t s = slots.size(); s-- > 0;) {
    search.hoped[s] = search.hoped[s + 1] + (slots[s].empty() ? 0.0 : slots[s].front().net);
  }
  taken.assign(slots.size(), -1);
  visit(search, 0, 0.0);
  return search.most;
}

// Depth first, best choices first: where the slots' best fit together, that is found at once, and no branch
// is followed that cannot be better than what was found.
void CustomerCaps::visit(Search& search, std::size_t slot, double worth) const {
  if (!(worth + search.hoped[slot] > search.most)) return;
  if (slot == search.slots.size()) {
    search.most = worth;
    search.taken = search.chosen;
    return;
  }
  for (const Choice& choice : search.slots[slot]) {
    if (!fits(search.customer, choice.option, search.chosen)) continue;
    search.chosen.push_back(choice.option);
    visit(search, slot + 1, worth + choice.net);
    search.chosen.pop_back();
  }
  search.chosen.push_back(-1);
  visit(search, slot + 1, worth);
  search.chosen.pop_back();
}

Demand demand_together(const SettleInput& input, int threads) {
  const CustomerCaps caps(input.caps, input.left, input.prices.size());
  const auto customers = static_cast<std::int64_t>(input.keys.size());
  const std::int64_t blocks = (customers + kBlockOfCustomers - 1) / kBlockOfCustomers;
  std::vector<Demand> parts(static_cast<std::size_t>(blocks),
                            {0.0, std::vector<double>(input.prices.size())});
  parallel_for(threads, blocks, [&](std::int64_t block, int) {
    Demand& part = parts[static_cast<std::size_t>(block)];
    std::vector<std::vector<Choice>> slots(static_cast<std::size_t>(input.slots()));
    std::vector<std::int32_t> taken;
    const std::int64_t last = std::min(customers, (block + 1) * kBlockOfCustomers);
    for (std::int64_t customer = block * kBlockOfCustomers; customer < last; ++customer) {
      for (std::size_t s = 0; s < slots.size(); ++s) {
        choices_of(input, customer * input.slots() + static_cast<std::int64_t>(s), slots[s]);
      }
      part.surplus += caps.best(customer, slots, taken);
      for (const std::int32_t option : taken) {
        if (option >= 0) part.amounts[static_cast<std::size_t>(option)] += 1.0;
      }
    }
  });
  Demand total{0.0, std::vector<double>(input.prices.size())};
  for (const Demand& part : parts) {
    total.surplus += part.surplus;
    for (std::size_t option = 0; option < total.amounts.size(); ++option) {
      total.amounts[option] += part.amounts[option];
    }
  }
  return total;
}

}  // namespace labfactory::select
