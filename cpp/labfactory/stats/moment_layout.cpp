#include "labfactory/stats/moment_layout.hpp"

#include <algorithm>
#include <string>

#include "labfactory/base/error.hpp"
#include "labfactory/stats/co_moments.hpp"

namespace labfactory {

namespace {

void check(const MomentSet& set, std::size_t columns) {
  const auto known = [columns](std::int32_t column) {
    return column >= 0 && static_cast<std::size_t>(column) < columns;
  };
  const bool fits = set.required >= 1 && static_cast<std::size_t>(set.required) <= set.columns.size();
  if (fits && std::ranges::all_of(set.columns, known)) return;
  throw Error(ErrorKind::usage, "moment_layout",
              "expected sets of the " + std::to_string(columns) + " columns, found one of " +
                  std::to_string(set.columns.size()) + " columns, " + std::to_string(set.required) +
                  " of them required");
}

}  // namespace

MomentLayout::MomentLayout(std::vector<NumberColumn> columns, std::vector<MomentSet> sets)
    : columns_(std::move(columns)), sets_(std::move(sets)), starts_{0} {
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    pairs_.emplace_back(static_cast<std::int32_t>(column), static_cast<std::int32_t>(column));
  }
  for (const MomentSet& set : sets_) {
    check(set, columns_.size());
    for (std::size_t a = 0; a < set.columns.size(); ++a) {
      for (std::size_t b = a; b < set.columns.size(); ++b)
        pairs_.push_back(std::minmax(set.columns[a], set.columns[b]));
    }
    starts_.push_back(starts_.back() + figure_count(set.columns.size()));
  }
  std::ranges::sort(pairs_);
  pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
  const auto place = [this](std::int32_t a, std::int32_t b) {
    const std::pair<std::int32_t, std::int32_t> pair = std::minmax(a, b);
    return std::ranges::lower_bound(pairs_, pair) - pairs_.begin();
  };
  for (const MomentSet& set : sets_) {
    std::vector<std::int32_t>& places = set_pairs_.emplace_back();
    for (std::size_t a = 0; a < set.columns.size(); ++a) {
      for (std::size_t b = a; b < set.columns.size(); ++b)
        places.push_back(static_cast<std::int32_t>(place(set.columns[a], set.columns[b])));
    }
  }
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    const auto each = static_cast<std::int32_t>(column);
    squares_.push_back(static_cast<std::size_t>(place(each, each)));
  }
}

}  // namespace labfactory
