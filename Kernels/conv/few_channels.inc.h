// Gradients with respect to an image: two or three output channels would fill as few of sixteen
// lanes. So lanes are pixels: a row of the padded input, transposed, is multiplied by all lines of
// taps while it is in L1, and each line's products are added to the output row that it belongs to.

#define FEW_CHANNELS 4
#define FEW_COLUMNS 64 // lines of taps times output channels, at most
#define FEW_PHASES 16

typedef struct {
  window w;
  int64_t columns;          // lines * output channels, rounded up to COLUMN_STEP
  int64_t width, x_stride;  // floats of a row of sums and of a channel of the transposed row
  int64_t weights, x, sums; // bytes from the start of scratch
} few_plan;

typedef struct {
  const clat_conv_args *a;
  const clat_conv_phase *phase;
  const few_plan *f;
  float *weights;      // [channel][tap of a line][column]
  float *x;            // [channel][x_stride]
  float *sums;         // [row modulo lines][channel][width], and a row that nobody reads
  int64_t left, right; // pixels left ..< right of the row in x; zeros beyond
} few_row;

static int plan_few(const clat_conv_args *a, const clat_conv_phase *ph, few_plan *f, int32_t *map,
                    int64_t room) {
  const int64_t size = (int64_t)sizeof(float);
  const window *w = &f->w;
  if (!find_window(ph, &f->w, map, room) || w->across > 1 || w->down > 1) return 0;
  f->columns = (w->lines * a->out.channels + COLUMN_STEP - 1) / COLUMN_STEP * COLUMN_STEP;
  f->width = (w->width + COLUMN_PIXELS - 1) / COLUMN_PIXELS * COLUMN_PIXELS;
  f->x_stride = (f->width + w->line + 31) / 16 * 16;
  f->weights = WINDOW_MAPS * (int64_t)sizeof(int32_t);
  f->x = f->weights + a->in_channels * w->line * f->columns * size;
  f->sums = f->x + a->in_channels * f->x_stride * size;
  return f->columns <= FEW_COLUMNS &&
         f->sums + (w->lines * a->out.channels + 1) * f->width * size <= CLAT_SCRATCH_BYTES;
}

/// Plans all phases; 0 unless every one that has taps fits.
static int plan_fews(const clat_conv_args *a, few_plan *plans, char *scratch) {
  int64_t used = 0;
  if (a->out.channels > FEW_CHANNELS || a->in_channels < 8 || a->phases > FEW_PHASES) return 0;
  for (int i = 0; i < a->phases; i++) {
    if (a->phase[i].taps == 0) continue;
    if (!plan_few(a, &a->phase[i], &plans[i], (int32_t *)scratch + used, WINDOW_MAPS - used))
      return 0;
    used += plans[i].w.map_width * plans[i].w.map_height;
  }
  return 1;
}

static void spread_weights(const few_row *r) {
  const window *w = &r->f->w;
  const int64_t channels = r->a->in_channels, taps = r->phase->taps;
  memset(r->weights, 0, (size_t)(channels * w->line * r->f->columns) * sizeof(float));
  for (int64_t v = 0; v < taps; v++) {
    const float *from = r->a->packed + r->phase->packed_offset +
                        (w->backwards ? taps - 1 - v : v) * channels * 16;
    float *to = r->weights + v % w->line * r->f->columns + v / w->line * r->a->out.channels;
    for (int64_t k = 0; k < channels; k++, from += 16, to += w->line * r->f->columns)
      for (int n = 0; n < r->a->out.channels; n++) to[n] = from[n];
  }
}

/// Transposes a row's pixels, sixteen at most.
static void transpose_block(const few_row *r, const float *image, const int32_t *map,
                            int64_t pixels, float *to) {
  const int64_t channels = r->a->in_channels, from = r->a->x_stride, stride = r->f->x_stride;
  int64_t i = 0, c = 0;
  while (i < pixels && map[i] == map[0] + i && map[i] >= 0) i++;
  if (i == 16)
    for (const float *x = image + map[0] * from; c + 4 <= channels; c += 4)
      transpose_quad(x + c, from, to + c * stride, stride);
  for (; c < channels; c++)
    for (i = 0; i < pixels; i++) to[c * stride + i] = map[i] < 0 ? 0 : image[map[i] * from + c];
}

/// Transposes a row of the map; returns 0 where all of it lies in the padding.
static int transpose_row(few_row *r, const float *image, const int32_t *map) {
  int64_t left = 0, right = r->f->w.map_width;
  while (left < right && map[left] < 0) left++;
  while (right > left && map[right - 1] < 0) right--;
  if (left == right) return 0;
  if (left != r->left || right != r->right)
    memset(r->x, 0, (size_t)(r->a->in_channels * r->f->x_stride) * sizeof(float));
  r->left = left, r->right = right;
  for (int64_t first = left; first < right; first += 16) {
    const int64_t at = max64(left, min64(first, right - 16));
    transpose_block(r, image, map + at, min64(16, right - at), r->x + at);
  }
  return 1;
}

/// Adds row m of the map to the output rows that see it.
static void multiply_row(const few_row *r, int64_t m, const float *ahead) {
  const window *w = &r->f->w;
  const int64_t channels = r->a->out.channels, width = r->f->width;
  float *sums[FEW_COLUMNS];
  for (int64_t n = 0; n < r->f->columns; n++) {
    const int64_t row = (m - n / channels + w->lines) % w->lines;
    sums[n] = r->sums + (n < w->lines * channels ? row * channels + n % channels
                                                 : w->lines * channels) * width;
  }
  column_tile tile = {.x_stride = r->f->x_stride,
                      .channels = r->a->in_channels,
                      .taps = w->line,
                      .columns = r->f->columns};
  const int64_t steps = r->f->columns / COLUMN_STEP, most = COLUMNS / COLUMN_STEP,
                tiles = (steps + most - 1) / most, even = (steps + tiles - 1) / tiles * COLUMN_STEP;
  for (tile.first = 0; tile.first < w->width; tile.first += COLUMN_PIXELS)
    for (int64_t n = 0, count; n < r->f->columns; n += count) {
      count = min64(even, r->f->columns - n);
      tile.x = r->x + tile.first;
      tile.weights = r->weights + n;
      tile.sums = sums + n;
      tile.ahead = ahead + tile.first * r->a->in_channels;
      column_kernels[count / COLUMN_STEP - 1](&tile);
    }
}

static void finish_few(const clat_conv_args *a, const float *sums, int64_t width,
                       const int32_t *out, int64_t pixels, int64_t first) {
  const int channels = a->out.channels;
  const int64_t stride = a->out.y_stride;
  float *y = a->out.y + first * stride;
  if (a->out.bias || a->out.residual || a->out.relu || a->out.mask_bits) {
    for (int64_t i = 0; i < pixels; i++) {
      v16 sum = (v16)0.0f;
      for (int c = 0; c < channels; c++) sum[c] = sums[c * width + i];
      finish_panel(&a->out, first + out[i], 0, channels, &sum);
    }
  } else if (channels == 3) {
    for (int64_t i = 0; i < pixels; i++)
      for (int c = 0; c < 3; c++) y[out[i] * stride + c] = sums[c * width + i];
  } else {
    for (int64_t i = 0; i < pixels; i++)
      for (int c = 0; c < channels; c++) y[out[i] * stride + c] = sums[c * width + i];
  }
}

static void gather_few_channels(const clat_conv_args *a, const clat_conv_phase *phase,
                                const few_plan *f, int64_t begin, int64_t end, char *scratch) {
  const window *w = &f->w;
  const int64_t floats = a->out.channels * f->width;
  few_row r = {.a = a,
               .phase = phase,
               .f = f,
               .weights = (float *)(scratch + f->weights),
               .x = (float *)(scratch + f->x),
               .sums = (float *)(scratch + f->sums)};
  spread_weights(&r);
  memset(r.sums, 0, (size_t)(w->lines * floats + f->width) * sizeof(float));
  for (int64_t image = begin; image < end; image++)
    for (int64_t m = 0; m < w->map_height; m++) {
      const float *x = a->x + image * a->in_pixels * a->x_stride;
      const int64_t row = m - w->lines + 1; // of the output, complete after this one
      memset(r.sums + m % w->lines * floats, 0, (size_t)floats * sizeof(float));
      if (transpose_row(&r, x, w->map + m * w->map_width))
        multiply_row(&r, m, x + a->in_pixels * (m + 1) / w->map_height * a->x_stride);
      if (row >= 0)
        finish_few(a, r.sums + row % w->lines * floats, f->width, phase->out + row * w->width,
                   w->width, image * a->out_pixels);
    }
}
