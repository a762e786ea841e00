// What is summed: which columns, what each may hold, and which of them together.
// Owner: a value.
// Threads: immutable; any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace labfactory {

// What a number may be: any finite one, only 0 and 1, or a count.
enum class NumberKind : std::uint8_t { finite, zero_or_one, count };

struct NumberColumn {
  NumberKind kind = NumberKind::finite;
  // Values outside are moved to the bound: winsorising.
  double lower = -std::numeric_limits<double>::infinity();
  double upper = std::numeric_limits<double>::infinity();

  [[nodiscard]] bool is_bounded() const {
    return lower > -std::numeric_limits<double>::infinity() ||
           upper < std::numeric_limits<double>::infinity();
  }
};

// Numbers that are summed together, with all their products. Rows where one of the first `required` is null
// are left out; a null among the others, the covariates, is read as 0.
struct MomentSet {
  std::vector<std::int32_t> columns;
  std::int32_t required = 1;
};

// Which pairs of columns the sets need, each once.
class MomentLayout {
 public:
  // Error "moment_layout" when a set names a column that is not there.
  MomentLayout(std::vector<NumberColumn> columns, std::vector<MomentSet> sets);

  [[nodiscard]] const std::vector<NumberColumn>& columns() const { return columns_; }
  [[nodiscard]] const std::vector<MomentSet>& sets() const { return sets_; }
  // Pairs of columns, a <= b, sorted by a.
  [[nodiscard]] const std::vector<std::pair<std::int32_t, std::int32_t>>& pairs() const { return pairs_; }
  // By set, the places in pairs() of its triangle.
  [[nodiscard]] const std::vector<std::int32_t>& set_pairs(std::size_t set) const { return set_pairs_[set]; }
  // Where the product of a column with itself stands in pairs().
  [[nodiscard]] std::size_t square(std::size_t column) const { return squares_[column]; }
  // Where the figures of a set begin; the last is where those of all sets end.
  [[nodiscard]] const std::vector<std::size_t>& starts() const { return starts_; }
  // Those of the sets, then the lowest value of every column, then the highest.
  [[nodiscard]] std::size_t figures() const { return starts_.back() + 2 * columns_.size(); }
  // Rows, then the count of every set, then nulls and invalid values of every column.
  [[nodiscard]] std::size_t counts() const { return 1 + sets_.size() + 2 * columns_.size(); }

 private:
  std::vector<NumberColumn> columns_;
  std::vector<MomentSet> sets_;
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs_;
  std::vector<std::vector<std::int32_t>> set_pairs_;
  std::vector<std::size_t> squares_;
  std::vector<std::size_t> starts_;
};

}  // namespace labfactory
