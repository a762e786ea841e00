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

// The text behind a literal, and the literal.
void store_led(char* to, const char* text, const char* lead) {
  const __m256i literal = _mm256_load_si256(reinterpret_cast<const __m256i*>(lead));
  const __m256i is_text = _mm256_cmpeq_epi8(literal, _mm256_setzero_si256());
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm256_or_si256(_mm256_and_si256(is_text, bytes), literal));
}

#include "labfactory/execute/straight_rows.inc"

}  // namespace

WrittenRows write_rows_avx2(StraightRows& straight, std::int64_t first, std::int64_t last,
                            const RowSpace& space) {
  return write_straight(straight, first, last, space);
}

}  // namespace labfactory

#endif
