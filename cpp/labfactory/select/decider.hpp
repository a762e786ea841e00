// The decisions of one slot, block by block of rows.
// Owner: what it is made of belongs to the caller, who keeps it.
// Threads: immutable; each worker brings its own scratch.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "labfactory/select/aligned.hpp"
#include "labfactory/select/beta_race.hpp"
#include "labfactory/select/kernels.hpp"
#include "labfactory/select/mask.hpp"
#include "labfactory/select/output.hpp"
#include "labfactory/select/sample.hpp"
#include "labfactory/select/screen.hpp"
#include "labfactory/select/slot.hpp"
#include "labfactory/select/thompson.hpp"

namespace labfactory::select {

// What one worker needs for a block of rows of one slot.
struct Scratch {
  explicit Scratch(const Slot& slot);

  Aligned<float> features;
  Aligned<float> terms;
  Aligned<float> scores;      // [candidates, padded][kBlockRows]
  Aligned<float> deviations;  // as scores, where scores are uncertain
  Aligned<float> weights;     // as scores, of Base::softmax and Base::squarecb
  Aligned<float> groups;      // [groups][kBlockRows]
  Aligned<float> highest;     // as groups
  std::vector<float> products;
  Aligned<double> before;  // as groups
  std::vector<std::uint64_t> conditions;
  std::vector<std::uint64_t> lines;  // [blocks][conditions]: those of the rows from `lines_first` on
  std::int64_t lines_first = -1;
  std::vector<std::uint64_t> eligible;
  std::vector<std::uint64_t> picks;
  std::map<std::vector<std::uint64_t>, std::vector<double>> odds;  // of Base::beta, by who is eligible
  Contest contest;                                                 // of Base::thompson
  Aligned<std::uint32_t> steps;                                    // of a screen: its rows
  Aligned<std::int16_t> keys;                                      // and its candidates' keys
  int unsieved = 0;    // blocks to screen without the sieve, as it left too many of the last one
  int unscreened = 0;  // blocks to score whole, as the screen did
  std::array<double, kBlockRows> likely{};            // of Base::thompson: of the one taken
  alignas(64) std::array<float, kBlockRows> norms{};  // where deviations come late
  bool is_late = false;
  alignas(64) std::array<std::uint64_t, kBlockRows> customers{};
  Best best{};
  Best second{};
  std::array<std::int32_t, kBlockRows> counts{};
  std::array<Split, kBlockRows> splits{};
  Draws draws{};
  std::array<const std::vector<double>*, kBlockRows> chances{};
  std::array<Reason, kBlockRows> gates{};
  std::int64_t rows = 0;       // of the block
  std::uint64_t customer = 0;  // the hash of the key, where there is no column of them
  std::uint64_t open = 0;      // rows that something may be chosen for
  std::uint64_t control = 0;   // rows of a control arm
  std::uint64_t missing = 0;   // rows without some feature
  std::uint64_t admitted = 0;  // rows with a candidate that the base may take, before limits
  std::uint64_t reserved = 0;  // rows of which a candidate makes room for what is planned
  std::uint64_t decided = 0;
  std::uint64_t estimated = 0;
};

class Decider {
 public:
  // Error(selection, "condition_type"). `shares_limits`: the mask may change after prepare().
  Decider(const Slot& slot, const DecisionInput& input, const Output& output, std::uint64_t seed,
          std::string_view version, bool shares_limits);

  // Decides rows [first, first + rows) of the batch, at most kBlockRows; returns how many got nothing.
  std::int64_t block(std::int64_t first, std::int64_t rows, Scratch& scratch) const;

  // Decides the one row that admit_one() read.
  void one(Scratch& scratch) const;

  // What read() and admit() do, for one customer without columns: `gate` as a gate column has it.
  void admit_one(const CustomerInput& customer, Scratch& scratch) const;

  // What each candidate is worth to rows [first, first + rows): [rows][candidates], not a number where the
  // row may not have it.
  void worth(std::int64_t first, std::int64_t rows, Scratch& scratch, float* out) const;

  // The steps of block(): reads the rows; finds what each may get, and scores it; finds the best candidates;
  // draws; decides one row and says the candidate; says why a row gets none; ends the block.
  void read(std::int64_t first, std::int64_t rows, Scratch& scratch) const;
  void admit(std::int64_t rows, Scratch& scratch) const;
  void rank(Scratch& scratch) const;
  void draw(std::int64_t first, std::int64_t rows, Scratch& scratch) const;
  std::int32_t decide(std::int64_t first, std::size_t r, Scratch& scratch) const;
  void refuse(std::int64_t first, std::size_t r, const Scratch& scratch) const;
  std::int64_t finish(std::int64_t first, std::int64_t rows, const Scratch& scratch) const;

 private:
  // The candidates that the base may take: those that a rule picked, where rules choose.
  [[nodiscard]] const std::uint64_t* base(const Scratch& scratch) const {
    return settings_.rules ? scratch.picks.data() : scratch.eligible.data();
  }
  [[nodiscard]] const float* prices() const { return prices_.empty() ? nullptr : prices_.data(); }
  // What softmax and SquareCB draw by.
  [[nodiscard]] Lots lots(Scratch& scratch) const;
  [[nodiscard]] Beliefs beliefs(const Scratch& scratch) const;

  std::int64_t choose(std::int64_t first, std::int64_t rows, Scratch& scratch) const;
  std::int64_t take_best(std::int64_t first, std::int64_t rows, Scratch& scratch) const;
  std::int64_t take_drawn(std::int64_t first, std::int64_t rows, Scratch& scratch) const;
  std::int64_t finish_found(std::int64_t first, std::int64_t rows, std::uint64_t found,
                            Scratch& scratch) const;
  // The deviations of all scores, at a formula too.
  void spread(Scratch& scratch) const;
  void draw_bounds(Scratch& scratch) const;
  void gate(std::int64_t first, std::int64_t rows, Scratch& scratch) const;
  static void gate_row(std::size_t r, Reason gate, Scratch& scratch);
  void read_conditions(std::int64_t first, Scratch& scratch) const;
  void read_terms(std::int64_t first, std::int64_t rows, Scratch& scratch) const;
  bool screen(Scratch& scratch) const;
  void draw_base(std::int64_t rows, const double* numbers, Scratch& scratch) const;
  void draw_beliefs(std::int64_t rows, Scratch& scratch) const;
  void draw_beta(std::size_t r, double number, Scratch& scratch) const;
  [[nodiscard]] double base_probability(std::int32_t taken, std::size_t r, Scratch& scratch) const;

  const Slot& slot_;
  const SlotSettings& settings_;
  const Exploration& exploration_;
  const Model& model_;
  const DecisionInput& input_;
  const Output& output_;
  const Kernels& kernels_;
  Stream choice_;
  Stream belief_;
  Thompson thompson_;
  BetaRace priced_race_;  // of Base::beta where there are prices
  std::vector<Condition> conditions_;
  Screen priced_screen_;       // where there are prices
  std::vector<float> prices_;  // padded to whole groups; empty: none
  bool has_scores_;            // a matrix of scores is made, else choose() keeps them in registers
  bool scores_late_;           // choose() writes it, as the scores are its sums
  bool deviations_late_;       // nobody needs those of candidates that cannot be taken
};

}  // namespace labfactory::select
