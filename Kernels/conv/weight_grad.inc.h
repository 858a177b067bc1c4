// Weight gradients as an outer product: (tap, input channel) rows by output channels, summed over
// pixels. Blocks of dy and of x are copied, so that what a register tile reads lies together.

#define GRAD_PIXELS 192
#define GRAD_CHANNELS 512          // of dy in a block
#define GRAD_ROWS (4 * OUTER_ROWS) // of x in a block
#define GRAD_COPY_BYTES (48 << 10) // of a narrow layer's x

typedef struct {
  const clat_conv_weight_grad_args *a;
  float *partial;  // [taps * in_channels][out_channels] of this chunk
  float *dy;       // [panel group][pixel][TILE_PANELS * 16]
  float *x;        // [pixel][row]
  const float **b; // [pixel] its dy
  int32_t *from;   // [pixel] index within the block of the pixels that count
  int64_t first_image;
  int64_t start, count;      // the block's pixels, counted from first_image
  int64_t channel, channels; // output channels of the block
} grad_block;

static void pack_dy(const grad_block *g) {
  const clat_conv_weight_grad_args *a = g->a;
  const int64_t width = TILE_PANELS * 16;
  const float *from =
      a->dy + (g->first_image * a->out_pixels + g->start) * a->dy_stride + g->channel;
  for (int64_t n = 0; n < g->channels; n += 16) {
    const int lanes = (int)min64(16, g->channels - n);
    float *to = g->dy + n / width * width * g->count + n % width;
    for (int64_t q = 0; q < g->count; q++) {
      store(to + q * width, load(from + q * a->dy_stride + n, lanes), LANES);
    }
  }
}

/// Adds `steps` pixels' share, of which g->x holds `rows` rows x_stride apart, to the sums from
/// `row` on.
static void add_rows(const grad_block *g, int64_t steps, int64_t x_stride, int64_t row,
                     int64_t rows) {
  const int64_t width = TILE_PANELS * 16, stride = g->a->out_channels;
  for (int64_t n = 0; n < g->channels; n += width) {
    const int panels = (int)min64(TILE_PANELS, (g->channels - n + 15) / 16);
    const int64_t lanes = min64(g->channels - n, panels * 16);
    for (int64_t q = 0; q < steps; q++) g->b[q] = g->dy + n * g->count + g->from[q] * width;
    for (int64_t i = 0; i < rows; i += OUTER_ROWS) {
      const int64_t height = min64(OUTER_ROWS, rows - i);
      float *to = g->partial + (row + i) * stride + g->channel + n,
            tail[OUTER_ROWS * TILE_PANELS * 16];
      outer_tile tile = {.x = g->x + i,
                         .b = g->b,
                         .steps = steps,
                         .x_stride = x_stride,
                         .stride = stride,
                         .sums = to,
                         .first = g->start == 0};
      if (lanes == panels * 16) {
        outer_kernels[panels - 1][height](&tile);
        continue;
      }
      for (int64_t r = 0; r < height; r++)
        if (!tile.first) memcpy(tail + r * width, to + r * stride, (size_t)lanes * sizeof *to);
      tile.sums = tail, tile.stride = width;
      outer_kernels[panels - 1][height](&tile);
      for (int64_t r = 0; r < height; r++)
        memcpy(to + r * stride, tail + r * width, (size_t)lanes * sizeof *to);
    }
  }
}

/// Copies `rows` channels from c on of the pixels that the tap sees; returns their number.
static int64_t copy_tap(const grad_block *g, int64_t tap, int64_t c, int64_t rows) {
  const clat_conv_weight_grad_args *a = g->a;
  int64_t image = g->first_image + g->start / a->out_pixels, p = g->start % a->out_pixels,
          found = 0;
  for (int64_t q = 0; q < g->count; q++) {
    const int32_t in = a->in[p * a->taps + tap];
    if (in >= 0) {
      const float *x = a->x + (image * a->in_pixels + in) * a->x_stride + c;
      float *to = g->x + found * GRAD_ROWS;
      for (int64_t i = 0; i < GRAD_ROWS; i += 16) __builtin_prefetch(x + rows + i, 0, 2); // the next rows
      if (rows == GRAD_ROWS) memcpy(to, x, GRAD_ROWS * sizeof *to);
      else memcpy(to, x, (size_t)rows * sizeof *to);
      g->from[found++] = (int32_t)q;
    }
    if (++p == a->out_pixels) p = 0, image++;
  }
  return found;
}

/// The block's share of rows begin ..< end, tap by tap; pixels whose tap falls into the padding are
/// left out.
static void add_taps(const grad_block *g, int64_t begin, int64_t end) {
  const int64_t channels = g->a->in_channels;
  for (int64_t row = begin, rows; row < end; row += rows) {
    const int64_t tap = row / channels;
    rows = min64(GRAD_ROWS, min64(end, (tap + 1) * channels) - row);
    add_rows(g, copy_tap(g, tap, row - tap * channels, rows), GRAD_ROWS, row, rows);
  }
}

/// The same for narrow layers: all rows' taps side by side, zeros in the padding.
static void add_narrow(const grad_block *g, int64_t begin, int64_t end) {
  const clat_conv_weight_grad_args *a = g->a;
  const int64_t channels = a->in_channels, tap = begin / channels,
                taps = (end + channels - 1) / channels - tap;
  int64_t image = g->first_image + g->start / a->out_pixels, p = g->start % a->out_pixels;
  grad_block rows = *g;
  for (int64_t q = 0; q < g->count; q++) {
    copy_row(g->x + q * taps * channels, a->x + image * a->in_pixels * a->x_stride,
             a->in + p * a->taps + tap, taps, channels, a->x_stride);
    g->from[q] = (int32_t)q;
    if (++p == a->out_pixels) p = 0, image++;
  }
  rows.x += begin - tap * channels;
  add_rows(&rows, g->count, taps * channels, begin, end - begin);
}

static void grad_job(const clat_conv_weight_grad_args *a, int64_t job, char *scratch) {
  const int64_t chunk = job / a->blocks, block = job % a->blocks,
                rows = (int64_t)a->taps * a->in_channels;
  const int64_t first = a->images * chunk / a->chunks, last = a->images * (chunk + 1) / a->chunks;
  const int64_t begin = rows * block / a->blocks, end = rows * (block + 1) / a->blocks;
  const int64_t total = (last - first) * a->out_pixels, row_bytes = rows * (int64_t)sizeof(float);
  const int narrow = a->in_channels < 32 && a->taps > 1 && row_bytes <= GRAD_COPY_BYTES / 16;
  const int64_t pixels = narrow ? min64(GRAD_PIXELS, GRAD_COPY_BYTES / row_bytes) : GRAD_PIXELS;
  grad_block g = {
      .a = a, .first_image = first, .partial = a->partial + chunk * rows * a->out_channels};
  if (begin == end) return;
  g.dy = (float *)scratch;
  g.x = g.dy + GRAD_PIXELS * GRAD_CHANNELS;
  g.b = (const float **)(g.x + GRAD_PIXELS * GRAD_ROWS + GRAD_COPY_BYTES / (int64_t)sizeof(float));
  g.from = (int32_t *)(g.b + GRAD_PIXELS);
  for (g.channel = 0; g.channel < a->out_channels; g.channel += GRAD_CHANNELS) {
    g.channels = min64(GRAD_CHANNELS, a->out_channels - g.channel);
    g.start = 0;
    do { // once even without pixels, which stores zeros
      g.count = min64(pixels, total - g.start);
      pack_dy(&g);
      if (narrow) add_narrow(&g, begin, end);
      else add_taps(&g, begin, end);
      g.start += g.count;
    } while (g.start < total);
  }
}

void CLAT_KERNEL(conv_weight_grad)(const void *args, int64_t begin, int64_t end,
                                        void *scratch) {
  for (int64_t job = begin; job < end; job++) grad_job(args, job, scratch);
}
