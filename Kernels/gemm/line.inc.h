// Register tiles of R pixels of a row by P panels of sixteen columns, where all that a pixel sees of
// a line of the input lies side by side: one run of `steps` floats, x_stride floats after the run
// of the pixel before it. Every sum runs over lines, then over the run. Needs tile.inc.h.

typedef struct {
  const float *x;
  int64_t x_stride, row_stride; // floats from a pixel's run to the next's, and from line to line
  int64_t steps, lines;
  const float *weights; // [line][step][16], and the second panel after panel_stride
  int64_t panel_stride;
  float *sums; // [R][P][16]
  // Where rows and panels are full: the epilogue instead of `sums`, from `pixel` on.
  const clat_epilogue *out;
  int64_t pixel;
  int channel;
} line_tile;

typedef void line_kernel(const line_tile *);

#define LINE_STEP(R, P, s)                                                         \
  {                                                                                \
    vf b[P];                                                                       \
    UNROLL for (int p = 0; p < P; p++) b[p] = load(w + p * panel + s * 16, LANES); \
    UNROLL for (int i = 0; i < R; i++) {                                           \
      const vf xk = splat(row_value(&x, i, s));                                    \
      UNROLL for (int p = 0; p < P; p++) acc[i][p] += xk * b[p];                   \
    }                                                                              \
  }

#define LINE_TILE(R, P)                                                          \
  static void line_##R##x##P(const line_tile *a) {                               \
    vf acc[R][P];                                                                \
    UNROLL for (int i = 0; i < R; i++) UNROLL for (int p = 0; p < P; p++)        \
        acc[i][p] = splat(0);                                                    \
    const int64_t panel = a->panel_stride;                                       \
    const float *row = a->x, *w = a->weights;                                    \
    for (int64_t line = 0; line < a->lines; line++, row += a->row_stride) {      \
      row_pointers x = point_to_rows(row, a->x_stride);                          \
      int64_t left = a->steps;                                                   \
      for (; left >= AT_ONCE; left -= AT_ONCE, w += AT_ONCE * 16) {              \
        UNROLL for (int s = 0; s < AT_ONCE; s++) LINE_STEP(R, P, s)              \
        advance_rows(&x, AT_ONCE);                                               \
      }                                                                          \
      for (; left > 0; left--, w += 16) {                                        \
        LINE_STEP(R, P, 0)                                                       \
        advance_rows(&x, 1);                                                     \
      }                                                                          \
    }                                                                            \
    if (a->out) {                                                                \
      const int64_t pixel = a->pixel;                                            \
      FINISH_TILE(R, P, a->out, a->channel, pixel + i);                          \
      return;                                                                    \
    }                                                                            \
    UNROLL for (int i = 0; i < R; i++) UNROLL for (int p = 0; p < P; p++)        \
        store(a->sums + (i * P + p) * 16, acc[i][p], LANES);                     \
  }

ROW_TILES(LINE_TILE, 1)
#if TILE_PANELS == 2
ROW_TILES(LINE_TILE, 2)
#endif
static line_kernel *const line_kernels[][TILE_ROWS + 1] = PANEL_TABLES(ROW_TABLE, line);
