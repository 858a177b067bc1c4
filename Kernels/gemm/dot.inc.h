// Register tiles for very few columns: lanes are channels, and every sum of a row and a column is a
// vector until its lanes are added at the end. R rows by N columns. Needs tile.inc.h.

#if TILE_ROWS == 14
#define DOT_LANES 16
#define DOT_SUMS 24 // registers of sums
#elif TILE_ROWS == 6
#define DOT_LANES 8
#define DOT_SUMS 12
#else
#define DOT_LANES 4
#define DOT_SUMS 12
#endif

typedef float dot_vector __attribute__((ext_vector_type(DOT_LANES), aligned(4)));
typedef float v4 __attribute__((ext_vector_type(4)));

typedef struct {
  const float *x;
  const int32_t *in; // [R][taps] rows of x, x_stride apart; -1 reads zeros
  int64_t x_stride, taps;
  int64_t channels;     // at most CHUNK
  const float *weights; // [tap][channels / DOT_LANES, rounded up][N][DOT_LANES], zero beyond
  const float *ahead;   // rows that are asked for meanwhile, a line in every step
  float *sums;          // [R][N], rounded up to fours
} dot_tile;

typedef void dot_kernel(const dot_tile *);

/// The lanes' sum, of four vectors.
INLINE v4 add_lanes(const dot_vector *v) {
  v4 s[4];
  UNROLL for (int i = 0; i < 4; i++) {
#if DOT_LANES == 16
    const vf8_unaligned half = v[i].lo + v[i].hi;
    s[i] = half.lo + half.hi;
#elif DOT_LANES == 8
    s[i] = v[i].lo + v[i].hi;
#else
    s[i] = v[i];
#endif
  }
  UNROLL for (int i = 0; i < 4; i += 2)
      s[i] = __builtin_shufflevector(s[i], s[i + 1], 0, 1, 4, 5) +
             __builtin_shufflevector(s[i], s[i + 1], 2, 3, 6, 7);
  return __builtin_shufflevector(s[0], s[2], 0, 2, 4, 6) +
         __builtin_shufflevector(s[0], s[2], 1, 3, 5, 7);
}

INLINE dot_vector load_dot(const float *x, int64_t lanes) {
  float t[DOT_LANES] = {0};
  if (lanes >= DOT_LANES) return *(const dot_vector *)x;
  for (int64_t i = 0; i < lanes; i++) t[i] = x[i];
  return *(const dot_vector *)t;
}

#define DOT_TILE(R, N)                                                                              \
  static void dot_##R##x##N(const dot_tile *a) {                                                    \
    dot_vector acc[(R * N + 3) / 4 * 4];                                                            \
    UNROLL for (int i = 0; i < (R * N + 3) / 4 * 4; i++) acc[i] = (dot_vector)0.0f;                 \
    const int64_t channels = a->channels, taps = a->taps, x_stride = a->x_stride;                   \
    const float *w = a->weights, *base = a->x;                                                      \
    for (int64_t t = 0; t < taps; t++) {                                                            \
      const float *x[R], *ahead = a->ahead + t * x_stride;                                          \
      UNROLL for (int i = 0; i < R; i++) {                                                          \
        const int64_t at = a->in[i * taps + t];                                                     \
        x[i] = at < 0 ? zero_row : base + at * x_stride;                                            \
      }                                                                                             \
      int64_t k = 0;                                                                                \
      for (; k + DOT_LANES <= channels; k += DOT_LANES, w += N * DOT_LANES)                         \
        DOT_STEP(R, N, *(const dot_vector *)(x[i] + k))                                             \
      if (k < channels) {                                                                           \
        DOT_STEP(R, N, load_dot(x[i] + k, channels - k))                                            \
        w += N * DOT_LANES;                                                                         \
      }                                                                                             \
    }                                                                                               \
    UNROLL for (int i = 0; i < R * N; i += 4) *(vf4_unaligned *)(a->sums + i) = add_lanes(acc + i); \
  }
// With DOT_TAPS taps, every line of R rows ahead is asked for.
#define DOT_TAPS 9
#define DOT_STEP(R, N, load)                                                    \
  {                                                                             \
    dot_vector b[N];                                                            \
    UNROLL for (int i = 0; i < R; i += DOT_TAPS)                                \
        __builtin_prefetch(ahead + i * x_stride + k, 0, 2);                     \
    UNROLL for (int n = 0; n < N; n++) b[n] = ((const dot_vector *)w)[n];       \
    UNROLL for (int i = 0; i < R; i++) {                                        \
      const dot_vector xi = load;                                               \
      UNROLL for (int n = 0; n < N; n++) acc[i * N + n] += xi * b[n];           \
    }                                                                           \
  }

// Rows of a full tile are DOT_SUMS / N.
#if DOT_SUMS == 24
DOT_TILE(24, 1)
DOT_TILE(12, 2)
DOT_TILE(8, 3)
DOT_TILE(6, 4)
static dot_kernel *const dot_kernels[] = {0, dot_24x1, dot_12x2, dot_8x3, dot_6x4};
#else
DOT_TILE(12, 1)
DOT_TILE(6, 2)
DOT_TILE(4, 3)
DOT_TILE(3, 4)
static dot_kernel *const dot_kernels[] = {0, dot_12x1, dot_6x2, dot_4x3, dot_3x4};
#endif
DOT_TILE(1, 1)
DOT_TILE(1, 2)
DOT_TILE(1, 3)
DOT_TILE(1, 4)
static dot_kernel *const dot_row_kernels[] = {0, dot_1x1, dot_1x2, dot_1x3, dot_1x4};
