// Polyphase Winograd, stride 2: convolution and input gradient, which differ only in where a tile's
// inputs and outputs lie.

/// Floats from a block's first row to the i-th product's of a tile; `plane` is a row of all tiles.
INLINE int64_t product_offset(int64_t plane, int64_t row, int64_t tile, int i) {
  const int filter = STRIDED_FILTER_OF(i), before = STRIDED_BEFORE(filter);
  return before * plane + filter * 16 + STRIDED_ROWS_OF(filter) * (tile * row) + (i - before) * row;
}

/// Bytes from the zeros to a tile's 9x9 inputs; without a branch, which would be mispredicted.
INLINE void address_strided(const winograd_block *g, winograd_tile t, int gradient, int64_t *in) {
  const clat_winograd_args *a = g->a;
  const int64_t pixel = a->x_stride * (int64_t)sizeof(float), line = a->in_width * pixel;
  const int64_t image = (int64_t)a->x + t.image * a->in_height * line - (int64_t)g->grid.zeros;
  int64_t column[9], inside[9];
  for (int c = 0; c < 9; c++) {
    const int64_t x = strided_place(gradient, t.x, a->pad_width, c);
    column[c] = x * pixel;
    inside[c] = -(int64_t)((uint64_t)x < (uint64_t)a->in_width);
  }
  for (int r = 0; r < 9; r++) {
    const int64_t y = strided_place(gradient, t.y, a->pad_height, r), row = image + y * line;
    const int64_t within = -(int64_t)((uint64_t)y < (uint64_t)a->in_height);
    for (int c = 0; c < 9; c++) in[r * 9 + c] = (row + column[c]) & within & inside[c];
  }
}

/// The products' inputs from channel k on of a tile whose own lie at `in`.
static void transform_strided(const winograd_block *g, const int64_t *in, int64_t index,
                              int64_t k) {
  const int64_t row = g->row, plane = g->block * row;
  const int64_t channels = k + min64(g->depth, g->a->in_channels - k);
  const char *zeros = (const char *)g->grid.zeros;
  float *to = input_part(g, k) - k;
#define LOAD_STRIDED(v, r, c) \
  load_lanes(v, (const float *)(zeros + in[(r) * 9 + (c)]) + k, lanes)
#define STORE_STRIDED(i, v) store16(to + k + product_offset(plane, row, index, i), v)
  for (; k + 16 <= channels; k += 16) {
    enum { lanes = 16 };
    STRIDED_INPUTS(v16, LOAD_STRIDED, STORE_STRIDED);
  }
  if (k < channels) {
    const int lanes = (int)(channels - k);
    STRIDED_INPUTS(v16, LOAD_STRIDED, STORE_STRIDED);
  }
#undef LOAD_STRIDED
#undef STORE_STRIDED
}

static void transform_forward(const winograd_block *g, int64_t index, int64_t k) {
  int64_t in[81];
  address_strided(g, block_tile(g, index), 0, in);
  transform_strided(g, in, index, k);
}

static void transform_gradient(const winograd_block *g, int64_t index, int64_t k) {
  int64_t in[81];
  address_strided(g, block_tile(g, index), 1, in);
  transform_strided(g, in, index, k);
}

#define LOAD_PRODUCT(v, i) load16(v, sums + product_offset(plane, row, tile, i))

/// A tile's 4x4 outputs.
INLINE void finish_forward_tile(const clat_epilogue *e, const winograd_block *g, const float *sums,
                                int64_t row, int64_t tile, int channel) {
  const int64_t plane = g->sum_tiles * TILE_PANELS * 16;
  v16 y[16], part[16];
  STRIDED_OUTPUT_SQUARE(v16, y, LOAD_PRODUCT);
  STRIDED_OUTPUT_DOWN(v16, part, LOAD_PRODUCT);
  UNROLL for (int i = 0; i < 16; i++) y[i] += part[i];
  STRIDED_OUTPUT_ACROSS(v16, part, LOAD_PRODUCT);
  UNROLL for (int i = 0; i < 16; i++) y[i] += part[i];
  STRIDED_OUTPUT_PLAIN(v16, part, LOAD_PRODUCT);
  UNROLL for (int i = 0; i < 16; i++) y[i] += part[i];
  finish_outputs(e, g->a, block_tile(g, tile), 4, 1, channel, y);
}

/// A tile's 8x8 outputs: 4x4 that see two taps in both directions, in one, and one tap.
INLINE void finish_gradient_tile(const clat_epilogue *e, const winograd_block *g, const float *sums,
                                 int64_t row, int64_t tile, int channel) {
  const int64_t plane = g->sum_tiles * TILE_PANELS * 16;
  const winograd_tile t = block_tile(g, tile);
  v16 y[4][16];
  STRIDED_OUTPUT_SQUARE(v16, y[0], LOAD_PRODUCT);
  STRIDED_OUTPUT_DOWN(v16, y[1], LOAD_PRODUCT);
  STRIDED_OUTPUT_ACROSS(v16, y[2], LOAD_PRODUCT);
  STRIDED_OUTPUT_PLAIN(v16, y[3], LOAD_PRODUCT);
  for (int i = 0; i < 4; i++) {
    const winograd_tile quarter = {t.image, t.y + (i / 2 ^ (g->a->pad_height & 1)),
                                   t.x + (i % 2 ^ (g->a->pad_width & 1))};
    finish_outputs(e, g->a, quarter, 4, 2, channel, y[i]);
  }
}

#undef LOAD_PRODUCT

#define FINISH_TILES(direction)                                                               \
  static void finish_##direction(const winograd_block *g, int64_t count, int n, int panels) { \
    FINISH_USUAL(&g->a->out, {                                                                \
      for (int64_t tile = 0; tile < count; tile++)                                            \
        for (int p = 0; p < panels; p++)                                                      \
          finish_##direction##_tile(usual, g, g->sums + p * 16, panels * 16, tile, n + p * 16); \
    });                                                                                       \
  }

FINISH_TILES(forward)
FINISH_TILES(gradient)

static const uint8_t strided_rows[CLAT_WINOGRAD_POINTS] = {
    [0 ... STRIDED_SQUARE - 1] = 1, [STRIDED_SQUARE ... 34] = 4, [35] = 16};

void KERNEL_NAME(winograd_strided, ISA)(const void *args, int64_t begin, int64_t end,
                                        void *scratch) {
  static const winograd_algorithm algorithm = {
      4, 42, CLAT_WINOGRAD_POINTS, STRIDED_PRODUCTS, strided_rows, transform_forward,
      transform_panel_strided, finish_forward};
  run_blocks(&algorithm, args, begin, end, scratch);
}

void KERNEL_NAME(winograd_strided_grad, ISA)(const void *args, int64_t begin, int64_t end,
                                             void *scratch) {
  static const winograd_algorithm algorithm = {
      8, 42, CLAT_WINOGRAD_POINTS, STRIDED_PRODUCTS, strided_rows, transform_gradient,
      transform_panel_strided, finish_gradient};
  run_blocks(&algorithm, args, begin, end, scratch);
}
