// The plain twins of the depthwise kernels, summed in double.
#include "conv_reference.h"

static double depthwise_sum(const clat_conv_args *a, const clat_conv_phase *ph, int64_t image,
                            int p, int n) {
  const float *w =
      a->packed + ph->packed_offset + n / CLAT_PANEL * CLAT_PANEL * ph->taps + n % CLAT_PANEL;
  double sum = 0;
  for (int t = 0; t < ph->taps; t++) {
    const int32_t in = ph->in[(int64_t)p * ph->taps + t];
    if (in >= 0)
      sum += (double)a->x[(image * a->in_pixels + in) * a->x_stride + n] * w[t * CLAT_PANEL];
  }
  return sum;
}

void clat_conv_depthwise_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  const clat_conv_args *a = args;
  (void)scratch;
  for (int64_t image = begin; image < end; image++)
    for (int i = 0; i < a->phases; i++)
      for (int p = 0; p < a->phase[i].pixels; p++)
        for (int n = 0; n < a->out.channels; n++)
          clat_finish_reference(&a->out, image * a->out_pixels + a->phase[i].out[p], n,
                                depthwise_sum(a, &a->phase[i], image, p, n));
}

static double tap_sum(const clat_conv_weight_grad_args *a, int64_t chunk, int64_t tap, int n) {
  double sum = 0;
  for (int64_t image = a->images * chunk / a->chunks;
       image < a->images * (chunk + 1) / a->chunks; image++)
    for (int p = 0; p < a->out_pixels; p++) {
      const int32_t in = a->in[(int64_t)p * a->taps + tap];
      if (in >= 0)
        sum += (double)a->x[(image * a->in_pixels + in) * a->x_stride + n] *
               a->dy[(image * a->out_pixels + p) * a->dy_stride + n];
    }
  return sum;
}

void clat_conv_depthwise_weight_grad_reference(const void *args, int64_t begin, int64_t end,
                                               void *scratch) {
  const clat_conv_weight_grad_args *a = args;
  const int64_t taps = a->taps;
  (void)scratch;
  for (int64_t job = begin; job < end; job++) {
    const int64_t chunk = job / a->blocks, block = job % a->blocks;
    for (int64_t tap = taps * block / a->blocks; tap < taps * (block + 1) / a->blocks; tap++)
      for (int n = 0; n < a->out_channels; n++)
        a->partial[(chunk * taps + tap) * a->out_channels + n] = (float)tap_sum(a, chunk, tap, n);
  }
}
