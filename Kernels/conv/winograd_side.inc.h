// F(SIDE x SIDE, 3x3) of sixteen channels: transforms of inputs, filters and outputs. Included for
// every SIDE.

#define SEEN (SIDE + 2) // inputs of a tile in each direction, and points
#define SIDED_(name, side) name##_##side
#define SIDED__(name, side) SIDED_(name, side)
#define SIDED(name) SIDED__(name, SIDE)

/// V = B^T d B; load(v, r, c) loads the input in row r and column c.
#define TRANSFORM_INPUT(to, plane, load)                                                         \
  do {                                                                                           \
    vf half[SEEN * SEEN], d[SEEN];                                                               \
    UNROLL for (int c = 0; c < SEEN; c++) {                                                      \
      UNROLL for (int r = 0; r < SEEN; r++) load(&d[r], r, c);                                   \
      SIDED(WINOGRAD_INPUT)(vf, d, d, 1);                                                        \
      UNROLL for (int r = 0; r < SEEN; r++) half[r * SEEN + c] = d[r];                           \
    }                                                                                            \
    UNROLL for (int r = 0; r < SEEN; r++) {                                                      \
      SIDED(WINOGRAD_INPUT)(vf, d, half + r * SEEN, 1);                                          \
      UNROLL for (int c = 0; c < SEEN; c++) store((to) + (r * SEEN + c) * (plane), d[c], LANES); \
    }                                                                                            \
  } while (0)

/// A tile inside the image: its inputs lie at constant distances.
static void SIDED(transform_inside)(const float *x, int64_t row, int64_t column, int64_t channels,
                                    float *to, int64_t plane) {
#define LOAD_INSIDE(v, r, c) *(v) = load(x + (r) * row + (c) * column + k, LANES)
  for (int64_t k = 0; k < channels; k += 16) TRANSFORM_INPUT(to + k, plane, LOAD_INSIDE);
#undef LOAD_INSIDE
}

static void SIDED(transform_border)(const float *const *x, int64_t channels, float *to,
                                    int64_t plane) {
#define LOAD_BORDER(v, r, c) *(v) = load(x[(r) * SEEN + (c)] + k, lanes)
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

/// The transform of `channels` channels from `first` on, of the index-th tile, to `to` and every
/// `plane` floats behind it; lanes beyond the channels are zero.
static void SIDED(transform_tile)(const winograd_grid *g, int64_t index, int64_t first,
                                  int64_t channels, float *to, int64_t plane) {
  const winograd_tile t = tile_at(g, index);
  const int64_t y = t.y - g->pad_height, x = t.x - g->pad_width, row = g->width * g->stride;
  const float *image = g->x + t.image * g->height * row + first;
  if (y >= 0 && x >= 0 && y + SEEN <= g->height && x + SEEN <= g->width && channels % 16 == 0) {
    SIDED(transform_inside)(image + y * row + x * g->stride, row, g->stride, channels, to, plane);
    return;
  }
  const float *in[SEEN * SEEN];
  for (int r = 0; r < SEEN; r++)
    for (int c = 0; c < SEEN; c++)
      in[r * SEEN + c] = y + r >= 0 && y + r < g->height && x + c >= 0 && x + c < g->width
                             ? image + (y + r) * row + (x + c) * g->stride
                             : g->zeros;
  SIDED(transform_border)(in, channels, to, plane);
}

#undef TRANSFORM_INPUT

/// U = G w G^T of a filter's nine taps, stored `plane` floats apart.
INLINE void SIDED(transform_filter)(const vf *w, float *to, int64_t plane) {
  vf half[SEEN * 3], u[SEEN];
  UNROLL for (int c = 0; c < 3; c++) {
    SIDED(WINOGRAD_FILTER)(vf, u, w + c, 3);
    UNROLL for (int r = 0; r < SEEN; r++) half[r * 3 + c] = u[r];
  }
  UNROLL for (int r = 0; r < SEEN; r++) {
    SIDED(WINOGRAD_FILTER)(vf, u, half + r * 3, 1);
    UNROLL for (int c = 0; c < SEEN; c++) store(to + (r * SEEN + c) * plane, u[c], LANES);
  }
}

static void SIDED(transform_panel)(const filter_source *f, int64_t n, int64_t k, int64_t depth,
                                   float *to, int64_t plane) {
  transform_panel(f, n, k, depth, to, plane, SIDED(transform_filter));
}

/// Y = A^T m A.
INLINE void SIDED(transform_output)(vf *y, const float *m, int64_t plane) {
  vf half[SIDE * SEEN], column[SEEN];
  UNROLL for (int c = 0; c < SEEN; c++) {
    UNROLL for (int r = 0; r < SEEN; r++) column[r] = load(m + (r * SEEN + c) * plane, LANES);
    SIDED(WINOGRAD_OUTPUT)(vf, column, column, 1);
    UNROLL for (int r = 0; r < SIDE; r++) half[r * SEEN + c] = column[r];
  }
  UNROLL for (int r = 0; r < SIDE; r++)
      SIDED(WINOGRAD_OUTPUT)(vf, y + r * SIDE, half + r * SEEN, 1);
}

static void SIDED(transform_inputs)(const winograd_block *g, int64_t index, int64_t k) {
  SIDED(transform_tile)(&g->grid, g->start + index, k, min64(g->depth, g->a->in_channels - k),
                        input_part(g, k) + index * g->row, input_offset(g, 1, 1));
}

INLINE void SIDED(finish_tiles)(const clat_epilogue *e, const winograd_block *g, int64_t count,
                                int n, int panels) {
  for (int64_t i = 0; i < count; i++)
    for (int p = 0; p < panels; p++) {
      vf y[SIDE * SIDE];
      SIDED(transform_output)(y, g->sums + (i * panels + p) * 16, sum_offset(g, 1, 1));
      finish_outputs(e, g->a, block_tile(g, i), SIDE, 1, n + p * 16, y);
    }
}

static void SIDED(finish_block)(const winograd_block *g, int64_t count, int n, int panels) {
  FINISH_USUAL(&g->a->out, SIDED(finish_tiles)(usual, g, count, n, panels));
}

#undef SEEN
#undef SIDED
#undef SIDED_
#undef SIDED__
