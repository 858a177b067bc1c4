// Winograd convolution of a block of tiles at a time: their inputs are transformed for all channels;
// then, panel by panel of output channels, multiplied by the filters' transforms, transformed back and
// given to the epilogue, so that no transform of a whole tensor is ever stored. A tile's result does
// not depend on its block.

#define WINOGRAD_TILES 70       // of a block at most
#define WINOGRAD_ROOM (7 << 20) // bytes of a block's transforms
#define WINOGRAD_WIDE 32        // input channels whose products leave time to prefetch

typedef struct {
  const clat_winograd_args *a;
  winograd_grid grid;
  int64_t start, block; // tiles before this block, tiles of a block
  int64_t row, plane;   // floats from a tile's inputs to the next's; from a point to the next
  int64_t sum_plane;    // of the sums
  float *inputs;        // [point][tile][channel]
  float *sums;          // [point][tile][panel][16]
} winograd_block;

/// Asks, at the i-th of `calls` tiles that multiply a group of panels, for its share of what the
/// epilogue touches. Tiles in order cover the pixels nearly in order.
INLINE void prefetch_share(const winograd_block *g, int64_t count, int n, int panels, int64_t i,
                           int64_t calls) {
  const clat_winograd_args *a = g->a;
  const clat_epilogue *e = &a->out;
  const int64_t first = g->grid.first_image * a->out_height * a->out_width + g->start * 16;
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
    const winograd_tile t = tile_at(&g->grid, g->start + i);
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
                                    float *scratch) {
  winograd_block g = {.a = a,
                      .grid = {.x = a->x,
                               .height = a->in_height,
                               .width = a->in_width,
                               .stride = a->x_stride,
                               .pad_height = a->pad_height,
                               .pad_width = a->pad_width,
                               .out_height = a->out_height,
                               .out_width = a->out_width}};
  count_tiles(&g.grid, begin, end, a->in_channels, scratch);
  g.row = transform_row(a->in_channels);
  const int64_t bytes = CLAT_WINOGRAD_POINTS * (g.row + TILE_PANELS * 16) * (int64_t)sizeof(float);
  const int64_t most = max64(1, min64(WINOGRAD_TILES, WINOGRAD_ROOM / bytes) / TILE_ROWS);
  const int64_t tiles = (g.grid.total + TILE_ROWS - 1) / TILE_ROWS,
                blocks = (tiles + most - 1) / most;
  g.block = (tiles + blocks - 1) / max64(1, blocks) * TILE_ROWS;
  g.plane = g.block * g.row + 16;
  g.sum_plane = g.block * TILE_PANELS * 16 + 16;
  g.inputs = scratch + WINOGRAD_CHANNELS;
  g.sums = g.inputs + CLAT_WINOGRAD_POINTS * g.plane;
  return g;
}

void KERNEL_NAME(winograd, ISA)(const void *args, int64_t begin, int64_t end, void *scratch) {
  const clat_winograd_args *a = args;
  winograd_block g = plan_winograd(a, begin, end, scratch);
  for (g.start = 0; g.start < g.grid.total; g.start += g.block) {
    const int64_t count = min64(g.block, g.grid.total - g.start);
    for (int64_t i = 0; i < count; i++)
      transform_tile(&g.grid, g.start + i, 0, a->in_channels, g.inputs + i * g.row, g.plane);
    for (int n = 0; n < a->out.channels; n += TILE_PANELS * 16) {
      const int panels = (int)min64(TILE_PANELS, (a->out.channels - n + 15) / 16);
      multiply_tiles(&g, count, n, panels);
      FINISH_USUAL(&a->out, finish_tiles(usual, &g, count, n, panels));
    }
  }
}
