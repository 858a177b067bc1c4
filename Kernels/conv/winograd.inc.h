// Winograd convolution of a block of tiles at a time: their inputs are transformed for all channels;
// then, panel by panel of output channels, multiplied by the filters' transforms, transformed back and
// given to the epilogue, so that no transform of a whole tensor is ever stored. A tile's result does
// not depend on its block.

#define WINOGRAD_TILES 70        // of a block at most
#define WINOGRAD_ROOM (7 << 20)  // bytes of a block's transforms
#define WINOGRAD_CHANNELS 4096   // of the input at most
#define WINOGRAD_WIDE 32         // input channels whose products leave time to prefetch

typedef struct {
  const clat_winograd_args *a;
  int64_t across, down, total; // tiles of an image's row, rows, tiles of the slice
  int64_t first_image, start;  // tiles before this block
  int64_t block;               // tiles of a block
  int64_t row, plane;          // floats from a tile's inputs to the next's; from a point to the next
  int64_t sum_plane;           // of the sums
  float *inputs;               // [point][tile][channel]
  float *sums;                 // [point][tile][TILE_PANELS * 16]
  const float *zeros;          // a pixel outside the image
} winograd_block;

typedef struct {
  int64_t image, y, x; // first output row and column
} winograd_tile;

INLINE winograd_tile tile_at(const winograd_block *g, int64_t index) {
  const int64_t at = g->start + index, tiles = g->across * g->down;
  return (winograd_tile){g->first_image + at / tiles, at % tiles / g->across * 4,
                         at % g->across * 4};
}

/// V = B^T d B of sixteen channels; `at(i)` is the address of the i-th of 6x6 inputs.
#define TRANSFORM_INPUT(to, plane, load)                                                 \
  do {                                                                                   \
    v16 half[36], d[6];                                                                  \
    UNROLL for (int c = 0; c < 6; c++) {                                                 \
      UNROLL for (int r = 0; r < 6; r++) load(&d[r], r, c);                              \
      WINOGRAD_INPUT(v16, d, d, 1);                                                      \
      UNROLL for (int r = 0; r < 6; r++) half[r * 6 + c] = d[r];                         \
    }                                                                                    \
    UNROLL for (int r = 0; r < 6; r++) {                                                 \
      WINOGRAD_INPUT(v16, d, half + r * 6, 1);                                           \
      UNROLL for (int c = 0; c < 6; c++) store16((to) + (r * 6 + c) * (plane), &d[c]);   \
    }                                                                                    \
  } while (0)

/// A tile inside the image: its inputs lie at constant distances.
static void transform_inside(const float *x, int64_t row, int64_t column, int64_t channels,
                             float *to, int64_t plane) {
#define LOAD_INSIDE(v, r, c) load16(v, x + (r) * row + (c) * column + k)
  for (int64_t k = 0; k < channels; k += 16) TRANSFORM_INPUT(to + k, plane, LOAD_INSIDE);
#undef LOAD_INSIDE
}

static void transform_border(const float *const *x, int64_t channels, float *to, int64_t plane) {
#define LOAD_BORDER(v, r, c) load_lanes(v, x[(r) * 6 + (c)] + k, lanes)
  int64_t k = 0;
  for (; k + 16 <= channels; k += 16) {
    enum { lanes = 16 };
    TRANSFORM_INPUT(to + k, plane, LOAD_BORDER);
  }
  if (k < channels) {
    const int lanes = (int)(channels - k);
    TRANSFORM_INPUT(to + k, plane, LOAD_BORDER);
  }
#undef LOAD_BORDER
}

static void transform_tile(const winograd_block *g, int64_t index) {
  const clat_winograd_args *a = g->a;
  const winograd_tile t = tile_at(g, index);
  const int64_t y = t.y - a->pad_height, x = t.x - a->pad_width, row = a->in_width * a->x_stride;
  const float *image = a->x + t.image * a->in_height * row;
  float *to = g->inputs + index * g->row;
  if (y >= 0 && x >= 0 && y + 6 <= a->in_height && x + 6 <= a->in_width &&
      a->in_channels % 16 == 0) {
    transform_inside(image + y * row + x * a->x_stride, row, a->x_stride, a->in_channels, to,
                     g->plane);
    return;
  }
  const float *in[36];
  for (int r = 0; r < 6; r++)
    for (int c = 0; c < 6; c++)
      in[r * 6 + c] = y + r >= 0 && y + r < a->in_height && x + c >= 0 && x + c < a->in_width
                          ? image + (y + r) * row + (x + c) * a->x_stride
                          : g->zeros;
  transform_border(in, a->in_channels, to, g->plane);
}

/// Asks, at the i-th of `calls` tiles that multiply a group of panels, for its share of what the
/// epilogue touches. Tiles in order cover the pixels nearly in order.
INLINE void prefetch_share(const winograd_block *g, int64_t count, int n, int panels, int64_t i,
                           int64_t calls) {
  const clat_winograd_args *a = g->a;
  const clat_epilogue *e = &a->out;
  const int64_t first = g->first_image * a->out_height * a->out_width + g->start * 16;
  for (int64_t p = count * 16 * i / calls; p < count * 16 * (i + 1) / calls; p++)
    for (int panel = 0; panel < panels; panel++) {
      __builtin_prefetch(e->y + (first + p) * e->y_stride + n + panel * 16, 1, 2);
      if (e->residual)
        __builtin_prefetch(e->residual + (first + p) * e->residual_stride + n + panel * 16, 0, 2);
    }
}

/// The products of all tiles of the block with `panels` panels from channel n on, point by point.
static void multiply_tiles(const winograd_block *g, int64_t count, int n, int panels) {
  const int64_t channels = g->a->in_channels, width = panels * 16;
  const int64_t rows_of_tiles = (count + TILE_ROWS - 1) / TILE_ROWS;
  for (int64_t point = 0; point < CLAT_WINOGRAD_POINTS; point++) {
    multiply_tile tile = {.x_stride = g->row,
                          .steps = channels,
                          .weights = g->a->packed +
                                     (n / 16 * CLAT_WINOGRAD_POINTS + point) * channels * 16,
                          .panel_stride = CLAT_WINOGRAD_POINTS * channels * 16};
    tile.ahead = tile.weights + channels * 16;
    for (int64_t i = 0; i < rows_of_tiles; i++, tile.ahead += channels * 16) {
      const int64_t at = i * TILE_ROWS, rows = min64(TILE_ROWS, count - at);
      tile.x = g->inputs + point * g->plane + at * g->row;
      tile.sums = g->sums + point * g->sum_plane + at * width;
      if (i == 2) tile.ahead += tile.panel_stride - 2 * channels * 16;
      if (channels >= WINOGRAD_WIDE)
        prefetch_share(g, count, n, panels, point * rows_of_tiles + i,
                       CLAT_WINOGRAD_POINTS * rows_of_tiles);
      multiply_kernels[panels - 1][rows](&tile);
    }
  }
}

/// Y = A^T m A of sixteen channels.
INLINE void transform_output(v16 *y, const float *m, int64_t plane) {
  v16 half[24], column[6];
  UNROLL for (int c = 0; c < 6; c++) {
    UNROLL for (int r = 0; r < 6; r++) load16(&column[r], m + (r * 6 + c) * plane);
    WINOGRAD_OUTPUT(v16, column, column, 1);
    UNROLL for (int r = 0; r < 4; r++) half[r * 6 + c] = column[r];
  }
  UNROLL for (int r = 0; r < 4; r++) WINOGRAD_OUTPUT(v16, y + r * 4, half + r * 6, 1);
}

INLINE void finish_tiles(const clat_epilogue *e, const winograd_block *g, int64_t count, int n,
                         int panels) {
  const clat_winograd_args *a = g->a;
  for (int64_t i = 0; i < count; i++) {
    const winograd_tile t = tile_at(g, i);
    const int64_t first = (t.image * a->out_height + t.y) * a->out_width + t.x;
    const int64_t rows = min64(4, a->out_height - t.y), columns = min64(4, a->out_width - t.x);
    for (int p = 0; p < panels; p++) {
      const int channel = n + p * 16, lanes = (int)min64(16, e->channels - channel);
      v16 y[16];
      transform_output(y, g->sums + (i * panels + p) * 16, g->sum_plane);
      if (rows == 4 && columns == 4 && lanes == 16) {
        UNROLL for (int r = 0; r < 4; r++) UNROLL for (int c = 0; c < 4; c++)
            finish_panel(e, first + r * a->out_width + c, channel, 16, &y[r * 4 + c]);
        continue;
      }
      for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
          finish_panel(e, first + r * a->out_width + c, channel, lanes, &y[r * 4 + c]);
    }
  }
}

/// How the slice is cut into blocks, and where they lie in scratch.
static winograd_block plan_winograd(const clat_winograd_args *a, int64_t begin, int64_t end,
                                    char *scratch) {
  winograd_block g = {.a = a, .first_image = begin};
  g.across = (a->out_width + 3) / 4, g.down = (a->out_height + 3) / 4;
  g.total = (end - begin) * g.across * g.down;
  const int64_t channels = (a->in_channels + 15) / 16 * 16;
  g.row = channels + (channels % 128 == 0 ? 16 : 0); // not a power of two apart
  const int64_t bytes = CLAT_WINOGRAD_POINTS * (g.row + TILE_PANELS * 16) * (int64_t)sizeof(float);
  const int64_t most = max64(1, min64(WINOGRAD_TILES, WINOGRAD_ROOM / bytes) / TILE_ROWS);
  const int64_t tiles = (g.total + TILE_ROWS - 1) / TILE_ROWS, blocks = (tiles + most - 1) / most;
  g.block = (tiles + blocks - 1) / max64(1, blocks) * TILE_ROWS;
  g.plane = g.block * g.row + 16;
  g.sum_plane = g.block * TILE_PANELS * 16 + 16;
  g.zeros = (const float *)scratch;
  g.inputs = (float *)scratch + WINOGRAD_CHANNELS;
  g.sums = g.inputs + CLAT_WINOGRAD_POINTS * g.plane;
  return g;
}

void KERNEL_NAME(winograd, ISA)(const void *args, int64_t begin, int64_t end, void *scratch) {
  const clat_winograd_args *a = args;
  winograd_block g = plan_winograd(a, begin, end, scratch);
  memset(scratch, 0, (size_t)a->in_channels * sizeof(float));
  for (g.start = 0; g.start < g.total; g.start += g.block) {
    const int64_t count = min64(g.block, g.total - g.start);
    for (int64_t i = 0; i < count; i++) transform_tile(&g, i);
    for (int n = 0; n < a->out.channels; n += TILE_PANELS * 16) {
      const int panels = (int)min64(TILE_PANELS, (a->out.channels - n + 15) / 16);
      multiply_tiles(&g, count, n, panels);
      FINISH_USUAL(&a->out, finish_tiles(usual, &g, count, n, panels));
    }
  }
}
