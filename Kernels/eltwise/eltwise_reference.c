#include "kernels.h"

static float activated(const clat_affine_args *a, float v, int64_t byte, int bit) {
  if (a->relu) {
    if (a->relu_bits && v > 0) a->relu_bits[byte] |= (uint8_t)(1 << bit);
    return v <= 0 ? 0 : v;
  }
  return a->mask_bits && !(a->mask_bits[byte] >> bit & 1) ? 0 : v;
}

void clat_affine_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_affine_args *a = args;
  const int64_t bit_stride = (a->channels + 7) / 8;
  for (int64_t p = begin * a->pixels; p < end * a->pixels; p++) {
    for (int c = 0; c < a->channels; c++) {
      const int64_t byte = p * bit_stride + c / 8;
      if (a->relu_bits && a->relu && c % 8 == 0) a->relu_bits[byte] = 0;
      float v = a->x[p * a->x_stride + c] * a->x_scale;
      if (a->scale) v *= a->scale[c];
      if (a->shift) v += a->shift[c];
      if (a->residual) v += a->residual[p * a->residual_stride + c] * a->residual_scale;
      a->y[p * a->y_stride + c] = activated(a, v, byte, c % 8);
    }
  }
}

void clat_multiply_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_multiply_args *a = args;
  for (int64_t p = begin * a->pixels; p < end * a->pixels; p++) {
    for (int c = 0; c < a->channels; c++) {
      a->y[p * a->y_stride + c] = a->x[p * a->x_stride + c] * a->z[p * a->z_stride + c];
    }
  }
}

void clat_relu_grad_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_multiply_args *a = args;
  for (int64_t p = begin * a->pixels; p < end * a->pixels; p++) {
    for (int c = 0; c < a->channels; c++) {
      const float dy = a->x[p * a->x_stride + c];
      a->y[p * a->y_stride + c] = a->z[p * a->z_stride + c] > 0 ? dy : 0;
    }
  }
}
