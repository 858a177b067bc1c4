// The epilogue of one pixel, shared by the ways to sum it.

/// Bias, residual, ReLU or mask, and the store, of one pixel's `lanes` channels from channel n on.
INLINE void finish_panel(const clat_conv_args *a, int64_t pixel, int n, int lanes, v16 *sums) {
  const int64_t bit_bytes = (a->out_channels + 7) / 8;
  v16 s = *sums, t;
  if (a->bias) {
    load_lanes(&t, a->bias + n, lanes);
    s += t;
  }
  if (a->residual) {
    load_lanes(&t, a->residual + pixel * a->residual_stride + n, lanes);
    s += t;
  }
  if (a->relu) {
    const uint32_t bits = relu16(&s);
    if (a->relu_bits) store_bits(a->relu_bits + pixel * bit_bytes + n / 8, bits, lanes);
  } else if (a->mask_bits) {
    select16(&s, load_bits(a->mask_bits + pixel * bit_bytes + n / 8, lanes));
  }
  store_lanes(a->y + pixel * a->y_stride + n, &s, lanes);
}
