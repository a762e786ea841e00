#include <pybind11/stl.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "labfactory/arrow/keys.hpp"
#include "labfactory/assign/bucket.hpp"
#include "labfactory/bindings/capsules.hpp"
#include "labfactory/bindings/registers.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

// The hashes of keys, and which keys there are.
struct KeyHashes {
  std::vector<std::uint64_t> hashes;
  Bitmap validity;
};

KeyHashes hashes_of(const Column& keys) {
  const ArrayPointer array = hash_keys(keys);
  const auto* const first = static_cast<const std::uint64_t*>(array->buffers.back().data);
  KeyHashes made{{first, first + array->length}, {}};
  for (std::int64_t i = 0; i < keys.length(); ++i) made.validity.append(keys.is_valid(i));
  return made;
}

Array buckets(py::handle object, const std::string& experiment, std::uint64_t seed) {
  const std::shared_ptr<const Batch> batch = import_array(object);
  const py::gil_scoped_release released;
  KeyHashes keys = hashes_of(batch->root().readable());
  const std::uint64_t salt = salt_of(experiment, seed);
  std::vector<double> made;
  made.reserve(keys.hashes.size());
  for (const std::uint64_t hash : keys.hashes) made.push_back(bucket_of(hash, salt));
  return Array(make_array(std::move(made), std::move(keys.validity)));
}

Array arms(py::handle object, const std::string& experiment, std::uint64_t seed,
           const std::vector<double>& weights) {
  const std::shared_ptr<const Batch> batch = import_array(object);
  const py::gil_scoped_release released;
  const ArmRanges ranges(weights);
  KeyHashes keys = hashes_of(batch->root().readable());
  std::vector<std::int32_t> made(keys.hashes.size());
  assign_arms(keys.hashes, salt_of(experiment, seed), ranges, made);
  return Array(make_array(std::move(made), std::move(keys.validity)));
}

}  // namespace

void register_assign(py::module_& module) {
  py::module_ assign = module.def_submodule("assign", "Experiment bucketing.");
  assign.def("buckets", &buckets, py::arg("keys"), py::arg("experiment"), py::arg("seed"),
             "A point in [0, 1) for each key; null stays null.");
  assign.def("arms", &arms, py::arg("keys"), py::arg("experiment"), py::arg("seed"), py::arg("weights"),
             "The arm of each key; null stays null.");
}

}  // namespace labfactory::bindings
