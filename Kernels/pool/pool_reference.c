#include "kernels.h"

#include <math.h>

typedef struct {
  int64_t image, pixel; // output pixel within the image
  int c;
} place;

/// Input pixel of tap (kh, kw) of an output pixel, or -1 in the padding.
static int32_t input_pixel(const clat_pool_args *a, int64_t out, int kh, int kw) {
  const int32_t i = (int32_t)(out / a->out_width) * a->stride_height - a->pad_height + kh;
  const int32_t j = (int32_t)(out % a->out_width) * a->stride_width - a->pad_width + kw;
  return i < 0 || j < 0 || i >= a->in_height || j >= a->in_width ? -1 : i * a->in_width + j;
}

static void each_output(const clat_pool_args *a, int64_t begin, int64_t end,
                        void (*visit)(const clat_pool_args *, place)) {
  const int64_t out = (int64_t)a->out_height * a->out_width;
  for (int64_t image = begin; image < end; image++) {
    for (int64_t p = 0; p < out; p++) {
      for (int c = 0; c < a->channels; c++) visit(a, (place){image, p, c});
    }
  }
}

static int64_t in_at(const clat_pool_args *a, place at, int32_t pixel) {
  return (at.image * a->in_height * a->in_width + pixel) * a->x_stride + at.c;
}

static int64_t out_pixel(const clat_pool_args *a, place at) {
  return at.image * a->out_height * a->out_width + at.pixel;
}

static void zero_input_gradient(const clat_pool_args *a, int64_t begin, int64_t end) {
  const int64_t in = (int64_t)a->in_height * a->in_width;
  for (int64_t p = begin * in; p < end * in; p++) {
    for (int c = 0; c < a->channels; c++) a->y[p * a->x_stride + c] = 0;
  }
}

static void max_at(const clat_pool_args *a, place at) {
  float best = -INFINITY;
  int32_t where = -1;
  for (int tap = 0; tap < a->kernel_height * a->kernel_width; tap++) {
    const int32_t pixel = input_pixel(a, at.pixel, tap / a->kernel_width, tap % a->kernel_width);
    if (pixel < 0) continue;
    const float v = a->x[in_at(a, at, pixel)];
    if (where < 0 || v > best || isnan(v)) {
      best = v;
      where = pixel;
    }
  }
  a->y[out_pixel(a, at) * a->y_stride + at.c] = best;
  if (a->index) a->index[out_pixel(a, at) * a->channels + at.c] = where;
}

static void max_grad_at(const clat_pool_args *a, place at) {
  const int32_t pixel = a->index[out_pixel(a, at) * a->channels + at.c];
  if (pixel >= 0) a->y[in_at(a, at, pixel)] += a->x[out_pixel(a, at) * a->y_stride + at.c];
}

/// Pixels that an output is the mean of.
static int averaged(const clat_pool_args *a, int64_t out) {
  int count = 0;
  for (int tap = 0; tap < a->kernel_height * a->kernel_width; tap++) {
    count += !a->skip_pad || input_pixel(a, out, tap / a->kernel_width, tap % a->kernel_width) >= 0;
  }
  return count;
}

static void average_at(const clat_pool_args *a, place at) {
  const int taps = a->kernel_height * a->kernel_width;
  float sum = 0;
  for (int tap = 0; tap < taps; tap++) {
    const int32_t pixel = input_pixel(a, at.pixel, tap / a->kernel_width, tap % a->kernel_width);
    if (pixel >= 0) sum += a->x[in_at(a, at, pixel)];
  }
  a->y[out_pixel(a, at) * a->y_stride + at.c] = sum / (float)averaged(a, at.pixel);
}

static void average_grad_at(const clat_pool_args *a, place at) {
  const int taps = a->kernel_height * a->kernel_width;
  const float dy =
      a->x[out_pixel(a, at) * a->y_stride + at.c] / (float)averaged(a, at.pixel);
  for (int tap = 0; tap < taps; tap++) {
    const int32_t pixel = input_pixel(a, at.pixel, tap / a->kernel_width, tap % a->kernel_width);
    if (pixel >= 0) a->y[in_at(a, at, pixel)] += dy;
  }
}

void clat_max_pool_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  each_output(args, begin, end, max_at);
}

void clat_max_pool_grad_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  zero_input_gradient(args, begin, end);
  each_output(args, begin, end, max_grad_at);
}

void clat_avg_pool_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  each_output(args, begin, end, average_at);
}

void clat_avg_pool_grad_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  zero_input_gradient(args, begin, end);
  each_output(args, begin, end, average_grad_at);
}
