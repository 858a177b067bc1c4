// What the kernel tests share: operands between guard pages, a random generator, counts.
// Each test file is one program: it calls test_check() for every fact and returns test_finish().
#ifndef CLAT_KERNEL_TEST_H
#define CLAT_KERNEL_TEST_H

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels.h"

static long test_passed, test_failed;
static uint64_t test_state = 1;

/// SplitMix64 (Steele et al. 2014).
static inline uint64_t test_random(void) {
  uint64_t z = test_state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}
static inline int test_below(int n) { return (int)(test_random() >> 33) % n; }
static inline float test_uniform(void) { return (float)(test_random() >> 40) * 0x1p-23f - 1.0f; }

__attribute__((format(printf, 2, 3))) static inline int test_check(int fact, const char *format,
                                                                   ...) {
  if (fact) {
    test_passed++;
    return 1;
  }
  if (test_failed++ < 20) {
    va_list list;
    va_start(list, format);
    fprintf(stderr, "FAILED: ");
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n");
    va_end(list);
  }
  return 0;
}

static inline int test_finish(const char *name) {
  printf("%s: %ld passed, %ld failed\n", name, test_passed, test_failed);
  return test_failed != 0 || test_passed == 0;
}

/// Whether this CPU runs an instruction set's path; says so once where it does not.
static inline int test_runs(clat_isa isa) {
  int runs = 1;
#if defined(__x86_64__)
  if (isa == CLAT_ISA_AVX2) runs = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == CLAT_ISA_AVX512)
    runs = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
  if (isa >= CLAT_ISA_AVX2) runs = 0;
#endif
  static int told[CLAT_ISA_COUNT];
  if (!runs && !told[isa]++) printf("%s: not executed, this CPU lacks it\n", clat_isa_name(isa));
  return runs;
}

typedef struct {
  void *base;
  size_t bytes;
} test_mapping;

enum { TEST_MAPPINGS = 512 };
static test_mapping test_mappings[TEST_MAPPINGS];
static int test_mapped;

/// `bytes` between two inaccessible pages, touching the one behind (at a random choice, the one in
/// front), so that a stray read or write faults. Freed by test_release().
static inline void *test_guarded(size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (bytes + page - 1) / page * page;
  char *base = mmap(NULL, body + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED || test_mapped == TEST_MAPPINGS ||
      (body && mprotect(base + page, body, PROT_READ | PROT_WRITE))) {
    fprintf(stderr, "cannot map %zu guarded bytes\n", bytes);
    exit(70);
  }
  test_mappings[test_mapped++] = (test_mapping){base, body + 2 * page};
  return base + page + (test_below(4) ? body - bytes : 0);
}

static inline void test_release(void) {
  while (test_mapped > 0) {
    test_mapped--;
    munmap(test_mappings[test_mapped].base, test_mappings[test_mapped].bytes);
  }
}

/// Guarded floats, uniform in [-1, 1).
static inline float *test_floats(size_t count) {
  float *p = test_guarded(count * sizeof *p);
  for (size_t i = 0; i < count; i++) p[i] = test_uniform();
  return p;
}

static inline uint8_t *test_bytes(size_t count) {
  uint8_t *p = test_guarded(count);
  for (size_t i = 0; i < count; i++) p[i] = (uint8_t)test_random();
  return p;
}

#endif
