// Winograd weight gradients: for each of 36 points a product of the transformed input, channels by
// tiles, with the transformed gradient of the output, tiles by channels. Blocks of tiles as long as
// scratch allows, because every block reads and writes the sums once.

#define GRAD_GROUP 128 // output channels whose transforms are held at a time

typedef struct {
  const clat_winograd_weight_grad_args *a;
  winograd_grid grid;
  int64_t start, count;            // the block's tiles
  int64_t first_channel, channels; // of the input, the job's
  int64_t row, plane;              // of the inputs, as in winograd_block
  int64_t grad_row, grad_plane;    // of the gradients
  float *inputs, *grads;           // [point][tile][channel]
  float *sums;                     // [point][in_channel][sum_row]
  int64_t sum_row;
} winograd_product;

/// W = A dY A^T of channels n ..< n + lanes of one tile; outside the image dY counts as zero.
static void transform_grad(const winograd_product *g, int64_t index, int64_t n, int lanes,
                           float *to) {
  const clat_winograd_weight_grad_args *a = g->a;
  const winograd_tile t = tile_at(&g->grid, index);
  const int64_t row = (int64_t)a->out_width * a->dy_stride;
  const float *dy = a->dy + (t.image * a->out_height + t.y) * row + t.x * a->dy_stride + n;
  v16 half[24], d[6];
  UNROLL for (int c = 0; c < 4; c++) {
    UNROLL for (int r = 0; r < 4; r++) {
      d[r] = (v16)0.0f;
      if (t.y + r < a->out_height && t.x + c < a->out_width)
        load_lanes(&d[r], dy + r * row + c * a->dy_stride, lanes);
    }
    WINOGRAD_OUTPUT_GRAD(v16, d, d, 1);
    UNROLL for (int r = 0; r < 6; r++) half[r * 4 + c] = d[r];
  }
  UNROLL for (int r = 0; r < 6; r++) {
    WINOGRAD_OUTPUT_GRAD(v16, d, half + r * 4, 1);
    UNROLL for (int c = 0; c < 6; c++) store16(to + (r * 6 + c) * g->grad_plane, &d[c]);
  }
}

/// The block's share of the sums of output channels n ..< n + channels, padded to whole panels.
static void add_products(const winograd_product *g, int64_t n, int64_t channels) {
  const int64_t plane = g->a->in_channels * g->sum_row;
  for (int64_t point = 0; point < CLAT_WINOGRAD_POINTS; point++)
    for (int64_t o = 0; o < channels; o += TILE_PANELS * 16) {
      const int panels = (int)min64(TILE_PANELS, (channels - o + 15) / 16);
      for (int64_t i = 0; i < g->channels; i += OUTER_ROWS) {
        const product_tile tile = {
            .x = g->inputs + point * g->plane + i,
            .b = g->grads + point * g->grad_plane + o,
            .steps = g->count,
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
  for (int64_t i = 0; i < g->count; i++)
    transform_tile_4(&g->grid, g->start + i, g->first_channel, g->channels, g->inputs + i * g->row,
                   g->plane);
  for (int64_t n = 0; n < out; n += GRAD_GROUP) {
    const int64_t channels = min64(GRAD_GROUP, out - n);
    for (int64_t i = 0; i < g->count; i++)
      for (int64_t o = 0; o < channels; o += 16) {
        float *to = g->grads + i * g->grad_row + o;
        if (channels - o >= 16) transform_grad(g, g->start + i, n + o, 16, to);
        else transform_grad(g, g->start + i, n + o, (int)(channels - o), to);
      }
    add_products(g, n, channels);
  }
}

static void winograd_job(const clat_winograd_weight_grad_args *a, int64_t job, float *scratch) {
  const int64_t chunk = job / a->blocks, block = job % a->blocks,
                panels = (a->in_channels + 15) / 16;
  const int64_t first = panels * block / a->blocks * 16,
                last = min64(a->in_channels, panels * (block + 1) / a->blocks * 16);
  winograd_product g = {.a = a,
                        .grid = {.x = a->x,
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
  const int64_t bytes = CLAT_WINOGRAD_POINTS * (g.row + g.grad_row) * (int64_t)sizeof(float);
  const int64_t most = max64(1, WINOGRAD_ROOM / bytes),
                blocks = max64(1, (g.grid.total + most - 1) / most),
                tiles = (g.grid.total + blocks - 1) / blocks;
  g.plane = tiles * g.row + 16, g.grad_plane = tiles * g.grad_row + 16;
  g.inputs = scratch + WINOGRAD_CHANNELS;
  g.grads = g.inputs + CLAT_WINOGRAD_POINTS * g.plane;
  g.sums = a->partial + chunk * CLAT_WINOGRAD_POINTS * a->in_channels * g.sum_row;
  do { // once even without tiles, which stores zeros
    g.count = min64(tiles, g.grid.total - g.start);
    add_block(&g);
    g.start += tiles;
  } while (g.start < g.grid.total);
}

void KERNEL_NAME(winograd_weight_grad, ISA)(const void *args, int64_t begin, int64_t end,
                                            void *scratch) {
  for (int64_t job = begin; job < end; job++) winograd_job(args, job, scratch);
}

/// The sums of sixteen output channels at input channel k, back to nine taps.
INLINE void transform_sums(const clat_winograd_weight_grad_reduce_args *a, int64_t o, int64_t k,
                           float *to) {
  const int64_t row = (a->out_channels + 15) / 16 * 16, plane = a->in_channels * row;
  v16 half[18], u[6], w[3];
  UNROLL for (int c = 0; c < 6; c++) {
    UNROLL for (int r = 0; r < 6; r++) {
      const float *from = a->partial + (r * 6 + c) * plane + k * row + o;
      load16(&u[r], from);
      for (int64_t chunk = 1; chunk < a->chunks; chunk++)
        u[r] += *(const v16u *)(from + chunk * CLAT_WINOGRAD_POINTS * plane);
    }
    WINOGRAD_FILTER_GRAD(v16, w, u, 1);
    UNROLL for (int r = 0; r < 3; r++) half[r * 6 + c] = w[r];
  }
  UNROLL for (int r = 0; r < 3; r++) {
    WINOGRAD_FILTER_GRAD(v16, w, half + r * 6, 1);
    UNROLL for (int c = 0; c < 3; c++) store16(to + (r * 3 + c) * 16, &w[c]);
  }
}

/// Units begin at any output channel, panels do not: a panel's sums are read whole.
void KERNEL_NAME(winograd_weight_grad_reduce, ISA)(const void *args, int64_t begin, int64_t end,
                                                   void *scratch) {
  const clat_winograd_weight_grad_reduce_args *a = args;
  enum { DEPTH = 32 };
  float *tile = scratch; // [input channel][tap][output channel]
  for (int64_t o = begin / 16 * 16; o < end; o += 16)
    for (int64_t k = 0; k < a->in_channels; k += DEPTH) {
      const int64_t depth = min64(DEPTH, a->in_channels - k);
      for (int64_t i = 0; i < depth; i++) transform_sums(a, o, k + i, tile + i * 9 * 16);
      for (int64_t n = max64(begin, o); n < min64(end, o + 16); n++) {
        float *to = a->dw + (n * a->in_channels + k) * 9;
        for (int64_t i = 0; i < depth * 9; i++) to[i] = tile[i * 16 + n - o];
      }
    }
}
