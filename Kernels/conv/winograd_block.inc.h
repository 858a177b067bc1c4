// What Winograd convolutions share: a block of tiles at a time, their inputs are transformed for
// all channels; then, panel by panel of output channels, multiplied by the filters' transforms,
// transformed back and given to the epilogue, so that no transform of a whole tensor is ever
// stored. A tile's result does not depend on its block.

#define WINOGRAD_ROOM (7 << 20) // bytes of a block's transforms
#define WINOGRAD_WIDE 32        // input channels whose products leave time to prefetch
#define WINOGRAD_DEPTH 128      // input channels whose filters are transformed at a time

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

/// What `calls` register tiles ask for, `lines` in all, evenly and without divisions.
typedef struct {
  int64_t lines, calls, credit;
} prefetch_pace;

#define WHILE_DUE(pace) \
  for ((pace).credit += (pace).lines; (pace).credit >= (pace).calls; (pace).credit -= (pace).calls)

/// What lies ahead of the register tiles, each with its pace.
typedef struct {
  prefetch_pace pixels; // that the epilogue of a group of panels will touch
  const float *y, *residual;
  int64_t y_stride, residual_stride, panels;
  prefetch_pace inputs; // of the next block
  const float *x;
  prefetch_pace filters; // that are transformed next
  const float *filter;
  int64_t row, row_lines, line;
} winograd_ahead;

/// Tiles in order cover the pixels nearly in order.
INLINE void plan_pixels(winograd_ahead *ahead, const winograd_block *g, int64_t count, int n,
                        int panels, int64_t calls) {
  const clat_winograd_args *a = g->a;
  const clat_epilogue *e = &a->out;
  const int64_t pixels = g->algorithm->side * g->algorithm->side;
  const int64_t first = g->grid.first_image * a->out_height * a->out_width + g->start * pixels;
  ahead->pixels = (prefetch_pace){.lines = count * pixels, .calls = calls};
  ahead->y = e->y + first * e->y_stride + n, ahead->y_stride = e->y_stride;
  ahead->residual = e->residual ? e->residual + first * e->residual_stride + n : 0;
  ahead->residual_stride = e->residual_stride, ahead->panels = panels;
}

INLINE void plan_inputs(winograd_ahead *ahead, const winograd_block *g, int64_t count,
                        int64_t calls) {
  const clat_winograd_args *a = g->a;
  const int64_t image = a->in_height * a->in_width * (int64_t)a->x_stride,
                tiles = g->grid.across * g->grid.down, first = g->start + count;
  ahead->inputs = (prefetch_pace){
      .lines = image * min64(count, g->grid.total - first) / tiles / 16, .calls = calls};
  ahead->x = a->x + g->grid.first_image * image + first * image / tiles;
}

INLINE void plan_filters(winograd_ahead *ahead, const winograd_block *g, int n, int panels,
                         int64_t k, int64_t calls) {
  const filter_source *f = &g->source;
  const int64_t row = f->in_channels * 9, next = k + g->depth < g->a->in_channels;
  k = next ? k + g->depth : 0, n = next ? n : n + panels * 16;
  ahead->row = row, ahead->line = 0;
  ahead->row_lines = (f->transpose ? panels * 16 : g->depth) * 9 / 16 + 1;
  ahead->filter = f->weights + (f->transpose ? k * row + n * 9 : n * row + k * 9);
  ahead->filters = (prefetch_pace){
      .lines = (f->transpose ? g->depth : panels * 16) * ahead->row_lines, .calls = calls};
}

/// A register tile's share.
INLINE void prefetch_ahead(winograd_ahead *ahead) {
  WHILE_DUE(ahead->pixels) {
    for (int panel = 0; panel < ahead->panels; panel++) {
      __builtin_prefetch(ahead->y + panel * 16, 1, 2);
      if (ahead->residual) __builtin_prefetch(ahead->residual + panel * 16, 0, 2);
    }
    ahead->y += ahead->y_stride;
    if (ahead->residual) ahead->residual += ahead->residual_stride;
  }
  WHILE_DUE(ahead->inputs) {
    __builtin_prefetch(ahead->x, 0, 2);
    ahead->x += 16;
  }
  WHILE_DUE(ahead->filters) {
    __builtin_prefetch(ahead->filter + ahead->line * 16, 0, 2);
    if (++ahead->line == ahead->row_lines) ahead->line = 0, ahead->filter += ahead->row;
  }
}

INLINE int64_t register_tiles(int64_t rows) { return (rows + TILE_ROWS - 1) / TILE_ROWS; }

/// Register tiles that multiply a block's `count` tiles, at all points.
INLINE int64_t register_calls(const winograd_block *g, int64_t count) {
  int64_t calls = 0;
  for (int point = 0; point < g->algorithm->points; point++)
    calls += register_tiles(count * g->algorithm->rows[point]);
  return calls;
}

/// The next products of all tiles of the block, of `panels` panels from channel n on and of inputs
/// from k on, point by point. A register tile may run into rows that mean nothing, or, at the first
/// inputs, into the next point's sums, which come later.
static void multiply_part(const winograd_block *g, int64_t count, int panels, int64_t k,
                          const multiply_tile *first, int64_t weights_plane,
                          winograd_ahead *ahead) {
  const uint8_t *rows_of = g->algorithm->rows;
  const int64_t width = panels * 16, next = TILE_ROWS * g->row;
  int64_t before = 0;
  for (int64_t point = 0; point < g->algorithm->points; before += rows_of[point++]) {
    const float *x = input_part(g, k) + input_offset(g, point, before);
    float *sums = g->sums + sum_offset(g, point, before);
    multiply_tile tile = *first;
    tile.weights += point * weights_plane;
    // Stored filters are far: the first tiles ask for the next point's, a panel each.
    const float *filters = tile.weights + weights_plane;
    const int64_t asking = g->a->packed ? panels * TILE_ROWS : 0, rows = count * rows_of[point];
    for (int64_t at = 0; at < rows; at += TILE_ROWS, filters += tile.panel_stride) {
      tile.x = x + at * g->row;
      tile.sums = sums + at * width;
      tile.ahead = at < asking ? filters : tile.x + next;
      if (ahead) prefetch_ahead(ahead);
      multiply_kernels[panels - 1][min64(TILE_ROWS, rows - at)](&tile);
    }
  }
}

/// The products of all tiles of the block with `panels` panels from channel n on.
static void multiply_tiles(const winograd_block *g, int64_t count, int n, int panels,
                           winograd_ahead *ahead) {
  const clat_winograd_args *a = g->a;
  const int64_t parts = (a->in_channels + g->depth - 1) / g->depth, calls = register_calls(g, count);
  plan_pixels(ahead, g, count, n, panels, parts * calls);
  for (int64_t k = 0; k < a->in_channels; k += g->depth) {
    const int64_t depth = min64(g->depth, a->in_channels - k);
    multiply_tile tile = {.x_stride = g->row, .steps = depth, .first = k == 0};
    int64_t plane = depth * 16;
    if (a->packed) {
      tile.weights = a->packed + n / 16 * g->algorithm->points * plane;
      tile.panel_stride = g->algorithm->points * plane;
    } else {
      tile.weights = g->filters;
      tile.panel_stride = depth * 16;
      plane = panels * depth * 16 + 16;
      for (int p = 0; p < panels; p++)
        g->algorithm->filters(&g->source, n + p * 16, k, depth, g->filters + p * depth * 16,
                              plane);
      plan_filters(ahead, g, n, panels, k, calls);
    }
    multiply_part(g, count, panels, k, &tile, plane,
                  a->in_channels >= WINOGRAD_WIDE ? ahead : 0);
  }
}

/// The epilogue of a tile's outputs, `step` pixels apart, the first of which is t's.
INLINE void finish_outputs(const clat_epilogue *e, const clat_winograd_args *a, winograd_tile t,
                           int64_t side, int64_t step, int channel, vf *y) {
  const int lanes = (int)min64(16, e->channels - channel);
  const int64_t first = (t.image * a->out_height + t.y) * a->out_width + t.x,
                down = step * a->out_width;
  const int64_t rows = min64(side, (a->out_height - t.y + step - 1) / step),
                columns = min64(side, (a->out_width - t.x + step - 1) / step);
  if (rows == side && columns == side && lanes == 16) {
    // Pixels at constant distances from a row's first need no multiplications to be found.
    clat_epilogue row = skip_pixels(e, first);
    UNROLL for (int r = 0; r < side; r++) {
      UNROLL for (int c = 0; c < side; c++)
          finish_panel(&row, c * step, channel, 16, &y[r * side + c]);
      row = skip_pixels(&row, down);
    }
    return;
  }
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < columns; c++)
      finish_panel(e, first + r * down + c * step, channel, lanes, &y[r * side + c]);
}

/// Rows that the register tiles of `rows` rows take the time of.
INLINE int64_t register_rows(int64_t rows) {
  static const uint8_t taken[TILE_ROWS] = ROWS_TAKEN;
  return rows / TILE_ROWS * TILE_ROWS + taken[rows % TILE_ROWS];
}

/// Tiles of a block, `room` at most, such that as few blocks as possible cover `total` tiles, and
/// those with the least time in register tiles.
static int64_t even_block(int64_t total, int64_t room) {
  const int64_t blocks = (total + room - 1) / room;
  int64_t best = max64(1, min64(room, total)), least = INT64_MAX;
  for (int64_t block = best; block > 0 && block * blocks >= total; block--) {
    const int64_t rows = total / block * register_rows(block) + register_rows(total % block);
    if (rows < least) least = rows, best = block;
  }
  return best;
}

/// How the slice is cut into blocks, and where they lie in scratch.
static winograd_block plan_blocks(const winograd_algorithm *algorithm, const clat_winograd_args *a,
                                  int64_t begin, int64_t end, char *scratch) {
  winograd_block g = {.algorithm = algorithm,
                      .a = a,
                      .source = {.weights = a->weights,
                                 .in_channels = a->transpose ? a->out.channels : a->in_channels,
                                 .channels = a->out.channels,
                                 .transpose = a->transpose,
                                 .scale = a->scale,
                                 .scales_produced = a->scale_axis == a->transpose},
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
  const int64_t room = max64(1, min64(algorithm->tiles, (WINOGRAD_ROOM - slack) / bytes));
  g.block = even_block(g.grid.total, room);
  g.sum_tiles = register_tiles(g.block) * TILE_ROWS;
  g.part = input_offset(&g, algorithm->points, algorithm->products);
  g.inputs = (float *)scratch + WINOGRAD_CHANNELS;
  g.sums = g.inputs + parts * g.part + (TILE_ROWS - 1) * g.row;
  g.filters = g.sums + sum_offset(&g, algorithm->points, algorithm->products);
  return g;
}

static void run_blocks(const winograd_algorithm *algorithm, const clat_winograd_args *a,
                       int64_t begin, int64_t end, void *scratch) {
  const int by_channels = a->by_channels;
  const int first = by_channels ? (int)begin * CLAT_PANEL : 0;
  const int last = by_channels ? (int)min64(end * CLAT_PANEL, a->out.channels) : a->out.channels;
  winograd_block g = plan_blocks(algorithm, a, by_channels ? 0 : begin,
                                 by_channels ? a->images : end, scratch);
  for (g.start = 0; g.start < g.grid.total; g.start += g.block) {
    const int64_t count = min64(g.block, g.grid.total - g.start);
    for (int64_t i = 0; i < count; i++)
      for (int64_t k = 0; k < a->in_channels; k += g.depth) algorithm->transform(&g, i, k);
    winograd_ahead ahead = {.filters.calls = 1}; // stored filters need none
    plan_inputs(&ahead, &g, count,
                (last - first + TILE_PANELS * 16 - 1) / (TILE_PANELS * 16) *
                    ((a->in_channels + g.depth - 1) / g.depth) * register_calls(&g, count));
    for (int n = first; n < last; n += TILE_PANELS * 16) {
      const int panels = (int)min64(TILE_PANELS, (last - n + 15) / 16);
      multiply_tiles(&g, count, n, panels, &ahead);
      algorithm->finish(&g, count, n, panels);
    }
  }
}
