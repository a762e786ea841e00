#include <algorithm>
#include <bit>
#include <cstring>

#include "labfactory/assign/hashes.hpp"
#include "labfactory/assign/lane_kernels.hpp"

namespace labfactory {

#if defined(__x86_64__)
namespace {

#include "labfactory/assign/lane_kernels_source.inc"

}  // namespace

const LaneKernels& lane_kernels_avx2() {
  return kTable;
}
#else
const LaneKernels& lane_kernels_avx2() {
  return lane_kernels_plain();
}
#endif

}  // namespace labfactory
