// The multiply-add rate of each instruction set. Portable has no fused multiply-add on x86, so its
// peak is that of a multiplication and an addition.
#ifndef CLAT_BENCH_PEAK_H
#define CLAT_BENCH_PEAK_H

#include "bench.h"
#include "kernels.h"

/// GFLOP/s of all `threads` threads together, once: the slowest thread's rate times their number.
static double peak_once(clat_isa isa, int threads) {
  enum { ROUNDS = 50000 };
  clat_kernel *kernel = clat_kernel_find("multiply_add", isa);
  double most = 0;
#pragma omp parallel num_threads(threads) reduction(max : most)
  {
    float values[CLAT_CHAINS] = {0};
    const clat_multiply_add_args args = {ROUNDS, 0.75f, 0.5f, values};
    const double start = bench_thread_now();
    kernel(&args, 0, 1, NULL);
    most = bench_thread_now() - start;
  }
  return 2e-9 * CLAT_CHAINS * ROUNDS * threads / most;
}

#endif
