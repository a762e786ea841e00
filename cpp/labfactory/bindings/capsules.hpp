// Arrow in and out of Python by the PyCapsule interface: the two structs travel in capsules, nothing is
// copied. Owner: what comes in belongs to the Batch; what goes out to the consumer of the capsule, or to the
// capsule if unused. Threads: with the GIL; importing gives it up while it checks.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include "labfactory/arrow/batch.hpp"
#include "labfactory/arrow/builder.hpp"
#include "labfactory/arrow/stream.hpp"

namespace labfactory::bindings {

// Any object with __arrow_c_array__ whose array is a record batch (a struct), checked on so many threads; or
// of any type.
[[nodiscard]] std::shared_ptr<const Batch> import_batch(pybind11::handle object, int threads = 1);
[[nodiscard]] std::shared_ptr<const Batch> import_array(pybind11::handle object);

// The type of anything with __arrow_c_schema__; a schema's is a struct of its columns.
[[nodiscard]] DataType import_schema(pybind11::handle object);

// An array on its way out, known to Python as labfactory._core.arrow.Array.
class Array {
 public:
  explicit Array(ArrayPointer data) : data_(std::move(data)) {}

  [[nodiscard]] const ArrayData& data() const { return *data_; }
  [[nodiscard]] const ArrayPointer& pointer() const { return data_; }
  // (schema capsule, array capsule); a requested schema is ignored, as the interface allows.
  [[nodiscard]] pybind11::tuple capsules() const;
  [[nodiscard]] pybind11::capsule schema_capsule() const;

 private:
  ArrayPointer data_;
};

// Arrays on their way out one after another, known to Python as labfactory._core.arrow.Stream; read once.
class Stream {
 public:
  explicit Stream(std::shared_ptr<ArraySource> source) : source_(std::move(source)) {}

  [[nodiscard]] pybind11::capsule capsule();

 private:
  std::shared_ptr<ArraySource> source_;
};

}  // namespace labfactory::bindings
