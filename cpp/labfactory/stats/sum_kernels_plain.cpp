#include <cstring>

#include "labfactory/stats/sum_kernels.hpp"

namespace labfactory {

namespace {

#include "labfactory/stats/sum_kernels_source.inc"

}  // namespace

const SumKernels& sum_kernels_plain() {
  return kTable;
}

}  // namespace labfactory
