// Gradients with respect to an image: two or three output channels would fill as few of sixteen
// lanes. So the taps become columns: every input pixel's products with all taps first, then each
// output pixel adds up its taps'.

#define FEW_CHANNELS 4

typedef struct {
  int64_t slots, groups;      // taps in a row of TILE_PANELS * 16 columns; rows of columns needed
  int64_t rows, group_stride; // input pixels padded to whole tiles; floats from a group's products
                              // to the next
  int64_t products, weights, table, size; // bytes from the start of scratch, and in all
} few_plan;

static few_plan plan_few_channels(const clat_conv_args *a, const clat_conv_phase *phase) {
  few_plan f;
  const int64_t width = TILE_PANELS * 16;
  f.slots = width / a->out.channels;
  f.groups = (phase->taps + f.slots - 1) / f.slots;
  f.rows = (a->in_pixels + TILE_ROWS) / TILE_ROWS * TILE_ROWS; // at least one more: a row of zeros
  f.group_stride = f.rows * width;
  f.products = 0;
  f.weights = (f.groups * f.group_stride + 16) * (int64_t)sizeof(float);
  f.table = f.weights + f.groups * a->in_channels * width * (int64_t)sizeof(float);
  f.size = f.table + TILE_ROWS * (int64_t)sizeof(float *);
  return f;
}

static int few_channels_fit(const clat_conv_args *a, const clat_conv_phase *phase) {
  return a->out.channels <= FEW_CHANNELS && phase->taps >= 4 && a->in_channels >= 8 &&
         plan_few_channels(a, phase).size <= CLAT_SCRATCH_BYTES;
}

/// [group][panel][k][16], from the packed weights' [tap][k][16].
static void spread_weights(const clat_conv_args *a, const clat_conv_phase *phase, const few_plan *f,
                           float *to) {
  const int64_t channels = a->in_channels;
  memset(to, 0, (size_t)(f->groups * TILE_PANELS * channels * 16) * sizeof *to);
  for (int64_t t = 0; t < phase->taps; t++)
    for (int n = 0; n < a->out.channels; n++) {
      const int64_t column = t % f->slots * a->out.channels + n;
      const float *w = a->packed + phase->packed_offset + t * channels * 16 + n;
      float *lane = to + (t / f->slots * TILE_PANELS + column / 16) * channels * 16 + column % 16;
      for (int64_t k = 0; k < channels; k++) lane[k * 16] = w[k * 16];
    }
}

/// Products of one image's pixels with every tap: [group][pixel][TILE_PANELS * 16].
static void multiply_image(const clat_conv_args *a, const few_plan *f, int64_t image,
                           char *scratch) {
  const int64_t channels = a->in_channels;
  const float **in = (const float **)(scratch + f->table);
  for (int64_t q = 0; q < f->rows; q += TILE_ROWS) {
    for (int64_t i = 0; i < TILE_ROWS; i++)
      in[i] = q + i < a->in_pixels ? a->x + (image * a->in_pixels + q + i) * a->x_stride : zero_row;
    for (int64_t group = 0; group < f->groups; group++)
      for (int64_t skip = 0; skip < channels; skip += CHUNK) {
        const gather_tile tile = {
            .in = in,
            .taps = 1,
            .skip = skip,
            .steps = min64(CHUNK, channels - skip),
            .weights = (const float *)(scratch + f->weights) +
                       (group * TILE_PANELS * channels + skip) * 16,
            .panel_stride = channels * 16,
            .sums =
                (float *)(scratch + f->products) + group * f->group_stride + q * TILE_PANELS * 16,
            .first = skip == 0,
        };
        gather_kernels[TILE_PANELS - 1][TILE_ROWS](&tile);
      }
  }
}

INLINE void finish_few(const clat_conv_args *a, int64_t pixel, v4u sum) {
  float *y = a->out.y + pixel * a->out.y_stride;
  if (a->out.bias || a->out.residual || a->out.relu || a->out.mask_bits) {
    v16 s = (v16)0.0f;
    s.lo.lo = sum;
    finish_panel(&a->out, pixel, 0, a->out.channels, &s);
  } else if (a->out.channels == 3) {
    y[0] = sum[0], y[1] = sum[1], y[2] = sum[2];
  } else {
    memcpy(y, &sum, (size_t)a->out.channels * sizeof *y);
  }
}

static void gather_few_channels(const clat_conv_args *a, const clat_conv_phase *phase,
                                int64_t begin, int64_t end, char *scratch) {
  const few_plan f = plan_few_channels(a, phase);
  const int64_t taps = phase->taps;
  const float *products = (const float *)(scratch + f.products);
  spread_weights(a, phase, &f, (float *)(scratch + f.weights));
  for (int64_t image = begin; image < end; image++) {
    multiply_image(a, &f, image, scratch);
    for (int64_t p = 0; p < phase->pixels; p++) {
      const int32_t *in = phase->in + p * taps;
      v4u sum = 0.0f;
      const float *group = products;
      for (int64_t t = 0, slot = 0; t < taps; t++) {
        const int64_t row = in[t] < 0 ? a->in_pixels : in[t];
        sum += *(const v4u *)(group + row * TILE_PANELS * 16 + slot * a->out.channels);
        if (++slot == f.slots) slot = 0, group += f.group_stride;
      }
      finish_few(a, image * a->out_pixels + phase->out[p], sum);
    }
  }
}
