#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <map>
#include <string>
#include <tuple>

#include "labfactory/base/error.hpp"
#include "labfactory/bindings/capsules.hpp"
#include "labfactory/bindings/registers.hpp"
#include "labfactory/select/output.hpp"
#include "labfactory/select/slot.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

std::vector<float> numbers_of(const Floats& numbers) {
  return {numbers.data(), numbers.data() + numbers.size()};
}

select::Scale scale_of(const std::string& name) {
  if (name == "sum") return select::Scale::sum;
  if (name == "probability") return select::Scale::probability;
  throw Error(ErrorKind::selection, "model_scale", "expected sum or probability, found '" + name + "'");
}

std::optional<std::vector<select::Rule>> rules_of(
    const std::optional<std::vector<std::pair<std::int32_t, std::int32_t>>>& pairs) {
  if (!pairs) return std::nullopt;
  std::vector<select::Rule> rules;
  for (const auto& [condition, candidate] : *pairs) rules.push_back({condition, candidate});
  return rules;
}

select::Base base_of(const std::string& name) {
  static const std::map<std::string, select::Base> bases = {
      {"best", select::Base::best},         {"softmax", select::Base::softmax},
      {"squarecb", select::Base::squarecb}, {"ucb", select::Base::ucb},
      {"thompson", select::Base::thompson}, {"beta", select::Base::beta}};
  const auto found = bases.find(name);
  if (found != bases.end()) return found->second;
  throw Error(ErrorKind::selection, "exploration",
              "expected best, softmax, squarecb, ucb, thompson or beta, found '" + name + "'");
}

// Steps by name, with the position of a term or the value of a number; terms as numbers, or columns in
// parentheses.
using StepPair = std::pair<std::string, double>;
using TermPair = std::pair<double, std::int32_t>;

select::Arbitration arbitration_of(
    const std::optional<std::pair<std::vector<StepPair>, std::vector<TermPair>>>& given) {
  if (!given) return {};
  using Kind = select::Step::Kind;
  static const std::map<std::string, Kind> kinds = {
      {"score", Kind::score},  {"term", Kind::term},    {"number", Kind::number}, {"add", Kind::add},
      {"sub", Kind::subtract}, {"mul", Kind::multiply}, {"div", Kind::divide},    {"neg", Kind::negate}};
  std::vector<select::Step> steps;
  for (const auto& [name, value] : given->first) {
    const auto kind = kinds.find(name);
    if (kind == kinds.end()) throw Error(ErrorKind::selection, "formula", "unknown step '" + name + "'");
    const bool is_term = kind->second == Kind::term;
    steps.push_back({.kind = kind->second,
                     .term = is_term ? static_cast<std::int32_t>(value) : 0,
                     .number = is_term ? 0.0F : static_cast<float>(value)});
  }
  std::vector<select::Term> terms;
  for (const auto& [number, column] : given->second) terms.push_back({static_cast<float>(number), column});
  return {std::move(steps), std::move(terms)};
}

select::Uncertainty uncertainty_of(const std::optional<Floats>& given, std::int64_t candidates,
                                   std::int64_t features) {
  if (!given) return {};
  const std::vector<float> numbers = numbers_of(*given);
  if (given->ndim() == 2) return select::Uncertainty::diagonal(numbers, candidates, features);
  return select::Uncertainty::full(numbers, candidates, features);
}

select::Slot make_slot(
    std::string name, std::vector<std::string> components, std::vector<std::int32_t> candidates,
    std::vector<std::vector<std::int32_t>> needed,
    const std::optional<std::vector<std::pair<std::int32_t, std::int32_t>>>& rules,
    const std::vector<std::optional<float>>& missing, const Floats& weights, const Floats& bias,
    const std::string& scale, const std::string& base, double strength, double epsilon, double floor,
    const std::optional<std::pair<std::vector<StepPair>, std::vector<TermPair>>>& arbitration,
    const std::optional<Floats>& uncertainty, const std::vector<std::pair<double, double>>& beliefs,
    bool is_screened) {
  const auto features = static_cast<std::int64_t>(missing.size());
  std::vector<select::BetaBelief> rates;
  for (const auto& [successes, failures] : beliefs) rates.push_back({successes, failures});
  select::Uncertainty spread =
      uncertainty_of(uncertainty, static_cast<std::int64_t>(candidates.size()), features);
  return select::Slot(
      {.name = std::move(name),
       .components = std::move(components),
       .candidates = std::move(candidates),
       .needed = std::move(needed),
       .rules = rules_of(rules),
       .missing = missing,
       .weights = numbers_of(weights),
       .bias = numbers_of(bias),
       .scale = scale_of(scale),
       .arbitration = arbitration_of(arbitration),
       .uncertainty = std::move(spread),
       .beliefs = std::move(rates),
       .exploration = {.base = base_of(base), .strength = strength, .epsilon = epsilon, .floor = floor},
       .is_screened = is_screened});
}

// The gates of all slots, int8, in the first column; what is left of limits in the others.
const Column* gates_of(const Batch& shared) {
  const Column& gates = shared.column(std::size_t{0});
  if (gates.layout() == Layout::int8 && !gates.has_nulls()) return &gates;
  throw Error(ErrorKind::selection, "decision_input", "expected gates as int8 without nulls");
}

// What a choice must be worth more than, float64.
const Column* bar_of(const Batch& shared, std::size_t number) {
  const Column& bar = shared.column(number);
  if (bar.layout() == Layout::float64 && !bar.has_nulls()) return &bar;
  throw Error(ErrorKind::selection, "decision_input", "expected bars as float64 without nulls");
}

Array decide(const select::Slot& slot, py::handle columns, std::uint64_t seed, const std::string& version,
             int threads, const std::optional<Floats>& prices, const std::optional<py::object>& shared,
             bool estimates) {
  const std::vector<float> taken_off = prices ? numbers_of(*prices) : std::vector<float>();
  const std::shared_ptr<const Batch> batch = import_batch(columns);
  const std::shared_ptr<const Batch> common = shared ? import_batch(*shared) : nullptr;
  const py::gil_scoped_release without_gil;
  select::DecisionInput input = slot.input_of(*batch);
  input.prices = taken_off;
  input.has_estimates = estimates;
  if (common) input.gates = gates_of(*common);
  return Array(slot.decide(input, seed, version, threads));
}

py::tuple told(const select::Decision& made) {
  return py::make_tuple(made.component, made.score, made.propensity, static_cast<int>(made.reason),
                        made.is_estimate);
}

select::Reason gate_of(int gate) {
  if (gate >= 0 && static_cast<std::size_t>(gate) < select::decision_reasons().size()) {
    return static_cast<select::Reason>(gate);
  }
  throw Error(ErrorKind::selection, "decision_input",
              "expected a gate among the reasons, found " + std::to_string(gate));
}

using GivenNumbers = std::vector<std::optional<double>>;

py::tuple decide_one(const select::Slot& slot, std::optional<std::uint64_t> key, GivenNumbers features,
                     GivenNumbers terms, std::vector<bool> conditions, std::uint64_t seed,
                     const std::string& version, const std::optional<Floats>& prices, int gate) {
  const std::vector<float> taken_off = prices ? numbers_of(*prices) : std::vector<float>();
  return told(slot.decide_one({.key = key,
                               .features = std::move(features),
                               .terms = std::move(terms),
                               .conditions = std::move(conditions),
                               .prices = taken_off,
                               .gate = gate_of(gate)},
                              seed, version));
}

py::array_t<float> values(const select::Slot& slot, py::handle columns, int threads,
                          const std::optional<py::object>& shared) {
  const std::shared_ptr<const Batch> batch = import_batch(columns);
  const std::shared_ptr<const Batch> common = shared ? import_batch(*shared) : nullptr;
  select::DecisionInput input = slot.input_of(*batch);
  if (common) input.gates = gates_of(*common);
  const std::int64_t candidates = slot.model().candidates();
  py::array_t<float> made({input.keys->length(), candidates});
  const std::span<float> out(made.mutable_data(), static_cast<std::size_t>(made.size()));
  {
    const py::gil_scoped_release without_gil;
    slot.values(input, threads, out);
  }
  return made;
}

using LimitTuple = std::tuple<std::int32_t, std::int32_t, std::vector<std::pair<std::int32_t, std::int32_t>>,
                              std::vector<std::size_t>>;

std::vector<Array> decide_together(const std::vector<const select::Slot*>& slots,
                                   const std::vector<py::object>& columns, const py::object& shared,
                                   const std::vector<LimitTuple>& limits,
                                   const std::vector<std::optional<Floats>>& prices, std::uint64_t seed,
                                   const std::string& version, int threads, bool estimates) {
  if (columns.size() != slots.size() || prices.size() != slots.size()) {
    throw Error(ErrorKind::selection, "decision_input", "expected columns and prices of every slot");
  }
  const std::shared_ptr<const Batch> common = import_batch(shared);
  std::vector<std::shared_ptr<const Batch>> batches;
  std::vector<std::vector<float>> taken_off;
  for (std::size_t s = 0; s < slots.size(); ++s) {
    batches.push_back(import_batch(columns[s]));
    taken_off.push_back(prices[s] ? numbers_of(*prices[s]) : std::vector<float>());
  }
  const py::gil_scoped_release without_gil;
  std::vector<select::DecisionInput> inputs;
  for (std::size_t s = 0; s < slots.size(); ++s) {
    inputs.push_back(slots[s]->input_of(*batches[s]));
    inputs.back().prices = taken_off[s];
    inputs.back().gates = gates_of(*common);
    inputs.back().has_estimates = estimates;
  }
  std::vector<select::Allowance> given;
  for (const auto& [at_most, column, members, bars] : limits) {
    const Column* const left = column < 0 ? nullptr : &common->column(static_cast<std::size_t>(column));
    given.push_back({at_most, left, members, {}});
    for (const std::size_t bar : bars) given.back().bars.push_back(bar_of(*common, bar));
  }
  std::vector<Array> decided;
  for (ArrayPointer& array :
       select::decide_together({slots, std::move(given)}, inputs, seed, version, threads)) {
    decided.emplace_back(std::move(array));
  }
  return decided;
}

// What a limit is about: slots and candidates.
using Members = std::vector<std::pair<std::int32_t, std::int32_t>>;

select::Allowances make_allowances(const std::vector<const select::Slot*>& slots,
                                   const std::vector<Members>& members) {
  std::vector<select::Allowance> all;
  for (const Members& own : members) all.push_back({0, nullptr, own, {}});
  return {slots, std::move(all)};
}

py::list decide_one_together(const select::Allowances& limits, std::optional<std::uint64_t> key,
                             std::vector<GivenNumbers> features, std::vector<GivenNumbers> terms,
                             std::vector<std::vector<bool>> conditions, const std::vector<std::int32_t>& left,
                             const std::vector<std::vector<double>>& bars, int gate,
                             const std::vector<std::optional<Floats>>& prices, std::uint64_t seed,
                             const std::string& version) {
  const std::size_t count = limits.slots().size();
  if (features.size() != count || terms.size() != count || conditions.size() != count ||
      prices.size() != count) {
    throw Error(ErrorKind::selection, "decision_input", "expected values and prices of every slot");
  }
  std::vector<std::vector<float>> taken_off;
  for (const std::optional<Floats>& own : prices) {
    taken_off.push_back(own ? numbers_of(*own) : std::vector<float>());
  }
  std::vector<select::CustomerInput> customers;
  for (std::size_t s = 0; s < count; ++s) {
    customers.push_back({.key = key,
                         .features = std::move(features[s]),
                         .terms = std::move(terms[s]),
                         .conditions = std::move(conditions[s]),
                         .prices = taken_off[s],
                         .gate = gate_of(gate)});
  }
  py::list made;
  for (const select::Decision& one :
       select::decide_one_together(limits, customers, left, bars, seed, version)) {
    made.append(told(one));
  }
  return made;
}

}  // namespace

void register_select(py::module_& module) {
  py::module_ select = module.def_submodule("select", "One component for every customer and slot.");
  py::class_<select::Slot>(select, "Slot", "The candidates of one slot, and how one of them is chosen.")
      .def(py::init(&make_slot), py::kw_only(), py::arg("name"), py::arg("components"), py::arg("candidates"),
           py::arg("needed"), py::arg("rules"), py::arg("missing"), py::arg("weights"), py::arg("bias"),
           py::arg("scale"), py::arg("base") = "best", py::arg("strength") = 0.0, py::arg("epsilon") = 0.0,
           py::arg("floor") = 0.0, py::arg("arbitration") = py::none(), py::arg("uncertainty") = py::none(),
           py::arg("beliefs") = std::vector<std::pair<double, double>>(), py::arg("is_screened") = true)
      .def("decide", &decide, py::arg("columns"), py::kw_only(), py::arg("seed"), py::arg("version"),
           py::arg("threads"), py::arg("prices") = py::none(), py::arg("shared") = py::none(),
           py::arg("estimates") = true,
           "Decides every row of a record batch: hashes of the keys (uint64), then features, terms and "
           "conditions. `prices` (float32 [candidates]) are taken off the scores before they are compared; "
           "the "
           "first column of `shared` (int8) has the reason that a row gets nothing by, or 0. Without "
           "`estimates` "
           "propensities that are estimates are null, and not computed.")
      .def("decide_one", &decide_one, py::arg("key"), py::kw_only(), py::arg("features"), py::arg("terms"),
           py::arg("conditions"), py::arg("seed"), py::arg("version"), py::arg("prices") = py::none(),
           py::arg("gate") = 0,
           "Decides one customer, as decide() does: component or -1, score, propensity, position in REASONS, "
           "whether the propensity is an estimate. `gate`: the reason that it gets nothing by, or 0.")
      .def("values", &values, py::arg("columns"), py::kw_only(), py::arg("threads"),
           py::arg("shared") = py::none(),
           "Every candidate's score for every row of a record batch, [rows, candidates]; NaN where the row "
           "may not have it. Arguments as decide().");
  py::class_<select::Allowances>(select, "Allowances",
                                 "Limits that slots share, as pairs of slot and candidate for each.")
      .def(py::init(&make_allowances), py::arg("slots"), py::arg("members"), py::keep_alive<1, 2>());
  select.def("decide_one_together", &decide_one_together, py::arg("limits"), py::arg("key"), py::kw_only(),
             py::arg("features"), py::arg("terms"), py::arg("conditions"), py::arg("left"), py::arg("bars"),
             py::arg("gate"), py::arg("prices"), py::arg("seed"), py::arg("version"),
             "Decides one customer in slots that share limits, of which each leaves so many and asks of each "
             "choice to be worth more than its bar; for every slot what Slot.decide_one() gives.");
  select.def(
      "decide_together", &decide_together, py::arg("slots"), py::arg("columns"), py::kw_only(),
      py::arg("shared"), py::arg("limits"), py::arg("prices"), py::arg("seed"), py::arg("version"),
      py::arg("threads"), py::arg("estimates") = true,
      "Decides slots that share limits: (at most, column of `shared` in its place or -1, pairs of slot and "
      "candidate, columns of `shared` with what the first choice must be worth more than, the second, ...). "
      "The slot with the highest score chooses first.");
  select.attr("REASONS") = py::tuple(py::cast(
      std::vector<std::string>(select::decision_reasons().begin(), select::decision_reasons().end())));
}

}  // namespace labfactory::bindings
