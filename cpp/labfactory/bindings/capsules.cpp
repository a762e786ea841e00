#include "labfactory/bindings/capsules.hpp"

#include <string>
#include <utility>

#include "labfactory/base/error.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

constexpr const char* kSchemaName = "arrow_schema";
constexpr const char* kArrayName = "arrow_array";
constexpr const char* kStreamName = "arrow_array_stream";

// Of a capsule that nobody consumed, or whose struct was moved out.
template <class Struct, const char* const& kName>
void destroy(PyObject* capsule) {
  auto* const held = static_cast<Struct*>(PyCapsule_GetPointer(capsule, kName));
  if (held == nullptr) {
    PyErr_WriteUnraisable(capsule);
    return;
  }
  if (held->release != nullptr) held->release(held);
  delete held;
}

template <class Struct, const char* const& kName>
py::capsule wrap(std::unique_ptr<Struct> held) {
  PyObject* const made = PyCapsule_New(held.get(), kName, destroy<Struct, kName>);
  if (made == nullptr) throw py::error_already_set();
  (void)held.release();
  return py::reinterpret_steal<py::capsule>(made);
}

template <class Struct>
Struct* unwrap(const py::object& capsule, const char* name) {
  if (PyCapsule_IsValid(capsule.ptr(), name) == 0)
    throw Error(ErrorKind::source, "arrow_malformed",
                "expected a capsule named " + std::string(name) + ", found " +
                    std::string(py::str(py::type::of(capsule).attr("__name__"))));
  return static_cast<Struct*>(PyCapsule_GetPointer(capsule.ptr(), name));
}

template <class Import>
std::shared_ptr<const Batch> import_object(py::handle object, Import import) {
  if (!py::hasattr(object, "__arrow_c_array__"))
    throw Error(ErrorKind::source, "source_unreadable",
                "expected an object with __arrow_c_array__, found " +
                    std::string(py::str(py::type::of(object).attr("__name__"))));
  const py::object pair = object.attr("__arrow_c_array__")();
  if (!py::isinstance<py::tuple>(pair) || py::len(pair) != 2)
    throw Error(ErrorKind::source, "arrow_malformed", "expected two capsules from __arrow_c_array__");
  const auto capsules = py::reinterpret_borrow<py::tuple>(pair);
  auto* const schema = unwrap<ArrowSchema>(capsules[0], kSchemaName);
  auto* const array = unwrap<ArrowArray>(capsules[1], kArrayName);
  // The checks read whole columns of offsets; other Python threads may run meanwhile. The capsules stay alive
  // here.
  const py::gil_scoped_release released;
  return import(schema, array);
}

}  // namespace

std::shared_ptr<const Batch> import_batch(py::handle object, int threads) {
  return import_object(object, [&](ArrowSchema* schema, ArrowArray* array) {
    return labfactory::import_batch(schema, array, threads);
  });
}

std::shared_ptr<const Batch> import_array(py::handle object) {
  return import_object(
      object, [](ArrowSchema* schema, ArrowArray* array) { return labfactory::import_array(schema, array); });
}

DataType import_schema(py::handle object) {
  const py::object capsule = object.attr("__arrow_c_schema__")();
  return parse_schema(*unwrap<ArrowSchema>(capsule, kSchemaName));
}

py::capsule Array::schema_capsule() const {
  auto schema = std::make_unique<ArrowSchema>();
  export_schema(*data_, schema.get());
  return wrap<ArrowSchema, kSchemaName>(std::move(schema));
}

py::tuple Array::capsules() const {
  auto array = std::make_unique<ArrowArray>();
  export_array(data_, array.get());
  py::capsule wrapped = wrap<ArrowArray, kArrayName>(std::move(array));
  return py::make_tuple(schema_capsule(), std::move(wrapped));
}

py::capsule Stream::capsule() {
  if (!source_) throw Error(ErrorKind::source, "source_consumed", "the stream was read before");
  auto stream = std::make_unique<ArrowArrayStream>();
  export_stream(std::exchange(source_, nullptr), stream.get());
  return wrap<ArrowArrayStream, kStreamName>(std::move(stream));
}

}  // namespace labfactory::bindings
