// Winograd weight gradients of stride 1 and 2: for each of 36 points a product of the transformed input, channels by
// tiles, with the transformed gradient of the output, tiles by channels. Blocks of tiles as long as
// scratch allows, because every block reads and writes the sums once.

#define GRAD_GROUP 128  // output channels whose transforms are held at a time
#define FINISH_GROUP 64 // and whose sums stay in scratch until they are finished

typedef struct winograd_product winograd_product;

typedef struct {
  int64_t products;    // of a tile, for a pair of channels
  const uint8_t *rows; // [CLAT_WINOGRAD_POINTS] of them that are summed up at a point
  void (*inputs)(const winograd_product *, int64_t tile);
  /// W = A dY A^T of output channels n ..< n + channels of all the block's tiles.
  void (*grads)(const winograd_product *, int64_t n, int64_t channels);
  /// dw of the group of output channels from n on, from the sums in scratch.
  void (*finish)(const winograd_product *, int64_t n, int64_t channels);
} winograd_grad_algorithm;

struct winograd_product {
  const winograd_grad_algorithm *algorithm;
  const clat_winograd_weight_grad_args *a;
  winograd_grid grid;              // of the job's channels
  int64_t start, count, tiles;     // the block's tiles, and the most of a block
  int64_t first_channel, channels; // of the input, the job's
  int64_t row, grad_row;           // floats from a row of inputs, of gradients, to the next
  float *inputs, *grads;           // [point][tile][row of the point][channel]
  float *sums;                     // [point][the job's channel][sum_row]
  int64_t sum_row, sum_plane;
  float *rest;                     // of scratch
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

/// The block's share of the sums of output channels n ..< n + channels, padded to whole panels; the
/// first of them lies at `sums`.
static void add_products(const winograd_product *g, int64_t n, int64_t channels, float *sums) {
  const uint8_t *rows_of = g->algorithm->rows;
  int64_t before = 0;
  g->algorithm->grads(g, n, channels);
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
            .sums = sums + point * g->sum_plane + i * g->sum_row + o,
            .first = g->start == 0,
        };
        product_kernels[panels - 1][min64(OUTER_ROWS, g->channels - i)](&tile);
      }
    }
}

static void transform_block(const winograd_product *g) {
  for (int64_t i = 0; i < g->count; i++) g->algorithm->inputs(g, i);
}

/// Goes to the block of tiles after this one. The first one exists even without tiles, and stores
/// zeros.
INLINE int next_block(winograd_product *g) {
  g->start += g->count;
  g->count = min64(g->tiles, g->grid.total - g->start);
  return g->count > 0;
}

INLINE void first_block(winograd_product *g) {
  g->start = 0, g->count = min64(g->tiles, g->grid.total);
}

/// Sums of all output channels, a block of tiles after the other.
static void sum_chunk(winograd_product *g) {
  const int64_t out = g->a->out_channels;
  first_block(g);
  do {
    transform_block(g);
    for (int64_t n = 0; n < out; n += GRAD_GROUP)
      add_products(g, n, min64(GRAD_GROUP, out - n), g->sums + n);
  } while (next_block(g));
}

/// Gradients of a group of output channels after the other, whose sums never leave the caches.
static void sum_and_finish(winograd_product *g) {
  const int64_t out = g->a->out_channels;
  for (int64_t n = 0; n < out; n += FINISH_GROUP) {
    const int64_t channels = min64(FINISH_GROUP, out - n);
    first_block(g);
    do {
      if (n == 0 || g->count < g->grid.total) transform_block(g);
      add_products(g, n, channels, g->sums);
    } while (next_block(g));
    g->algorithm->finish(g, n, channels);
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
                        .channels = last - first};
  if (first >= last) return;
  count_tiles(&g.grid, a->images * chunk / a->chunks, a->images * (chunk + 1) / a->chunks,
              g.channels, scratch);
  const int64_t group = a->dw ? FINISH_GROUP : GRAD_GROUP;
  g.row = transform_row(g.channels);
  g.grad_row = transform_row(min64(group, a->out_channels));
  const int64_t bytes = algorithm->products * (g.row + g.grad_row) * (int64_t)sizeof(float);
  const int64_t most = max64(1, WINOGRAD_ROOM / bytes),
                blocks = max64(1, (g.grid.total + most - 1) / most);
  g.tiles = (g.grid.total + blocks - 1) / blocks;
  g.inputs = scratch + WINOGRAD_CHANNELS;
  // Points lie a cache line further apart than their rows.
  g.grads = g.inputs + algorithm->products * g.tiles * g.row + CLAT_WINOGRAD_POINTS * 16;
  g.rest = g.grads + algorithm->products * g.tiles * g.grad_row + CLAT_WINOGRAD_POINTS * 16;
  if (a->dw) {
    g.sum_row = g.grad_row, g.sum_plane = g.channels * g.sum_row + 16;
    g.sums = g.rest, g.rest += CLAT_WINOGRAD_POINTS * g.sum_plane;
    sum_and_finish(&g);
  } else {
    g.sum_row = (a->out_channels + 15) / 16 * 16, g.sum_plane = a->in_channels * g.sum_row;
    g.sums = a->partial + chunk * CLAT_WINOGRAD_POINTS * g.sum_plane + first * g.sum_row;
    sum_chunk(&g);
  }
}

/// Where sums at the points lie.
typedef struct {
  const float *from;
  int64_t row, plane, chunk; // floats to the next input channel, point, chunk
  int64_t chunks;
} point_sums;

/// The sum over the chunks of the i-th point's sums of sixteen output channels at input channel k.
INLINE void sum_chunks(const point_sums *s, int64_t o, int64_t k, int i, vf *sum) {
  const float *from = s->from + i * s->plane + k * s->row + o;
  *sum = load(from, LANES);
  for (int64_t chunk = 1; chunk < s->chunks; chunk++)
    *sum += *(const vf_unaligned *)(from + chunk * s->chunk);
}

/// Those sums, back to nine taps.
INLINE void transform_sums_4(const point_sums *s, int64_t o, int64_t k, vf *taps) {
  vf half[18], u[6];
  UNROLL for (int c = 0; c < 6; c++) {
    UNROLL for (int r = 0; r < 6; r++) sum_chunks(s, o, k, r * 6 + c, &u[r]);
    WINOGRAD_FILTER_GRAD(vf, u, u, 1);
    UNROLL for (int r = 0; r < 3; r++) half[r * 6 + c] = u[r];
  }
  UNROLL for (int r = 0; r < 3; r++) WINOGRAD_FILTER_GRAD(vf, taps + r * 3, half + r * 6, 1);
}

INLINE void transform_sums_strided(const point_sums *s, int64_t o, int64_t k, vf *taps) {
  vf u[CLAT_WINOGRAD_POINTS];
  UNROLL for (int i = 0; i < CLAT_WINOGRAD_POINTS; i++) sum_chunks(s, o, k, i, &u[i]);
  STRIDED_FILTER_GRADS(vf, taps, u);
}

/// Sixteen floats of `rows` output channels' gradients, `row` floats apart.
INLINE void store_gradients(float *dw, int64_t row, const vf *gradients, int first, int rows, int n) {
  if (rows == 16 && n == 16) {
    UNROLL for (int i = 0; i < 16; i++) store(dw + i * row, gradients[i], LANES);
  } else {
    for (int i = 0; i < rows; i++) store(dw + i * row, gradients[first + i], n);
  }
}

#define GRADIENT_DEPTH 32 // input channels at a time

typedef void sums_transform(const point_sums *, int64_t o, int64_t k, vf *taps);

/// dw of output channels begin ..< end and `channels` input channels, from their sums. Output channels
/// begin anywhere, panels do not: a panel's sums are read whole. `tile`: [input channel][tap][16].
INLINE void finish_gradients(const point_sums *s, sums_transform *transform, int64_t begin,
                             int64_t end, int64_t channels, float *dw, int64_t row, float *tile) {
  for (int64_t o = begin / 16 * 16; o < end; o += 16) {
    const int first = (int)(max64(begin, o) - o), rows = (int)min64(16, end - o) - first;
    for (int64_t k = 0; k < channels; k += GRADIENT_DEPTH) {
      const int64_t depth = min64(GRADIENT_DEPTH, channels - k);
      for (int64_t i = 0; i < depth; i++) {
        vf taps[9];
        transform(s, o, k + i, taps);
        UNROLL for (int t = 0; t < 9; t++) store(tile + (i * 9 + t) * 16, taps[t], LANES);
      }
      for (int64_t i = 0; i < depth * 9; i += 16) {
        const int n = (int)min64(16, depth * 9 - i);
        vf gradients[16];
        transpose_block(tile + i * 16, 16, n, 16, gradients);
        store_gradients(dw + (o + first) * row + k * 9 + i, row, gradients, first, rows, n);
      }
    }
  }
}

INLINE void finish_group(const winograd_product *g, sums_transform *transform, int64_t n,
                         int64_t channels) {
  const point_sums sums = {g->sums, g->sum_row, g->sum_plane, 0, 1};
  const int64_t row = (int64_t)g->a->in_channels * 9;
  float *dw = g->a->dw + n * row + g->first_channel * 9;
  finish_gradients(&sums, transform, 0, channels, g->channels, dw, row, g->rest);
}

static void finish_group_4(const winograd_product *g, int64_t n, int64_t channels) {
  finish_group(g, transform_sums_4, n, channels);
}

static void finish_group_strided(const winograd_product *g, int64_t n, int64_t channels) {
  finish_group(g, transform_sums_strided, n, channels);
}

INLINE void reduce_chunks(const clat_winograd_weight_grad_reduce_args *a, sums_transform *transform,
                          int64_t begin, int64_t end, float *tile) {
  const int64_t row = (a->out_channels + 15) / 16 * 16, plane = a->in_channels * row;
  const point_sums sums = {a->partial, row, plane, CLAT_WINOGRAD_POINTS * plane, a->chunks};
  finish_gradients(&sums, transform, begin, end, a->in_channels, a->dw,
                   (int64_t)a->in_channels * 9, tile);
}

void CLAT_KERNEL(winograd_weight_grad)(const void *args, int64_t begin, int64_t end,
                                            void *scratch) {
  static const winograd_grad_algorithm algorithm = {CLAT_WINOGRAD_POINTS, lone_rows, grad_inputs_4,
                                                    grads_4, finish_group_4};
  for (int64_t job = begin; job < end; job++) winograd_job(&algorithm, args, job, scratch);
}

void CLAT_KERNEL(winograd_strided_weight_grad)(const void *args, int64_t begin, int64_t end,
                                                    void *scratch) {
  static const winograd_grad_algorithm algorithm = {STRIDED_PRODUCTS, strided_rows,
                                                    grad_inputs_strided, grads_strided,
                                                    finish_group_strided};
  for (int64_t job = begin; job < end; job++) winograd_job(&algorithm, args, job, scratch);
}

void CLAT_KERNEL(winograd_weight_grad_reduce)(const void *args, int64_t begin, int64_t end,
                                              void *scratch) {
  reduce_chunks(args, transform_sums_4, begin, end, scratch);
}

void CLAT_KERNEL(winograd_strided_weight_grad_reduce)(const void *args, int64_t begin, int64_t end,
                                                      void *scratch) {
  reduce_chunks(args, transform_sums_strided, begin, end, scratch);
}
