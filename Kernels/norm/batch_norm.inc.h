// Sums over pixels are kept in memory, one a channel, where they stay in the first-level cache.
// Where channels are few, several pixels are added at a time, because a sum cannot be loaded sooner
// than it has been stored; where they are many, fewer, so that memory is read in order.
#define WITH_ROWS(channels, many, body)                                                           \
  do {                                                                                            \
    if ((channels) <= LANES) {                                                                    \
      enum { rows = 8 };                                                                          \
      body;                                                                                       \
    } else if ((channels) <= 2 * LANES) {                                                         \
      enum { rows = 4 };                                                                          \
      body;                                                                                       \
    } else {                                                                                      \
      enum { rows = many };                                                                       \
      body;                                                                                       \
    }                                                                                             \
  } while (0)

INLINE void add_to(float *sum, vf v, int n) { store(sum, load(sum, n) + v, n); }

INLINE void zero(float *p, int64_t count) { memset(p, 0, (size_t)count * sizeof(float)); }

INLINE void stats_sum(const float *x, int64_t stride, int64_t channels, int rows, float *sum) {
  FOR_LANES(c, channels, {
    vf v = load(x + c, n);
    for (int row = 1; row < rows; row++) v += load(x + row * stride + c, n);
    add_to(sum + c, v, n);
  });
}

INLINE void stats_deviate(const float *x, int64_t stride, int64_t channels, int rows,
                          const float *mean, float *deviation, float *square) {
  FOR_LANES(c, channels, {
    const vf m = load(mean + c, n);
    vf d = load(x + c, n) - m;
    vf s = d * d;
    for (int row = 1; row < rows; row++) {
      const vf next = load(x + row * stride + c, n) - m;
      d += next;
      s += next * next;
    }
    add_to(deviation + c, d, n);
    add_to(square + c, s, n);
  });
}

// The corrected two-pass algorithm (Chan, Golub, LeVeque 1983): the sum of the deviations,
// zero but for rounding, corrects both the mean and the squares.
INLINE void stats_image(const clat_batch_norm_stats_args *a, int rows, const float *x, float *mean,
                        float *square, float *deviation) {
  const int64_t stride = a->x_stride, channels = a->channels, pixels = a->pixels;
  const int64_t whole = pixels - pixels % rows;
  const vf inverse = splat(1.0f / (float)pixels);
  zero(mean, channels);
  zero(square, channels);
  zero(deviation, channels);
  for (int64_t p = 0; p < whole; p += rows) stats_sum(x + p * stride, stride, channels, rows, mean);
  for (int64_t p = whole; p < pixels; p++) stats_sum(x + p * stride, stride, channels, 1, mean);
  FOR_LANES(c, channels, store(mean + c, load(mean + c, n) * inverse, n));
  for (int64_t p = 0; p < whole; p += rows) {
    stats_deviate(x + p * stride, stride, channels, rows, mean, deviation, square);
  }
  for (int64_t p = whole; p < pixels; p++) {
    stats_deviate(x + p * stride, stride, channels, 1, mean, deviation, square);
  }
  FOR_LANES(c, channels, {
    const vf d = load(deviation + c, n);
    const vf correction = d * inverse;
    const vf s = load(square + c, n) - d * correction;
    add_to(mean + c, correction, n);
    store(square + c, blend(s < 0, splat(0), s), n);
  });
}

void CLAT_KERNEL(batch_norm_stats)(const void *args, int64_t begin, int64_t end, void *scratch) {
  const clat_batch_norm_stats_args a = *(const clat_batch_norm_stats_args *)args;
  for (int64_t image = begin; image < end; image++) {
    const float *x = a.x + image * a.pixels * a.x_stride;
    float *mean = a.partial + image * 2 * a.channels;
    WITH_ROWS(a.channels, 4, stats_image(&a, rows, x, mean, mean + a.channels, scratch));
  }
}

/// By input channel: the scales of a range of elements, spread over the taps, serve all filters.
static void scale_channels(clat_scale_filters_args a, int64_t begin, int64_t end, float *scales) {
  const int64_t block = CLAT_SCRATCH_BYTES / (int64_t)sizeof(float);
  for (int64_t first = 0; first < a.elements; first += block) {
    const int64_t count = a.elements - first < block ? a.elements - first : block;
    for (int64_t i = 0; i < count; i++) scales[i] = a.scale[(first + i) / a.taps];
    for (int64_t filter = begin; filter < end; filter++) {
      const float *w = a.w + filter * a.elements + first;
      float *y = a.y + filter * a.elements + first;
      FOR_LANES(i, count, store(y + i, load(w + i, n) * load(scales + i, n), n));
    }
  }
}

void CLAT_KERNEL(scale_filters)(const void *args, int64_t begin, int64_t end, void *scratch) {
  const clat_scale_filters_args a = *(const clat_scale_filters_args *)args;
  if (a.taps > 0) {
    scale_channels(a, begin, end, scratch);
    return;
  }
  for (int64_t filter = begin; filter < end; filter++) {
    const float *w = a.w + filter * a.elements;
    float *y = a.y + filter * a.elements;
    const vf scale = splat(a.scale[filter]);
    FOR_LANES(i, a.elements, store(y + i, load(w + i, n) * scale, n));
  }
}
