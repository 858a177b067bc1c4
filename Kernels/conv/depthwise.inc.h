// Depthwise convolutions: every channel by itself, sixteen of them in the lanes.

#define DEPTHWISE_PIXELS 4 // that share a load of a tap's weights
#define DEPTHWISE_TAPS 3   // that share a load of the output's gradient

/// `count` pixels of a phase from `first` on, and the panel of channels from n on.
INLINE void depthwise_pixels(const clat_conv_args *a, const clat_conv_phase *phase, int64_t image,
                             int64_t first, int count, int n, int lanes) {
  const float *x = a->x + image * a->in_pixels * a->x_stride + n;
  const float *w = a->packed + phase->packed_offset + (int64_t)n * phase->taps;
  const int32_t *in = phase->in + first * phase->taps;
  vf sums[DEPTHWISE_PIXELS], filter, v;
  UNROLL for (int i = 0; i < count; i++) sums[i] = splat(0);
  for (int64_t t = 0; t < phase->taps; t++) {
    filter = load(w + t * CLAT_PANEL, LANES);
    UNROLL for (int i = 0; i < count; i++) {
      const int32_t from = in[i * phase->taps + t];
      if (from < 0) continue;
      v = load(x + (int64_t)from * a->x_stride, lanes);
      sums[i] += v * filter;
    }
  }
  UNROLL for (int i = 0; i < count; i++)
    finish_panel(&a->out, image * a->out_pixels + phase->out[first + i], n, lanes, sums + i);
}

static void depthwise_phase(const clat_conv_args *a, const clat_conv_phase *phase, int64_t image) {
  const int channels = a->out.channels, whole = channels / 16 * 16;
  int64_t p = 0;
  for (; p + DEPTHWISE_PIXELS <= phase->pixels; p += DEPTHWISE_PIXELS) {
    for (int n = 0; n < whole; n += 16)
      depthwise_pixels(a, phase, image, p, DEPTHWISE_PIXELS, n, 16);
    if (whole < channels)
      depthwise_pixels(a, phase, image, p, DEPTHWISE_PIXELS, whole, channels - whole);
  }
  for (; p < phase->pixels; p++)
    for (int n = 0; n < channels; n += 16)
      depthwise_pixels(a, phase, image, p, 1, n, (int)min64(16, channels - n));
}

void CLAT_KERNEL(conv_depthwise)(const void *args, int64_t begin, int64_t end,
                                      void *scratch) {
  const clat_conv_args *a = args;
  (void)scratch;
  for (int64_t image = begin; image < end; image++)
    for (int i = 0; i < a->phases; i++) depthwise_phase(a, a->phase + i, image);
}

/// The sums of `count` taps from `tap` on over the images first ..< last, for a panel of channels.
INLINE void depthwise_taps(const clat_conv_weight_grad_args *a, int64_t first, int64_t last,
                           int64_t tap, int count, int n, int lanes, float *partial) {
  vf sums[DEPTHWISE_TAPS], dy, x;
  UNROLL for (int i = 0; i < count; i++) sums[i] = splat(0);
  for (int64_t image = first; image < last; image++)
    for (int64_t p = 0; p < a->out_pixels; p++) {
      dy = load(a->dy + (image * a->out_pixels + p) * a->dy_stride + n, lanes);
      UNROLL for (int i = 0; i < count; i++) {
        const int32_t from = a->in[p * a->taps + tap + i];
        if (from < 0) continue;
        x = load(a->x + (image * a->in_pixels + from) * a->x_stride + n, lanes);
        sums[i] += x * dy;
      }
    }
  UNROLL for (int i = 0; i < count; i++)
    store(partial + (tap + i) * a->out_channels + n, sums[i], lanes);
}

void CLAT_KERNEL(conv_depthwise_weight_grad)(const void *args, int64_t begin, int64_t end,
                                                  void *scratch) {
  const clat_conv_weight_grad_args *a = args;
  (void)scratch;
  for (int64_t job = begin; job < end; job++) {
    const int64_t chunk = job / a->blocks, block = job % a->blocks;
    const int64_t first = a->images * chunk / a->chunks, last = a->images * (chunk + 1) / a->chunks;
    const int64_t stop = a->taps * (block + 1) / a->blocks;
    float *partial = a->partial + chunk * a->taps * a->out_channels;
    for (int n = 0; n < a->out_channels; n += 16) {
      const int lanes = (int)min64(16, a->out_channels - n);
      int64_t tap = a->taps * block / a->blocks;
      for (; tap + DEPTHWISE_TAPS <= stop; tap += DEPTHWISE_TAPS) {
        if (lanes == 16) depthwise_taps(a, first, last, tap, DEPTHWISE_TAPS, n, 16, partial);
        else depthwise_taps(a, first, last, tap, DEPTHWISE_TAPS, n, lanes, partial);
      }
      for (; tap < stop; tap++) depthwise_taps(a, first, last, tap, 1, n, lanes, partial);
    }
  }
}
