// Register tiles of a convolution whose taps slide along a row: each input element is broadcast
// once and serves all G taps that see it, so that one panel of sixteen output channels is enough to
// keep the multipliers busy. H rows by W output pixels; S input pixels from an output pixel to the
// next. Every output pixel sums over blocks of 16 channels, then lines of taps, channels of the
// block, and taps of the line. For AVX-512, where one broadcast from memory for every multiply-add
// would take all loads that a core can do. Needs team/simd.inc.h.

#define SLIDE_BLOCK 16 // channels of one block of the copied input

typedef struct {
  const float *x;                   // [channel block][row][pixel][SLIDE_BLOCK]
  int64_t block_stride, row_stride; // of x, in floats
  int64_t tile_stride;              // of x, from an output row to the next
  int64_t channels, lines;          // lines of G taps
  const float *weights;             // [line * G + tap][tap_stride] = [channel][16]
  int64_t tap_stride;               // negative where the taps run backwards
  float *sums;                      // [H][W][16]
} slide_tile;

typedef void slide_kernel(const slide_tile *);

/// One channel of one output row: input pixel q meets output pixel (q - tap) / S under each tap.
#define SLIDE_ROW(W, G, S, acc, x)                                                        \
  UNROLL for (int q = 0; q < (W - 1) * S + G; q++) {                                      \
    const vf xq = splat((x)[q * SLIDE_BLOCK]);                                            \
    UNROLL for (int j = 0; j < G; j++) {                                                  \
      if (q >= j && (q - j) % S == 0 && (q - j) / S < W) (acc)[(q - j) / S] += xq * b[j]; \
    }                                                                                     \
  }

#define SLIDE_TILE(H, W, G, S)                                                         \
  static void slide_##H##x##W##_##G##_##S(const slide_tile *a) {                       \
    vf acc[H][W];                                                                      \
    UNROLL for (int i = 0; i < H; i++) UNROLL for (int c = 0; c < W; c++)              \
        acc[i][c] = splat(0);                                                          \
    const int64_t tap = a->tap_stride, below = a->tile_stride;                         \
    for (int64_t first = 0; first < a->channels; first += SLIDE_BLOCK) {               \
      const int64_t steps = min64(SLIDE_BLOCK, a->channels - first);                   \
      const float *row = a->x + first / SLIDE_BLOCK * a->block_stride;                 \
      const float *weights = a->weights + first * 16;                                  \
      for (int64_t line = 0; line < a->lines; line++) {                                \
        const float *x = row + line * a->row_stride, *w = weights + line * G * tap;    \
        for (int64_t k = 0; k < steps; k++, x++, w += 16) {                            \
          vf b[G];                                                                     \
          UNROLL for (int j = 0; j < G; j++) b[j] = load(w + j * tap, LANES);          \
          UNROLL for (int i = 0; i < H; i++) SLIDE_ROW(W, G, S, acc[i], x + i * below) \
        }                                                                              \
      }                                                                                \
    }                                                                                  \
    UNROLL for (int i = 0; i < H; i++) UNROLL for (int c = 0; c < W; c++)              \
        store(a->sums + (i * W + c) * 16, acc[i][c], LANES);                           \
  }

SLIDE_TILE(1, 16, 1, 1)
SLIDE_TILE(1, 16, 2, 1)
SLIDE_TILE(1, 16, 3, 1)
SLIDE_TILE(1, 16, 3, 2)
SLIDE_TILE(2, 8, 1, 1)
SLIDE_TILE(2, 8, 2, 1)
SLIDE_TILE(2, 8, 3, 1)
SLIDE_TILE(2, 8, 3, 2)
