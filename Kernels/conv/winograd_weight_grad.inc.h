// Winograd weight gradients of stride 1 and 2: for each of 36 points a product of the transformed input, channels by
// tiles, with the transformed gradient of the output, tiles by channels. Blocks of tiles as long as
// scratch allows, because every block reads and writes the sums once.

#define GRAD_GROUP 128 // output channels whose transforms are held at a time

typedef struct winograd_product winograd_product;

typedef struct {
  int64_t products;    // of a tile, for a pair of channels
  const uint8_t *rows; // [CLAT_WINOGRAD_POINTS] of them that are summed up at a point
  void (*inputs)(const winograd_product *, int64_t tile);
  /// W = A dY A^T of output channels n ..< n + channels of all the block's tiles.
  void (*grads)(const winograd_product *, int64_t n, int64_t channels);
} winograd_grad_algorithm;

struct winograd_product {
  const winograd_grad_algorithm *algorithm;
  const clat_winograd_weight_grad_args *a;
  winograd_grid grid;              // of the job's channels
  int64_t start, count, tiles;     // the block's tiles, and the most of a block
  int64_t first_channel, channels; // of the input, the job's
  int64_t row, grad_row;           // floats from a row of inputs, of gradients, to the next
  float *inputs, *grads;           // [point][tile][row of the point][channel]
  float *sums;                     // [point][in_channel][sum_row]
  int64_t sum_row;
};

/// Where a tile's gradients of channel n lie; pixels outside the image count as zero.
typedef struct {
  const float *dy;
  int64_t row, column, rows, columns; // to the next, and how many are inside
} grad_tile;

INLINE grad_tile locate_grad(const winograd_product *g, int64_t tile, int64_t n) {
  const clat_winograd_weight_grad_args *a = g->a;
  const winograd_tile t = tile_at(&g->grid, g->start + tile);
  const int64_t row = (int64_t)a->out_width * a->dy_stride;
  return (grad_tile){a->dy + (t.image * a->out_height + t.y) * row + t.x * a->dy_stride + n, row,
                     a->dy_stride, a->out_height - t.y, a->out_width - t.x};
}

INLINE void load_grad(const grad_tile *t, int r, int c, int lanes, vf *y) {
  *y = splat(0);
  if (r < t->rows && c < t->columns) *y = load(t->dy + r * t->row + c * t->column, lanes);
}

INLINE void transform_grad_4(const winograd_product *g, const grad_tile *t, int64_t tile, int lanes,
                             float *to) {
  const int64_t plane = g->tiles * g->grad_row + 16;
  vf half[24], d[6];
  to += tile * g->grad_row;
  UNROLL for (int c = 0; c < 4; c++) {
    UNROLL for (int r = 0; r < 4; r++) load_grad(t, r, c, lanes, &d[r]);
    WINOGRAD_OUTPUT_GRAD(vf, d, d, 1);
    UNROLL for (int r = 0; r < 6; r++) half[r * 4 + c] = d[r];
  }
  UNROLL for (int r = 0; r < 6; r++) {
    WINOGRAD_OUTPUT_GRAD(vf, d, half + r * 4, 1);
    UNROLL for (int c = 0; c < 6; c++) store(to + (r * 6 + c) * plane, d[c], LANES);
  }
}

INLINE void transform_grad_strided(const winograd_product *g, const grad_tile *t, int64_t tile,
                                   int lanes, float *to) {
  const int64_t row = g->grad_row, plane = g->tiles * row;
  vf y[16];
  UNROLL for (int r = 0; r < 4; r++) UNROLL for (int c = 0; c < 4; c++)
      load_grad(t, r, c, lanes, &y[r * 4 + c]);
#define STORE_GRAD(i, v) store(to + product_offset(plane, row, tile, i), *(v), LANES)
  STRIDED_OUTPUT_GRADS(vf, y, STORE_GRAD);
#undef STORE_GRAD
}

#define TRANSFORM_GRADS(which)                                                                \
  static void grads_##which(const winograd_product *g, int64_t n, int64_t channels) {         \
    for (int64_t i = 0; i < g->count; i++)                                                    \
      for (int64_t o = 0; o < channels; o += 16) {                                            \
        const grad_tile t = locate_grad(g, i, n + o);                                         \
        float *to = g->grads + o;                                                             \
        if (channels - o >= 16) transform_grad_##which(g, &t, i, 16, to);                     \
        else transform_grad_##which(g, &t, i, (int)(channels - o), to);                       \
      }                                                                                       \
  }
TRANSFORM_GRADS(4)
TRANSFORM_GRADS(strided)

static void grad_inputs_4(const winograd_product *g, int64_t tile) {
  transform_tile_4(&g->grid, g->start + tile, 0, g->channels, g->inputs + tile * g->row,
                   g->tiles * g->row + 16);
}

static void grad_inputs_strided(const winograd_product *g, int64_t tile) {
  int64_t in[81];
  address_strided(&g->grid, tile_at(&g->grid, g->start + tile), 0, in);
  transform_strided(g->grid.zeros, in, 0, g->channels, g->inputs, g->row, g->tiles, tile);
}

/// The block's share of the sums of output channels n ..< n + channels, padded to whole panels.
static void add_products(const winograd_product *g, int64_t n, int64_t channels) {
  const uint8_t *rows_of = g->algorithm->rows;
  const int64_t plane = g->a->in_channels * g->sum_row;
  int64_t before = 0;
  for (int64_t point = 0; point < CLAT_WINOGRAD_POINTS; before += rows_of[point++])
    for (int64_t o = 0; o < channels; o += TILE_PANELS * 16) {
      const int panels = (int)min64(TILE_PANELS, (channels - o + 15) / 16);
      for (int64_t i = 0; i < g->channels; i += OUTER_ROWS) {
        const product_tile tile = {
            .x = g->inputs + before * g->tiles * g->row + point * 16 + i,
            .b = g->grads + before * g->tiles * g->grad_row + point * 16 + o,
            .steps = g->count * rows_of[point],
            .x_stride = g->row,
            .b_stride = g->grad_row,
            .stride = g->sum_row,
            .sums = g->sums + point * plane + (g->first_channel + i) * g->sum_row + n + o,
            .first = g->start == 0,
        };
        product_kernels[panels - 1][min64(OUTER_ROWS, g->channels - i)](&tile);
      }
    }
}

static void add_block(const winograd_product *g) {
  const int64_t out = g->a->out_channels;
  for (int64_t i = 0; i < g->count; i++) g->algorithm->inputs(g, i);
  for (int64_t n = 0; n < out; n += GRAD_GROUP) {
    const int64_t channels = min64(GRAD_GROUP, out - n);
    g->algorithm->grads(g, n, channels);
    add_products(g, n, channels);
  }
}

static void winograd_job(const winograd_grad_algorithm *algorithm,
                         const clat_winograd_weight_grad_args *a, int64_t job, float *scratch) {
  const int64_t chunk = job / a->blocks, block = job % a->blocks,
                panels = (a->in_channels + 15) / 16;
  const int64_t first = panels * block / a->blocks * 16,
                last = min64(a->in_channels, panels * (block + 1) / a->blocks * 16);
  winograd_product g = {.algorithm = algorithm,
                        .a = a,
                        .grid = {.x = a->x + first,
                                 .height = a->in_height,
                                 .width = a->in_width,
                                 .stride = a->x_stride,
                                 .pad_height = a->pad_height,
                                 .pad_width = a->pad_width,
                                 .out_height = a->out_height,
                                 .out_width = a->out_width,
                                 .side = 4},
                        .first_channel = first,
                        .channels = last - first,
                        .sum_row = (a->out_channels + 15) / 16 * 16};
  if (first >= last) return;
  count_tiles(&g.grid, a->images * chunk / a->chunks, a->images * (chunk + 1) / a->chunks,
              g.channels, scratch);
  g.row = transform_row(g.channels);
  g.grad_row = transform_row(min64(GRAD_GROUP, a->out_channels));
  const int64_t bytes = algorithm->products * (g.row + g.grad_row) * (int64_t)sizeof(float);
  const int64_t most = max64(1, WINOGRAD_ROOM / bytes),
                blocks = max64(1, (g.grid.total + most - 1) / most);
  g.tiles = (g.grid.total + blocks - 1) / blocks;
  g.inputs = scratch + WINOGRAD_CHANNELS;
  // Points lie a cache line further apart than their rows.
  g.grads = g.inputs + algorithm->products * g.tiles * g.row + CLAT_WINOGRAD_POINTS * 16;
  g.sums = a->partial + chunk * CLAT_WINOGRAD_POINTS * a->in_channels * g.sum_row;
  do { // once even without tiles, which stores zeros
    g.count = min64(g.tiles, g.grid.total - g.start);
    add_block(&g);
    g.start += g.tiles;
  } while (g.start < g.grid.total);
}

void CLAT_KERNEL(winograd_weight_grad)(const void *args, int64_t begin, int64_t end,
                                            void *scratch) {
  static const winograd_grad_algorithm algorithm = {CLAT_WINOGRAD_POINTS, lone_rows, grad_inputs_4,
                                                    grads_4};
  for (int64_t job = begin; job < end; job++) winograd_job(&algorithm, args, job, scratch);
}

void CLAT_KERNEL(winograd_strided_weight_grad)(const void *args, int64_t begin, int64_t end,
                                                    void *scratch) {
  static const winograd_grad_algorithm algorithm = {STRIDED_PRODUCTS, strided_rows,
                                                    grad_inputs_strided, grads_strided};
  for (int64_t job = begin; job < end; job++) winograd_job(&algorithm, args, job, scratch);
}

/// The sum over the chunks of the i-th point's sums of sixteen output channels at input channel k.
INLINE void sum_chunks(const clat_winograd_weight_grad_reduce_args *a, int64_t o, int64_t k, int i,
                       vf *sum) {
  const int64_t row = (a->out_channels + 15) / 16 * 16, plane = a->in_channels * row;
  const float *from = a->partial + i * plane + k * row + o;
  *sum = load(from, LANES);
  for (int64_t chunk = 1; chunk < a->chunks; chunk++)
    *sum += *(const vf_unaligned *)(from + chunk * CLAT_WINOGRAD_POINTS * plane);
}

/// Those sums, back to nine taps.
INLINE void transform_sums_4(const clat_winograd_weight_grad_reduce_args *a, int64_t o, int64_t k,
                             vf *taps) {
  vf half[18], u[6];
  UNROLL for (int c = 0; c < 6; c++) {
    UNROLL for (int r = 0; r < 6; r++) sum_chunks(a, o, k, r * 6 + c, &u[r]);
    WINOGRAD_FILTER_GRAD(vf, u, u, 1);
    UNROLL for (int r = 0; r < 3; r++) half[r * 6 + c] = u[r];
  }
  UNROLL for (int r = 0; r < 3; r++) WINOGRAD_FILTER_GRAD(vf, taps + r * 3, half + r * 6, 1);
}

INLINE void transform_sums_strided(const clat_winograd_weight_grad_reduce_args *a, int64_t o,
                                   int64_t k, vf *taps) {
  vf u[CLAT_WINOGRAD_POINTS];
  UNROLL for (int i = 0; i < CLAT_WINOGRAD_POINTS; i++) sum_chunks(a, o, k, i, &u[i]);
  STRIDED_FILTER_GRADS(vf, taps, u);
}

/// Units begin at any output channel, panels do not: a panel's sums are read whole.
#define REDUCE_WEIGHT_GRAD(name, transform_sums)                                             \
  void CLAT_KERNEL(name)(const void *args, int64_t begin, int64_t end, void *scratch) {      \
    const clat_winograd_weight_grad_reduce_args *a = args;                                   \
    enum { DEPTH = 32 };                                                                     \
    float *tile = scratch; /* [input channel][tap][output channel] */                        \
    for (int64_t o = begin / 16 * 16; o < end; o += 16)                                      \
      for (int64_t k = 0; k < a->in_channels; k += DEPTH) {                                  \
        const int64_t depth = min64(DEPTH, a->in_channels - k);                              \
        for (int64_t i = 0; i < depth; i++) {                                                \
          vf taps[9];                                                                        \
          transform_sums(a, o, k + i, taps);                                                 \
          UNROLL for (int t = 0; t < 9; t++) store(tile + (i * 9 + t) * 16, taps[t], LANES); \
        }                                                                                    \
        for (int64_t n = max64(begin, o); n < min64(end, o + 16); n++) {                     \
          float *to = a->dw + (n * a->in_channels + k) * 9;                                  \
          for (int64_t i = 0; i < depth * 9; i++) to[i] = tile[i * 16 + n - o];              \
        }                                                                                    \
      }                                                                                      \
  }
REDUCE_WEIGHT_GRAD(winograd_weight_grad_reduce, transform_sums_4)
REDUCE_WEIGHT_GRAD(winograd_strided_weight_grad_reduce, transform_sums_strided)
