// Gradients with respect to an image: two or three output channels would fill as few of sixteen
// lanes. So lanes are input channels, and the lanes' sums are taken when all taps are added.

#define FEW_CHANNELS 4
#define FEW_WEIGHTS (64 << 10) // floats of one phase
#define FEW_AHEAD 96           // pixels

/// From [tap][k][16] to [tap][block of k][column][DOT_LANES].
static void spread_weights(const clat_conv_args *a, const clat_conv_phase *ph, float *to) {
  const int64_t depth = a->in_channels, columns = a->out.channels,
                blocks = (depth + DOT_LANES - 1) / DOT_LANES;
  const float *from = a->packed + ph->packed_offset;
  for (int64_t t = 0; t < ph->taps; t++)
    for (int64_t b = 0; b < blocks; b++)
      for (int64_t n = 0; n < columns; n++)
        for (int64_t k = b * DOT_LANES; k < (b + 1) * DOT_LANES; k++)
          *to++ = k < depth ? from[(t * depth + k) * 16 + n] : 0;
}

static int is_few(const clat_conv_args *a) {
  if (a->out.channels > FEW_CHANNELS || a->in_channels < 8 || a->in_channels > CHUNK) return 0;
  for (int i = 0; i < a->phases; i++)
    if ((int64_t)a->phase[i].taps * (a->in_channels + DOT_LANES) * a->out.channels > FEW_WEIGHTS)
      return 0;
  return 1;
}

static int is_plain(const clat_epilogue *e) {
  return !e->bias && !e->residual && !e->relu && !e->mask_bits;
}

static void finish_few(const clat_epilogue *e, const float *sums, const int32_t *out, int64_t first,
                       int64_t rows) {
  for (int64_t i = 0; i < rows; i++) {
    vf sum = splat(0);
    for (int n = 0; n < e->channels; n++) sum[n] = sums[i * e->channels + n];
    finish_panel(e, first + out[i], 0, e->channels, &sum);
  }
}

static void gather_few(const clat_conv_args *a, const clat_conv_phase *ph, int64_t begin,
                       int64_t end, char *scratch) {
  const int64_t columns = a->out.channels, rows = DOT_SUMS / columns, taps = ph->taps;
  float *weights = (float *)scratch, sums[DOT_SUMS + 4];
  dot_tile tile = {.x_stride = a->x_stride,
                   .taps = taps,
                   .channels = a->in_channels,
                   .weights = weights,
                   .sums = sums};
  spread_weights(a, ph, weights);
  for (int64_t image = begin; image < end; image++) {
    const float *x = a->x + image * a->in_pixels * a->x_stride;
    const int64_t first = image * a->out_pixels;
    tile.x = x;
    for (int64_t p = 0, count; p < ph->pixels; p += count) {
      count = p + rows <= ph->pixels ? rows : 1;
      const int32_t *out = ph->out + p;
      const int direct = count == rows && is_plain(&a->out) && a->out.y_stride == columns &&
                         out[count - 1] - out[0] == count - 1 && rows * columns == DOT_SUMS;
      tile.in = ph->in + p * taps;
      tile.sums = direct ? a->out.y + (first + out[0]) * columns : sums;
      tile.ahead = x + (p + FEW_AHEAD) * a->in_pixels / ph->pixels * a->x_stride;
      (count == 1 ? dot_row_kernels : dot_kernels)[columns](&tile);
      if (!direct) finish_few(&a->out, sums, out, first, count);
    }
  }
}
