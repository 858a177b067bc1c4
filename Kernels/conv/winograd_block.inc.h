// What Winograd convolutions share: a block of tiles at a time, their inputs are transformed for
// all channels; then, panel by panel of output channels, multiplied by the filters' transforms,
// transformed back and given to the epilogue, so that no transform of a whole tensor is ever
// stored. A tile's result does not depend on its block.

#define WINOGRAD_ROOM (7 << 20) // bytes of a block's transforms
#define WINOGRAD_WIDE 32        // input channels whose products leave time to prefetch
#ifndef WINOGRAD_DEPTH
#define WINOGRAD_DEPTH 128      // input channels whose filters are transformed at a time
#endif

/// Rows of cache lines that are asked for little by little, while products keep the core busy.
typedef struct {
  const float *row;
  int64_t stride, lines; // floats to the next row, lines of a row
  int64_t line, left;    // the next line of the row, lines that are left
  int64_t quota;         // lines that are asked for at a time
} line_stream;

/// To be asked for in `calls` calls.
INLINE line_stream stream_lines(const float *row, int64_t rows, int64_t stride, int64_t lines,
                                int64_t calls) {
  return (line_stream){row, stride, lines, 0, rows * lines, (rows * lines + calls - 1) / calls};
}

INLINE void ask_lines(line_stream *s) {
  int64_t wanted = min64(s->quota, s->left);
  s->left -= wanted;
  while (wanted > 0) {
    const int64_t count = min64(wanted, s->lines - s->line);
    const float *from = s->row + s->line * 16;
    for (int64_t i = 0; i < count; i++) __builtin_prefetch(from + i * 16, 0, 2);
    wanted -= count, s->line += count;
    if (s->line == s->lines) s->line = 0, s->row += s->stride;
  }
}

typedef struct winograd_block winograd_block;

typedef struct {
  int64_t side;        // outputs of a tile in each direction
  int64_t tiles;       // of a block at most
  int64_t points;      // transforms of a filter
  int64_t products;    // of a tile, for a pair of channels
  const uint8_t *rows; // [points] of them that share a filter's transform
  void (*transform)(const winograd_block *, int64_t tile, int64_t k);
  panel_transform *filters;
  void (*finish)(const winograd_block *, int64_t count, int n, int panels);
} winograd_algorithm;

struct winograd_block {
  const winograd_algorithm *algorithm;
  const clat_winograd_args *a;
  filter_source source; // of filters that are transformed on the way
  winograd_grid grid;   // of the slice
  int64_t start, block; // tiles before this block, tiles of a block
  int64_t sum_tiles;    // and those that the sums have room for
  int64_t depth;        // input channels that are multiplied at a time
  int64_t row;          // floats from one row of inputs to the next
  int64_t part;         // floats of the inputs of `depth` channels
  line_stream streams[4]; // y, residual, filters, inputs
  float *inputs;        // [part][point][tile][row of the point][channel]
  float *sums;          // [point][tile][row of the point][TILE_PANELS * 16]
  float *filters;       // [point][panel][channel][16]
};

/// The block's tile.
INLINE winograd_tile block_tile(const winograd_block *g, int64_t index) {
  return tile_at(&g->grid, g->start + index);
}

/// Floats from a block's first row to a point's, where `before` rows a tile precede the point's.
/// Points lie a cache line further apart than their rows, lest they share cache sets.
INLINE int64_t input_offset(const winograd_block *g, int64_t point, int64_t before) {
  return before * g->block * g->row + point * 16;
}

INLINE int64_t sum_offset(const winograd_block *g, int64_t point, int64_t before) {
  return before * g->sum_tiles * TILE_PANELS * 16 + point * 16;
}

/// Where the inputs of channels from k on begin, a multiple of the depth.
INLINE float *input_part(const winograd_block *g, int64_t k) {
  return g->inputs + k / g->depth * g->part;
}

/// Asks for what the epilogue of `panels` panels from channel n on will touch of a tensor. Tiles in
/// order cover the pixels nearly in order.
INLINE line_stream epilogue_lines(const winograd_block *g, const float *y, int64_t stride,
                                  int64_t count, int n, int panels, int64_t calls) {
  const clat_winograd_args *a = g->a;
  const int64_t pixels = g->algorithm->side * g->algorithm->side;
  const int64_t first = g->grid.first_image * a->out_height * a->out_width + g->start * pixels;
  const int64_t rows = y && a->in_channels >= WINOGRAD_WIDE ? count * pixels : 0;
  return stream_lines(y + (rows ? first * stride + n : 0), rows, stride, panels, calls);
}

/// And for the next block's inputs.
INLINE line_stream input_lines(const winograd_block *g, int64_t count, int64_t calls) {
  const clat_winograd_args *a = g->a;
  const int64_t image = a->in_height * a->in_width * (int64_t)a->x_stride,
                tiles = g->grid.across * g->grid.down, first = g->start + count;
  const int64_t lines = image * min64(g->block, g->grid.total - first) / tiles / 16;
  const float *x = a->x + g->grid.first_image * image + first * image / tiles;
  return stream_lines(x, a->in_channels >= WINOGRAD_WIDE ? 1 : 0, 0, lines, calls);
}

/// And for the filters that are transformed after those of inputs from k on.
INLINE line_stream filter_lines(const winograd_block *g, int64_t n, int panels, int64_t k,
                                int64_t calls) {
  const filter_source *f = &g->source;
  const int64_t row = f->in_channels * 9;
  if (g->a->packed) return (line_stream){0};
  if (k + g->depth < g->a->in_channels) k += g->depth;
  else k = 0, n += panels * 16;
  const int64_t across = panels * 16, rows = f->transpose ? g->depth : across,
                lines = (f->transpose ? across : g->depth) * 9 / 16 + 1;
  const float *first = f->weights + (f->transpose ? k * row + n * 9 : n * row + k * 9);
  return stream_lines(first, rows, row, lines, calls);
}

INLINE int64_t register_tiles(int64_t rows) { return (rows + TILE_ROWS - 1) / TILE_ROWS; }

/// Calls of register tiles that multiply all tiles of a block with a group of panels' filters.
static int64_t count_calls(const winograd_block *g, int64_t count) {
  int64_t calls = 0;
  for (int point = 0; point < g->algorithm->points; point++)
    calls += register_tiles(count * g->algorithm->rows[point]);
  return calls;
}

/// The next products of all tiles of the block, of a group of panels and of inputs from k on, point
/// by point. A register tile may run into rows that mean nothing, or, at the first inputs, into the
/// next point's sums, which come later.
static void multiply_part(winograd_block *g, int64_t count, int panels, int64_t k,
                          multiply_tile tile, int64_t plane) {
  const uint8_t *rows_of = g->algorithm->rows;
  const float *weights = tile.weights;
  int64_t before = 0;
  for (int64_t point = 0; point < g->algorithm->points; before += rows_of[point++]) {
    const int64_t rows = count * rows_of[point];
    tile.x = input_part(g, k) + input_offset(g, point, before);
    tile.sums = g->sums + sum_offset(g, point, before);
    tile.weights = weights + point * plane;
    // What is far: the inputs, or the next point's stored filters, panel by panel.
    tile.ahead = g->a->packed ? tile.weights + plane : tile.x + TILE_ROWS * g->row;
    const int64_t ahead = g->a->packed ? plane : TILE_ROWS * g->row;
    for (int64_t at = 0; at < rows; at += TILE_ROWS, tile.ahead += ahead) {
      if (g->a->packed && at == 2 * TILE_ROWS) tile.ahead += tile.panel_stride - 2 * plane;
      for (int i = 0; i < 4; i++) ask_lines(&g->streams[i]);
      multiply_kernels[panels - 1][min64(TILE_ROWS, rows - at)](&tile);
      tile.x += TILE_ROWS * g->row, tile.sums += TILE_ROWS * panels * 16;
    }
  }
}

/// The products of all tiles of the block with `panels` panels from channel n on.
static void multiply_tiles(winograd_block *g, int64_t count, int n, int panels) {
  const clat_winograd_args *a = g->a;
  const int64_t parts = (a->in_channels + g->depth - 1) / g->depth;
  const int64_t calls = count_calls(g, count);
  g->streams[0] = epilogue_lines(g, a->out.y, a->out.y_stride, count, n, panels, parts * calls);
  g->streams[1] = epilogue_lines(g, a->out.residual, a->out.residual_stride, count, n, panels,
                                 parts * calls);
  for (int64_t k = 0; k < a->in_channels; k += g->depth) {
    const int64_t depth = min64(g->depth, a->in_channels - k);
    multiply_tile tile = {.x_stride = g->row, .steps = depth, .first = k == 0};
    int64_t plane = depth * 16;
    if (a->packed) {
      tile.weights = a->packed + n / 16 * g->algorithm->points * plane;
      tile.panel_stride = g->algorithm->points * plane;
    } else {
      tile.weights = g->filters, tile.panel_stride = depth * 16;
      plane = panels * depth * 16 + 16;
      for (int p = 0; p < panels; p++)
        g->algorithm->filters(&g->source, n + p * 16, k, depth, g->filters + p * depth * 16,
                              plane);
    }
    g->streams[2] = filter_lines(g, n, panels, k, calls);
    multiply_part(g, count, panels, k, tile, plane);
  }
}

/// The epilogue of a tile's outputs, `step` pixels apart, the first of which is t's.
INLINE void finish_outputs(const clat_epilogue *e, const clat_winograd_args *a, winograd_tile t,
                           int64_t side, int64_t step, int channel, v16 *y) {
  const int lanes = (int)min64(16, e->channels - channel);
  const int64_t first = (t.image * a->out_height + t.y) * a->out_width + t.x,
                down = step * a->out_width;
  const int64_t rows = min64(side, (a->out_height - t.y + step - 1) / step),
                columns = min64(side, (a->out_width - t.x + step - 1) / step);
  if (rows == side && columns == side && lanes == 16) {
    UNROLL for (int r = 0; r < side; r++) UNROLL for (int c = 0; c < side; c++)
        finish_panel(e, first + r * down + c * step, channel, 16, &y[r * side + c]);
    return;
  }
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < columns; c++)
      finish_panel(e, first + r * down + c * step, channel, lanes, &y[r * side + c]);
}

/// How the slice is cut into blocks, and where they lie in scratch.
static winograd_block plan_blocks(const winograd_algorithm *algorithm, const clat_winograd_args *a,
                                  int64_t begin, int64_t end, char *scratch) {
  winograd_block g = {.algorithm = algorithm,
                      .a = a,
                      .source = {.weights = a->weights,
                                 .in_channels = a->transpose ? a->out.channels : a->in_channels,
                                 .channels = a->out.channels,
                                 .transpose = a->transpose},
                      .grid = {.x = a->x,
                               .height = a->in_height,
                               .width = a->in_width,
                               .stride = a->x_stride,
                               .pad_height = a->pad_height,
                               .pad_width = a->pad_width,
                               .out_height = a->out_height,
                               .out_width = a->out_width,
                               .side = algorithm->side}};
  count_tiles(&g.grid, begin, end, a->in_channels, (float *)scratch);
  const int64_t parts =
      a->packed ? 1 : (a->in_channels + WINOGRAD_DEPTH - 1) / WINOGRAD_DEPTH;
  g.depth = ((a->in_channels + parts - 1) / parts + 15) / 16 * 16;
  g.row = a->packed ? transform_row(g.depth) : g.depth;
  const int64_t row = parts * g.row + TILE_PANELS * 16, bytes = algorithm->products * row * 4;
  const int64_t slack = (TILE_ROWS - 1) * row * 4; // of the last register tile
  // More tiles where each block transforms the filters again.
  const int64_t tiles = a->packed ? algorithm->tiles : 2 * algorithm->tiles;
  const int64_t room = min64(tiles, (WINOGRAD_ROOM - slack) / bytes);
  const int64_t unit = room < TILE_ROWS ? 1 : TILE_ROWS, most = max64(1, room / unit);
  const int64_t units = (g.grid.total + unit - 1) / unit,
                blocks = max64(1, (units + most - 1) / most);
  g.block = (units + blocks - 1) / blocks * unit;
  g.sum_tiles = register_tiles(g.block) * TILE_ROWS;
  g.part = input_offset(&g, algorithm->points, algorithm->products);
  g.inputs = (float *)scratch + WINOGRAD_CHANNELS;
  g.sums = g.inputs + parts * g.part + (TILE_ROWS - 1) * g.row;
  g.filters = g.sums + sum_offset(&g, algorithm->points, algorithm->products);
  return g;
}

static void run_blocks(const winograd_algorithm *algorithm, const clat_winograd_args *a,
                       int64_t begin, int64_t end, void *scratch) {
  winograd_block g = plan_blocks(algorithm, a, begin, end, scratch);
  const int64_t parts = (a->in_channels + g.depth - 1) / g.depth;
  for (g.start = 0; g.start < g.grid.total; g.start += g.block) {
    const int64_t count = min64(g.block, g.grid.total - g.start);
    for (int64_t i = 0; i < count; i++)
      for (int64_t k = 0; k < a->in_channels; k += g.depth) algorithm->transform(&g, i, k);
    const int64_t groups = (a->out.channels + TILE_PANELS * 16 - 1) / (TILE_PANELS * 16);
    g.streams[3] = input_lines(&g, count, groups * parts * count_calls(&g, count));
    for (int n = 0; n < a->out.channels; n += TILE_PANELS * 16) {
      const int panels = (int)min64(TILE_PANELS, (a->out.channels - n + 15) / 16);
      multiply_tiles(&g, count, n, panels);
      algorithm->finish(&g, count, n, panels);
    }
  }
}
