// The transforms of the filters, sixteen output channels at a time.

INLINE void load_filter(v16 *w, const clat_winograd_pack_args *a, int64_t first, int64_t lanes,
                        int64_t k) {
  float taps[9][16] = {{0}};
  for (int64_t lane = 0; lane < lanes; lane++) {
    const int64_t n = first + lane, filter = a->transpose ? k * a->in_channels + n
                                                          : n * a->in_channels + k;
    const float *from = a->weights + filter * 9;
    for (int t = 0; t < 9; t++) taps[a->transpose ? 8 - t : t][lane] = from[t];
  }
  UNROLL for (int t = 0; t < 9; t++) load16(&w[t], taps[t]);
}

/// u[36] of a filter's taps w[9].
INLINE void transform_filter(v16 *u, const v16 *w) {
  v16 half[18];
  UNROLL for (int c = 0; c < 3; c++) {
    v16 column[6];
    WINOGRAD_FILTER(v16, column, w + c, 3);
    UNROLL for (int r = 0; r < 6; r++) half[r * 3 + c] = column[r];
  }
  UNROLL for (int r = 0; r < 6; r++) WINOGRAD_FILTER(v16, u + r * 6, half + r * 3, 1);
}

INLINE void transform_strided_filter(v16 *u, const v16 *w) { STRIDED_FILTERS(v16, u, w); }

INLINE void pack_transforms(const clat_winograd_pack_args *a, int64_t begin, int64_t end,
                            void (*transform)(v16 *, const v16 *)) {
  const int64_t channels = a->transpose ? a->in_channels : a->out_channels;
  const int64_t depth = a->transpose ? a->out_channels : a->in_channels;
  for (int64_t panel = begin; panel < end; panel++)
    for (int64_t k = 0; k < depth; k++) {
      float *to = a->packed + (panel * CLAT_WINOGRAD_POINTS * depth + k) * CLAT_PANEL;
      v16 w[9], u[CLAT_WINOGRAD_POINTS];
      load_filter(w, a, panel * CLAT_PANEL, min64(CLAT_PANEL, channels - panel * CLAT_PANEL), k);
      transform(u, w);
      for (int i = 0; i < CLAT_WINOGRAD_POINTS; i++) store16(to + i * depth * CLAT_PANEL, &u[i]);
    }
}

void KERNEL_NAME(winograd_pack, ISA)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  pack_transforms(args, begin, end, transform_filter);
}

void KERNEL_NAME(winograd_strided_pack, ISA)(const void *args, int64_t begin, int64_t end,
                                             void *scratch) {
  (void)scratch;
  pack_transforms(args, begin, end, transform_strided_filter);
}
