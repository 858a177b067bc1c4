// What the kernel benchmarks share: a clock, medians, aligned buffers and the OpenMP prototypes
// (clang ships no omp.h here).
#ifndef CLAT_BENCH_H
#define CLAT_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

int omp_get_thread_num(void);
void omp_set_num_threads(int);

static inline double bench_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int bench_own_time; // count the threads' processor time, not the clock's

/// Seconds of the clock, or of this thread where bench_own_time is set.
static inline double bench_thread_now(void) {
  struct timespec t;
  clock_gettime(bench_own_time ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int bench_compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/// Sorts `x`; its median (lower one of two).
static inline double bench_median(double *x, int n) {
  qsort(x, (size_t)n, sizeof *x, bench_compare);
  return x[(n - 1) / 2];
}

/// Cache-line aligned floats in [-0.5, 0.5), every page touched.
static inline float *bench_floats(size_t n) {
  const size_t huge = 2 << 20, bytes = (n * sizeof(float) + huge - 1) / huge * huge;
  float *p = n < huge ? aligned_alloc(64, (n * sizeof *p + 63) / 64 * 64) : aligned_alloc(huge, bytes);
  if (!p) {
    fprintf(stderr, "out of memory: %zu floats\n", n);
    exit(70);
  }
  if (n >= huge) madvise(p, bytes, MADV_HUGEPAGE); // as the engine's arena
  uint32_t s = 12345;
  for (size_t i = 0; i < n; i++) {
    s = s * 1664525u + 1013904223u;
    p[i] = (float)(s >> 8) * 0x1p-24f - 0.5f;
  }
  return p;
}

#endif
