// The plain twins of the convolution kernels, summed in double.
#include "conv_reference.h"

#include <string.h>

static int bit(const uint8_t *bits, int64_t pixel, int channels, int c) {
  return bits[pixel * ((channels + 7) / 8) + c / 8] >> (c % 8) & 1;
}

static double gather_sum(const clat_conv_args *a, const clat_conv_phase *ph, int64_t image, int p,
                         int n) {
  const float *w = a->packed + ph->packed_offset +
                   (int64_t)(n / CLAT_PANEL) * ph->taps * a->in_channels * CLAT_PANEL +
                   n % CLAT_PANEL;
  double sum = 0;
  for (int t = 0; t < ph->taps; t++) {
    const int32_t in = ph->in[(int64_t)p * ph->taps + t];
    if (in < 0) continue;
    const float *x = a->x + (image * a->in_pixels + in) * a->x_stride;
    for (int k = 0; k < a->in_channels; k++)
      sum += (double)x[k] * w[((int64_t)t * a->in_channels + k) * CLAT_PANEL];
  }
  return sum;
}

/// The epilogue of one pixel's channel n.
void clat_finish_reference(const clat_epilogue *e, int64_t pixel, int n, double sum) {
  uint8_t *bits = e->relu && e->relu_bits ? e->relu_bits + pixel * ((e->channels + 7) / 8) : NULL;
  float y = (float)sum;
  if (e->bias) y += e->bias[n];
  const float residual = e->residual ? e->residual[pixel * e->residual_stride + n] : 0;
  if (e->residual && !e->residual_last) y += residual;
  if (e->relu) {
    if (bits && n % 8 == 0) bits[n / 8] = 0;
    if (bits) bits[n / 8] |= (uint8_t)((y > 0) << (n % 8));
    y = y <= 0 ? 0 : y; // not `y > 0 ? y : 0`, which would hide a NaN
  } else if (e->mask_bits && !bit(e->mask_bits, pixel, e->channels, n)) {
    y = 0;
  }
  if (e->residual && e->residual_last) y += residual;
  e->y[pixel * e->y_stride + n] = y;
}

static void gather_pixel(const clat_conv_args *a, const clat_conv_phase *ph, int64_t image, int p) {
  for (int n = 0; n < a->out.channels; n++)
    clat_finish_reference(&a->out, image * a->out_pixels + ph->out[p], n,
                          gather_sum(a, ph, image, p, n));
}

void clat_conv_gather_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  const clat_conv_args *a = args;
  (void)scratch;
  for (int64_t image = begin; image < end; image++)
    for (int i = 0; i < a->phases; i++)
      for (int p = 0; p < a->phase[i].pixels; p++) gather_pixel(a, &a->phase[i], image, p);
}

void clat_conv_pack_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  const clat_conv_pack_args *a = args;
  const int channels = a->transpose ? a->in_channels : a->out_channels;
  const int depth = a->transpose ? a->out_channels : a->in_channels;
  const int panels = (channels + CLAT_PANEL - 1) / CLAT_PANEL;
  (void)scratch;
  for (int64_t u = begin; u < end; u++) {
    const clat_conv_phase *ph = &a->phase[u / panels];
    float *to = a->packed + ph->packed_offset + u % panels * ph->taps * depth * CLAT_PANEL;
    for (int t = 0; t < ph->taps; t++)
      for (int k = 0; k < depth; k++)
        for (int lane = 0; lane < CLAT_PANEL; lane++) {
          const int64_t n = u % panels * CLAT_PANEL + lane;
          const int64_t filter =
              a->transpose ? (int64_t)k * a->in_channels + n : n * a->in_channels + k;
          *to++ = n < channels ? a->weights[filter * a->kernel_taps + ph->tap[t]] : 0;
        }
  }
}

void clat_conv_weight_grad_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  const clat_conv_weight_grad_args *a = args;
  const int64_t rows = (int64_t)a->taps * a->in_channels;
  (void)scratch;
  for (int64_t job = begin; job < end; job++) {
    const int64_t chunk = job / a->blocks, block = job % a->blocks;
    const int64_t first = a->images * chunk / a->chunks, last = a->images * (chunk + 1) / a->chunks;
    for (int64_t row = rows * block / a->blocks; row < rows * (block + 1) / a->blocks; row++) {
      const int64_t tap = row / a->in_channels, c = row % a->in_channels;
      for (int o = 0; o < a->out_channels; o++) {
        double sum = 0;
        for (int64_t image = first; image < last; image++)
          for (int p = 0; p < a->out_pixels; p++) {
            const int32_t in = a->in[(int64_t)p * a->taps + tap];
            if (in >= 0)
              sum += (double)a->x[(image * a->in_pixels + in) * a->x_stride + c] *
                     a->dy[(image * a->out_pixels + p) * a->dy_stride + o];
          }
        a->partial[(chunk * rows + row) * a->out_channels + o] = (float)sum;
      }
    }
  }
}

void clat_conv_weight_grad_reduce_reference(const void *args, int64_t begin, int64_t end,
                                            void *scratch) {
  const clat_conv_weight_grad_reduce_args *a = args;
  const int64_t rows = (int64_t)a->taps * a->in_channels;
  (void)scratch;
  for (int64_t o = begin; o < end; o++)
    for (int64_t c = 0; c < a->in_channels; c++)
      for (int64_t t = 0; t < a->taps; t++) {
        float sum = 0;
        for (int64_t chunk = 0; chunk < a->chunks; chunk++)
          sum += a->partial[(chunk * rows + t * a->in_channels + c) * a->out_channels + o];
        a->dw[(o * a->in_channels + c) * a->taps + t] = sum;
      }
}
