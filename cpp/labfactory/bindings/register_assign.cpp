#include <pybind11/stl.h>

#include <string>
#include <utility>
#include <vector>

#include "labfactory/assign/bucketing.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/bindings/capsules.hpp"
#include "labfactory/bindings/registers.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

Hasher hasher_by_name(const std::string& name) {
  if (name == "xxh64") return Hasher::xxh64;
  if (name == "fnv1a32") return Hasher::fnv1a32;
  if (name == "fnv1a32_of_digits") return Hasher::fnv1a32_of_digits;
  if (name == "murmur3_32") return Hasher::murmur3_32;
  if (name == "sha1_60") return Hasher::sha1_60;
  if (name == "sha256_64") return Hasher::sha256_64;
  throw Error(ErrorKind::usage, "bucketing", "expected the name of a hash, found '" + name + "'");
}

Ranges ranges_of(std::vector<double> lower, std::vector<double> upper) {
  if (lower.size() != upper.size())
    throw Error(ErrorKind::usage, "bucketing",
                "expected as many upper as lower bounds, found " + std::to_string(upper.size()) + " and " +
                    std::to_string(lower.size()));
  return {std::move(lower), std::move(upper)};
}

// Keys of a Python object, for as long as the batch is held.
struct Keys {
  explicit Keys(py::handle object) : batch(import_array(object)), texts(batch->root().readable()) {}

  std::shared_ptr<const Batch> batch;
  KeyTexts texts;
};

Array hashes(const Bucketing& bucketing, py::handle object, int threads) {
  const Keys keys(object);
  const py::gil_scoped_release released;
  return Array(bucketing.hashes(keys.texts, threads));
}

Array buckets(const Bucketing& bucketing, py::handle object, int threads) {
  const Keys keys(object);
  const py::gil_scoped_release released;
  return Array(bucketing.buckets(keys.texts, threads));
}

Array arms(const Bucketing& bucketing, py::handle object, std::vector<double> lower,
           std::vector<double> upper, bool skip_falsy, int threads) {
  const Keys keys(object);
  const Ranges ranges = ranges_of(std::move(lower), std::move(upper));
  const py::gil_scoped_release released;
  return Array(bucketing.arms(keys.texts, ranges, skip_falsy, threads));
}

Bucketing make_bucketing(const std::string& hasher, std::string prefix, std::string suffix,
                         std::uint64_t seed, const std::string& scale, std::uint64_t count, double offset,
                         double divisor) {
  Scale made{Scale::Kind::fraction, count, offset, divisor};
  if (scale == "remainder") made.kind = Scale::Kind::remainder;
  if (scale == "share") made.kind = Scale::Kind::share;
  return {{hasher_by_name(hasher), std::move(prefix), std::move(suffix), seed}, made};
}

}  // namespace

void register_assign(py::module_& module) {
  py::module_ assign = module.def_submodule("assign", "Experiment bucketing.");
  py::class_<Bucketing>(assign, "Bucketing", "A hash of keys, and what becomes of it.")
      .def(py::init(&make_bucketing), py::kw_only(), py::arg("hasher"), py::arg("prefix"), py::arg("suffix"),
           py::arg("seed"), py::arg("scale"), py::arg("count"), py::arg("offset"), py::arg("divisor"))
      .def("hashes", &hashes, py::arg("keys"), py::arg("threads"), "The hash of each key; null stays null.")
      .def("buckets", &buckets, py::arg("keys"), py::arg("threads"),
           "The bucket of each key; null stays null.")
      .def("arms", &arms, py::arg("keys"), py::arg("lower"), py::arg("upper"), py::arg("skip_falsy"),
           py::arg("threads"), "The first range that holds each key's bucket; null where none does.");
}

}  // namespace labfactory::bindings
