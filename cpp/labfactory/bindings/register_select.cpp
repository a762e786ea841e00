#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <string>

#include "labfactory/base/error.hpp"
#include "labfactory/bindings/capsules.hpp"
#include "labfactory/bindings/registers.hpp"
#include "labfactory/select/output.hpp"
#include "labfactory/select/slot.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

using Numbers = py::array_t<float, py::array::c_style | py::array::forcecast>;

std::vector<float> numbers_of(const Numbers& numbers) {
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

select::Slot make_slot(std::string name, std::vector<std::string> components,
                       std::vector<std::int32_t> candidates, std::vector<std::vector<std::int32_t>> needed,
                       const std::optional<std::vector<std::pair<std::int32_t, std::int32_t>>>& rules,
                       const std::vector<std::optional<float>>& missing, const Numbers& weights,
                       const Numbers& bias, const std::string& scale, std::optional<double> temperature,
                       double epsilon, double floor) {
  return select::Slot({.name = std::move(name),
                       .components = std::move(components),
                       .candidates = std::move(candidates),
                       .needed = std::move(needed),
                       .rules = rules_of(rules),
                       .missing = missing,
                       .weights = numbers_of(weights),
                       .bias = numbers_of(bias),
                       .scale = scale_of(scale),
                       .exploration = {.temperature = temperature, .epsilon = epsilon, .floor = floor}});
}

Array decide(const select::Slot& slot, py::handle columns, std::uint64_t seed, const std::string& version,
             int threads, const std::optional<Numbers>& prices) {
  const std::vector<float> taken_off = prices ? numbers_of(*prices) : std::vector<float>();
  const std::shared_ptr<const Batch> batch = import_batch(columns);
  const py::gil_scoped_release without_gil;
  select::DecisionInput input;
  input.prices = taken_off;
  for (std::size_t i = 0; i < batch->names().size(); ++i) {
    const Column* const column = &batch->column(i);
    if (i == 0) {
      input.keys = column;
    } else {
      (i <= slot.feature_count() ? input.features : input.conditions).push_back(column);
    }
  }
  return Array(slot.decide(input, seed, version, threads));
}

}  // namespace

void register_select(py::module_& module) {
  py::module_ select = module.def_submodule("select", "One component for every customer and slot.");
  py::class_<select::Slot>(select, "Slot", "The candidates of one slot, and how one of them is chosen.")
      .def(py::init(&make_slot), py::kw_only(), py::arg("name"), py::arg("components"), py::arg("candidates"),
           py::arg("needed"), py::arg("rules"), py::arg("missing"), py::arg("weights"), py::arg("bias"),
           py::arg("scale"), py::arg("temperature"), py::arg("epsilon"), py::arg("floor"))
      .def("decide", &decide, py::arg("columns"), py::kw_only(), py::arg("seed"), py::arg("version"),
           py::arg("threads"), py::arg("prices") = py::none(),
           "Decides every row of a record batch: hashes of the keys (uint64), then the features, then the "
           "conditions. `prices` (float32 [candidates]) are taken off the scores before they are compared.");
  select.attr("REASONS") = py::tuple(py::cast(
      std::vector<std::string>(select::decision_reasons().begin(), select::decision_reasons().end())));
}

}  // namespace labfactory::bindings
