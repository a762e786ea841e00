#include <algorithm>
#include <bit>
#include <cstring>

#include "labfactory/assign/hashes.hpp"
#include "labfactory/assign/lane_kernels.hpp"

namespace labfactory {

namespace {

#include "labfactory/assign/lane_kernels_source.inc"

}  // namespace

const LaneKernels& lane_kernels_plain() {
  return kTable;
}

}  // namespace labfactory
