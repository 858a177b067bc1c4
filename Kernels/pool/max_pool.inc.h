#include "window.h"

#include <math.h>

INLINE void max_pool_lanes(const clat_pool_args *a, const float *x, clat_window rows,
                           clat_window columns, float *y, int32_t *index, int n) {
  vf best = splat(-INFINITY);
  vi where = splat_int(-1);
  for (int32_t i = rows.begin; i < rows.end; i++) {
    for (int32_t j = columns.begin; j < columns.end; j++) {
      const int32_t pixel = i * a->in_width + j;
      const vf v = load(x + (int64_t)pixel * a->x_stride, n);
      const vi better = (v > best) | (v != v) | (where < 0);
      best = blend(better, v, best);
      where = blend_int(better, splat_int(pixel), where);
    }
  }
  store(y, best, n);
  if (index) store_int(index, where, n);
}

static void max_pool_image(const clat_pool_args *a, const float *x, float *y, int32_t *index) {
  for (int32_t i = 0; i < a->out_height; i++) {
    const clat_window rows =
        clat_window_inputs(i, a->kernel_height, a->stride_height, a->pad_height, a->in_height);
    for (int32_t j = 0; j < a->out_width; j++) {
      const clat_window columns =
          clat_window_inputs(j, a->kernel_width, a->stride_width, a->pad_width, a->in_width);
      const int64_t pixel = (int64_t)i * a->out_width + j;
      float *to = y + pixel * a->y_stride;
      int32_t *where = index ? index + pixel * a->channels : NULL;
      FOR_LANES(c, a->channels,
                max_pool_lanes(a, x + c, rows, columns, to + c, where ? where + c : NULL, n));
    }
  }
}

void CLAT_KERNEL(max_pool)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_pool_args a = *(const clat_pool_args *)args;
  const int64_t in = (int64_t)a.in_height * a.in_width, out = (int64_t)a.out_height * a.out_width;
  for (int64_t image = begin; image < end; image++) {
    max_pool_image(&a, a.x + image * in * a.x_stride, a.y + image * out * a.y_stride,
                   a.index ? a.index + image * out * a.channels : NULL);
  }
}

// Every input pixel gathers from the windows that see it, so that no pixel is written twice.
INLINE void max_pool_grad_lanes(const clat_pool_args *a, const float *dy, const int32_t *index,
                                int32_t pixel, clat_window rows, clat_window columns, float *dx,
                                int n) {
  vf sum = splat(0);
  for (int32_t i = rows.begin; i < rows.end; i++) {
    for (int32_t j = columns.begin; j < columns.end; j++) {
      const int64_t out = (int64_t)i * a->out_width + j;
      const vi chosen = load_int(index + out * a->channels, n) == pixel;
      sum += blend(chosen, load_apart(dy + out * a->y_stride, n), splat(0));
    }
  }
  store(dx, sum, n);
}

static void max_pool_grad_image(const clat_pool_args *a, const float *dy, const int32_t *index,
                                float *dx) {
  for (int32_t i = 0; i < a->in_height; i++) {
    const clat_window rows =
        clat_window_outputs(i, a->kernel_height, a->stride_height, a->pad_height, a->out_height);
    for (int32_t j = 0; j < a->in_width; j++) {
      const clat_window columns =
          clat_window_outputs(j, a->kernel_width, a->stride_width, a->pad_width, a->out_width);
      const int32_t pixel = i * a->in_width + j;
      float *to = dx + (int64_t)pixel * a->x_stride;
      FOR_LANES(c, a->channels,
                max_pool_grad_lanes(a, dy + c, index + c, pixel, rows, columns, to + c, n));
    }
  }
}

void CLAT_KERNEL(max_pool_grad)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_pool_args a = *(const clat_pool_args *)args;
  const int64_t in = (int64_t)a.in_height * a.in_width, out = (int64_t)a.out_height * a.out_width;
  for (int64_t image = begin; image < end; image++) {
    max_pool_grad_image(&a, a.x + image * out * a.y_stride, a.index + image * out * a.channels,
                        a.y + image * in * a.x_stride);
  }
}
