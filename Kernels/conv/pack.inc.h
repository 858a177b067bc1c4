// Weights into panels.

/// A panel of 1x1 filters: `lanes` channels from `first` on.
static void pack_lone_taps(const clat_conv_pack_args *a, int64_t first, int lanes, float *to) {
  const int64_t row = a->in_channels;
  if (a->transpose) {
    const float *w = a->weights + first;
    for (int64_t k = 0; k < a->out_channels; k++, w += row, to += CLAT_PANEL)
      store(to, load(w, lanes), LANES);
    return;
  }
  for (int64_t k = 0; k < row; k += 16, to += 16 * CLAT_PANEL) {
    const int count = (int)min64(16, row - k);
    vf columns[16];
    transpose_block(a->weights + first * row + k, row, lanes, count, columns);
    if (count == 16) {
      UNROLL for (int i = 0; i < 16; i++) store(to + i * CLAT_PANEL, columns[i], LANES);
    } else {
      for (int i = 0; i < count; i++) store(to + i * CLAT_PANEL, columns[i], LANES);
    }
  }
}

/// Sixteen filters are read side by side, so that reads and writes both run forward.
static void pack_panel(const clat_conv_pack_args *a, const clat_conv_phase *phase, int64_t panel) {
  const int64_t channels = a->transpose ? a->in_channels : a->out_channels;
  const int64_t depth = a->transpose ? a->out_channels : a->in_channels;
  const int64_t n_stride = (a->transpose ? 1 : (int64_t)a->in_channels) * a->kernel_taps;
  const int64_t k_stride = (a->transpose ? (int64_t)a->in_channels : 1) * a->kernel_taps;
  const int64_t first = panel * CLAT_PANEL, lanes = min64(CLAT_PANEL, channels - first);
  float *to = a->packed + phase->packed_offset + panel * phase->taps * depth * CLAT_PANEL;
  if (a->kernel_taps == 1 && phase->taps == 1) {
    pack_lone_taps(a, first, (int)lanes, to);
    return;
  }
  for (int64_t k = 0; k < depth; k++, to += CLAT_PANEL)
    for (int64_t lane = 0; lane < CLAT_PANEL; lane++) {
      const float *w = a->weights + (lane < lanes ? (first + lane) * n_stride + k * k_stride : 0);
      for (int64_t t = 0; t < phase->taps; t++)
        to[t * depth * CLAT_PANEL + lane] = lane < lanes ? w[phase->tap[t]] : 0;
    }
}

void CLAT_KERNEL(conv_pack)(const void *args, int64_t begin, int64_t end, void *scratch) {
  const clat_conv_pack_args *a = args;
  const int channels = a->transpose ? a->in_channels : a->out_channels;
  const int panels = (channels + CLAT_PANEL - 1) / CLAT_PANEL;
  (void)scratch;
  for (int64_t u = begin; u < end; u++) pack_panel(a, &a->phase[u / panels], u % panels);
}
