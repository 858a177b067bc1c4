// Convolution, input gradient and linear layer as an implicit matrix product: pixels by output channels, summed
// over taps and input channels. A block of pixels keeps its input in L2 while every panel of weights passes;
// between chunks of the sum the tiles rest in scratch, never in y, which may alias the residual.

#define BLOCK_PIXELS 256
#define TABLE_BYTES (512 << 10)

typedef struct {
  const clat_conv_args *a;
  const clat_conv_phase *phase;
  int64_t tiles;             // of a block
  const float **in;          // [tile][tap][TILE_ROWS]
  int64_t *pixel;            // [BLOCK_PIXELS] output pixel, counted through all images
  float *sums;               // [tile][TILE_ROWS][TILE_PANELS][16]
  int64_t group, part;       // taps, or channels of a tap, of one chunk
} gather_plan;

INLINE void finish_tile(const clat_conv_args *a, const float *sums, const int64_t *pixel, int rows, int n,
                        int panels) {
  for (int i = 0; i < rows; i++)
    for (int p = 0; p < panels; p++) {
      const int lanes = a->out_channels - n - p * 16;
      v16 s;
      load16(&s, sums + (i * panels + p) * 16);
      if (lanes >= 16) finish_panel(a, pixel[i], n + p * 16, 16, &s);
      else finish_panel(a, pixel[i], n + p * 16, lanes, &s);
    }
}

/// Addresses of a block's rows; `start` counts this phase's pixels from the first image of the slice.
static void address_block(const gather_plan *g, int64_t first_image, int64_t start, int64_t count) {
  const clat_conv_args *a = g->a;
  const int64_t pixels = g->phase->pixels, taps = g->phase->taps;
  int64_t image = first_image + start / pixels, p = start % pixels;
  for (int64_t q = 0; q < count; q++) {
    const float *x = a->x + image * a->in_pixels * a->x_stride;
    const float **in = g->in + q / TILE_ROWS * taps * TILE_ROWS + q % TILE_ROWS;
    const int32_t *offset = g->phase->in + p * taps;
    g->pixel[q] = image * a->out_pixels + g->phase->out[p];
    for (int64_t t = 0; t < taps; t++)
      in[t * TILE_ROWS] = offset[t] < 0 ? zero_row : x + (int64_t)offset[t] * a->x_stride;
    if (++p == pixels) p = 0, image++;
  }
  for (int64_t q = count; q % TILE_ROWS; q++)
    for (int64_t t = 0; t < taps; t++) g->in[(q / TILE_ROWS * taps + t) * TILE_ROWS + q % TILE_ROWS] = zero_row;
}

/// One chunk of the sum for all tiles of a block and `panels` panels from channel n on.
static void gather_chunk(const gather_plan *g, int64_t count, int n, int panels, int64_t tap, int64_t skip) {
  const clat_conv_args *a = g->a;
  const int64_t taps = g->phase->taps, channels = a->in_channels;
  gather_tile tile = {
      .taps = min64(g->group, taps - tap),
      .skip = skip,
      .steps = min64(g->part, channels - skip),
      .weights = a->packed + g->phase->packed_offset + ((n / 16 * taps + tap) * channels + skip) * 16,
      .tap_stride = channels * 16,
      .panel_stride = taps * channels * 16,
      .first = tap == 0 && skip == 0,
  };
  const int last = tap + tile.taps >= taps && skip + tile.steps >= channels;
  for (int64_t q = 0; q < count; q += TILE_ROWS) {
    const int rows = (int)min64(TILE_ROWS, count - q);
    tile.in = g->in + (q * taps + tap * TILE_ROWS);
    tile.sums = g->sums + q * TILE_PANELS * 16;
    gather_kernels[panels - 1][rows](&tile);
    if (last) finish_tile(a, tile.sums, g->pixel + q, rows, n, panels);
  }
}

/// A phase without taps: the epilogue of zeros.
static void gather_nothing(const gather_plan *g, int64_t count) {
  memset(g->sums, 0, TILE_ROWS * 16 * sizeof(float));
  for (int64_t q = 0; q < count; q += TILE_ROWS)
    for (int n = 0; n < g->a->out_channels; n += 16)
      finish_tile(g->a, g->sums, g->pixel + q, (int)min64(TILE_ROWS, count - q), n, 1);
}

static void gather_phase(const clat_conv_args *a, const clat_conv_phase *phase, int64_t begin, int64_t end,
                         char *scratch) {
  const int64_t channels = a->in_channels, taps = phase->taps, total = (end - begin) * phase->pixels;
  const int64_t parts = (channels + CHUNK - 1) / CHUNK;
  const int64_t by_cache = max64(64, min64(BLOCK_PIXELS, 65536 / channels)) / TILE_ROWS;
  const int64_t by_table = TABLE_BYTES / (int64_t)(sizeof(float *) * TILE_ROWS) / max64(taps, 1);
  gather_plan g = {.a = a, .phase = phase, .tiles = min64(by_cache, by_table)};
  g.in = (const float **)scratch;
  g.sums = (float *)(scratch + TABLE_BYTES);
  g.pixel = (int64_t *)(g.sums + BLOCK_PIXELS * TILE_PANELS * 16);
  g.part = (channels + parts - 1) / parts;
  g.group = parts > 1 ? 1 : CHUNK / channels;
  const int64_t block = g.tiles * TILE_ROWS;
  for (int64_t start = 0; start < total; start += block) {
    const int64_t count = min64(block, total - start);
    address_block(&g, begin, start, count);
    if (taps == 0) gather_nothing(&g, count);
    for (int n = 0; n < a->out_channels; n += TILE_PANELS * 16) {
      const int panels = (int)min64(TILE_PANELS, (a->out_channels - n + 15) / 16);
      for (int64_t tap = 0; tap < taps; tap += g.group)
        for (int64_t skip = 0; skip < channels; skip += g.part) gather_chunk(&g, count, n, panels, tap, skip);
    }
  }
}

void KERNEL_NAME(conv_gather, ISA)(const void *args, int64_t begin, int64_t end, void *scratch) {
  const clat_conv_args *a = args;
  for (int i = 0; i < a->phases; i++)
    if ((int64_t)a->phase[i].taps * TILE_ROWS * (int64_t)sizeof(float *) > TABLE_BYTES) {
      clat_conv_gather_reference(args, begin, end, scratch); // kernels beyond 68 by 68
      return;
    }
  for (int i = 0; i < a->phases; i++) {
    if (few_channels_fit(a, &a->phase[i])) gather_few_channels(a, &a->phase[i], begin, end, scratch);
    else gather_phase(a, &a->phase[i], begin, end, scratch);
  }
}
