#include "labfactory/execute/ready_run.hpp"

#include <algorithm>

#include "labfactory/base/dispatch.hpp"

namespace labfactory {

namespace {

void copy_short(char* to, const char* from) {
  copy_short_text(to, from);
}

#include "labfactory/execute/ready_run.inc"

}  // namespace

const RunKernels& run_kernels_plain() {
  static constexpr RunKernels kKernels = {copy_run, write_rows};
  return kKernels;
}

const RunKernels& run_kernels() {
#if defined(__x86_64__)
  if (dispatch_level() != Level::baseline) return run_kernels_avx2();
#endif
  return run_kernels_plain();
}

}  // namespace labfactory
