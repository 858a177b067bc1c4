// What the tests of convolution kernels share: the definition in double, epilogues, and a case that
// holds a kernel against both the definition and its reference twin, and against itself sliced.
#ifndef CLAT_CONV_CASE_H
#define CLAT_CONV_CASE_H

#include "check.h"

typedef struct {
  int images, height, width, in, out, kernel, stride, pad;
} shape;

typedef struct {
  int bias, residual, alias, relu, bits, mask, last;
} epilogue;

static const epilogue epilogues[] = {{0},
                                     {.bias = 1},
                                     {.bias = 1, .relu = 1, .bits = 1},
                                     {.residual = 1, .relu = 1},
                                     {.bias = 1, .residual = 1, .relu = 1, .bits = 1, .alias = 1},
                                     {.mask = 1},
                                     {.residual = 1, .alias = 1, .mask = 1},
                                     {.residual = 1, .alias = 1, .mask = 1, .last = 1}};

enum { EPILOGUES = sizeof epilogues / sizeof *epilogues };

static char name[200];
static void *scratch;

static int out_side(const shape *s, int side) {
  return (side + 2 * s->pad - s->kernel) / s->stride + 1;
}
static size_t rounded(size_t n) { return (n + 15) / 16 * 16; }

/// The definition. sum[pixel][channel], and the sum of the terms' magnitudes; a transposed
/// convolution is one that scatters.
static void convolve(const shape *s, int transpose, const float *w, const float *x, int x_stride,
                     double *sum, double *size) {
  const int height = out_side(s, s->height), width = out_side(s, s->width), k = s->kernel;
  const size_t count = (size_t)s->images *
                       (size_t)(transpose ? s->height * s->width * s->in : height * width * s->out);
  for (size_t i = 0; i < count; i++) sum[i] = size[i] = 0;
  for (int image = 0; image < s->images; image++)
    for (int p = 0; p < height * width; p++)
      for (int t = 0; t < k * k; t++) {
        const int y = p / width * s->stride - s->pad + t / k,
                  z = p % width * s->stride - s->pad + t % k;
        if (y < 0 || y >= s->height || z < 0 || z >= s->width) continue;
        const int64_t small = (int64_t)image * height * width + p;
        const int64_t large = ((int64_t)image * s->height + y) * s->width + z;
        for (int o = 0; o < s->out; o++)
          for (int i = 0; i < s->in; i++) {
            const int64_t to = transpose ? large * s->in + i : small * s->out + o;
            const double value = (double)w[(o * s->in + i) * k * k + t] *
                                 (transpose ? x[small * x_stride + o] : x[large * x_stride + i]);
            sum[to] += value, size[to] += fabs(value);
          }
      }
}

typedef struct {
  double *sum, *size; // exact, before the epilogue
  float *y, *twin;    // of the kernel and of the reference path, y_stride apart
  uint8_t *bits;
} outcome;

static void compare_outputs(const clat_epilogue *out, int pixels, const epilogue *e,
                            const outcome *r, const float *residual, double tolerance) {
  double worst = 0, apart = 0;
  int bits_wrong = 0, gaps_wrong = 0;
  for (int p = 0; p < pixels; p++) {
    for (int n = 0; n < out->y_stride; n++) {
      const float y = r->y[p * out->y_stride + n];
      if (n >= out->channels) {
        gaps_wrong += y != -7;
        continue;
      }
      const int at = p * out->channels + n, bytes = (out->channels + 7) / 8;
      double exact = r->sum[at], size = r->size[at] + 1e-3;
      if (e->bias) exact += out->bias[n], size += fabsf(out->bias[n]);
      const float added = e->residual ? residual[p * out->residual_stride + n] : 0;
      exact += e->last ? 0 : added, size += fabsf(added);
      if (e->bits) {
        const int bit = r->bits[p * bytes + n / 8] >> n % 8 & 1;
        bits_wrong += bit != (y > 0) || (fabs(exact) > tolerance * size && bit != (exact > 0));
        if (n == out->channels - 1 && n % 8 != 7)
          bits_wrong += r->bits[p * bytes + n / 8] >> (n % 8 + 1) != 0;
      }
      if (e->relu) exact = fmax(exact, 0);
      if (e->mask && !(out->mask_bits[p * bytes + n / 8] >> n % 8 & 1)) exact = 0;
      if (e->last) exact += added;
      worst = fmax(worst, fabs(y - exact) / size);
      apart = fmax(apart, fabs((double)y - r->twin[p * out->y_stride + n]) / size);
    }
  }
  CHECK(worst <= tolerance, "%s: %.1e from the exact sums", name, worst);
  CHECK(apart <= tolerance, "%s: %.1e from the reference path", name, apart);
  CHECK(!bits_wrong, "%s: %d wrong ReLU bits", name, bits_wrong);
  CHECK(!gaps_wrong, "%s: %d floats written outside the slice of a slab", name, gaps_wrong);
}

static void start_outputs(float *y, const float *residual, const clat_epilogue *out, int pixels, int alias) {
  for (int i = 0; i < pixels * out->y_stride; i++)
    y[i] = i % out->y_stride >= out->channels ? -7 : alias ? residual[i] : NAN;
}

/// A kernel that convolves, with the places of what every such kernel's arguments have.
typedef struct {
  const shape *s;
  int transpose;
  const epilogue *e;
  const float *w;
  void *args;
  const float **x;
  int32_t *x_stride;
  clat_epilogue *out;
  clat_kernel *kernel, *reference;
  double tolerance; // of an output, relative to the sum of its terms' magnitudes
  int spreads;      // an output's error depends on its neighbours' terms, too
} test_case;

static void spread_sizes(double *size, size_t count) {
  double most = 0;
  for (size_t i = 0; i < count; i++) most = fmax(most, size[i]);
  for (size_t i = 0; i < count; i++) size[i] = most;
}

static void run_kernel(const test_case *c, clat_kernel *kernel, float *y, const float *residual,
                       int pixels, int cuts) {
  start_outputs(y, residual, c->out, pixels, c->e->alias);
  c->out->y = y;
  c->out->residual = !c->e->residual ? NULL : c->e->alias ? y : residual;
  for (int at = 0, next; at < c->s->images; at = next) {
    next = cuts ? at + 1 + random_below(2) : c->s->images;
    next = next < c->s->images ? next : c->s->images;
    kernel(c->args, at, next, scratch);
  }
}

/// Operands with random gaps between pixels; the last pixel ends the operand, even in a slab.
static void run_case(const test_case *c) {
  const shape *s = c->s;
  const epilogue *e = c->e;
  const int small = out_side(s, s->height) * out_side(s, s->width), large = s->height * s->width;
  const int from = c->transpose ? s->out : s->in, to = c->transpose ? s->in : s->out;
  const int gap = random_below(3) ? 0 : 5, y_stride = to + gap,
            x_stride = from + (random_below(3) ? 0 : 3);
  const int in_pixels = s->images * (c->transpose ? small : large),
            pixels = s->images * (c->transpose ? large : small);
  const size_t outputs = (size_t)pixels, bit_bytes = outputs * (size_t)((to + 7) / 8);
  float *residual = random_floats(outputs * (size_t)y_stride);
  const outcome r = {malloc(outputs * (size_t)to * sizeof(double)),
                     malloc(outputs * (size_t)to * sizeof(double)),
                     random_floats(outputs * (size_t)y_stride),
                     random_floats(outputs * (size_t)y_stride), random_bytes(bit_bytes)};
  *c->x = random_floats((size_t)in_pixels * (size_t)x_stride - (size_t)(x_stride - from));
  *c->x_stride = x_stride;
  *c->out = (clat_epilogue){.channels = to,
                            .y_stride = y_stride,
                            .residual_stride = y_stride,
                            .bias = e->bias ? random_floats(to) : NULL,
                            .relu = e->relu,
                            .relu_bits = e->bits ? r.bits : NULL,
                            .residual_last = e->last,
                            .mask_bits = e->mask ? random_bytes(bit_bytes) : NULL};
  convolve(s, c->transpose, c->w, *c->x, x_stride, r.sum, r.size);
  if (c->spreads) spread_sizes(r.size, outputs * (size_t)to);
  run_kernel(c, c->reference, r.twin, residual, pixels, 0);
  run_kernel(c, c->kernel, r.y, residual, pixels, 0);
  compare_outputs(c->out, pixels, e, &r, residual, c->tolerance);
  float *sliced = r.twin;
  run_kernel(c, c->kernel, sliced, residual, pixels, 1);
  CHECK(memcmp(sliced, r.y, outputs * (size_t)y_stride * sizeof *sliced) == 0,
             "%s: slices change the result", name);
  free(r.sum), free(r.size);
}

#endif
