// The epilogue of one pixel, shared by the ways to sum it.

/// Bias, residual, ReLU or mask, and the store, of one pixel's `lanes` channels from channel n on.
INLINE void finish_panel(const clat_epilogue *e, int64_t pixel, int n, int lanes, v16 *sums) {
  const int64_t bit_bytes = (e->channels + 7) / 8;
  v16 s = *sums, t;
  if (e->bias) {
    load_lanes(&t, e->bias + n, lanes);
    s += t;
  }
  if (e->residual) {
    load_lanes(&t, e->residual + pixel * e->residual_stride + n, lanes);
    s += t;
  }
  if (e->relu) {
    const uint32_t bits = relu16(&s);
    if (e->relu_bits) store_bits(e->relu_bits + pixel * bit_bytes + n / 8, bits, lanes);
  } else if (e->mask_bits) {
    select16(&s, load_bits(e->mask_bits + pixel * bit_bytes + n / 8, lanes));
  }
  store_lanes(e->y + pixel * e->y_stride + n, &s, lanes);
}

/// Runs `statement` with `usual`, the epilogue, whose parts the compiler knows for those that
/// networks use most, so that they are not asked for at every pixel.
#define FINISH_USUAL(epilogue, statement)                                              \
  do {                                                                                 \
    clat_epilogue known = *(epilogue);                                                 \
    const clat_epilogue *usual = &known;                                               \
    if (!known.bias && !known.residual && !known.relu && !known.mask_bits) {           \
      known.bias = known.residual = NULL, known.mask_bits = NULL, known.relu = 0;      \
      statement;                                                                       \
    } else if (known.bias && known.relu && known.relu_bits && !known.residual) {       \
      known.residual = NULL, known.relu = 1;                                           \
      statement;                                                                       \
    } else if (known.residual && known.mask_bits && !known.bias && !known.relu) {      \
      known.bias = NULL, known.relu = 0;                                               \
      statement;                                                                       \
    } else if (known.mask_bits && !known.residual && !known.bias && !known.relu) {     \
      known.bias = known.residual = NULL, known.relu = 0;                              \
      statement;                                                                       \
    } else {                                                                           \
      statement;                                                                       \
    }                                                                                  \
  } while (0)
