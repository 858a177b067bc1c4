// Polyphase Winograd, stride 2: convolution and input gradient, which differ only in where a tile's
// inputs and outputs lie.

/// Floats from a block's first row to the i-th product's of a tile; `plane` is a row of all tiles.
INLINE int64_t product_offset(int64_t plane, int64_t row, int64_t tile, int i) {
  const int filter = STRIDED_FILTER_OF(i), before = STRIDED_BEFORE(filter);
  return before * plane + filter * 16 + STRIDED_ROWS_OF(filter) * (tile * row) + (i - before) * row;
}

/// Bytes from the zeros to a tile's 9x9 inputs; without a branch, which would be mispredicted.
INLINE void address_strided(const winograd_grid *g, winograd_tile t, int gradient, int64_t *in) {
  const int64_t pixel = g->stride * (int64_t)sizeof(float), line = g->width * pixel;
  const int64_t image = (int64_t)g->x + t.image * g->height * line - (int64_t)g->zeros;
  int64_t column[9], inside[9];
  for (int c = 0; c < 9; c++) {
    const int64_t x = strided_place(gradient, t.x, (int)g->pad_width, c);
    column[c] = x * pixel;
    inside[c] = -(int64_t)((uint64_t)x < (uint64_t)g->width);
  }
  for (int r = 0; r < 9; r++) {
    const int64_t y = strided_place(gradient, t.y, (int)g->pad_height, r), row = image + y * line;
    const int64_t within = -(int64_t)((uint64_t)y < (uint64_t)g->height);
    for (int c = 0; c < 9; c++) in[r * 9 + c] = (row + column[c]) & within & inside[c];
  }
}

/// The products' inputs, channels k ..< end, of the index-th of `tiles` tiles, whose own lie at `in`.
static void transform_strided(const float *from, const int64_t *in, int64_t k, int64_t end,
                              float *to, int64_t row, int64_t tiles, int64_t index) {
  const int64_t plane = tiles * row;
  const char *zeros = (const char *)from;
  to -= k;
#define LOAD_STRIDED(v, r, c) \
  *(v) = load((const float *)(zeros + in[(r) * 9 + (c)]) + k, lanes)
#define STORE_STRIDED(i, v) store(to + k + product_offset(plane, row, index, i), *(v), LANES)
  for (; k + 16 <= end; k += 16) {
    enum { lanes = 16 };
    STRIDED_INPUTS(vf, LOAD_STRIDED, STORE_STRIDED);
  }
  if (k < end) {
    const int lanes = (int)(end - k);
    STRIDED_INPUTS(vf, LOAD_STRIDED, STORE_STRIDED);
  }
#undef LOAD_STRIDED
#undef STORE_STRIDED
}

INLINE void transform_part(const winograd_block *g, int64_t index, int64_t k, int gradient) {
  int64_t in[81];
  address_strided(&g->grid, block_tile(g, index), gradient, in);
  transform_strided(g->grid.zeros, in, k, min64(k + g->depth, g->a->in_channels),
                    input_part(g, k), g->row, g->block, index);
}

static void transform_forward(const winograd_block *g, int64_t index, int64_t k) {
  transform_part(g, index, k, 0);
}

static void transform_gradient(const winograd_block *g, int64_t index, int64_t k) {
  transform_part(g, index, k, 1);
}

#define LOAD_PRODUCT(v, i) *(v) = load(sums + product_offset(plane, row, tile, i), LANES)

/// A tile's 4x4 outputs.
INLINE void finish_forward_tile(const clat_epilogue *e, const winograd_block *g, const float *sums,
                                int64_t row, int64_t tile, int channel) {
  const int64_t plane = g->sum_tiles * TILE_PANELS * 16;
  vf y[16], part[16];
  STRIDED_OUTPUT_SQUARE(vf, y, LOAD_PRODUCT);
  STRIDED_OUTPUT_DOWN(vf, part, LOAD_PRODUCT);
  UNROLL for (int i = 0; i < 16; i++) y[i] += part[i];
  STRIDED_OUTPUT_ACROSS(vf, part, LOAD_PRODUCT);
  UNROLL for (int i = 0; i < 16; i++) y[i] += part[i];
  STRIDED_OUTPUT_PLAIN(vf, part, LOAD_PRODUCT);
  UNROLL for (int i = 0; i < 16; i++) y[i] += part[i];
  finish_outputs(e, g->a, block_tile(g, tile), 4, 1, channel, y);
}

/// A tile's 8x8 outputs: 4x4 that see two taps in both directions, in one, and one tap.
INLINE void finish_gradient_tile(const clat_epilogue *e, const winograd_block *g, const float *sums,
                                 int64_t row, int64_t tile, int channel) {
  const int64_t plane = g->sum_tiles * TILE_PANELS * 16;
  const winograd_tile t = block_tile(g, tile);
  vf y[4][16];
  STRIDED_OUTPUT_SQUARE(vf, y[0], LOAD_PRODUCT);
  STRIDED_OUTPUT_DOWN(vf, y[1], LOAD_PRODUCT);
  STRIDED_OUTPUT_ACROSS(vf, y[2], LOAD_PRODUCT);
  STRIDED_OUTPUT_PLAIN(vf, y[3], LOAD_PRODUCT);
  for (int i = 0; i < 4; i++) {
    const winograd_tile quarter = {t.image, t.y + (i / 2 ^ (g->a->pad_height & 1)),
                                   t.x + (i % 2 ^ (g->a->pad_width & 1))};
    finish_outputs(e, g->a, quarter, 4, 2, channel, y[i]);
  }
}

#undef LOAD_PRODUCT

#define FINISH_TILES(direction)                                                                 \
  static void finish_##direction(const winograd_block *g, int64_t count, int n, int panels) {   \
    FINISH_USUAL(&g->a->out, {                                                                  \
      for (int64_t tile = 0; tile < count; tile++)                                              \
        for (int p = 0; p < panels; p++)                                                        \
          finish_##direction##_tile(usual, g, g->sums + p * 16, panels * 16, tile, n + p * 16); \
    });                                                                                         \
  }

FINISH_TILES(forward)
FINISH_TILES(gradient)

static const uint8_t strided_rows[CLAT_WINOGRAD_POINTS] = {
    [0 ... STRIDED_SQUARE - 1] = 1, [STRIDED_SQUARE ... 34] = 4, [35] = 16};

void CLAT_KERNEL(winograd_strided)(const void *args, int64_t begin, int64_t end,
                                        void *scratch) {
  static const winograd_algorithm algorithm = {
      4, 42, CLAT_WINOGRAD_POINTS, STRIDED_PRODUCTS, strided_rows, transform_forward,
      transform_panel_strided, finish_forward};
  run_blocks(&algorithm, args, begin, end, scratch);
}

void CLAT_KERNEL(winograd_strided_grad)(const void *args, int64_t begin, int64_t end,
                                             void *scratch) {
  static const winograd_algorithm algorithm = {
      8, 42, CLAT_WINOGRAD_POINTS, STRIDED_PRODUCTS, strided_rows, transform_gradient,
      transform_panel_strided, finish_gradient};
  run_blocks(&algorithm, args, begin, end, scratch);
}
