#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>

#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/builder.hpp"
#include "labfactory/base/dispatch.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/select/output.hpp"
#include "labfactory/select/slot.hpp"

using namespace labfactory;
using namespace labfactory::select;

namespace {

constexpr std::int64_t kRows = 9'001;  // three tasks, the last block and tile not full

std::shared_ptr<const Batch> batch_of(const ArrayPointer& array) {
  ArrowSchema schema;
  ArrowArray exported;
  export_schema(*array, &schema);
  export_array(array, &exported);
  return import_batch(&schema, &exported);
}

// Keys, two features with missing values, and two conditions with nulls.
std::shared_ptr<const Batch> customers() {
  std::mt19937_64 random(9);
  std::normal_distribution<double> normal;
  std::vector<std::uint64_t> keys;
  std::vector<double> spend;
  std::vector<float> age;
  std::vector<std::uint8_t> is_open;
  std::vector<std::uint8_t> is_adult;
  Bitmap known_keys;
  Bitmap known_spend;
  Bitmap known_open;
  for (std::int64_t i = 0; i < kRows; ++i) {
    keys.push_back(random());
    spend.push_back(i % 50 == 0 ? std::numeric_limits<double>::quiet_NaN() : normal(random));
    age.push_back(static_cast<float>(normal(random)));
    is_open.push_back(random() % 3 != 0 ? 1 : 0);
    is_adult.push_back(random() % 3 != 0 ? 1 : 0);
    known_keys.append(i % 400 != 7);
    known_spend.append(i % 30 != 0);
    known_open.append(i % 20 != 0);
  }
  return batch_of(make_struct_array(kRows, {{"keys", make_array(keys, std::move(known_keys))},
                                            {"spend", make_array(spend, std::move(known_spend))},
                                            {"age", make_array(age)},
                                            {"open", make_boolean_array(is_open, std::move(known_open))},
                                            {"adult", make_boolean_array(is_adult)}}));
}

DecisionInput input_of(const Batch& batch) {
  return {&batch.column("keys"),
          {&batch.column("spend"), &batch.column("age")},
          {},
          {&batch.column("open"), &batch.column("adult")},
          {},
          nullptr};
}

SlotSettings settings(Exploration exploration) {
  return {.name = "hero",
          .components = {"a", "b", "c", "d", "e", "f"},
          .candidates = {5, 0, 1, 2, 3},
          .needed = {{0}, {0, 1}, {1}, {0}, {0}},
          .rules = std::nullopt,
          .missing = {std::nullopt, 0.5F},
          .weights = {1, -1, 2, 0.5F, -0.25F, 1, 0, 0, 0.1F, 0.2F},
          .bias = {0, 0.1F, 0.2F, 0.3F, 0},
          .scale = Scale::sum,
          .arbitration = {},
          .uncertainty =
              Uncertainty::diagonal(std::vector<float>{0.1F, 0.4F, 0, 2, 1, 0.3F, 0.7F, 0.7F, 3, 0.2F}, 5, 2),
          .beliefs = {{3, 9}, {2, 5}, {1, 1}, {4, 9}, {20, 60}},
          .exploration = exploration};
}

// Everything that a decision says, as text.
std::vector<std::string> rows_of(const ArrayPointer& decided) {
  const std::shared_ptr<const Batch> batch = batch_of(decided);
  std::vector<std::string> rows;
  for (std::int64_t i = 0; i < batch->length(); ++i) {
    std::string row(batch->column("reason").text(i));
    if (batch->column("index").is_valid(i)) {
      row += " " + std::string(batch->column("component").text(i));
      row += " " + std::to_string(batch->column("index").integer(i));
      row += " " + std::to_string(batch->column("score").floating(i));
      row += " " + std::to_string(batch->column("propensity").floating(i));
    }
    rows.push_back(row);
  }
  return rows;
}

std::string code_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::selection);
    return error.code();
  }
  return "";
}

}  // namespace

TEST_CASE("a slot decides alike on any number of threads and at every level") {
  const std::shared_ptr<const Batch> batch = customers();
  for (const Exploration& exploration :
       {Exploration{}, Exploration{Base::best, 0.0, 0.2, 0.0}, Exploration{Base::softmax, 0.5, 0.0, 0.05},
        Exploration{Base::squarecb, 9.0, 0.0, 0.0}, Exploration{Base::ucb, 1.5, 0.0, 0.0},
        Exploration{Base::thompson, 1.0, 0.1, 0.0}, Exploration{Base::beta, 1.0, 0.0, 0.0}}) {
    const Slot slot(settings(exploration));
    const std::vector<std::string> expected = rows_of(slot.decide(input_of(*batch), 3, "1", 1));
    for (const Level level : {Level::baseline, Level::avx2, Level::avx512}) {
      limit_dispatch(level);
      for (const int threads : {1, 3})
        CHECK(rows_of(slot.decide(input_of(*batch), 3, "1", threads)) == expected);
    }
    // Those after missing_key come from gates and limits.
    for (const std::string& reason : decision_reasons().first(5)) {
      if (reason == "explored" && !exploration.is_random()) continue;
      CHECK(std::ranges::any_of(expected, [&](const std::string& row) { return row.starts_with(reason); }));
    }
  }
}

TEST_CASE("settings that do not fit together are refused") {
  const auto refused = [](auto change) {
    SlotSettings wrong = settings({});
    change(wrong);
    return code_of([&] { const Slot slot(wrong); });
  };
  CHECK(refused([](SlotSettings& s) { s.weights.pop_back(); }) == "model_shape");
  CHECK(refused([](SlotSettings& s) { s.weights[0] = std::numeric_limits<float>::infinity(); }) ==
        "model_value");
  CHECK(refused([](SlotSettings& s) { s.candidates[0] = 6; }) == "decision_input");
  CHECK(refused([](SlotSettings& s) { s.candidates.pop_back(); }) == "decision_input");
  CHECK(refused([](SlotSettings& s) { s.needed.pop_back(); }) == "decision_input");
  CHECK(refused([](SlotSettings& s) { s.needed[0] = {-1}; }) == "decision_input");
  CHECK(refused([](SlotSettings& s) { s.rules = {{-1, 5}}; }) == "decision_input");
  CHECK(refused([](SlotSettings&) {}).empty());
}

TEST_CASE("columns that a slot cannot read are refused") {
  const std::shared_ptr<const Batch> batch = customers();
  const Slot slot(settings({}));
  const auto refused = [&](auto change) {
    DecisionInput wrong = input_of(*batch);
    change(wrong);
    return code_of([&] { (void)slot.decide(wrong, 1, "1", 1); });
  };
  CHECK(refused([](DecisionInput& in) { in.features.pop_back(); }) == "decision_input");
  CHECK(refused([](DecisionInput& in) { in.conditions.pop_back(); }) == "decision_input");
  CHECK(refused([](DecisionInput& in) { in.keys = in.features[0]; }) == "decision_input");
  CHECK(refused([](DecisionInput& in) { in.conditions[0] = in.features[0]; }) == "condition_type");
  const std::shared_ptr<const Batch> texts = batch_of(make_struct_array(
      kRows, {{"text", make_text_array(std::vector<std::optional<std::string_view>>(kRows, "x"))}}));
  CHECK(refused([&](DecisionInput& in) { in.features[0] = &texts->column("text"); }) == "feature_type");
}
