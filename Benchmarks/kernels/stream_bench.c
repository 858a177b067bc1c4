// Memory-bound kernels against a measured triad, in GB/s of the traffic that the arguments imply
// (every operand once): run.sh stream_bench [threads [channels [size]]]
#include "kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IMAGES = 128, REPEATS = 15, MAX_THREADS = 64 };

typedef struct {
  int threads, channels, pixels;
  int64_t floats;
  float *x, *y, *z, *w, *partial, *mean, *invstd, *a;
  uint8_t *bits;
} bench;

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *room(int64_t bytes) {
  void *p = aligned_alloc(4096, (size_t)((bytes + 4095) / 4096 * 4096));
  if (!p) exit(70);
  memset(p, 0, (size_t)bytes);
  return p;
}

static float *numbers(int64_t count) {
  float *p = room(count * 4);
  for (int64_t i = 0; i < count; i++) p[i] = (float)(rand() % 2001 - 1000) * 1e-3f;
  return p;
}

/// Best of the repeats, in seconds.
static double best(const bench *b, clat_kernel *kernel, const void *args) {
  int64_t bounds[MAX_THREADS + 1];
  void *scratch[MAX_THREADS];
  for (int t = 0; t <= b->threads; t++) bounds[t] = (int64_t)IMAGES * t / b->threads;
  for (int t = 0; t < b->threads; t++) scratch[t] = room(CLAT_SCRATCH_BYTES);
  const void *slices[MAX_THREADS];
  for (int t = 0; t < b->threads; t++) slices[t] = args;
  const clat_instruction in = {kernel, slices, bounds, 0};
  const clat_section section = {&in, 1, 1};
  double shortest = 1e9;
  for (int i = 0; i < REPEATS; i++) {
    const double start = seconds();
    clat_team_run(&section, 1, b->threads, scratch, NULL);
    const double taken = seconds() - start;
    shortest = taken < shortest ? taken : shortest;
  }
  for (int t = 0; t < b->threads; t++) free(scratch[t]);
  return shortest;
}

static double triad_rate;

static void report(const char *label, const char *isa, double time, double bytes) {
  const double rate = bytes / time * 1e-9;
  if (triad_rate == 0) triad_rate = rate;
  printf("%-34s %-9s %8.3f ms %7.1f GB/s %5.0f %%\n", label, isa, time * 1e3, rate,
         100 * rate / triad_rate);
}

/// `streams`: activations read or written; `bit_streams`: bit tensors.
static void row(const bench *b, clat_isa isa, const char *label, const char *name, const void *args,
                double streams, double bit_streams) {
  clat_kernel *kernel = clat_kernel_find(name, isa);
  const double bytes = (double)b->floats * (4 * streams + bit_streams / 8);
  if (kernel) report(label, clat_isa_name(isa), best(b, kernel, args), bytes);
}

static void normalisation(const bench *b, clat_isa isa) {
  const int n = b->channels;
  clat_batch_norm_stats_args stats = {IMAGES, b->pixels, n, n, b->x, b->partial};
  clat_batch_norm_grad_stats_args grad = {IMAGES, b->pixels, n, n, n, b->x, b->z, b->mean,
                                          b->invstd, b->bits, b->partial};
  clat_batch_norm_grad_apply_args apply = {IMAGES, b->pixels, n, n, n, n, b->x, b->z, b->mean,
                                           b->invstd, b->a, b->bits, b->y};
  row(b, isa, "batch_norm_stats", "batch_norm_stats", &stats, 1, 0);
  row(b, isa, "batch_norm_grad_stats + mask", "batch_norm_grad_stats", &grad, 2, 1);
  row(b, isa, "batch_norm_grad_apply + mask", "batch_norm_grad_apply", &apply, 3, 1);
}

static void elementwise(const bench *b, clat_isa isa) {
  const int n = b->channels;
  clat_affine_args affine = {IMAGES, b->pixels, n, n, n, n, 1, 1, b->x, b->mean,
                             b->a, NULL, b->y, 1, b->bits, NULL};
  row(b, isa, "affine + relu + bits", "affine", &affine, 2, 1);
  affine.residual = b->z;
  row(b, isa, "affine + residual + relu + bits", "affine", &affine, 3, 1);
  clat_sign_step_args step = {IMAGES, b->pixels * n, .01f, .03f, 0, 1, b->x, b->z, b->w, b->y};
  row(b, isa, "sign_step", "sign_step", &step, 4, 0);
}

int main(int argc, char **argv) {
  bench b = {.threads = argc > 1 ? atoi(argv[1]) : 2, .channels = argc > 2 ? atoi(argv[2]) : 64};
  const int size = argc > 3 ? atoi(argv[3]) : 32;
  if (b.threads < 1 || b.threads > MAX_THREADS || b.channels < 1 || size < 1) {
    fprintf(stderr, "usage: stream_bench [threads 1...%d [channels [size]]]\n", MAX_THREADS);
    return 64;
  }
  b.pixels = size * size;
  b.floats = (int64_t)IMAGES * b.pixels * b.channels;
  b.x = numbers(b.floats), b.y = numbers(b.floats), b.z = numbers(b.floats);
  b.w = numbers(b.floats);
  b.partial = numbers(2 * (int64_t)IMAGES * b.channels), b.mean = numbers(b.channels);
  b.invstd = numbers(b.channels), b.a = numbers(b.channels);
  b.bits = room((int64_t)IMAGES * b.pixels * ((b.channels + 7) / 8));
  if (clat_team_pin(b.threads) != 0) fprintf(stderr, "threads are not pinned\n");
  printf("%d images of %d x %d x %d, %.1f MB a tensor, %d threads\n", IMAGES, size, size,
         b.channels, (double)b.floats * 4e-6, b.threads);
  const clat_triad_args yardstick = {(int64_t)b.pixels * b.channels, b.x, b.z, b.y};
  clat_kernel *triad = clat_kernel_find("triad", clat_isa_best());
  report("triad", "-", best(&b, triad, &yardstick), (double)b.floats * 12);
  for (int isa = CLAT_ISA_PORTABLE; isa < CLAT_ISA_COUNT; isa++) {
    if (!clat_isa_supported((clat_isa)isa)) continue;
    elementwise(&b, (clat_isa)isa);
    normalisation(&b, (clat_isa)isa);
  }
  return 0;
}
