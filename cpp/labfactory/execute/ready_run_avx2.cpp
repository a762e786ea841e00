#include "labfactory/execute/ready_run.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>

namespace labfactory {

namespace {

void copy_short(char* to, const char* from) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

#include "labfactory/execute/ready_run.inc"

}  // namespace

const RunKernels& run_kernels_avx2() {
  static constexpr RunKernels kKernels = {copy_run, write_rows};
  return kKernels;
}

}  // namespace labfactory

#endif
