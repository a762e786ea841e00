#include "labfactory/select/settle.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <queue>
#include <tuple>

#include "labfactory/select/customer_caps.hpp"

namespace labfactory::select {

namespace {

// Rounds of filling: a move frees room for the next; the third changed nothing in any instance measured.
constexpr int kFillRounds = 8;

// Rounds of exchanging, of chains of so many links: each round is a pass over all shortlists.
constexpr int kExchangeRounds = 100;
constexpr std::size_t kLongestChain = 4;
// Exchanging stops this near to the bound: half of what is promised.
constexpr double kNear = 5e-4;
constexpr double kNothing = -std::numeric_limits<double>::infinity();

// A change of one customer to another entry.
struct Move {
  double worth = 0.0;  // what is gained
  std::int64_t row = -1;
  std::int32_t entry = -1;
};

class Desk {
 public:
  explicit Desk(const SettleInput& input);

  void take_turns();
  void meet_minimums();
  void fill();
  void exchange();
  [[nodiscard]] Settlement result() const;

 private:
  [[nodiscard]] std::int64_t at(std::int64_t row, std::int32_t entry) const {
    return row * input_.width + entry;
  }
  [[nodiscard]] std::int32_t option(std::int64_t row, std::int32_t entry) const {
    return entry < 0 ? -1 : input_.options[static_cast<std::size_t>(at(row, entry))];
  }
  [[nodiscard]] double value(std::int64_t row, std::int32_t entry) const {
    return entry < 0 ? 0.0 : static_cast<double>(input_.values[static_cast<std::size_t>(at(row, entry))]);
  }
  [[nodiscard]] double net(std::int64_t row, std::int32_t entry) const {
    return entry < 0 ? 0.0 : value(row, entry) - input_.prices[static_cast<std::size_t>(option(row, entry))];
  }
  [[nodiscard]] std::int64_t cost(std::size_t limit, std::int32_t option) const {
    return option < 0 ? 0 : input_.limits[limit].costs[static_cast<std::size_t>(option)];
  }
  [[nodiscard]] std::int32_t now(std::int64_t row) const { return entries_[static_cast<std::size_t>(row)]; }
  [[nodiscard]] std::int32_t best_entry(std::int64_t row) const;
  [[nodiscard]] std::int32_t chosen(std::int64_t row) const;
  [[nodiscard]] double regret(std::int64_t row) const;
  [[nodiscard]] bool fits(std::int32_t from, std::int32_t to) const;
  [[nodiscard]] bool may_leave(std::int32_t from, std::int32_t to) const;
  [[nodiscard]] bool is_allowed(std::int64_t row, std::int32_t to) const;
  [[nodiscard]] double surplus() const;
  bool line_up(const std::vector<std::vector<Move>>& links, std::vector<std::size_t>& turns) const;
  void put(std::int64_t row, std::int32_t entry);
  void seat(std::int64_t row);
  void draw_over(std::size_t limit);
  bool chain(std::size_t limit);
  [[nodiscard]] std::vector<bool> edges() const;
  [[nodiscard]] std::vector<Move> along(std::int64_t from, std::int64_t to) const;
  [[nodiscard]] std::vector<double> gains() const;
  [[nodiscard]] std::vector<std::int64_t> best_chain() const;
  [[nodiscard]] bool is_near() const;
  bool trade(const std::vector<std::int64_t>& chain);
  bool walk(std::size_t limit, std::int64_t from, const std::vector<std::int64_t>& next);
  std::size_t apply(std::vector<Move>& moves);
  void in_order(std::vector<Move>& moves) const;

  const SettleInput& input_;
  CustomerCaps caps_;
  std::int64_t slots_;
  std::int64_t rows_;
  std::int64_t options_;
  std::vector<std::int64_t> order_;  // rows by key
  std::vector<std::int64_t> rank_;   // of each row its place in that order
  std::vector<std::int32_t> entries_;
  std::vector<std::int64_t> used_;
  double surplus_ = 0.0;  // of the prices alone, which nothing changes
};

Desk::Desk(const SettleInput& input)
    : input_(input),
      caps_(input.caps, input.left, input.prices.size()),
      slots_(input.slots()),
      rows_(static_cast<std::int64_t>(input.keys.size()) * slots_),
      options_(static_cast<std::int64_t>(input.prices.size())),
      order_(static_cast<std::size_t>(rows_)),
      rank_(static_cast<std::size_t>(rows_)),
      entries_(static_cast<std::size_t>(rows_), -1),
      used_(input.limits.size()) {
  std::iota(order_.begin(), order_.end(), 0);
  std::ranges::stable_sort(
      order_, {}, [&](std::int64_t row) { return input_.keys[static_cast<std::size_t>(row / slots_)]; });
  for (std::int64_t place = 0; place < rows_; ++place) {
    rank_[static_cast<std::size_t>(order_[static_cast<std::size_t>(place)])] = place;
  }
  surplus_ = surplus();
}

// The entry with the highest net above 0; a shortlist's first ones are in that order, but its groups' are
// not.
std::int32_t Desk::best_entry(std::int64_t row) const {
  std::int32_t best = -1;
  for (std::int32_t entry = 0; entry < input_.width && option(row, entry) >= 0; ++entry) {
    if (net(row, entry) > net(row, best)) best = entry;
  }
  return best;
}

std::int32_t Desk::chosen(std::int64_t row) const {
  return input_.chosen.empty() ? best_entry(row) : input_.chosen[static_cast<std::size_t>(row)];
}

// What a row loses when it does not get its choice.
double Desk::regret(std::int64_t row) const {
  const std::int32_t first = chosen(row);
  double second = 0.0;
  for (std::int32_t entry = 0; entry < input_.width && option(row, entry) >= 0; ++entry) {
    if (entry != first) second = std::max(second, net(row, entry));
  }
  return net(row, first) - second;
}

// Whether no maximum is exceeded when one customer goes from an option to another; -1 is nothing.
bool Desk::fits(std::int32_t from, std::int32_t to) const {
  for (std::size_t limit = 0; limit < input_.limits.size(); ++limit) {
    const std::int64_t change = cost(limit, to) - cost(limit, from);
    if (change > 0 && !input_.limits[limit].is_minimum &&
        used_[limit] + change > input_.limits[limit].bound) {
      return false;
    }
  }
  return true;
}

// Whether no minimum gets short, or shorter.
bool Desk::may_leave(std::int32_t from, std::int32_t to) const {
  for (std::size_t limit = 0; limit < input_.limits.size(); ++limit) {
    const std::int64_t change = cost(limit, to) - cost(limit, from);
    if (change < 0 && input_.limits[limit].is_minimum && used_[limit] + change < input_.limits[limit].bound) {
      return false;
    }
  }
  return true;
}

// Whether the customer's other slots leave room for an option.
bool Desk::is_allowed(std::int64_t row, std::int32_t to) const {
  if (caps_.is_empty()) return true;
  std::vector<std::int32_t> others;
  const std::int64_t customer = row / slots_;
  for (std::int64_t other = customer * slots_; other < (customer + 1) * slots_; ++other) {
    if (other != row) others.push_back(option(other, now(other)));
  }
  return caps_.fits(customer, to, others);
}

void Desk::put(std::int64_t row, std::int32_t entry) {
  const std::int32_t from = option(row, now(row));
  const std::int32_t to = option(row, entry);
  for (std::size_t limit = 0; limit < input_.limits.size(); ++limit) {
    used_[limit] += cost(limit, to) - cost(limit, from);
  }
  entries_[static_cast<std::size_t>(row)] = entry;
}

void Desk::take_turns() {
  std::vector<double> regrets(static_cast<std::size_t>(rows_));
  for (std::int64_t row = 0; row < rows_; ++row) regrets[static_cast<std::size_t>(row)] = regret(row);
  std::vector<std::int64_t> turns = order_;
  std::ranges::stable_sort(turns, std::ranges::greater{},
                           [&](std::int64_t row) { return regrets[static_cast<std::size_t>(row)]; });
  for (const std::int64_t row : turns) seat(row);
}

// The choice where there is room, else the best entry that is worth its price and has room.
void Desk::seat(std::int64_t row) {
  const std::int32_t first = chosen(row);
  if (first < 0) return;
  if (fits(-1, option(row, first)) && is_allowed(row, option(row, first))) return put(row, first);
  std::int32_t best = -1;
  for (std::int32_t entry = 0; entry < input_.width && option(row, entry) >= 0; ++entry) {
    const std::int32_t to = option(row, entry);
    if (net(row, entry) > net(row, best) && fits(-1, to) && is_allowed(row, to)) best = entry;
  }
  if (best >= 0) put(row, best);
}

void Desk::in_order(std::vector<Move>& moves) const {
  std::ranges::sort(moves, {}, [&](const Move& move) {
    return std::tuple(-move.worth, rank_[static_cast<std::size_t>(move.row)], move.entry);
  });
}

// Makes those moves that still gain, or lose no more than was thought; returns how many.
std::size_t Desk::apply(std::vector<Move>& moves) {
  in_order(moves);
  std::size_t made = 0;
  for (const Move& move : moves) {
    const std::int32_t from = option(move.row, now(move.row));
    const std::int32_t to = option(move.row, move.entry);
    const bool gains = value(move.row, move.entry) - value(move.row, now(move.row)) >= move.worth;
    if (!gains || !fits(from, to) || !may_leave(from, to) || !is_allowed(move.row, to)) continue;
    put(move.row, move.entry);
    ++made;
  }
  return made;
}

void Desk::meet_minimums() {
  for (std::size_t limit = 0; limit < input_.limits.size(); ++limit) {
    if (!input_.limits[limit].is_minimum) continue;
    draw_over(limit);
    while (used_[limit] < input_.limits[limit].bound && chain(limit)) {
    }
  }
}

// Brings customers to a minimum that is short, those who lose least first.
void Desk::draw_over(std::size_t limit) {
  const std::int64_t bound = input_.limits[limit].bound;
  if (used_[limit] >= bound) return;
  std::vector<Move> moves;
  for (const std::int64_t row : order_) {
    for (std::int32_t entry = 0; entry < input_.width && option(row, entry) >= 0; ++entry) {
      if (cost(limit, option(row, entry)) <= cost(limit, option(row, now(row)))) continue;
      moves.push_back({value(row, entry) - value(row, now(row)), row, entry});
    }
  }
  in_order(moves);
  for (const Move& move : moves) {
    if (used_[limit] >= bound) return;
    const std::int32_t from = option(move.row, now(move.row));
    const std::int32_t to = option(move.row, move.entry);
    if (cost(limit, to) > cost(limit, from) && fits(from, to) && may_leave(from, to) &&
        is_allowed(move.row, to)) {
      put(move.row, move.entry);
    }
  }
}

// For each pair of options, nothing last, whether some customer can go from one to the other.
std::vector<bool> Desk::edges() const {
  const std::int64_t nodes = options_ + 1;
  std::vector<bool> found(static_cast<std::size_t>(nodes * nodes));
  for (std::int64_t row = 0; row < rows_; ++row) {
    const std::int32_t from = option(row, now(row));
    const std::int64_t source = from < 0 ? options_ : from;
    for (std::int32_t entry = 0; entry < input_.width && option(row, entry) >= 0; ++entry) {
      if (entry == now(row) || !is_allowed(row, option(row, entry))) continue;
      found[static_cast<std::size_t>(source * nodes + option(row, entry))] = true;
    }
  }
  return found;
}

// The customers who can go from one option to another, nothing last, those who lose least first.
std::vector<Move> Desk::along(std::int64_t from, std::int64_t to) const {
  std::vector<Move> moves;
  for (const std::int64_t row : order_) {
    const std::int32_t here = option(row, now(row));
    if ((here < 0 ? options_ : here) != from) continue;
    if (to == options_) moves.push_back({-value(row, now(row)), row, -1});
    for (std::int32_t entry = 0; entry < input_.width && option(row, entry) >= 0; ++entry) {
      if (option(row, entry) != to) continue;
      moves.push_back({value(row, entry) - value(row, now(row)), row, entry});
      break;
    }
  }
  in_order(moves);
  return moves;
}

// Turns each link to its next move that the customer's other slots allow, no two of one customer; false where
// a link has none.
bool Desk::line_up(const std::vector<std::vector<Move>>& links, std::vector<std::size_t>& turns) const {
  for (std::size_t i = 0; i < links.size(); ++i) {
    const auto is_taken = [&](const Move& move) {
      if (caps_.is_empty()) return false;
      for (std::size_t j = 0; j < i; ++j) {
        if (links[j][turns[j]].row / slots_ == move.row / slots_) return true;
      }
      return !is_allowed(move.row, option(move.row, move.entry));
    };
    while (turns[i] < links[i].size() && is_taken(links[i][turns[i]])) ++turns[i];
    if (turns[i] == links[i].size()) return false;
  }
  return true;
}

// Moves customers along a chain of options, one at each link, as often as the minimum needs and all links
// can; whether any moved.
bool Desk::walk(std::size_t limit, std::int64_t from, const std::vector<std::int64_t>& next) {
  std::vector<std::vector<Move>> links;
  std::int64_t last = from;
  for (; next[static_cast<std::size_t>(last)] >= 0; last = next[static_cast<std::size_t>(last)]) {
    links.push_back(along(last, next[static_cast<std::size_t>(last)]));
  }
  const auto start = static_cast<std::int32_t>(from == options_ ? -1 : from);
  const auto end = static_cast<std::int32_t>(last);
  std::vector<std::size_t> turns(links.size());
  bool moved = false;
  while (used_[limit] < input_.limits[limit].bound && line_up(links, turns) && fits(start, end) &&
         may_leave(start, end)) {
    for (std::size_t i = 0; i < links.size(); ++i) {
      const Move& move = links[i][turns[i]++];
      put(move.row, move.entry);
    }
    moved = true;
  }
  return moved;
}

// A chain of moves, each into the place that the next one leaves, that ends one higher in a minimum.
// Backwards, breadth first, from the options that count there; as augmenting paths of a flow.
bool Desk::chain(std::size_t limit) {
  const std::int64_t nodes = options_ + 1;
  const std::vector<bool> edge = edges();
  std::vector<std::int64_t> next(static_cast<std::size_t>(nodes), -1);
  std::vector<bool> seen(static_cast<std::size_t>(nodes));
  std::queue<std::int64_t> open;
  for (std::int64_t node = 0; node < options_; ++node) {
    if (cost(limit, static_cast<std::int32_t>(node)) > 0) {
      seen[static_cast<std::size_t>(node)] = true;
      open.push(node);
    }
  }
  while (!open.empty()) {
    const std::int64_t to = open.front();
    open.pop();
    for (std::int64_t from = 0; from < nodes; ++from) {
      if (seen[static_cast<std::size_t>(from)] || !edge[static_cast<std::size_t>(from * nodes + to)])
        continue;
      seen[static_cast<std::size_t>(from)] = true;
      next[static_cast<std::size_t>(from)] = to;
      open.push(from);
      std::int64_t last = from;
      while (next[static_cast<std::size_t>(last)] >= 0) last = next[static_cast<std::size_t>(last)];
      const auto start = static_cast<std::int32_t>(from == options_ ? -1 : from);
      const auto end = static_cast<std::int32_t>(last);
      if (!fits(start, end) || !may_leave(start, end)) continue;
      if (walk(limit, from, next)) return true;
    }
  }
  return false;
}

void Desk::fill() {
  for (int round = 0; round < kFillRounds; ++round) {
    std::vector<Move> moves;
    for (const std::int64_t row : order_) {
      for (std::int32_t entry = 0; entry < input_.width && option(row, entry) >= 0; ++entry) {
        const double worth = value(row, entry) - value(row, now(row));
        const std::int32_t to = option(row, entry);
        if (worth > 0.0 && fits(option(row, now(row)), to) && is_allowed(row, to)) {
          moves.push_back({worth, row, entry});
        }
      }
    }
    if (apply(moves) == 0) return;
  }
}

// For each pair of options, nothing last, what is gained by the customer who gains most by going.
std::vector<double> Desk::gains() const {
  const std::int64_t nodes = options_ + 1;
  std::vector<double> best(static_cast<std::size_t>(nodes * nodes), kNothing);
  for (std::int64_t row = 0; row < rows_; ++row) {
    const std::int32_t from = option(row, now(row));
    const std::int64_t source = from < 0 ? options_ : from;
    const double here = value(row, now(row));
    if (from >= 0) {
      double& leaving = best[static_cast<std::size_t>(source * nodes + options_)];
      leaving = std::max(leaving, -here);
    }
    for (std::int32_t entry = 0; entry < input_.width && option(row, entry) >= 0; ++entry) {
      if (entry == now(row) || !is_allowed(row, option(row, entry))) continue;
      double& edge = best[static_cast<std::size_t>(source * nodes + option(row, entry))];
      edge = std::max(edge, value(row, entry) - here);
    }
  }
  return best;
}

// The chain of options along which customers, one at each link, gain most together: a circle, or a path whose
// ends have the room; empty when none gains. By the best chains of one link, two, ….
std::vector<std::int64_t> Desk::best_chain() const {
  const std::int64_t nodes = options_ + 1;
  const std::vector<double> gain = gains();
  const auto name = [&](std::int64_t node) {
    return static_cast<std::int32_t>(node == options_ ? -1 : node);
  };
  double most = 0.0;
  std::vector<std::int64_t> found;
  for (std::int64_t start = 0; start < nodes; ++start) {
    std::vector<double> reached(static_cast<std::size_t>(nodes), kNothing);
    std::vector<std::vector<std::int64_t>> before;
    reached[static_cast<std::size_t>(start)] = 0.0;
    for (std::size_t links = 1; links <= kLongestChain; ++links) {
      std::vector<double> further(static_cast<std::size_t>(nodes), kNothing);
      before.emplace_back(static_cast<std::size_t>(nodes), -1);
      for (std::int64_t from = 0; from < nodes; ++from) {
        if (std::isinf(reached[static_cast<std::size_t>(from)])) continue;
        for (std::int64_t to = 0; to < nodes; ++to) {
          const double worth =
              reached[static_cast<std::size_t>(from)] + gain[static_cast<std::size_t>(from * nodes + to)];
          if (worth > further[static_cast<std::size_t>(to)]) {
            further[static_cast<std::size_t>(to)] = worth;
            before.back()[static_cast<std::size_t>(to)] = from;
          }
        }
      }
      reached = std::move(further);
      for (std::int64_t end = 0; end < nodes; ++end) {
        if (!(reached[static_cast<std::size_t>(end)] > most)) continue;
        if (end != start && !(fits(name(start), name(end)) && may_leave(name(start), name(end)))) continue;
        most = reached[static_cast<std::size_t>(end)];
        found.assign(1, end);
        for (std::size_t link = links; link > 0; --link) {
          found.insert(found.begin(), before[link - 1][static_cast<std::size_t>(found.front())]);
        }
      }
    }
  }
  return found;
}

// Moves customers along a chain while they gain together and its ends have room; whether any moved.
bool Desk::trade(const std::vector<std::int64_t>& chain) {
  std::vector<std::vector<Move>> links;
  for (std::size_t link = 0; link + 1 < chain.size(); ++link)
    links.push_back(along(chain[link], chain[link + 1]));
  const auto start = static_cast<std::int32_t>(chain.front() == options_ ? -1 : chain.front());
  const auto end = static_cast<std::int32_t>(chain.back() == options_ ? -1 : chain.back());
  std::vector<std::size_t> turns(links.size());
  bool moved = false;
  while (line_up(links, turns)) {
    double worth = 0.0;
    for (std::size_t link = 0; link < links.size(); ++link) {
      const Move& move = links[link][turns[link]];
      const std::int32_t here = option(move.row, now(move.row));
      // A chain that passes an option twice may have moved this customer already.
      if ((here < 0 ? options_ : here) != chain[link]) return moved;
      for (std::size_t other = 0; other < link; ++other) {
        if (links[other][turns[other]].row == move.row) return moved;
      }
      worth += move.worth;
    }
    if (!(worth > 0.0) || (start != end && !(fits(start, end) && may_leave(start, end)))) return moved;
    for (std::size_t link = 0; link < links.size(); ++link) {
      const Move& move = links[link][turns[link]++];
      put(move.row, move.entry);
    }
    moved = true;
  }
  return moved;
}

// What the customers' best choices are worth after prices.
double Desk::surplus() const {
  double total = 0.0;
  if (caps_.is_empty()) {
    for (const std::int64_t row : order_) total += net(row, best_entry(row));
    return total;
  }
  std::vector<std::vector<Choice>> slots(static_cast<std::size_t>(slots_));
  std::vector<std::int32_t> taken;
  for (const std::int64_t row : order_) {
    if (row % slots_ != 0) continue;
    for (std::size_t s = 0; s < slots.size(); ++s)
      choices_of(input_, row + static_cast<std::int64_t>(s), slots[s]);
    total += caps_.best(row / slots_, slots, taken);
  }
  return total;
}

bool Desk::is_near() const {
  double worth = 0.0;
  for (const std::int64_t row : order_) worth += value(row, now(row));
  const double bound = input_.paid + surplus_;
  return bound - worth <= kNear * std::abs(bound);
}

// Where customers are so alike that prices cannot tell them apart, chains of them still gain together.
void Desk::exchange() {
  for (int round = 0; round < kExchangeRounds && !is_near(); ++round) {
    const std::vector<std::int64_t> chain = best_chain();
    if (chain.empty() || !trade(chain)) return;
  }
}

Settlement Desk::result() const {
  Settlement made;
  made.entries = entries_;
  made.repaired.resize(entries_.size());
  made.used = used_;
  made.reachable.resize(used_.size());
  made.surplus = surplus_;
  for (const std::int64_t row : order_) {
    made.repaired[static_cast<std::size_t>(row)] = now(row) != chosen(row) ? 1 : 0;
    made.value += value(row, now(row));
    for (std::size_t limit = 0; limit < used_.size(); ++limit) {
      std::int64_t most = 0;
      for (std::int32_t entry = 0; entry < input_.width && option(row, entry) >= 0; ++entry) {
        most = std::max(most, cost(limit, option(row, entry)));
      }
      made.reachable[limit] += most;
    }
  }
  return made;
}

}  // namespace

Settlement settle(const SettleInput& input) {
  Desk desk(input);
  desk.take_turns();
  desk.meet_minimums();
  desk.fill();
  desk.exchange();
  return desk.result();
}

}  // namespace labfactory::select
