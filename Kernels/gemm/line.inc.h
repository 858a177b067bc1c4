// Register tiles of R pixels of a row by P panels of sixteen columns, where all that a pixel sees of
// a line of the input lies side by side: one run of `steps` floats, x_stride floats after the run
// of the pixel before it. A 1x1 convolution has one line. Every sum runs over lines, then over the
// run. Needs tile.inc.h.

typedef struct {
  const float *x;
  int64_t x_stride, row_stride; // floats from a pixel's run to the next's, and from line to line
  int64_t steps, lines;
  const float *weights; // [line][step][16], and the second panel after panel_stride
  int64_t panel_stride;
  const float *ahead; // [line][step][16] that are asked for meanwhile
  float *sums;        // [R][P][16]
  int first;          // the sums start from zero
  // Where rows and panels are full: the epilogue instead of `sums`, from `pixel` on.
  const clat_epilogue *out;
  int64_t pixel;
  int channel;
} line_tile;

typedef void line_kernel(const line_tile *);

#define LINE_TILE(R, P)                                                     \
  static void line_##R##x##P(const line_tile *a) {                          \
    LOAD_SUMS(R, P)                                                         \
    const int64_t panel = a->panel_stride;                                  \
    const float *row = a->x, *w = a->weights, *ahead = a->ahead;            \
    for (int64_t line = 0; line < a->lines; line++, row += a->row_stride) { \
      row_pointers x = point_to_rows(row, a->x_stride);                     \
      ADD_ROWS(R, P, a->steps);                                             \
    }                                                                       \
    if (a->out) {                                                           \
      const int64_t pixel = a->pixel;                                       \
      FINISH_TILE(R, P, a->out, a->channel, pixel + i);                     \
      return;                                                               \
    }                                                                       \
    STORE_SUMS(R, P)                                                        \
  }

ROW_TILES(LINE_TILE, 1)
#if TILE_PANELS == 2
ROW_TILES(LINE_TILE, 2)
#endif
static line_kernel *const line_kernels[][TILE_ROWS + 1] = PANEL_TABLES(ROW_TABLE, line);
