// Winograd's F(4x4, 3x3): stride 1.

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
  const int64_t plane = point_offset(g, 1, 1, g->row);
  if (y >= 0 && x >= 0 && y + 6 <= a->in_height && x + 6 <= a->in_width &&
      a->in_channels % 16 == 0) {
    transform_inside(image + y * row + x * a->x_stride, row, a->x_stride, a->in_channels, to,
                     plane);
    return;
  }
  const float *in[36];
  for (int r = 0; r < 6; r++)
    for (int c = 0; c < 6; c++)
      in[r * 6 + c] = y + r >= 0 && y + r < a->in_height && x + c >= 0 && x + c < a->in_width
                          ? image + (y + r) * row + (x + c) * a->x_stride
                          : g->zeros;
  transform_border(in, a->in_channels, to, plane);
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
  for (int64_t i = 0; i < count; i++)
    for (int p = 0; p < panels; p++) {
      v16 y[16];
      transform_output(y, g->sums + (i * panels + p) * 16, point_offset(g, 1, 1, TILE_PANELS * 16));
      finish_outputs(e, g->a, tile_at(g, i), 1, n + p * 16, y);
    }
}

static void finish_block(const winograd_block *g, int64_t count, int n, int panels) {
  FINISH_USUAL(&g->a->out, finish_tiles(usual, g, count, n, panels));
}

void KERNEL_NAME(winograd, ISA)(const void *args, int64_t begin, int64_t end, void *scratch) {
  static const uint8_t rows[CLAT_WINOGRAD_POINTS] = {[0 ... CLAT_WINOGRAD_POINTS - 1] = 1};
  static const winograd_algorithm algorithm = {4, 70, 36, rows, transform_tile, finish_block};
  run_blocks(&algorithm, args, begin, end, scratch);
}
