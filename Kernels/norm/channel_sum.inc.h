INLINE void channel_sum_rows(const clat_channel_sum_args *a, int product, int64_t pixel, int rows,
                             float *sum) {
  FOR_LANES(c, a->channels, {
    vf s = splat(0);
    for (int64_t row = pixel; row < pixel + rows; row++) {
      const vf v = load(a->a + row * a->a_stride + c, n);
      s += product ? v * load(a->b + row * a->b_stride + c, n) : v;
    }
    add_to(sum + c, s, n);
  });
}

INLINE void channel_sum_images(const clat_channel_sum_args *a, int product, int rows, int64_t begin,
                               int64_t end) {
  const int64_t whole = a->pixels - a->pixels % rows;
  for (int64_t image = begin; image < end; image++) {
    float *sum = a->partial + image * a->channels;
    const int64_t first = image * a->pixels, last = first + a->pixels;
    int64_t p = first;
    zero(sum, a->channels);
    for (; p < first + whole; p += rows) channel_sum_rows(a, product, p, rows, sum);
    for (; p < last; p++) channel_sum_rows(a, product, p, 1, sum);
  }
}

void CLAT_KERNEL(channel_sum)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_channel_sum_args a = *(const clat_channel_sum_args *)args;
  if (a.b) {
    WITH_ROWS(a.channels, 1, channel_sum_images(&a, 1, rows, begin, end));
  } else {
    WITH_ROWS(a.channels, 1, channel_sum_images(&a, 0, rows, begin, end));
  }
}
