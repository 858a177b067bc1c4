INLINE vf masked(const float *dy, const uint8_t *bits, int n) {
  const vf v = load_apart(dy, n);
  return bits ? blend(load_mask(bits, n), v, splat(0)) : v;
}

INLINE void grad_stats_rows(const clat_batch_norm_grad_stats_args *a, int has_mask, int64_t pixel,
                            int rows, float *sum, float *product) {
  const int64_t bit_stride = (a->channels + 7) / 8;
  const float *x = a->x + pixel * a->x_stride, *dy = a->dy + pixel * a->dy_stride;
  const uint8_t *bits = has_mask ? a->mask_bits + pixel * bit_stride : NULL;
  FOR_LANES(c, a->channels, {
    const vf mean = load(a->mean + c, n);
    vf s = splat(0);
    vf q = splat(0);
    for (int row = 0; row < rows; row++) {
      const vf g = masked(dy + row * a->dy_stride + c,
                          has_mask ? bits + row * bit_stride + c / 8 : NULL, n);
      s += g;
      q += g * (load(x + row * a->x_stride + c, n) - mean);
    }
    add_to(sum + c, s, n);
    add_to(product + c, q, n);
  });
}

INLINE void grad_stats_images(const clat_batch_norm_grad_stats_args *a, int has_mask, int rows,
                              int64_t begin, int64_t end) {
  const int64_t whole = a->pixels - a->pixels % rows;
  for (int64_t image = begin; image < end; image++) {
    float *sum = a->partial + image * 2 * a->channels, *product = sum + a->channels;
    const int64_t first = image * a->pixels, last = first + a->pixels;
    int64_t p = first;
    zero(sum, 2 * (int64_t)a->channels);
    for (; p < first + whole; p += rows) grad_stats_rows(a, has_mask, p, rows, sum, product);
    for (; p < last; p++) grad_stats_rows(a, has_mask, p, 1, sum, product);
    FOR_LANES(c, a->channels, store(product + c, load(product + c, n) * load(a->invstd + c, n), n));
  }
}

void CLAT_KERNEL(batch_norm_grad_stats)(const void *args, int64_t begin, int64_t end,
                                        void *scratch) {
  (void)scratch;
  const clat_batch_norm_grad_stats_args a = *(const clat_batch_norm_grad_stats_args *)args;
  if (a.mask_bits) {
    WITH_ROWS(a.channels, 1, grad_stats_images(&a, 1, rows, begin, end));
  } else {
    WITH_ROWS(a.channels, 1, grad_stats_images(&a, 0, rows, begin, end));
  }
}

INLINE void grad_apply_pixels(const clat_batch_norm_grad_apply_args *a, int has_mask,
                              int64_t begin, int64_t end) {
  const int64_t bit_stride = (a->channels + 7) / 8;
  for (int64_t p = begin; p < end; p++) {
    const float *x = a->x + p * a->x_stride, *dy = a->dy + p * a->dy_stride;
    const uint8_t *bits = has_mask ? a->mask_bits + p * bit_stride : NULL;
    float *dx = a->dx + p * a->dx_stride;
    FOR_LANES(c, a->channels, {
      const vf g = masked(dy + c, has_mask ? bits + c / 8 : NULL, n);
      const vf v = load(a->a + c, n) * g + (load(a->b + c, n) * load(x + c, n) + load(a->c + c, n));
      store(dx + c, v, n);
    });
  }
}

void CLAT_KERNEL(batch_norm_grad_apply)(const void *args, int64_t begin, int64_t end,
                                        void *scratch) {
  (void)scratch;
  const clat_batch_norm_grad_apply_args a = *(const clat_batch_norm_grad_apply_args *)args;
  if (a.mask_bits) {
    grad_apply_pixels(&a, 1, begin * a.pixels, end * a.pixels);
  } else {
    grad_apply_pixels(&a, 0, begin * a.pixels, end * a.pixels);
  }
}
