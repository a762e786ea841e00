#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "labfactory/base/error.hpp"
#include "labfactory/bindings/registers.hpp"
#include "labfactory/select/customer_caps.hpp"
#include "labfactory/select/price.hpp"
#include "labfactory/select/settle.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

template <typename Item>
using Exact = py::array_t<Item, py::array::c_style>;

template <typename Item>
std::span<const Item> span_of(const Exact<Item>& numbers) {
  return {numbers.data(), static_cast<std::size_t>(numbers.size())};
}

template <typename Item>
Exact<Item> array_of(const std::vector<Item>& items, py::ssize_t columns = 0) {
  const auto size = static_cast<py::ssize_t>(items.size());
  if (columns == 0) return Exact<Item>(size, items.data());
  return Exact<Item>({size / columns, columns}, items.data());
}

void expect(bool holds, const char* what) {
  if (!holds) throw Error(ErrorKind::selection, "allocation_input", what);
}

select::Values values_of(const Exact<float>& values, const Exact<double>& prices) {
  expect(values.ndim() == 2, "expected values of two dimensions, found another number");
  expect(values.shape(1) == prices.size(), "expected a price for each option, found another number of them");
  return {span_of(values), prices.size()};
}

std::pair<double, Exact<double>> demand(const Exact<float>& values, const Exact<double>& prices,
                                        double smoothing, int threads) {
  const select::Values matrix = values_of(values, prices);
  select::Demand made;
  {
    const py::gil_scoped_release released;
    made = select::demand(matrix, span_of(prices), smoothing, threads);
  }
  return {made.surplus, array_of(made.amounts)};
}

std::pair<Exact<std::int32_t>, Exact<float>> shortlist(const Exact<float>& values,
                                                       const Exact<double>& prices, std::int64_t best,
                                                       const std::vector<std::vector<std::int32_t>>& groups,
                                                       int threads) {
  const select::Values matrix = values_of(values, prices);
  expect(best > 0, "expected a shortlist of one option or more, found none");
  for (const auto& group : groups) {
    for (const std::int32_t option : group) {
      expect(option >= 0 && option < matrix.options,
             "expected options of the matrix in a group, found others");
    }
  }
  select::Shortlist made;
  {
    const py::gil_scoped_release released;
    made = select::shortlist(matrix, span_of(prices), best, groups, threads);
  }
  return {array_of(made.options, made.width), array_of(made.values, made.width)};
}

std::vector<select::Limit> limits_of(
    const std::vector<std::tuple<std::vector<std::int64_t>, std::int64_t, bool>>& limits,
    py::ssize_t options) {
  std::vector<select::Limit> made;
  for (const auto& [costs, bound, is_minimum] : limits) {
    expect(static_cast<py::ssize_t>(costs.size()) == options,
           "expected a cost of each option, found another number");
    for (const std::int64_t cost : costs) expect(cost >= 0, "expected costs of 0 or more, found one below");
    made.push_back({costs, bound, is_minimum});
  }
  return made;
}

using CapTuple = std::tuple<std::vector<std::int32_t>, std::int32_t, std::int32_t>;

std::vector<select::CustomerCap> caps_of(const std::vector<CapTuple>& caps, py::ssize_t options,
                                         const Exact<std::int32_t>& left) {
  const py::ssize_t columns = left.ndim() == 2 ? left.shape(1) : 0;
  std::vector<select::CustomerCap> made;
  py::ssize_t read = 0;
  for (const auto& [members, at_most, column] : caps) {
    for (const std::int32_t option : members) {
      expect(option >= 0 && option < options, "expected caps of options that have a price, found others");
    }
    expect(column >= -1 && column < columns,
           "expected caps within the columns of what is left, found others");
    read = std::max<py::ssize_t>(read, column + 1);
    made.push_back({members, at_most, column});
  }
  expect(read == columns, "expected every column of what is left read by a cap, found others");
  return made;
}

// The lists of every customer's slots, checked; what it refers to must live as long as the input.
struct Lists {
  std::vector<select::CustomerCap> caps;
  std::vector<std::int32_t> listed;
  select::SettleInput input;
};

void fill_lists(Lists& lists, const Exact<std::uint64_t>& keys, const Exact<std::int32_t>& options,
                const Exact<float>& values, const Exact<double>& prices, const std::vector<CapTuple>& caps,
                const Exact<std::int32_t>& left) {
  expect(options.ndim() == 2 && values.ndim() == 2, "expected shortlists of two dimensions, found others");
  const auto slots = static_cast<py::ssize_t>(std::max<std::size_t>(1, lists.listed.size()));
  expect(options.shape(0) == keys.size() * slots && options.size() == values.size() &&
             values.shape(0) == options.shape(0),
         "expected a shortlist of options and values for each key and slot, found other sizes");
  for (const std::int32_t option : span_of(options)) {
    expect(option >= -1 && option < prices.size(), "expected options that have a price, found others");
  }
  for (const std::int32_t best : lists.listed) {
    expect(best >= 0 && best <= options.shape(1), "expected lists within their width, found longer ones");
  }
  lists.caps = caps_of(caps, prices.size(), left);
  expect(left.size() == 0 || left.shape(0) == keys.size(),
         "expected what is left for each key, found another number");
  lists.input = {.keys = span_of(keys),
                 .options = span_of(options),
                 .values = span_of(values),
                 .width = options.shape(1),
                 .chosen = {},
                 .prices = span_of(prices),
                 .limits = {},
                 .paid = 0.0,
                 .caps = lists.caps,
                 .left = span_of(left),
                 .listed = lists.listed};
}

std::pair<double, Exact<double>> demand_together(const Exact<std::uint64_t>& keys,
                                                 const Exact<std::int32_t>& options,
                                                 const Exact<float>& values, const Exact<double>& prices,
                                                 std::vector<std::int32_t> listed,
                                                 const std::vector<CapTuple>& caps,
                                                 const Exact<std::int32_t>& left, int threads) {
  Lists lists;
  lists.listed = std::move(listed);
  fill_lists(lists, keys, options, values, prices, caps, left);
  select::Demand made;
  {
    const py::gil_scoped_release released;
    made = select::demand_together(lists.input, threads);
  }
  return {made.surplus, array_of(made.amounts)};
}

py::dict settle(const Exact<std::uint64_t>& keys, const Exact<std::int32_t>& options,
                const Exact<float>& values, const Exact<std::int32_t>& chosen, const Exact<double>& prices,
                const std::vector<std::tuple<std::vector<std::int64_t>, std::int64_t, bool>>& limits,
                double paid, std::vector<std::int32_t> listed, const std::vector<CapTuple>& caps,
                const Exact<std::int32_t>& left) {
  Lists lists;
  lists.listed = std::move(listed);
  fill_lists(lists, keys, options, values, prices, caps, left);
  expect(chosen.size() == 0 || chosen.size() == options.shape(0),
         "expected a choice of each shortlist or none, found others");
  for (const std::int32_t entry : span_of(chosen)) {
    expect(entry >= -1 && entry < options.shape(1), "expected choices within the shortlist, found others");
  }
  const std::vector<select::Limit> bounds = limits_of(limits, prices.size());
  lists.input.chosen = span_of(chosen);
  lists.input.limits = bounds;
  lists.input.paid = paid;
  select::Settlement made;
  {
    const py::gil_scoped_release released;
    made = select::settle(lists.input);
  }
  py::dict found;
  found["entries"] = array_of(made.entries);
  found["repaired"] = array_of(made.repaired);
  found["used"] = made.used;
  found["reachable"] = made.reachable;
  found["value"] = made.value;
  found["surplus"] = made.surplus;
  return found;
}

}  // namespace

void register_limits(py::module_& module) {
  py::module_ limits =
      module.def_submodule("limits", "Prices of options under limits, and their settlement.");
  limits.def("demand", &demand, py::arg("values"), py::arg("prices"), py::arg("smoothing"),
             py::arg("threads"), "What all rows are worth after prices, and how many take each option.");
  limits.def("shortlist", &shortlist, py::arg("values"), py::arg("prices"), py::arg("best"),
             py::arg("groups"), py::arg("threads"),
             "The options of each row that are worth keeping, and their values.");
  limits.def(
      "settle", &settle, py::arg("keys"), py::arg("options"), py::arg("values"), py::arg("chosen"),
      py::arg("prices"), py::arg("limits"), py::arg("paid"), py::arg("listed"), py::arg("caps"),
      py::arg("left"),
      "One option for every row within limits given as (costs, bound, is_minimum); the rows of a key "
      "are its slots, of which `listed` says how many of the best they list, 0 for all there are. Caps "
      "hold for the slots of a key together: (options, at most, column of `left` in its place or -1).");
  limits.def("demand_together", &demand_together, py::arg("keys"), py::arg("options"), py::arg("values"),
             py::arg("prices"), py::arg("listed"), py::arg("caps"), py::arg("left"), py::arg("threads"),
             "As demand(), of lists whose slots share caps, as settle() takes them.");
}

}  // namespace labfactory::bindings
