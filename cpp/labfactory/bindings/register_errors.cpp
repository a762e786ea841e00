#include <array>
#include <exception>
#include <string>

#include "labfactory/base/error.hpp"
#include "labfactory/bindings/registers.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

// In the order of ErrorKind.
constexpr std::array kClassNames = {"UsageError",    "CompileError",    "ContentError",   "SourceError",
                                    "AssemblyError", "StatisticsError", "SelectionError", "RunError"};

// A message may quote a name that is not UTF-8.
py::object text_of(const std::string& text) {
  return py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "backslashreplace"));
}

void raise(const Error& error) {
  const py::object tree = py::module_::import("labfactory.base.errors");
  const py::object kind = tree.attr(kClassNames.at(static_cast<std::size_t>(error.kind())));
  const py::object hint = error.hint().empty() ? py::object(py::none()) : text_of(error.hint());
  const py::object raised =
      kind(text_of(error.what()), py::arg("code") = error.code(), py::arg("hint") = hint);
  PyErr_SetObject(kind.ptr(), raised.ptr());
}

}  // namespace

void register_errors() {
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const Error& error) {
      raise(error);
    }
  });
}

}  // namespace labfactory::bindings
