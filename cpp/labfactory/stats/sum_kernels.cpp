#include "labfactory/stats/sum_kernels.hpp"

#include "labfactory/base/dispatch.hpp"

namespace labfactory {

const SumKernels& sum_kernels() {
  switch (dispatch_level()) {
    case Level::avx512:
      return sum_kernels_avx512();
    case Level::avx2:
      return sum_kernels_avx2();
    case Level::baseline:
      break;
  }
  return sum_kernels_plain();
}

}  // namespace labfactory
