#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "labfactory/base/prefetch.hpp"
#include "labfactory/select/exponential.hpp"
#include "labfactory/select/kernels.hpp"

namespace labfactory::select {

#if defined(__x86_64__)
namespace {

constexpr int kBytes = 64;
#include "labfactory/select/kernel_source.inc"

}  // namespace

const Kernels& kernels_avx512() {
  static const Kernels table = [] {
    Kernels own = kTable;
    own.screen = kernels_avx2().screen;
    own.sieve = kernels_avx2().sieve;
    return own;
  }();
  return table;
}
#else
const Kernels& kernels_avx512() {
  return kernels_baseline();
}
#endif

}  // namespace labfactory::select
