#include <pybind11/stl.h>

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "labfactory/base/error.hpp"
#include "labfactory/bindings/capsules.hpp"
#include "labfactory/bindings/registers.hpp"
#include "labfactory/stats/arm_moments.hpp"
#include "labfactory/stats/arm_names.hpp"
#include "labfactory/stats/numbers.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

OutcomeKind kind_by_name(const std::string& name) {
  if (name == "number") return OutcomeKind::number;
  if (name == "zero_or_one") return OutcomeKind::zero_or_one;
  throw Error(ErrorKind::usage, "outcome_kind", "expected number or zero_or_one, found '" + name + "'");
}

std::vector<OutcomeKind> kinds_by_name(const std::vector<std::string>& names) {
  std::vector<OutcomeKind> kinds;
  for (const std::string& name : names) kinds.push_back(kind_by_name(name));
  return kinds;
}

[[noreturn]] void refuse_type(const Column& column, const char* expected) {
  throw Error(ErrorKind::source, "column_type",
              "expected " + std::string(expected) + " in column '" + column.type().name + "', found " +
                  type_name(column.type()));
}

// Names, sums and the count of rows that came before: what one evaluation streams through.
class ArmSummary {
 public:
  ArmSummary(std::vector<std::string> arms, const std::vector<std::string>& kinds)
      : names_(std::move(arms)), outcomes_(kinds.size()), moments_(names_.count(), kinds_by_name(kinds)) {}

  void add(py::handle object, int threads) {
    const std::shared_ptr<const Batch> batch = import_batch(object);
    const py::gil_scoped_release released;
    add_batch(*batch, threads);
  }

  [[nodiscard]] ArmTotals totals() const { return moments_.totals(); }

 private:
  void add_batch(const Batch& batch, int threads) {
    if (batch.names().size() != outcomes_ + 1) {
      throw Error(ErrorKind::usage, "outcome_kind",
                  "expected a variant column and " + std::to_string(outcomes_) + " outcomes, found " +
                      std::to_string(batch.names().size()) + " columns");
    }
    const Column& variant = batch.column(std::size_t{0});
    if (!is_text(variant.value_layout()) && variant.layout() != Layout::null) refuse_type(variant, "text");
    std::vector<const Column*> outcomes;
    for (std::size_t i = 1; i <= outcomes_; ++i) {
      outcomes.push_back(&batch.column(i));
      if (!is_number(*outcomes.back())) refuse_type(*outcomes.back(), "booleans or numbers");
    }
    arms_.resize(static_cast<std::size_t>(batch.length()));
    names_.encode(variant, rows_, arms_, threads);
    moments_.add(arms_, outcomes, threads);
    rows_ += batch.length();
  }

  ArmNames names_;
  std::size_t outcomes_;
  ArmMoments moments_;
  std::int64_t rows_ = 0;
  std::vector<std::int32_t> arms_;
};

Moments moments_of_array(py::handle object) {
  const std::shared_ptr<const Batch> values = import_array(object);
  const py::gil_scoped_release released;
  const Column& column = values->root().readable();
  if (!is_number(column)) refuse_type(column, "booleans or numbers");
  ArmMoments moments(1, {OutcomeKind::number});
  const std::array<const Column*, 1> outcomes = {&column};
  moments.add(std::vector<std::int32_t>(static_cast<std::size_t>(column.length())), outcomes, 1);
  return moments.totals().outcomes.front().moments;
}

}  // namespace

void register_stats(py::module_& module) {
  py::module_ stats = module.def_submodule("stats", "Moments of outcomes by arm.");
  py::class_<Moments>(stats, "Moments", "Count, mean and sum of squared distances from the mean.")
      .def_readonly("count", &Moments::count)
      .def_readonly("mean", &Moments::mean)
      .def_readonly("mean_rest", &Moments::mean_rest)
      .def_readonly("squares", &Moments::squares);
  py::class_<ArmOutcome>(stats, "ArmOutcome", "One outcome in one arm.")
      .def_readonly("moments", &ArmOutcome::moments)
      .def_readonly("missing", &ArmOutcome::missing)
      .def_readonly("invalid", &ArmOutcome::invalid);
  py::class_<ArmTotals>(stats, "ArmTotals", "Rows by arm; outcomes by arm, then by outcome.")
      .def_readonly("rows", &ArmTotals::rows)
      .def_readonly("outcomes", &ArmTotals::outcomes);
  py::class_<ArmSummary>(stats, "ArmSummary", "Sums of a stream of batches: a variant column, then outcomes.")
      .def(py::init<std::vector<std::string>, const std::vector<std::string>&>(), py::arg("arms"),
           py::arg("kinds"))
      .def("add", &ArmSummary::add, py::arg("batch"), py::arg("threads"))
      .def("totals", &ArmSummary::totals);
  stats.def("moments_of", &moments_of_array, py::arg("array"),
            "The moments of the finite values of an array.");
  stats.def("merged", &merged, py::arg("left"), py::arg("right"),
            "The moments of both sets of values together.");
}

}  // namespace labfactory::bindings
