#include <string>

#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/column.hpp"
#include "labfactory/bindings/capsules.hpp"
#include "labfactory/bindings/registers.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

py::object value_at(const Column& column, std::int64_t i);

py::object list_at(const Column& column, std::int64_t i) {
  const Range items = column.list_range(i);
  py::list values;
  for (std::int64_t at = items.first; at < items.last; ++at) values.append(value_at(column.child(0), at));
  return values;
}

py::object struct_at(const Column& column, std::int64_t i) {
  py::dict fields;
  for (std::size_t at = 0; at < column.child_count(); ++at) {
    const Column& child = column.child(at);
    fields[py::str(child.type().name)] = value_at(child, i);
  }
  return fields;
}

py::object value_at(const Column& column, std::int64_t i) {
  if (!column.is_valid(i)) return py::none();
  if (column.layout() == Layout::dictionary) return value_at(column.dictionary(), column.entry(i));
  const Layout layout = column.layout();
  if (is_text(layout)) return py::str(std::string(column.text(i)));
  if (is_binary(layout)) return py::bytes(std::string(column.text(i)));
  if (is_floating(layout)) return py::float_(column.floating(i));
  if (is_list(layout)) return list_at(column, i);
  if (layout == Layout::structure) return struct_at(column, i);
  if (layout == Layout::boolean) return py::bool_(column.boolean(i));
  if (layout == Layout::uint64) return py::int_(static_cast<std::uint64_t>(column.integer(i)));
  if (layout == Layout::decimal128) {
    const Decimal128 unscaled = column.decimal(i);
    return (py::int_(unscaled.high) << py::int_(64)) + py::int_(unscaled.low);
  }
  return py::int_(column.integer(i));
}

py::list to_pylist(py::handle array) {
  const std::shared_ptr<const Batch> batch = import_array(array);
  const Column& column = batch->root().readable();
  py::list values;
  for (std::int64_t i = 0; i < column.length(); ++i) values.append(value_at(column, i));
  return values;
}

}  // namespace

void register_arrow(py::module_& module) {
  py::module_ arrow = module.def_submodule("arrow", "Arrow arrays in and out.");
  py::class_<Array>(arrow, "Array", "An array made by the core; any Arrow library takes it without a copy.")
      .def(
          "__arrow_c_array__", [](const Array& self, const py::object&) { return self.capsules(); },
          py::arg("requested_schema") = py::none())
      .def("__arrow_c_schema__", &Array::schema_capsule)
      .def("__len__", [](const Array& self) { return self.data().length; });
  py::class_<Stream>(arrow, "Stream",
                     "Arrays made by the core one after another; any Arrow library reads them, once.")
      .def(
          "__arrow_c_stream__", [](Stream& self, const py::object&) { return self.capsule(); },
          py::arg("requested_schema") = py::none());
  arrow.def("to_pylist", &to_pylist, py::arg("array"),
            "The values of an array as the core reads them: dates, times and durations as stored integers, "
            "decimals "
            "unscaled.");
}

}  // namespace labfactory::bindings
