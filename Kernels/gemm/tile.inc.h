// The register tiles. R rows by P panels of sixteen columns; every sum runs over k in order by one
// multiply-add a step, in all variants alike, so that a row's result does not depend on the tile
// that computes it. Needs TILE_ROWS, TILE_PANELS (gather) and OUTER_ROWS (outer product), and
// vector.inc.h.

// Steps of k between loads and stores of the sums: one panel pair's weights stay in L1.
#define CHUNK 256

static const float zero_row[CHUNK] __attribute__((aligned(64)));

typedef struct {
  const float *const *in;    // [taps][TILE_ROWS] rows of x; zero_row in the padding
  int64_t taps, skip, steps; // of each row, `steps` floats from `skip` on
  const float *weights;      // [tap][tap_stride] = [k][16], and the second panel after panel_stride
  int64_t tap_stride, panel_stride;
  float *sums; // [R][P][16]
  int first;   // the sums start from zero
} gather_tile;

typedef void gather_kernel(const gather_tile *);

#define GATHER_TILE(R, P)                                                               \
  static void gather_##R##x##P(const gather_tile *a) {                                  \
    v16 acc[R][P];                                                                      \
    UNROLL for (int i = 0; i < R; i++) UNROLL for (int p = 0; p < P; p++) {             \
      if (a->first) acc[i][p] = (v16)0.0f;                                              \
      else load16(&acc[i][p], a->sums + (i * P + p) * 16);                              \
    }                                                                                   \
    const int64_t steps = a->steps, panel = a->panel_stride, skip = a->skip;            \
    for (int64_t t = 0; t < a->taps; t++) {                                             \
      const float *const *in = a->in + t * TILE_ROWS;                                   \
      const float *w = a->weights + t * a->tap_stride, *x[R];                           \
      UNROLL for (int i = 0; i < R; i++) x[i] = in[i] + (in[i] == zero_row ? 0 : skip); \
      for (int64_t k = 0; k < steps; k++, w += 16) {                                    \
        v16 b[P];                                                                       \
        UNROLL for (int p = 0; p < P; p++) load16(&b[p], w + p * panel);                \
        UNROLL for (int i = 0; i < R; i++) {                                            \
          const v16 xk = (v16)x[i][k];                                                  \
          UNROLL for (int p = 0; p < P; p++) acc[i][p] += xk * b[p];                    \
        }                                                                               \
      }                                                                                 \
    }                                                                                   \
    UNROLL for (int i = 0; i < R; i++) UNROLL for (int p = 0; p < P; p++)               \
        store16(a->sums + (i * P + p) * 16, &acc[i][p]);                                \
  }

typedef struct {
  const float *x;                  // [steps] R floats each, x_stride apart
  const float *const *b;           // [steps] P * 16 floats each
  int64_t steps, x_stride, stride; // stride: from a row of the sums to the next
  float *sums;
  int first;
} outer_tile;

typedef void outer_kernel(const outer_tile *);

#define OUTER_TILE(R, P)                                                    \
  static void outer_##R##x##P(const outer_tile *a) {                        \
    v16 acc[R][P];                                                          \
    UNROLL for (int i = 0; i < R; i++) UNROLL for (int p = 0; p < P; p++) { \
      if (a->first) acc[i][p] = (v16)0.0f;                                  \
      else load16(&acc[i][p], a->sums + i * a->stride + p * 16);            \
    }                                                                       \
    const float *x = a->x;                                                  \
    const int64_t steps = a->steps, x_stride = a->x_stride;                 \
    for (int64_t k = 0; k < steps; k++, x += x_stride) {                    \
      const float *row = a->b[k];                                           \
      v16 b[P];                                                             \
      UNROLL for (int p = 0; p < P; p++) load16(&b[p], row + p * 16);       \
      UNROLL for (int i = 0; i < R; i++) {                                  \
        const v16 xi = (v16)x[i];                                           \
        UNROLL for (int p = 0; p < P; p++) acc[i][p] += xi * b[p];          \
      }                                                                     \
    }                                                                       \
    UNROLL for (int i = 0; i < R; i++) UNROLL for (int p = 0; p < P; p++)   \
        store16(a->sums + i * a->stride + p * 16, &acc[i][p]);              \
  }

#if TILE_ROWS == 14
#define GATHER_TILES(P) \
  GATHER_TILE(1, P) GATHER_TILE(2, P) GATHER_TILE(4, P) GATHER_TILE(8, P) GATHER_TILE(14, P)
#define GATHER_TABLE(P) \
  {0,                   \
   gather_1x##P,        \
   gather_2x##P,        \
   gather_4x##P,        \
   gather_4x##P,        \
   gather_8x##P,        \
   gather_8x##P,        \
   gather_8x##P,        \
   gather_8x##P,        \
   gather_14x##P,       \
   gather_14x##P,       \
   gather_14x##P,       \
   gather_14x##P,       \
   gather_14x##P,       \
   gather_14x##P}
#define OUTER_TILES(P)                                                                 \
  OUTER_TILE(1, P)                                                                     \
  OUTER_TILE(2, P) OUTER_TILE(3, P) OUTER_TILE(4, P) OUTER_TILE(5, P) OUTER_TILE(6, P) \
      OUTER_TILE(7, P) OUTER_TILE(8, P)
#define OUTER_TABLE(P)                                              \
  {0,           outer_1x##P, outer_2x##P, outer_3x##P, outer_4x##P, \
   outer_5x##P, outer_6x##P, outer_7x##P, outer_8x##P}
#define OUTER_ROWS 8
#elif TILE_ROWS == 6
#define GATHER_TILES(P) GATHER_TILE(1, P) GATHER_TILE(2, P) GATHER_TILE(4, P) GATHER_TILE(6, P)
#define GATHER_TABLE(P) \
  {0, gather_1x##P, gather_2x##P, gather_4x##P, gather_4x##P, gather_6x##P, gather_6x##P}
#define OUTER_TILES(P) \
  OUTER_TILE(1, P)     \
  OUTER_TILE(2, P) OUTER_TILE(3, P) OUTER_TILE(4, P) OUTER_TILE(5, P) OUTER_TILE(6, P)
#define OUTER_TABLE(P) \
  {0, outer_1x##P, outer_2x##P, outer_3x##P, outer_4x##P, outer_5x##P, outer_6x##P}
#define OUTER_ROWS 6
#else
#define GATHER_TILES(P) GATHER_TILE(1, P) GATHER_TILE(2, P) GATHER_TILE(3, P)
#define GATHER_TABLE(P) {0, gather_1x##P, gather_2x##P, gather_3x##P}
#define OUTER_TILES(P) OUTER_TILE(1, P) OUTER_TILE(2, P) OUTER_TILE(3, P)
#define OUTER_TABLE(P) {0, outer_1x##P, outer_2x##P, outer_3x##P}
#define OUTER_ROWS 3
#endif

GATHER_TILES(1)
OUTER_TILES(1)
#if TILE_PANELS == 2
GATHER_TILES(2)
OUTER_TILES(2)
static gather_kernel *const gather_kernels[][TILE_ROWS + 1] = {GATHER_TABLE(1), GATHER_TABLE(2)};
static outer_kernel *const outer_kernels[][OUTER_ROWS + 1] = {OUTER_TABLE(1), OUTER_TABLE(2)};
#else
static gather_kernel *const gather_kernels[][TILE_ROWS + 1] = {GATHER_TABLE(1)};
static outer_kernel *const outer_kernels[][OUTER_ROWS + 1] = {OUTER_TABLE(1)};
#endif
