#include <cstring>

#include "labfactory/stats/sum_kernels.hpp"

namespace labfactory {

#if defined(__x86_64__)
namespace {

#include "labfactory/stats/sum_kernels_source.inc"

}  // namespace

const SumKernels& sum_kernels_avx512() {
  return kTable;
}
#else
const SumKernels& sum_kernels_avx512() {
  return sum_kernels_plain();
}
#endif

}  // namespace labfactory
