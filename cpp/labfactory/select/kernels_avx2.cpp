#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "labfactory/base/prefetch.hpp"
#include "labfactory/select/exponential.hpp"
#include "labfactory/select/kernels.hpp"

namespace labfactory::select {

#if defined(__x86_64__)
namespace {

constexpr int kBytes = 32;
#include "labfactory/select/kernel_source.inc"
#include "labfactory/select/sieve_source.inc"

}  // namespace

const Kernels& kernels_avx2() {
  static const Kernels table = [] {
    Kernels own = kTable;
    own.sieve = sieve;
    return own;
  }();
  return table;
}
#else
const Kernels& kernels_avx2() {
  return kernels_baseline();
}
#endif

}  // namespace labfactory::select
