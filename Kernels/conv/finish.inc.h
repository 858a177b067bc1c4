// The epilogue of one pixel, shared by the ways to sum it.

/// Bias, residual, ReLU or mask, residual at the last, and the store, of one pixel's `lanes` channels
/// from channel n on.
INLINE void finish_panel(const clat_epilogue *e, int64_t pixel, int n, int lanes, vf *sums) {
  const int64_t bit_bytes = (e->channels + 7) / 8;
  vf s = *sums, t;
  if (e->bias) s += load(e->bias + n, lanes);
  if (e->residual) t = load(e->residual + pixel * e->residual_stride + n, lanes);
  if (e->residual && !e->residual_last) s += t;
  if (e->relu) {
    if (e->relu_bits) store_mask(e->relu_bits + pixel * bit_bytes + (n >> 3), s > 0, lanes);
    s = blend(s <= 0, splat(0), s); // `s > 0 ? s : 0` would hide a NaN
  } else if (e->mask_bits) {
    s = blend(load_mask(e->mask_bits + pixel * bit_bytes + (n >> 3), lanes), s, splat(0));
  }
  if (e->residual && e->residual_last) s += t;
  store(e->y + pixel * e->y_stride + n, s, lanes);
}

/// The epilogue with `pixels` pixels skipped.
INLINE clat_epilogue skip_pixels(const clat_epilogue *e, int64_t pixels) {
  const int64_t bit_bytes = (e->channels + 7) / 8;
  clat_epilogue rest = *e;
  rest.y += pixels * e->y_stride;
  if (e->residual) rest.residual += pixels * e->residual_stride;
  if (e->relu_bits) rest.relu_bits += pixels * bit_bytes;
  if (e->mask_bits) rest.mask_bits += pixels * bit_bytes;
  return rest;
}

/// Runs `statement` with `usual`, the epilogue, of which the compiler knows whether it adds a
/// residual and when, and whether it ends in ReLU, a mask or neither, so that no pixel asks for that.
#define FINISH_USUAL(epilogue, statement)                               \
  do {                                                                  \
    clat_epilogue known = *(epilogue);                                  \
    const clat_epilogue *usual = &known;                                \
    if (known.residual && known.residual_last && known.mask_bits) {     \
      known.relu = 0, known.residual_last = 1;                          \
      statement;                                                        \
    } else if (known.relu) {                                            \
      known.relu = 1;                                                   \
      FINISH_RESIDUAL(statement);                                       \
    } else if (known.mask_bits) {                                       \
      known.relu = 0;                                                   \
      FINISH_RESIDUAL(statement);                                       \
    } else {                                                            \
      known.relu = 0, known.mask_bits = NULL;                           \
      FINISH_RESIDUAL(statement);                                       \
    }                                                                   \
  } while (0)
#define FINISH_RESIDUAL(statement) \
  known.residual_last = 0;         \
  if (known.residual) {            \
    statement;                     \
  } else {                         \
    known.residual = NULL;         \
    statement;                     \
  }

/// The epilogue of a tile whose sums are still in the registers acc[R][P]; `pixel` is that of row i.
#define FINISH_TILE(R, P, epilogue, channel, pixel)                                              \
  do {                                                                                           \
    const int n = channel;                                                                       \
    FINISH_USUAL(epilogue, UNROLL for (int i = 0; i < R; i++) UNROLL for (int p = 0; p < P; p++) \
                     finish_panel(usual, pixel, n + p * 16, 16, &acc[i][p]));                    \
  } while (0)

INLINE void finish_usual_sums(const clat_epilogue *e, const float *sums, const int64_t *pixel, int rows,
                              int n, int panels) {
  for (int i = 0; i < rows; i++)
    for (int p = 0; p < panels; p++) {
      const int lanes = e->channels - n - p * 16;
      vf s = load(sums + (i * panels + p) * 16, LANES);
      if (lanes >= 16) finish_panel(e, pixel[i], n + p * 16, 16, &s);
      else finish_panel(e, pixel[i], n + p * 16, lanes, &s);
    }
}

/// The same for sums that a tile left, [rows][panels][16].
static void finish_sums(const clat_epilogue *e, const float *sums, const int64_t *pixel, int rows,
                        int n, int panels) {
  FINISH_USUAL(e, finish_usual_sums(usual, sums, pixel, rows, n, panels));
}
