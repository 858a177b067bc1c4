#include "kernels.h"

static int bit(const uint8_t *bits, int64_t pixel, int channels, int c) {
  return bits[pixel * ((channels + 7) / 8) + c / 8] >> c % 8 & 1;
}

void clat_batch_norm_stats_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_batch_norm_stats_args *a = args;
  for (int64_t image = begin; image < end; image++) {
    for (int c = 0; c < a->channels; c++) {
      const float *x = a->x + image * a->pixels * a->x_stride + c;
      double sum = 0, square = 0;
      for (int64_t p = 0; p < a->pixels; p++) sum += x[p * a->x_stride];
      const double mean = sum / a->pixels;
      for (int64_t p = 0; p < a->pixels; p++) {
        const double d = x[p * a->x_stride] - mean;
        square += d * d;
      }
      a->partial[(image * 2) * a->channels + c] = (float)mean;
      a->partial[(image * 2 + 1) * a->channels + c] = (float)square;
    }
  }
}

void clat_batch_norm_grad_stats_reference(const void *args, int64_t begin, int64_t end,
                                          void *scratch) {
  (void)scratch;
  const clat_batch_norm_grad_stats_args *a = args;
  for (int64_t image = begin; image < end; image++) {
    for (int c = 0; c < a->channels; c++) {
      double sum = 0, product = 0;
      for (int64_t p = image * a->pixels; p < (image + 1) * a->pixels; p++) {
        if (a->mask_bits && !bit(a->mask_bits, p, a->channels, c)) continue;
        const double dy = a->dy[p * a->dy_stride + c];
        sum += dy;
        product += dy * ((double)a->x[p * a->x_stride + c] - a->mean[c]) * a->invstd[c];
      }
      a->partial[(image * 2) * a->channels + c] = (float)sum;
      a->partial[(image * 2 + 1) * a->channels + c] = (float)product;
    }
  }
}

void clat_batch_norm_grad_apply_reference(const void *args, int64_t begin, int64_t end,
                                          void *scratch) {
  (void)scratch;
  const clat_batch_norm_grad_apply_args *a = args;
  for (int64_t p = begin * a->pixels; p < end * a->pixels; p++) {
    for (int c = 0; c < a->channels; c++) {
      const int keep = !a->mask_bits || bit(a->mask_bits, p, a->channels, c);
      const float dy = keep ? a->dy[p * a->dy_stride + c] : 0;
      a->dx[p * a->dx_stride + c] = a->a[c] * dy + (a->b[c] * a->x[p * a->x_stride + c] + a->c[c]);
    }
  }
}

void clat_scale_filters_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_scale_filters_args *a = args;
  for (int64_t f = begin; f < end; f++) {
    for (int64_t i = f * a->elements; i < (f + 1) * a->elements; i++) {
      a->y[i] = a->w[i] * a->scale[a->taps > 0 ? i % a->elements / a->taps : f];
    }
  }
}

void clat_channel_sum_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_channel_sum_args *a = args;
  for (int64_t image = begin; image < end; image++) {
    for (int c = 0; c < a->channels; c++) {
      double sum = 0;
      for (int64_t p = image * a->pixels; p < (image + 1) * a->pixels; p++) {
        sum += (double)a->a[p * a->a_stride + c] * (a->b ? a->b[p * a->b_stride + c] : 1);
      }
      a->partial[image * a->channels + c] = (float)sum;
    }
  }
}
