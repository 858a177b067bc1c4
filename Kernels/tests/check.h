// What the tests of kernels share: counted checks, operands between guard pages, random data.
#ifndef CLAT_TESTS_CHECK_H
#define CLAT_TESTS_CHECK_H

#include "kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int passed, failed;

#define CHECK(condition, ...)               \
  do {                                      \
    if (condition) {                        \
      passed++;                             \
    } else if (failed++ < 20) {             \
      printf("%s:%d: ", __FILE__, __LINE__); \
      printf(__VA_ARGS__);                  \
      printf("\n");                         \
    }                                       \
  } while (0)

static inline int finish(const char *name) {
  printf("%s: %d passed, %d failed\n", name, passed, failed);
  return failed != 0 || passed == 0;
}

/// Whether this CPU runs an instruction set's path; says so once where it does not.
static inline int isa_runs(clat_isa isa) {
  static int told[CLAT_ISA_COUNT];
  const int runs = clat_isa_supported(isa);
  if (!runs && !told[isa]++) printf("%s: not executed, this CPU lacks it\n", clat_isa_name(isa));
  return runs;
}

// ---- memory whose end (or start, when guard_front) touches a page without access

enum { MAX_REGIONS = 512 };
static int guard_front;
static struct {
  char *base;
  size_t bytes;
} regions[MAX_REGIONS];
static int region_count;

static inline void *guarded(size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
  char *base = mmap(NULL, whole + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED || region_count == MAX_REGIONS ||
      (whole && mprotect(base + page, whole, PROT_READ | PROT_WRITE) != 0)) {
    fprintf(stderr, "cannot map %zu guarded bytes\n", bytes);
    exit(70);
  }
  regions[region_count].base = base;
  regions[region_count++].bytes = whole + 2 * page;
  return base + page + (guard_front ? 0 : whole - bytes);
}

static inline void release_guarded(void) {
  while (region_count) {
    region_count--;
    munmap(regions[region_count].base, regions[region_count].bytes);
  }
}

/// What is mapped now stays until the end.
static inline void keep_guarded(void) { region_count = 0; }

// ---- data

/// SplitMix64 (Steele et al. 2014).
static inline uint64_t random_word(void) {
  static uint64_t state = 1;
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}
static inline int random_below(int n) { return (int)(random_word() >> 33) % n; }
/// Uniform in [-1, 1).
static inline float random_float(void) { return (float)(random_word() >> 40) * 0x1p-23f - 1; }

static inline float *random_floats(int64_t count) {
  float *p = guarded((size_t)count * sizeof *p);
  for (int64_t i = 0; i < count; i++) p[i] = random_float();
  return p;
}

static inline uint8_t *random_bytes(int64_t count) {
  uint8_t *p = guarded((size_t)count);
  for (int64_t i = 0; i < count; i++) p[i] = (uint8_t)random_word();
  return p;
}

#endif
