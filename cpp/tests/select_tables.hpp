// The tables of selection kernels that this machine can run.
// Owner: nobody, they are static. Threads: any.
#pragma once

#include <vector>

#include "labfactory/base/dispatch.hpp"
#include "labfactory/select/kernels.hpp"

namespace labfactory::select {

inline std::vector<const Kernels*> tables() {
  std::vector<const Kernels*> found = {&kernels_baseline()};
  if (dispatch_level() >= Level::avx2) found.push_back(&kernels_avx2());
  if (dispatch_level() >= Level::avx512) found.push_back(&kernels_avx512());
  return found;
}

}  // namespace labfactory::select
