// The multiply-add rate of each instruction set: independent chains in registers. Portable has no
// fused multiply-add on x86, so its peak is that of a multiplication and an addition.
#ifndef CLAT_BENCH_PEAK_H
#define CLAT_BENCH_PEAK_H

#include "bench.h"
#include "kernels.h"

#define PEAK_LOOPS 200000
#define PEAK(name, lanes, chains, target)                                                          \
  typedef float name##_vector __attribute__((ext_vector_type(lanes)));                             \
  target __attribute__((noinline)) static void name(float seed, float *out) {                      \
    name##_vector acc[chains], b = seed, c = seed * 0.5f;                                          \
    for (int i = 0; i < chains; i++) acc[i] = (float)i;                                            \
    for (int k = 0; k < PEAK_LOOPS; k++) {                                                         \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < chains; i++) acc[i] = acc[i] * b + c; \
      __asm__ volatile("");                                                                        \
    }                                                                                              \
    float sum = 0;                                                                                 \
    for (int i = 0; i < chains; i++)                                                               \
      for (int j = 0; j < lanes; j++) sum += acc[i][j];                                            \
    *out = sum;                                                                                    \
  }

PEAK(peak_portable, 4, 12, )
#if defined(__x86_64__)
PEAK(peak_avx2, 8, 12, __attribute__((target("avx2,fma"))))
PEAK(peak_avx512, 16, 24, __attribute__((target("avx512f,fma"))))
#endif

/// GFLOP/s of all `threads` threads together, once: the slowest thread's rate times their number.
static double peak_once(clat_isa isa, int threads) {
  const int chains = isa == CLAT_ISA_AVX512 ? 16 * 24 : isa == CLAT_ISA_AVX2 ? 8 * 12 : 4 * 12;
  double spent[64], most = 0;
#pragma omp parallel num_threads(threads)
  {
    const int t = omp_get_thread_num();
    const double start = bench_thread_now();
    float out;
#if defined(__x86_64__)
    if (isa == CLAT_ISA_AVX512) peak_avx512(0.5f, &out);
    else if (isa == CLAT_ISA_AVX2) peak_avx2(0.5f, &out);
    else
#endif
      peak_portable(0.5f, &out);
    spent[t] = bench_thread_now() - start;
    __asm__ volatile("" : : "m"(out));
  }
  for (int t = 0; t < threads; t++) most = spent[t] > most ? spent[t] : most;
  return 2e-9 * chains * PEAK_LOOPS * threads / most;
}

#endif
