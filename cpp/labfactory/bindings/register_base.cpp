#include <string>
#include <string_view>

#include "labfactory/arrow/keys.hpp"
#include "labfactory/base/buffer_pool.hpp"
#include "labfactory/base/dispatch.hpp"
#include "labfactory/base/error.hpp"
#include "labfactory/base/hash.hpp"
#include "labfactory/bindings/capsules.hpp"
#include "labfactory/bindings/registers.hpp"

namespace labfactory::bindings {

namespace py = pybind11;

namespace {

void limit_by_name(const std::string& name) {
  const std::optional<Level> level = level_of(name);
  if (!level)
    throw Error(ErrorKind::usage, "dispatch_level",
                "expected baseline, avx2 or avx512, found '" + name + "'");
  limit_dispatch(*level);
}

Array hash_array(py::handle keys) {
  const std::shared_ptr<const Batch> batch = import_array(keys);
  const py::gil_scoped_release released;
  return Array(hash_keys(batch->root().readable()));
}

}  // namespace

void register_base(py::module_& module) {
  py::module_ base = module.def_submodule("base", "Dispatch, hashes and memory.");
  base.def(
      "dispatch_level", [] { return std::string(level_name(dispatch_level())); },
      "The instruction set in force: baseline, avx2 or avx512.");
  base.def("limit_dispatch", &limit_by_name, py::arg("name"),
           "Use at most this instruction set from now on; avx512 lifts the limit.");
  base.def(
      "hash64",
      [](const py::bytes& data, std::uint64_t seed) { return hash64(std::string_view(data), seed); },
      py::arg("data"), py::arg("seed") = 0, "XXH64 of the bytes.");
  base.def("hash_keys", &hash_array, py::arg("keys"),
           "The 64-bit hash of each key's text, as a uint64 array; an integer's text is its digits, null "
           "stays null.");
  base.def("idle_bytes", &BufferPool::idle_bytes, "Bytes that the buffer pool keeps for later.");
  base.def("outstanding_buffers", &BufferPool::outstanding, "Pooled buffers that are in use.");
}

}  // namespace labfactory::bindings
