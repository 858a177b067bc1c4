#include "kernels.h"

#include <string.h>

static int32_t subsampled(int32_t size, int32_t stride) { return (size + stride - 1) / stride; }

static void pad_pixel(const clat_subsample_pad_args *a, const float *x, float *y) {
  memset(y, 0, (size_t)a->before * sizeof(float));
  memcpy(y + a->before, x, (size_t)a->channels * sizeof(float));
  memset(y + a->before + a->channels, 0, (size_t)a->after * sizeof(float));
}

void clat_subsample_pad_plain(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_subsample_pad_args *a = args;
  const int32_t height = subsampled(a->in_height, a->stride);
  const int32_t width = subsampled(a->in_width, a->stride);
  for (int64_t row = begin * height; row < end * height; row++) {
    const int64_t in_row = row / height * a->in_height + row % height * a->stride;
    for (int64_t j = 0; j < width; j++) {
      const float *x = a->x + (in_row * a->in_width + j * a->stride) * a->x_stride;
      pad_pixel(a, x, a->y + (row * width + j) * a->y_stride);
    }
  }
}

/// x: gradient of the output, with y_stride; y: gradient of the input, with x_stride.
void clat_subsample_pad_grad_plain(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_subsample_pad_args *a = args;
  const int32_t height = subsampled(a->in_height, a->stride);
  const int32_t width = subsampled(a->in_width, a->stride);
  for (int64_t row = begin * a->in_height; row < end * a->in_height; row++) {
    const int64_t image = row / a->in_height, i = row % a->in_height;
    for (int64_t j = 0; j < a->in_width; j++) {
      float *y = a->y + (row * a->in_width + j) * a->x_stride;
      if (i % a->stride || j % a->stride) {
        memset(y, 0, (size_t)a->channels * sizeof(float));
      } else {
        const int64_t pixel = (image * height + i / a->stride) * width + j / a->stride;
        memcpy(y, a->x + pixel * a->y_stride + a->before, (size_t)a->channels * sizeof(float));
      }
    }
  }
}

void clat_flatten_plain(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_flatten_args *a = args;
  const int64_t rows = a->backward ? a->channels : a->pixels;
  const int64_t columns = a->backward ? a->pixels : a->channels;
  for (int64_t image = begin; image < end; image++) {
    const float *x = a->x + image * rows * columns;
    float *y = a->y + image * rows * columns;
    for (int64_t i = 0; i < rows; i++) {
      for (int64_t j = 0; j < columns; j++) y[j * rows + i] = x[i * columns + j];
    }
  }
}
