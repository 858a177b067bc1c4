// Sweeps one kernel over every instruction set: against formulas in double, against its plain twin,
// cut into slices, and on buffers whose neighbouring pages may not be touched.
#ifndef CLAT_TESTS_SWEEP_H
#define CLAT_TESTS_SWEEP_H

#include "check.h"

static const float gap = 777; // what lies between the channels and the stride, and must stay

static inline int64_t slab_floats(int64_t pixels, int64_t channels, int64_t stride) {
  return pixels ? (pixels - 1) * stride + channels : 0;
}

/// [pixels][stride] with random channels; the last pixel ends with its channels.
static inline float *random_slab(int64_t pixels, int64_t channels, int64_t stride) {
  float *p = random_floats(slab_floats(pixels, channels, stride));
  for (int64_t i = 0; i < slab_floats(pixels, channels, stride); i++) {
    if (i % stride >= channels) p[i] = gap;
  }
  return p;
}

static inline uint8_t *random_bits(int64_t pixels, int64_t channels) {
  const int64_t row = (channels + 7) / 8;
  uint8_t *p = random_bytes(pixels * row);
  for (int64_t i = row - 1; channels % 8 && i < pixels * row; i += row) {
    p[i] &= (uint8_t)((1 << channels % 8) - 1);
  }
  return p;
}

static inline int bit_at(const uint8_t *bits, int64_t pixel, int64_t channels, int64_t c) {
  return bits[pixel * ((channels + 7) / 8) + c / 8] >> c % 8 & 1;
}

// ---- sweep

/// What a kernel writes: floats compared with `expected` (in double, gaps included), or bytes
/// compared exactly.
typedef struct {
  void *data;
  size_t bytes;
  const double *expected; // [bytes / 4], or NULL
  const void *exact;      // [bytes], or NULL
  double tolerance;       // absolute, and relative to the expected value
} output;

enum { MAX_OUTPUTS = 6 };

static inline void *copy_of(const void *p, size_t bytes) {
  void *q = malloc(bytes ? bytes : 1);
  if (!q) abort();
  return memcpy(q, p, bytes);
}

static inline int close_to(double got, double want, double tolerance) {
  if (isnan(want)) return isnan(got);
  return got == want || fabs(got - want) <= tolerance * (1 + fabs(want));
}

static inline int matches(const output *o, const float *twin, const char *name, const char *isa) {
  const float *got = o->data;
  for (size_t i = 0; o->expected && i < o->bytes / sizeof(float); i++) {
    const double other = twin ? (double)twin[i] : o->expected[i];
    if (!close_to(got[i], o->expected[i], o->tolerance) || !close_to(got[i], other, o->tolerance)) {
      printf("%s %s [%zu]: %.9g, formula %.9g, twin %.9g\n", name, isa, i, got[i], o->expected[i],
             other);
      return 0;
    }
  }
  return !o->exact || memcmp(o->data, o->exact, o->bytes) == 0;
}

static inline void run_slices(clat_kernel *kernel, const void *args, int64_t units, int64_t step,
                              void *scratch) {
  const int64_t slices = (units + step - 1) / step;
  for (int64_t s = slices - 1; s >= 0; s--) {
    kernel(args, s * step, (s + 1) * step < units ? (s + 1) * step : units, scratch);
  }
}

static inline void sweep_isa(const char *name, clat_isa isa, const void *args, int64_t units,
                             output *outs, int count, void **initial, void **twin) {
  clat_kernel *kernel = clat_kernel_find(name, isa);
  const char *isa_name = clat_isa_name(isa);
  CHECK(kernel != NULL, "%s: no %s path", name, isa_name);
  if (!kernel) return;
  void *scratch = guarded(CLAT_SCRATCH_BYTES), *whole[MAX_OUTPUTS];
  for (int k = 0; k < count; k++) memcpy(outs[k].data, initial[k], outs[k].bytes);
  run_slices(kernel, args, units, units ? units : 1, scratch);
  for (int k = 0; k < count; k++) {
    CHECK(matches(&outs[k], twin[k], name, isa_name), "%s %s: output %d differs", name,
          isa_name, k);
    whole[k] = copy_of(outs[k].data, outs[k].bytes);
    if (!twin[k]) twin[k] = copy_of(outs[k].data, outs[k].bytes);
  }
  for (int64_t step = 1; step < 4 && step < units; step++) {
    for (int k = 0; k < count; k++) memcpy(outs[k].data, initial[k], outs[k].bytes);
    run_slices(kernel, args, units, step, scratch);
    for (int k = 0; k < count; k++) {
      CHECK(memcmp(outs[k].data, whole[k], outs[k].bytes) == 0, "%s %s: slices of %d change bits",
            name, isa_name, (int)step);
    }
  }
  for (int k = 0; k < count; k++) free(whole[k]);
}

/// The outputs' present contents are what every run starts from.
static inline void sweep(const char *name, const void *args, int64_t units, output *outs,
                         int count) {
  void *initial[MAX_OUTPUTS] = {0}, *twin[MAX_OUTPUTS] = {0};
  for (int k = 0; k < count; k++) initial[k] = copy_of(outs[k].data, outs[k].bytes);
  for (int isa = 0; isa < CLAT_ISA_COUNT; isa++) {
    if (!isa_runs((clat_isa)isa)) continue;
    sweep_isa(name, (clat_isa)isa, args, units, outs, count, initial, twin);
  }
  for (int k = 0; k < count; k++) {
    memcpy(outs[k].data, initial[k], outs[k].bytes);
    free(initial[k]);
    free(twin[k]);
  }
}

/// Doubles for `expected`, freed with the guarded memory.
static inline double *doubles(int64_t count) { return guarded((size_t)count * sizeof(double)); }

static inline output floats_out(float *data, int64_t count, const double *expected,
                                double tolerance) {
  return (output){data, (size_t)count * sizeof *data, expected, NULL, tolerance};
}
static inline output exact_out(void *data, size_t bytes, const void *expected) {
  return (output){data, bytes, NULL, expected, 0};
}

#endif
