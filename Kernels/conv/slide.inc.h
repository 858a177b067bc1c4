// Convolutions with few input channels whose taps form a window. Blocks of the input are copied
// with their padding, in blocks of 16 channels, so that a register tile reads from one address at
// constant distances.

#define SLIDE_PHASES 4
#define SLIDE_COPY (6 << 10)  // floats of copied input, which stay in L1 beside a panel's weights
#define SLIDE_ROWS 8          // of output in a block, even where they do not
#define SLIDE_CHANNELS 64     // at most; wider layers fill two panels well, whatever their taps
#define SLIDE_CHANNELS_1 32   // of layers with one tap, whose copies serve no other
#define SLIDE_DEPTH 640       // taps times channels at most, so that a panel does stay
#define SLIDE_TILE_PIXELS 16
#define SLIDE_SUMS (SLIDE_TILE_PIXELS * 16)
#define SLIDE_BEYOND (40 * SLIDE_BLOCK) // floats that a row's last tile may read beyond it
#define SLIDE_ROOM \
  (CLAT_SCRATCH_BYTES / 4 - WINDOW_MAPS - SLIDE_SUMS - SLIDE_BEYOND) // floats for copies

typedef struct {
  window w;
  int64_t tile_width; // of SLIDE_TILE_PIXELS
  int64_t block_rows; // of output, that share a copy
  slide_kernel *kernel;
} slide_plan;

static slide_kernel *find_slide_kernel(slide_plan *s) {
  static slide_kernel *const wide[] = {0, slide_1x16_1_1, slide_1x16_2_1, slide_1x16_3_1},
                             *const high[] = {0, slide_2x8_1_1, slide_2x8_2_1, slide_2x8_3_1};
  const int64_t narrow = (s->w.width + 7) / 8 * 8, whole = (s->w.width + 15) / 16 * 16;
  const int high_tile = narrow < whole;
  s->tile_width = high_tile ? 8 : 16;
  if (4 * s->w.width < 3 * (high_tile ? narrow : whole)) return NULL; // tiles mostly empty
  if (s->w.line == 1 || s->w.stride == 1) return (high_tile ? high : wide)[s->w.line];
  if (s->w.line == 3 && s->w.stride == 2) return high_tile ? slide_2x8_3_2 : slide_1x16_3_2;
  return NULL;
}

/// Rows of output in a block; 0 where scratch has no room for them.
static int64_t block_rows(const clat_conv_args *a, const window *s) {
  const int64_t blocks = (a->in_channels + SLIDE_BLOCK - 1) / SLIDE_BLOCK,
                row = s->map_width * SLIDE_BLOCK * blocks;
  const int64_t near = (SLIDE_COPY / row - s->lines) / s->down + 1;
  const int64_t most = (SLIDE_ROOM / row - s->lines) / s->down; // one more, that tiles may read
  return min64(min64(max64(SLIDE_ROWS, near / 2 * 2), s->height), max64(0, most));
}

/// Finds a phase's window, with its map in `room` pixels; leaves no kernel where no tile exists.
static void plan_slide(const clat_conv_args *a, const clat_conv_phase *ph, slide_plan *s,
                       int32_t *map, int64_t room) {
  s->kernel = NULL;
  if (ph->taps * (int64_t)a->in_channels > SLIDE_DEPTH) return;
  if (!find_window(ph, &s->w, map, room) || s->w.line > 3) return;
  s->block_rows = block_rows(a, &s->w);
  if (s->block_rows >= 1) s->kernel = find_slide_kernel(s);
}

/// Plans all phases, which share scratch; 0 unless every one that has taps slides.
static int plan_slides(const clat_conv_args *a, slide_plan *plans, char *scratch) {
  int64_t used = 0, taps = 0;
  for (int i = 0; i < a->phases; i++) taps = max64(taps, a->phase[i].taps);
  if (a->phases > SLIDE_PHASES) return 0;
  if (a->in_channels > (taps > 1 ? SLIDE_CHANNELS : SLIDE_CHANNELS_1)) return 0;
  for (int i = 0; i < a->phases; i++) {
    if (a->phase[i].taps == 0) continue;
    plan_slide(a, &a->phase[i], &plans[i], (int32_t *)scratch + used, WINDOW_MAPS - used);
    if (!plans[i].kernel) return 0;
    used += plans[i].w.map_width * plans[i].w.map_height;
  }
  return 1;
}

/// Rows of the padded input, [channel block][row][pixel][SLIDE_BLOCK].
static void copy_rows(const clat_conv_args *a, const slide_plan *s, const float *x, int64_t row,
                      int64_t rows, int64_t block_stride, float *to) {
  const int32_t *map = s->w.map + row * s->w.map_width;
  const int64_t pixels = rows * s->w.map_width;
  for (int64_t c = 0; c < a->in_channels; c += SLIDE_BLOCK, to += block_stride) {
    const int lanes = (int)min64(SLIDE_BLOCK, a->in_channels - c);
    for (int64_t i = 0; i < pixels; i++) {
      const float *from = map[i] < 0 ? zero_row : x + (int64_t)map[i] * a->x_stride + c;
      store(to + i * SLIDE_BLOCK, load(from, lanes), LANES);
    }
  }
}

typedef struct {
  const clat_conv_args *a;
  const clat_conv_phase *phase;
  const slide_plan *s;
  int64_t image, first, rows; // of the block's output
  slide_tile tile;            // its x the block's
  const float *next, *end;    // the next block's input, as far as it lies in this slice
  int64_t share;              // of the next block's input, floats for each tile
} slide_block;

/// Asks for the lines that a tile's epilogue will touch, while it still sums.
INLINE void prefetch_tile(const clat_conv_args *a, const int32_t *out, int64_t image, int64_t wide,
                          int64_t n) {
  for (int64_t j = 0; j < wide; j++) {
    const int64_t pixel = image * a->out_pixels + out[j];
    __builtin_prefetch(a->out.y + pixel * a->out.y_stride + n, 1);
    if (a->out.residual) __builtin_prefetch(a->out.residual + pixel * a->out.residual_stride + n);
  }
}

INLINE void finish_row(const clat_epilogue *e, const float *sums, const int32_t *out,
                       int64_t first, int64_t wide, int64_t n) {
  const int lanes = (int)min64(16, e->channels - n);
  for (int64_t j = 0; j < wide; j++) {
    vf sum = load(sums + j * 16, LANES);
    if (lanes == 16) finish_panel(e, first + out[j], (int)n, 16, &sum);
    else finish_panel(e, first + out[j], (int)n, lanes, &sum);
  }
}

/// The epilogue of one row of a tile.
static void slide_finish(const clat_conv_args *a, const float *sums, const int32_t *out,
                         int64_t image, int64_t wide, int64_t n) {
  const int64_t first = image * a->out_pixels;
  FINISH_USUAL(&a->out, finish_row(usual, sums, out, first, wide, n));
}

/// One panel of a block from channel n on.
static void slide_panel(slide_block *g, int64_t n) {
  const clat_conv_args *a = g->a;
  const slide_plan *s = g->s;
  const int64_t height = SLIDE_TILE_PIXELS / s->tile_width;
  slide_tile tile = g->tile;
  tile.weights += n * g->phase->taps * a->in_channels;
  for (int64_t y = 0; y < g->rows; y += height)
    for (int64_t c = 0; c < s->w.width; c += s->tile_width) {
      const int64_t wide = min64(s->tile_width, s->w.width - c), high = min64(height, g->rows - y);
      const int32_t *out = g->phase->out + (g->first + y) * s->w.width + c;
      tile.x = g->tile.x + y * tile.tile_stride + c * s->w.across * SLIDE_BLOCK;
      for (int64_t i = 0; i < high; i++) prefetch_tile(a, out + i * s->w.width, g->image, wide, n);
      const float *end = g->next + g->share < g->end ? g->next + g->share : g->end;
      if (n == 0)
        for (; g->next < end; g->next += 16) __builtin_prefetch(g->next, 0, 2);
      s->kernel(&tile);
      for (int64_t i = 0; i < high; i++)
        slide_finish(a, tile.sums + i * s->tile_width * 16, out + i * s->w.width, g->image, wide,
                     n);
    }
}

static void slide_phase(const clat_conv_args *a, const clat_conv_phase *phase, const slide_plan *s,
                        int64_t begin, int64_t end, char *scratch) {
  const int64_t row = s->w.map_width * SLIDE_BLOCK, height = s->block_rows,
                image_floats = (int64_t)a->in_pixels * a->x_stride, depth = a->in_channels * 16;
  const int64_t tile_height = SLIDE_TILE_PIXELS / s->tile_width,
                tiles = (height + tile_height - 1) / tile_height *
                        ((s->w.width + s->tile_width - 1) / s->tile_width);
  float *sums = (float *)(scratch + WINDOW_MAPS * sizeof(int32_t)), *copies = sums + SLIDE_SUMS;
  slide_block g = {.a = a, .phase = phase, .s = s, .end = a->x + end * image_floats};
  g.share = (image_floats * height / s->w.height / tiles + 15) / 16 * 16;
  g.tile = (slide_tile){
      .x = copies,
      .row_stride = row,
      .tile_stride = row * s->w.down,
      .block_stride = ((height - 1) * s->w.down + s->w.lines) * row,
      .channels = a->in_channels,
      .lines = s->w.lines,
      .weights = a->packed + phase->packed_offset + (s->w.backwards ? phase->taps - 1 : 0) * depth,
      .tap_stride = s->w.backwards ? -depth : depth,
      .sums = sums,
  };
  for (g.image = begin; g.image < end; g.image++)
    for (g.first = 0; g.first < s->w.height; g.first += height) {
      const float *x = a->x + g.image * image_floats;
      g.rows = min64(height, s->w.height - g.first);
      g.next = x + image_floats * (g.first + g.rows) / s->w.height;
      copy_rows(a, s, x, g.first * s->w.down, (g.rows - 1) * s->w.down + s->w.lines,
                g.tile.block_stride, copies);
      for (int64_t n = 0; n < a->out.channels; n += 16) slide_panel(&g, n);
    }
}
