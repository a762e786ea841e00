#include "labfactory/assign/lane_kernels.hpp"

#include "labfactory/base/dispatch.hpp"

namespace labfactory {

const LaneKernels& lane_kernels() {
  return dispatch_level() >= Level::avx2 ? lane_kernels_avx2() : lane_kernels_plain();
}

}  // namespace labfactory
