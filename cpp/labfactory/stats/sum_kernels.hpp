// The inner loops of moments: gathering rows of one cell, and sums of products over them.
// Owner: nothing; all memory is the caller's.
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>

namespace labfactory {

struct SumKernels {
  // out[i] = values[rows[i]] - shift
  void (*gather)(const double* values, const std::uint16_t* rows, std::size_t count, double shift,
                 double* out);
  double (*sum)(const double* values, std::size_t count);
  // Sum of a[i] * b[i].
  double (*dot)(const double* a, const double* b, std::size_t count);
  // Lowers *low and raises *high to what the values reach; NaN is passed over.
  void (*widen_range)(const double* values, std::size_t count, double* low, double* high);
};

// Those of the dispatch level in force. The results are the same at every level: sixteen fixed lanes, and no
// fused multiplication.
[[nodiscard]] const SumKernels& sum_kernels();

[[nodiscard]] const SumKernels& sum_kernels_plain();
[[nodiscard]] const SumKernels& sum_kernels_avx2();
[[nodiscard]] const SumKernels& sum_kernels_avx512();

}  // namespace labfactory
