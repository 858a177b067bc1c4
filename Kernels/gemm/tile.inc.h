// The register tiles. R rows by P panels of sixteen columns; every sum runs over k in order by one
// multiply-add a step, in all variants alike, so that a row's result does not depend on the tile
// that computes it. Needs TILE_ROWS and TILE_PANELS,
// team/simd.inc.h and conv/finish.inc.h.

// Steps of k between loads and stores of the sums: one panel pair's weights stay in L1.
#define CHUNK 256

static const float zero_row[CHUNK] __attribute__((aligned(64)));

// Between calls the sums of a tile rest in a->sums.
#define LOAD_SUMS(R, P)                                                   \
  vf acc[R][P];                                                           \
  UNROLL for (int i = 0; i < R; i++) UNROLL for (int p = 0; p < P; p++) { \
    if (a->first) acc[i][p] = splat(0);                                   \
    else acc[i][p] = load(a->sums + (i * P + p) * 16, LANES);             \
  }

#define STORE_SUMS(R, P)                                                \
  UNROLL for (int i = 0; i < R; i++) UNROLL for (int p = 0; p < P; p++) \
      store(a->sums + (i * P + p) * 16, acc[i][p], LANES);

typedef struct {
  const float *const *in;    // [taps][TILE_ROWS] rows of x; zero_row in the padding
  int64_t taps, skip, steps; // of each row, `steps` floats from `skip` on
  const float *weights;      // [tap][tap_stride] = [k][16], and the second panel after panel_stride
  int64_t tap_stride, panel_stride;
  float *sums; // [R][P][16]
  int first;   // the sums start from zero
  // Where the sums are complete, and rows and panels full: the epilogue instead of `sums`.
  const clat_epilogue *out;
  const int64_t *pixel; // [R]
  int channel;
  const float *ahead; // [steps][16] of the rows after these, which are asked for meanwhile
} gather_tile;

typedef void gather_kernel(const gather_tile *);

#define GATHER_TILE(R, P)                                                               \
  static void gather_##R##x##P(const gather_tile *a) {                                  \
    LOAD_SUMS(R, P)                                                                     \
    const int64_t steps = a->steps, panel = a->panel_stride, skip = a->skip;            \
    const float *ahead = a->ahead;                                                      \
    for (int64_t t = 0; t < a->taps; t++) {                                             \
      const float *const *in = a->in + t * TILE_ROWS;                                   \
      const float *w = a->weights + t * a->tap_stride, *x[R];                           \
      UNROLL for (int i = 0; i < R; i++) x[i] = in[i] + (in[i] == zero_row ? 0 : skip); \
      for (int64_t k = 0; k < steps; k++, w += 16, ahead += 16) {                       \
        vf b[P];                                                                        \
        __builtin_prefetch(ahead, 0, 3);                                                \
        UNROLL for (int p = 0; p < P; p++) b[p] = load(w + p * panel, LANES);           \
        UNROLL for (int i = 0; i < R; i++) {                                            \
          const vf xk = splat(x[i][k]);                                                 \
          UNROLL for (int p = 0; p < P; p++) acc[i][p] += xk * b[p];                    \
        }                                                                               \
      }                                                                                 \
    }                                                                                   \
    if (a->out) {                                                                       \
      const int64_t *pixel = a->pixel;                                                  \
      FINISH_TILE(R, P, a->out, a->channel, pixel[i]);                                  \
      return;                                                                           \
    }                                                                                   \
    STORE_SUMS(R, P)                                                                    \
  }

#define AT_ONCE 4 // steps of k between additions to pointers

/// Rows at a constant distance. Two pointers and three registers find all of fourteen by addressing
/// modes alone: additions would take issue slots from the multiply-adds.
typedef struct {
  const char *first, *eighth; // rows 0 ... 6 lie behind the one, 7 ... 13 behind the other
  int64_t one, three, five;   // bytes from a row to the next, to the third and the fifth after it
} row_pointers;

/// Moves on by `steps` floats. The compiler is to see new pointers: it would turn them into one
/// for every row, of which there are more than registers.
INLINE void advance_rows(row_pointers *rows, int64_t steps) {
  const int64_t bytes = steps * (int64_t)sizeof(float);
  rows->first += bytes, rows->eighth += bytes;
  __asm__("" : "+r"(rows->first), "+r"(rows->eighth));
}

INLINE row_pointers point_to_rows(const float *x, int64_t stride) {
  const int64_t one = stride * (int64_t)sizeof(float);
  const char *first = (const char *)x;
  row_pointers rows = {first, first + 7 * one, one, 3 * one, 5 * one};
  __asm__("" : "+r"(rows.three), "+r"(rows.five));
  advance_rows(&rows, 0);
  return rows;
}

/// The float of row i that lies k behind the pointers.
INLINE float row_value(const row_pointers *rows, int i, int k) {
  const int64_t one = rows->one, three = rows->three;
  const int64_t behind[] = {0, one, 2 * one, three, 4 * one, rows->five, 2 * three};
  const char *from = i < 7 ? rows->first : rows->eighth;
  return *(const float *)(from + behind[i % 7] + k * (int64_t)sizeof(float));
}

#define ADD_STEP(R, P, s)                                                          \
  {                                                                                \
    vf b[P];                                                                       \
    __builtin_prefetch(ahead + s * 16, 0, 3);                                      \
    UNROLL for (int p = 0; p < P; p++) b[p] = load(w + p * panel + s * 16, LANES); \
    UNROLL for (int i = 0; i < R; i++) {                                           \
      const vf xk = splat(row_value(&x, i, s));                                    \
      UNROLL for (int p = 0; p < P; p++) acc[i][p] += xk * b[p];                   \
    }                                                                              \
  }

/// Adds to `acc` the products of the next `steps` floats of R rows, x, with the weights of P panels, w
/// and `panel` further on.
#define ADD_ROWS(R, P, steps)                                                              \
  do {                                                                                     \
    int64_t left = steps;                                                                  \
    for (; left >= AT_ONCE; left -= AT_ONCE, w += AT_ONCE * 16, ahead += AT_ONCE * 16) {   \
      UNROLL for (int s = 0; s < AT_ONCE; s++) ADD_STEP(R, P, s)                           \
      advance_rows(&x, AT_ONCE);                                                           \
    }                                                                                      \
    for (; left > 0; left--, w += 16, ahead += 16) {                                       \
      ADD_STEP(R, P, 0)                                                                    \
      advance_rows(&x, 1);                                                                 \
    }                                                                                      \
  } while (0)

typedef struct {
  const float *x; // R rows of `steps` floats, x_stride apart
  int64_t x_stride, steps;
  const float *weights; // [k][16], and the second panel after panel_stride
  int64_t panel_stride;
  const float *ahead; // [k][16] that are asked for meanwhile
  float *sums;        // [R][P][16]
  int first;          // the sums start from zero
} multiply_tile;

typedef void multiply_kernel(const multiply_tile *);

#define MULTIPLY_TILE(R, P)                                \
  static void multiply_##R##x##P(const multiply_tile *a) { \
    LOAD_SUMS(R, P)                                        \
    const int64_t panel = a->panel_stride;                 \
    const float *w = a->weights, *ahead = a->ahead;        \
    row_pointers x = point_to_rows(a->x, a->x_stride);     \
    ADD_ROWS(R, P, a->steps);                              \
    STORE_SUMS(R, P)                                       \
  }

typedef struct {
  const float *x;                  // [steps] R floats each, x_stride apart
  const float *const *b;           // [steps] P * 16 floats each
  int64_t steps, x_stride, stride; // stride: from a row of the sums to the next
  float *sums;
  int first;
} outer_tile;

typedef void outer_kernel(const outer_tile *);

// The same for rows of b at constant distances.
typedef struct {
  const float *x, *b; // [steps] of R floats, and of P * 16
  int64_t steps, x_stride, b_stride, stride;
  float *sums;
  int first;
} product_tile;

typedef void product_kernel(const product_tile *);

/// Sums over k of the outer products of x's and b's k-th rows; `row` is the address of b's.
#define SUM_OUTER(name, R, P, row)                                           \
  static void name##_##R##x##P(const name##_tile *a) {                       \
    vf acc[R][P];                                                            \
    UNROLL for (int i = 0; i < R; i++) UNROLL for (int p = 0; p < P; p++) {  \
      if (a->first) acc[i][p] = splat(0);                                    \
      else acc[i][p] = load(a->sums + i * a->stride + p * 16, LANES);        \
    }                                                                        \
    const float *x = a->x;                                                   \
    const int64_t steps = a->steps, x_stride = a->x_stride;                  \
    for (int64_t k = 0; k < steps; k++, x += x_stride) {                     \
      vf b[P];                                                               \
      UNROLL for (int p = 0; p < P; p++) b[p] = load((row) + p * 16, LANES); \
      UNROLL for (int i = 0; i < R; i++) {                                   \
        const vf xi = splat(x[i]);                                           \
        UNROLL for (int p = 0; p < P; p++) acc[i][p] += xi * b[p];           \
      }                                                                      \
    }                                                                        \
    UNROLL for (int i = 0; i < R; i++) UNROLL for (int p = 0; p < P; p++)    \
        store(a->sums + i * a->stride + p * 16, acc[i][p], LANES);           \
  }

#define OUTER_TILE(R, P) SUM_OUTER(outer, R, P, a->b[k])
#define PRODUCT_TILE(R, P) SUM_OUTER(product, R, P, a->b + k * a->b_stride)

// Which tile serves how many rows.
// ROWS_TAKEN: the rows that the rest of so many rows takes the time of; fewer than eight sums wait for
// each other.
#if TILE_ROWS == 14
#define ROWS_TAKEN {0, 4, 4, 4, 4, 8, 8, 8, 8, 14, 14, 14, 14, 14}
#define ROW_TILES(TILE, P) TILE(1, P) TILE(2, P) TILE(4, P) TILE(8, P) TILE(14, P)
#define ROW_TABLE(tile, P) \
  {0,                      \
   tile##_1x##P,           \
   tile##_2x##P,           \
   tile##_4x##P,           \
   tile##_4x##P,           \
   tile##_8x##P,           \
   tile##_8x##P,           \
   tile##_8x##P,           \
   tile##_8x##P,           \
   tile##_14x##P,          \
   tile##_14x##P,          \
   tile##_14x##P,          \
   tile##_14x##P,          \
   tile##_14x##P,          \
   tile##_14x##P}
#define OUTER_TILES(TILE, P)                             \
  TILE(1, P)                                             \
  TILE(2, P) TILE(3, P) TILE(4, P) TILE(5, P) TILE(6, P) \
      TILE(7, P) TILE(8, P)
#define OUTER_TABLE(tile, P)                                            \
  {0,           tile##_1x##P, tile##_2x##P, tile##_3x##P, tile##_4x##P, \
   tile##_5x##P, tile##_6x##P, tile##_7x##P, tile##_8x##P}
#define OUTER_ROWS 8
#elif TILE_ROWS == 6
#define ROWS_TAKEN {0, 4, 4, 4, 4, 6}
#define ROW_TILES(TILE, P) TILE(1, P) TILE(2, P) TILE(4, P) TILE(6, P)
#define ROW_TABLE(tile, P) \
  {0, tile##_1x##P, tile##_2x##P, tile##_4x##P, tile##_4x##P, tile##_6x##P, tile##_6x##P}
#define OUTER_TILES(TILE, P) \
  TILE(1, P)                 \
  TILE(2, P) TILE(3, P) TILE(4, P) TILE(5, P) TILE(6, P)
#define OUTER_TABLE(tile, P) \
  {0, tile##_1x##P, tile##_2x##P, tile##_3x##P, tile##_4x##P, tile##_5x##P, tile##_6x##P}
#define OUTER_ROWS 6
#else
#define ROWS_TAKEN {0, 1, 2}
#define ROW_TILES(TILE, P) TILE(1, P) TILE(2, P) TILE(3, P)
#define ROW_TABLE(tile, P) {0, tile##_1x##P, tile##_2x##P, tile##_3x##P}
#define OUTER_TILES(TILE, P) TILE(1, P) TILE(2, P) TILE(3, P)
#define OUTER_TABLE(tile, P) {0, tile##_1x##P, tile##_2x##P, tile##_3x##P}
#define OUTER_ROWS 3
#endif

/// The epilogue, where a tile has exactly so many rows and all panels' channels exist, so that it may
/// finish its sums in the registers; else NULL.
INLINE const clat_epilogue *finishes_itself(const clat_epilogue *e, int rows, int n, int panels) {
  const int full = rows == TILE_ROWS || (rows & (rows - 1)) == 0;
  return full && n + panels * 16 <= e->channels ? e : NULL;
}

ROW_TILES(GATHER_TILE, 1)
ROW_TILES(MULTIPLY_TILE, 1)
OUTER_TILES(OUTER_TILE, 1)
OUTER_TILES(PRODUCT_TILE, 1)
#if TILE_PANELS == 2
ROW_TILES(GATHER_TILE, 2)
ROW_TILES(MULTIPLY_TILE, 2)
OUTER_TILES(OUTER_TILE, 2)
OUTER_TILES(PRODUCT_TILE, 2)
#define PANEL_TABLES(TABLE, tile) {TABLE(tile, 1), TABLE(tile, 2)}
#else
#define PANEL_TABLES(TABLE, tile) {TABLE(tile, 1)}
#endif
static gather_kernel *const gather_kernels[][TILE_ROWS + 1] = PANEL_TABLES(ROW_TABLE, gather);
static multiply_kernel *const multiply_kernels[][TILE_ROWS + 1] = PANEL_TABLES(ROW_TABLE, multiply);
static outer_kernel *const outer_kernels[][OUTER_ROWS + 1] = PANEL_TABLES(OUTER_TABLE, outer);
static product_kernel *const product_kernels[][OUTER_ROWS + 1] = PANEL_TABLES(OUTER_TABLE, product);
