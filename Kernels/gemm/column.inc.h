// Register tiles whose lanes are pixels of a row: N columns, each a line of taps and an output
// channel, by COLUMN_PIXELS. Each pixel of the transposed input serves all columns; every sum runs
// over channels, then over the line's taps. Needs vector.inc.h.

// Lanes are as many as a register has: with three columns by four vectors, no split vector may ask
// for one register more than the sixteen that there are.
#if TILE_ROWS == 14
#define COLUMNS 9
#define COLUMN_LANES 16
#define COLUMN_VECTORS 2
#elif TILE_ROWS == 6
#define COLUMNS 3
#define COLUMN_LANES 8
#define COLUMN_VECTORS 4
#else
#define COLUMNS 3
#define COLUMN_LANES 4
#define COLUMN_VECTORS 4
#endif
#define COLUMN_PIXELS (COLUMN_VECTORS * COLUMN_LANES)
#define COLUMN_STEP 3 // tiles have multiples of so many columns

typedef float column_vector __attribute__((ext_vector_type(COLUMN_LANES), aligned(4)));

typedef struct {
  const float *x; // [channel][x_stride] pixels of a row
  int64_t x_stride, channels, taps;
  const float *weights; // [channel][tap][columns]
  int64_t columns;
  float **sums;       // [column] pixels, which are added to, from `first` on
  int64_t first;
  const float *ahead; // COLUMN_PIXELS * channels floats that are asked for meanwhile
} column_tile;

typedef void column_kernel(const column_tile *);

#define COLUMN_TILE(N)                                                                   \
  static void column_##N(const column_tile *a) {                                         \
    column_vector acc[N][COLUMN_VECTORS];                                                \
    UNROLL for (int n = 0; n < N; n++) UNROLL for (int v = 0; v < COLUMN_VECTORS; v++)   \
        acc[n][v] = ((const column_vector *)(a->sums[n] + a->first))[v];                 \
    const int64_t channels = a->channels, taps = a->taps, columns = a->columns;          \
    const float *row = a->x, *w = a->weights, *ahead = a->ahead;                         \
    for (int64_t k = 0; k < channels; k++, row += a->x_stride, ahead += COLUMN_PIXELS) { \
      UNROLL for (int p = 0; p < COLUMN_PIXELS; p += 16)                                 \
          __builtin_prefetch(ahead + p, 0, 2);                                           \
      for (int64_t t = 0; t < taps; t++, w += columns) {                                 \
        column_vector b[N];                                                              \
        UNROLL for (int n = 0; n < N; n++) b[n] = (column_vector)w[n];                   \
        UNROLL for (int v = 0; v < COLUMN_VECTORS; v++) {                                \
          const column_vector x = ((const column_vector *)(row + t))[v];                 \
          UNROLL for (int n = 0; n < N; n++) acc[n][v] += x * b[n];                      \
        }                                                                                \
      }                                                                                  \
    }                                                                                    \
    UNROLL for (int n = 0; n < N; n++) UNROLL for (int v = 0; v < COLUMN_VECTORS; v++)   \
        ((column_vector *)(a->sums[n] + a->first))[v] = acc[n][v];                       \
  }

COLUMN_TILE(3)
#if COLUMNS == 9
COLUMN_TILE(6)
COLUMN_TILE(9)
static column_kernel *const column_kernels[] = {column_3, column_6, column_9};
#else
static column_kernel *const column_kernels[] = {column_3};
#endif

/// Four channels of sixteen pixels, x_stride apart, into four rows.
INLINE void transpose_quad(const float *x, int64_t x_stride, float *to, int64_t stride) {
  v16 q[4], s[4];
  UNROLL for (int i = 0; i < 4; i++) {
    q[i].lo.lo = *(const v4u *)(x + i * x_stride);
    q[i].lo.hi = *(const v4u *)(x + (i + 4) * x_stride);
    q[i].hi.lo = *(const v4u *)(x + (i + 8) * x_stride);
    q[i].hi.hi = *(const v4u *)(x + (i + 12) * x_stride);
  }
#define PAIRS(a, b, i, j)                                                                      \
  __builtin_shufflevector(a, b, i, j, 16 + i, 16 + j, 4 + i, 4 + j, 20 + i, 20 + j, 8 + i, 8 + j, \
                          24 + i, 24 + j, 12 + i, 12 + j, 28 + i, 28 + j)
#define WEAVE(a, b, i)                                                                         \
  __builtin_shufflevector(a, b, i, 16 + i, i + 1, 17 + i, 4 + i, 20 + i, 5 + i, 21 + i, 8 + i, \
                          24 + i, 9 + i, 25 + i, 12 + i, 28 + i, 13 + i, 29 + i)
  s[0] = WEAVE(q[0], q[1], 0), s[1] = WEAVE(q[2], q[3], 0);
  s[2] = WEAVE(q[0], q[1], 2), s[3] = WEAVE(q[2], q[3], 2);
  UNROLL for (int i = 0; i < 2; i++) {
    const v16 even = PAIRS(s[2 * i], s[2 * i + 1], 0, 1), odd = PAIRS(s[2 * i], s[2 * i + 1], 2, 3);
    store16(to + 2 * i * stride, &even), store16(to + (2 * i + 1) * stride, &odd);
  }
#undef PAIRS
#undef WEAVE
}
