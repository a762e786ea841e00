#include "labfactory/base/prefetch.hpp"
#include "labfactory/execute/branched_rows.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

namespace labfactory {

namespace {

void copy_short(char* to, const char* from) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

#include "labfactory/execute/ready_run.inc"
#include "labfactory/execute/write_branched.inc"

}  // namespace

WrittenRows write_branched_avx2(const Branches& branches, std::int64_t first, std::int64_t last,
                                const RowSpace& space) {
  return write_rows_of(branches, first, last, space);
}

}  // namespace labfactory

#endif
