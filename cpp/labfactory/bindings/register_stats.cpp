#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "labfactory/base/error.hpp"
#include "labfactory/bindings/capsules.hpp"
#include "labfactory/bindings/registers.hpp"
#include "labfactory/stats/arm_names.hpp"
#include "labfactory/stats/cell_moments.hpp"
#include "labfactory/stats/cell_totals.hpp"
#include "labfactory/stats/numbers.hpp"
#include "labfactory/stats/poisson_bootstrap.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

template <class T>
using Numbers = py::array_t<T, py::array::c_style | py::array::forcecast>;
using ColumnSpec = std::tuple<std::string, double, double>;
using SetSpec = std::pair<std::vector<std::int32_t>, std::int32_t>;

NumberKind kind_by_name(const std::string& name) {
  if (name == "finite") return NumberKind::finite;
  if (name == "zero_or_one") return NumberKind::zero_or_one;
  if (name == "count") return NumberKind::count;
  throw Error(ErrorKind::usage, "moment_layout",
              "expected finite, zero_or_one or count, found '" + name + "'");
}

MomentLayout make_layout(const std::vector<ColumnSpec>& columns, const std::vector<SetSpec>& sets) {
  std::vector<NumberColumn> numbers;
  for (const auto& [kind, lower, upper] : columns) numbers.push_back({kind_by_name(kind), lower, upper});
  std::vector<MomentSet> together;
  for (const auto& [members, required] : sets) together.push_back({members, required});
  return {std::move(numbers), std::move(together)};
}

[[noreturn]] void refuse_type(const Column& column, const char* expected) {
  throw Error(ErrorKind::source, "column_type",
              "expected " + std::string(expected) + " in column '" + column.type().name + "', found " +
                  type_name(column.type()));
}

template <class T>
py::array_t<T> matrix(const std::vector<T>& values, std::size_t width) {
  const std::size_t rows = width == 0 ? 0 : values.size() / width;
  py::array_t<T> out({static_cast<py::ssize_t>(rows), static_cast<py::ssize_t>(width)});
  std::copy(values.begin(), values.end(), out.mutable_data());
  return out;
}

py::tuple arrays_of(const CellTotals& totals, const MomentLayout& layout) {
  return py::make_tuple(
      py::array_t<std::int32_t>(static_cast<py::ssize_t>(totals.cells.size()), totals.cells.data()),
      matrix(totals.counts, layout.counts()), matrix(totals.figures, layout.figures()));
}

std::vector<const Column*> number_columns(const Batch& batch, std::size_t lead, std::size_t numbers) {
  if (batch.names().size() != lead + numbers) {
    throw Error(ErrorKind::usage, "moment_layout",
                "expected " + std::to_string(lead) + " columns of names and " + std::to_string(numbers) +
                    " of numbers, found " + std::to_string(batch.names().size()));
  }
  const Column& variant = batch.column(std::size_t{0});
  if (!is_text(variant.value_layout()) && variant.layout() != Layout::null) refuse_type(variant, "text");
  std::vector<const Column*> columns;
  for (std::size_t i = 0; i < numbers; ++i) {
    columns.push_back(&batch.column(lead + i));
    if (!is_number(*columns.back())) refuse_type(*columns.back(), "booleans or numbers");
  }
  return columns;
}

// Names, sums and the count of rows that came before: what one evaluation streams through.
class CellSummary {
 public:
  CellSummary(std::vector<std::string> arms, const std::vector<ColumnSpec>& columns,
              const std::vector<SetSpec>& sets, bool grouped)
      : names_(std::move(arms)),
        grouped_(grouped),
        moments_(make_layout(columns, sets),
                 grouped ? CellMoments::kGroupedBlockRows : CellMoments::kBlockRows) {}

  void add(py::handle object, int threads) {
    const std::shared_ptr<const Batch> batch = import_batch(object);
    const py::gil_scoped_release released;
    add_batch(*batch, threads);
  }

  [[nodiscard]] py::tuple totals() const {
    CellTotals totals;
    {
      const py::gil_scoped_release released;
      totals = moments_.totals();
    }
    return arrays_of(totals, moments_.layout());
  }

 private:
  void add_batch(const Batch& batch, int threads) {
    const std::size_t lead = grouped_ ? 2 : 1;
    const std::vector<const Column*> columns =
        number_columns(batch, lead, moments_.layout().columns().size());
    const Column& variant = batch.column(std::size_t{0});
    cells_.resize(static_cast<std::size_t>(batch.length()));
    names_.encode(variant, rows_, cells_, threads);
    const std::int32_t groups = grouped_ ? add_groups(batch.column(std::size_t{1})) : 1;
    moments_.add(cells_, groups * names_.count(), columns, threads);
    rows_ += batch.length();
  }

  // Makes arms into cells: group * arms + arm. Returns a count above every group so far.
  std::int32_t add_groups(const Column& groups) {
    if (groups.layout() != Layout::int32 || groups.has_nulls()) refuse_type(groups, "int32 without nulls");
    const auto* const values = reinterpret_cast<const std::int32_t*>(groups.values());
    const std::int32_t arms = names_.count();
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (values[i] < 0 || values[i] >= kMostGroups)
        throw Error(ErrorKind::usage, "moment_layout",
                    "expected groups from 0 to " + std::to_string(kMostGroups - 1) + ", found " +
                        std::to_string(values[i]));
      groups_ = std::max(groups_, values[i] + 1);
      if (cells_[i] >= 0) cells_[i] += values[i] * arms;
    }
    return groups_;
  }

  // Cells of a block are counted in a list of them all: a million stay inside a few megabytes.
  static constexpr std::int32_t kMostGroups = 1 << 20;

  ArmNames names_;
  bool grouped_;
  CellMoments moments_;
  std::int64_t rows_ = 0;
  std::int32_t groups_ = 0;
  std::vector<std::int32_t> cells_;
};

// Replicates of the same stream.
class Resampling {
 public:
  Resampling(std::vector<std::string> arms, const std::vector<ColumnSpec>& columns,
             const std::vector<SetSpec>& sets, std::int32_t replicates, std::uint64_t seed)
      : names_(std::move(arms)),
        numbers_(columns.size()),
        bootstrap_(make_layout(columns, sets), names_.count(), replicates, seed) {}

  void add(py::handle object, int threads) {
    const std::shared_ptr<const Batch> batch = import_batch(object);
    const py::gil_scoped_release released;
    const std::vector<const Column*> columns = number_columns(*batch, 1, numbers_);
    arms_.resize(static_cast<std::size_t>(batch->length()));
    names_.encode(batch->column(std::size_t{0}), rows_, arms_, threads);
    bootstrap_.add(arms_, columns, threads);
    rows_ += batch->length();
  }

  [[nodiscard]] py::array_t<double> totals(int threads) const {
    std::vector<double> sums;
    {
      const py::gil_scoped_release released;
      sums = bootstrap_.totals(threads);
    }
    return matrix(sums, bootstrap_.width());
  }

 private:
  ArmNames names_;
  std::size_t numbers_;
  PoissonBootstrap bootstrap_;
  std::int64_t rows_ = 0;
  std::vector<std::int32_t> arms_;
};

py::tuple collapse(const std::vector<ColumnSpec>& columns, const std::vector<SetSpec>& sets,
                   const Numbers<std::int32_t>& target, std::int32_t targets,
                   const Numbers<std::int64_t>& counts, const Numbers<double>& figures) {
  const MomentLayout layout = make_layout(columns, sets);
  const std::span<const std::int32_t> target_of_row(target.data(), static_cast<std::size_t>(target.size()));
  const auto rows = target_of_row.size();
  const bool fits =
      static_cast<std::size_t>(counts.size()) == rows * layout.counts() &&
      static_cast<std::size_t>(figures.size()) == rows * layout.figures() &&
      std::ranges::all_of(target_of_row, [targets](std::int32_t i) { return i >= 0 && i < targets; });
  if (!fits) {
    throw Error(ErrorKind::usage, "moment_layout",
                "expected " + std::to_string(layout.counts()) + " counts and " +
                    std::to_string(layout.figures()) + " figures for each of " + std::to_string(rows) +
                    " rows, found " + std::to_string(counts.size()) + " and " +
                    std::to_string(figures.size()));
  }
  const CellTotals sums =
      collapsed(layout, target_of_row, targets, {counts.data(), static_cast<std::size_t>(counts.size())},
                {figures.data(), static_cast<std::size_t>(figures.size())});
  return arrays_of(sums, layout);
}

}  // namespace

void register_stats(py::module_& module) {
  py::module_ stats = module.def_submodule("stats", "Co-moments of numbers by cell.");
  py::class_<CellSummary>(
      stats, "CellSummary",
      "Sums of a stream of batches: a variant column, groups if there are any, then numbers.")
      .def(py::init<std::vector<std::string>, const std::vector<ColumnSpec>&, const std::vector<SetSpec>&,
                    bool>(),
           py::arg("arms"), py::arg("columns"), py::arg("sets"), py::arg("grouped"))
      .def("add", &CellSummary::add, py::arg("batch"), py::arg("threads"))
      .def("totals", &CellSummary::totals);
  py::class_<Resampling>(stats, "Resampling",
                         "Bootstrap replicates of a stream of batches: variants, then numbers.")
      .def(py::init<std::vector<std::string>, const std::vector<ColumnSpec>&, const std::vector<SetSpec>&,
                    std::int32_t, std::uint64_t>(),
           py::arg("arms"), py::arg("columns"), py::arg("sets"), py::arg("replicates"), py::arg("seed"))
      .def("add", &Resampling::add, py::arg("batch"), py::arg("threads"))
      .def("totals", &Resampling::totals, py::arg("threads"));
  stats.def("collapse", &collapse, py::arg("columns"), py::arg("sets"), py::arg("target"), py::arg("targets"),
            py::arg("counts"), py::arg("figures"), "Merges rows of sums into their targets.");
}

}  // namespace labfactory::bindings
