// Filters into transforms, a panel of sixteen output channels at a time, from the weights as they
// are stored.

typedef struct {
  const float *weights; // OIHW
  int64_t in_channels;  // of the weights
  int64_t channels;     // that the use produces
  int transpose;        // of an input gradient: channels of the weights' input, flipped taps
  const float *scale;   // of the filters, for each channel that the use produces or sums over
  int scales_produced;
} filter_source;

/// Of 48 floats in order every third, from each of the first three on.
INLINE void split_thirds(const vf *x, vf *to) {
  const vf a = __builtin_shufflevector(x[0], x[1], 0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 0, 0, 0, 0, 0);
  const vf b = __builtin_shufflevector(x[0], x[1], 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 0, 0, 0, 0, 0);
  const vf c = __builtin_shufflevector(x[0], x[1], 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0, 0, 0, 0, 0, 0);
  to[0] = __builtin_shufflevector(a, x[2], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 20, 23, 26, 29);
  to[1] = __builtin_shufflevector(b, x[2], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 24, 27, 30);
  to[2] = __builtin_shufflevector(c, x[2], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 22, 25, 28, 31);
}

/// Sixteen filters of nine taps each, side by side, to taps of sixteen lanes: every third of every
/// third float.
INLINE void split_taps(const vf *x, float *taps) {
  vf third[3][3], tap[3]; // [which of three][part]
  UNROLL for (int part = 0; part < 3; part++) {
    vf to[3];
    split_thirds(x + part * 3, to);
    UNROLL for (int i = 0; i < 3; i++) third[i][part] = to[i];
  }
  UNROLL for (int i = 0; i < 3; i++) {
    split_thirds(third[i], tap);
    UNROLL for (int j = 0; j < 3; j++) store(taps + (8 - i - 3 * j) * 16, tap[j], LANES);
  }
}

/// Lanes are rows of the weights; their next `depth` filters lie side by side.
INLINE void load_rows(const float *weights, int64_t row, int lanes, int64_t depth, float *taps) {
  for (int64_t at = 0; at < depth * 9; at += 16) {
    vf columns[16];
    transpose_block(weights + at, row, lanes, (int)min64(16, depth * 9 - at), columns);
    UNROLL for (int i = 0; i < 16; i++) store(taps + (at + i) * 16, columns[i], LANES);
  }
}

/// Lanes are side by side; the next `depth` filters are in the next rows.
INLINE void load_columns(const float *weights, int64_t row, int lanes, int64_t depth, float *taps) {
  for (int64_t k = 0; k < depth; k++) {
    vf x[9];
    for (int i = 0; i < 9; i++) {
      x[i] = splat(0);
      const int64_t rest = lanes * 9 - i * 16;
      if (rest > 0) x[i] = load(weights + k * row + i * 16, (int)min64(16, rest));
    }
    split_taps(x, taps + k * 9 * 16);
  }
}

/// Stores the transforms of a filter's taps w[9], `plane` floats from a point to the next.
typedef void filter_transform(const vf *w, float *to, int64_t plane);

/// Transforms of the panel from channel n on, inputs k ..< k + depth: sixteen lanes an input,
/// zero beyond the channels, and the next point `plane` floats behind.
INLINE void transform_panel(const filter_source *f, int64_t n, int64_t k, int64_t depth, float *to,
                            int64_t plane, filter_transform *transform) {
  float taps[16 * 9 * 16] __attribute__((aligned(64)));
  const int64_t row = f->in_channels * 9;
  const int lanes = (int)min64(16, f->channels - n);
  vf scale;
  if (f->scale && f->scales_produced) scale = load(f->scale + n, lanes);
  for (int64_t i = 0; i < depth; i += 16) {
    const int64_t count = min64(16, depth - i);
    if (!f->transpose) load_rows(f->weights + n * row + (k + i) * 9, row, lanes, count, taps);
    else if (lanes == 16) load_columns(f->weights + (k + i) * row + n * 9, row, 16, count, taps);
    else load_columns(f->weights + (k + i) * row + n * 9, row, lanes, count, taps);
    for (int64_t j = 0; j < count; j++) {
      vf w[9];
      UNROLL for (int t = 0; t < 9; t++) w[t] = load(taps + (j * 9 + t) * 16, LANES);
      if (f->scale) {
        if (!f->scales_produced) scale = splat(f->scale[k + i + j]);
        UNROLL for (int t = 0; t < 9; t++) w[t] *= scale;
      }
      transform(w, to + (i + j) * 16, plane);
    }
  }
}

INLINE void transform_strided_filter(const vf *w, float *to, int64_t plane) {
  vf u[CLAT_WINOGRAD_POINTS];
  STRIDED_FILTERS(vf, u, w);
  UNROLL for (int i = 0; i < CLAT_WINOGRAD_POINTS; i++) store(to + i * plane, u[i], LANES);
}

typedef void panel_transform(const filter_source *f, int64_t n, int64_t k, int64_t depth, float *to,
                             int64_t plane);

static void transform_panel_strided(const filter_source *f, int64_t n, int64_t k, int64_t depth,
                                    float *to, int64_t plane) {
  transform_panel(f, n, k, depth, to, plane, transform_strided_filter);
}
