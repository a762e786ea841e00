#include "labfactory/select/kernels.hpp"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "labfactory/base/prefetch.hpp"
#include "labfactory/select/exponential.hpp"

namespace labfactory::select {

namespace {

constexpr int kBytes = 16;
#include "labfactory/select/kernel_source.inc"

}  // namespace

const Kernels& kernels_baseline() {
  return kTable;
}

const Kernels& kernels(Level level) {
  switch (level) {
    case Level::avx512:
      return kernels_avx512();
    case Level::avx2:
      return kernels_avx2();
    case Level::baseline:
      break;
  }
  return kernels_baseline();
}

}  // namespace labfactory::select
