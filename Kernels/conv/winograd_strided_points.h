// Polyphase Winograd of 3x3 filters with stride 2. In each direction taps 0 and 2 meet inputs of
// one parity, a filter of two taps that F(4, 2) computes at the points +-P, +-Q and infinity; tap 1
// meets the others, four plain products. A tile has 9x9 inputs (rows and columns of the two taps
// first, then those of the one), 81 products in the order of STRIDED_INPUTS, and 36 transforms of a
// filter. P and Q were measured best: max error / rms 3.5e-6, and 1e-5 at the textbook's 0, +-1, 2.
// Macros, so that vectors and doubles share them.
#ifndef CLAT_CONV_WINOGRAD_STRIDED_POINTS_H
#define CLAT_CONV_WINOGRAD_STRIDED_POINTS_H

enum {
  STRIDED_SQUARE = 25,                    // products of two taps in both directions, a filter each
  STRIDED_DOWN = STRIDED_SQUARE,          // two taps downwards: [point][column]
  STRIDED_ACROSS = STRIDED_DOWN + 5 * 4,  // two taps across: [point][row]
  STRIDED_PLAIN = STRIDED_ACROSS + 5 * 4, // [row][column]
  STRIDED_PRODUCTS = STRIDED_PLAIN + 4 * 4
};

#define STRIDED_P 0.5f
#define STRIDED_Q 1.25f
#define STRIDED_P2 (STRIDED_P * STRIDED_P)
#define STRIDED_Q2 (STRIDED_Q * STRIDED_Q)
// 1 / product of a point's distances to the others; of the negative point, minus that.
#define STRIDED_SCALE_P (1 / (2 * STRIDED_P * (STRIDED_P2 - STRIDED_Q2)))
#define STRIDED_SCALE_Q (1 / (2 * STRIDED_Q * (STRIDED_Q2 - STRIDED_P2)))

/// The filter's transform of the i-th product.
#define STRIDED_FILTER_OF(i)                                                                  \
  ((i) < STRIDED_SQUARE  ? (i)                                                                \
   : (i) < STRIDED_PLAIN ? STRIDED_SQUARE + ((i) - STRIDED_SQUARE) / 4                        \
                         : CLAT_WINOGRAD_POINTS - 1)
/// Products before those of that transform.
#define STRIDED_BEFORE(filter)                                                                \
  ((filter) < STRIDED_SQUARE ? (filter) : STRIDED_SQUARE + ((filter) - STRIDED_SQUARE) * 4)

/// Its products.
#define STRIDED_ROWS_OF(filter) \
  ((filter) < STRIDED_SQUARE ? 1 : (filter) < CLAT_WINOGRAD_POINTS - 1 ? 4 : 16)

/// v = B^T d: five inputs to five points.
#define STRIDED_INPUT(T, v, d)                                                                \
  do {                                                                                        \
    const T d0 = (d)[0], d1 = (d)[1], d2 = (d)[2], d3 = (d)[3], d4 = (d)[4];                  \
    const T odd_p = d3 - STRIDED_Q2 * d1, even_p = d2 - STRIDED_Q2 * d0;                      \
    const T odd_q = d3 - STRIDED_P2 * d1, even_q = d2 - STRIDED_P2 * d0;                      \
    (v)[0] = odd_p + STRIDED_P * even_p, (v)[1] = odd_p - STRIDED_P * even_p;                 \
    (v)[2] = odd_q + STRIDED_Q * even_q, (v)[3] = odd_q - STRIDED_Q * even_q;                 \
    (v)[4] = d4 - (STRIDED_P2 + STRIDED_Q2) * d2 + STRIDED_P2 * STRIDED_Q2 * d0;              \
  } while (0)

/// y = A^T m: five points to four outputs.
#define STRIDED_OUTPUT(T, y, m)                                                               \
  do {                                                                                        \
    const T sum_p = (m)[0] + (m)[1], difference_p = (m)[0] - (m)[1], sum_q = (m)[2] + (m)[3], \
            difference_q = (m)[2] - (m)[3], last = (m)[4];                                    \
    (y)[0] = sum_p + sum_q;                                                                   \
    (y)[1] = STRIDED_P * difference_p + STRIDED_Q * difference_q;                             \
    (y)[2] = STRIDED_P2 * sum_p + STRIDED_Q2 * sum_q;                                         \
    (y)[3] = last + STRIDED_P2 * STRIDED_P * difference_p +                                   \
             STRIDED_Q2 * STRIDED_Q * difference_q;                                           \
  } while (0)

/// u = G w: two taps to five points.
#define STRIDED_FILTER(T, u, first, second)                                                   \
  do {                                                                                        \
    const T w0 = (first), w2 = (second);                                                      \
    (u)[0] = STRIDED_SCALE_P * (w0 + STRIDED_P * w2);                                         \
    (u)[1] = -STRIDED_SCALE_P * (w0 - STRIDED_P * w2);                                        \
    (u)[2] = STRIDED_SCALE_Q * (w0 + STRIDED_Q * w2);                                         \
    (u)[3] = -STRIDED_SCALE_Q * (w0 - STRIDED_Q * w2);                                        \
    (u)[4] = w2;                                                                              \
  } while (0)

/// All 81 inputs of the products: load(&d, row, column) of 9x9, store(product, &v).
#define STRIDED_INPUTS(T, load, store)                                                        \
  do {                                                                                        \
    T half[25], d[5];                                                                         \
    UNROLL for (int c = 0; c < 5; c++) {                                                      \
      UNROLL for (int r = 0; r < 5; r++) load(&d[r], r, c);                                   \
      STRIDED_INPUT(T, d, d);                                                                 \
      UNROLL for (int r = 0; r < 5; r++) half[r * 5 + c] = d[r];                              \
    }                                                                                         \
    UNROLL for (int r = 0; r < 5; r++) {                                                      \
      STRIDED_INPUT(T, d, half + r * 5);                                                      \
      UNROLL for (int c = 0; c < 5; c++) store(r * 5 + c, &d[c]);                             \
    }                                                                                         \
    UNROLL for (int c = 0; c < 4; c++) {                                                      \
      UNROLL for (int r = 0; r < 5; r++) load(&d[r], r, 5 + c);                               \
      STRIDED_INPUT(T, d, d);                                                                 \
      UNROLL for (int r = 0; r < 5; r++) store(STRIDED_DOWN + r * 4 + c, &d[r]);              \
    }                                                                                         \
    UNROLL for (int r = 0; r < 4; r++) {                                                      \
      UNROLL for (int c = 0; c < 5; c++) load(&d[c], 5 + r, c);                               \
      STRIDED_INPUT(T, d, d);                                                                 \
      UNROLL for (int c = 0; c < 5; c++) store(STRIDED_ACROSS + c * 4 + r, &d[c]);            \
    }                                                                                         \
    UNROLL for (int r = 0; r < 4; r++) UNROLL for (int c = 0; c < 4; c++) {                   \
      load(&d[0], 5 + r, 5 + c);                                                              \
      store(STRIDED_PLAIN + r * 4 + c, &d[0]);                                                \
    }                                                                                         \
  } while (0)

/// y[4][4] of the products of two taps in both directions: load(&m, product).
#define STRIDED_OUTPUT_SQUARE(T, y, load)                                                     \
  do {                                                                                        \
    T half[20], m[5];                                                                         \
    UNROLL for (int c = 0; c < 5; c++) {                                                      \
      UNROLL for (int r = 0; r < 5; r++) load(&m[r], r * 5 + c);                              \
      STRIDED_OUTPUT(T, m, m);                                                                \
      UNROLL for (int r = 0; r < 4; r++) half[r * 5 + c] = m[r];                              \
    }                                                                                         \
    UNROLL for (int r = 0; r < 4; r++) STRIDED_OUTPUT(T, (y) + r * 4, half + r * 5);          \
  } while (0)

/// y[4][4] of two taps in one direction; the products' own and y's distances.
#define STRIDED_OUTPUT_LINE(T, y, load, first, along, across)                                 \
  do {                                                                                        \
    T m[5];                                                                                   \
    UNROLL for (int i = 0; i < 4; i++) {                                                      \
      UNROLL for (int p = 0; p < 5; p++) load(&m[p], (first) + p * 4 + i);                    \
      STRIDED_OUTPUT(T, m, m);                                                                \
      UNROLL for (int o = 0; o < 4; o++) (y)[o * (along) + i * (across)] = m[o];              \
    }                                                                                         \
  } while (0)

#define STRIDED_OUTPUT_DOWN(T, y, load) STRIDED_OUTPUT_LINE(T, y, load, STRIDED_DOWN, 4, 1)
#define STRIDED_OUTPUT_ACROSS(T, y, load) STRIDED_OUTPUT_LINE(T, y, load, STRIDED_ACROSS, 1, 4)
#define STRIDED_OUTPUT_PLAIN(T, y, load) \
  UNROLL for (int i = 0; i < 16; i++) load(&(y)[i], STRIDED_PLAIN + i)

/// All 36 transforms of a filter's 3x3 taps w, in u's order of filters.
#define STRIDED_FILTERS(T, u, w)                                                              \
  do {                                                                                        \
    T half[10];                                                                               \
    STRIDED_FILTER(T, half, (w)[0], (w)[6]);                                                  \
    STRIDED_FILTER(T, half + 5, (w)[2], (w)[8]);                                              \
    for (int r = 0; r < 5; r++) STRIDED_FILTER(T, (u) + r * 5, half[r], half[5 + r]);         \
    STRIDED_FILTER(T, (u) + 25, (w)[1], (w)[7]);                                              \
    STRIDED_FILTER(T, (u) + 30, (w)[3], (w)[5]);                                              \
    (u)[35] = (w)[4];                                                                         \
  } while (0)

/// v = A y, the transpose of A^T: four output gradients, `step` apart, to five points.
#define STRIDED_OUTPUT_GRAD(T, v, y, step)                                                    \
  do {                                                                                        \
    const T y0 = (y)[0], y1 = (y)[step], y2 = (y)[2 * (step)], y3 = (y)[3 * (step)];          \
    const T even_p = y0 + STRIDED_P2 * y2, even_q = y0 + STRIDED_Q2 * y2;                     \
    const T odd_p = STRIDED_P * y1 + STRIDED_P2 * STRIDED_P * y3;                             \
    const T odd_q = STRIDED_Q * y1 + STRIDED_Q2 * STRIDED_Q * y3;                             \
    (v)[0] = even_p + odd_p, (v)[1] = even_p - odd_p;                                         \
    (v)[2] = even_q + odd_q, (v)[3] = even_q - odd_q;                                         \
    (v)[4] = y3;                                                                              \
  } while (0)

/// All 81 output gradients of the products, of y[4][4]: store(product, &v).
#define STRIDED_OUTPUT_GRADS(T, y, store)                                                     \
  do {                                                                                        \
    T half[20], v[5];                                                                         \
    UNROLL for (int c = 0; c < 4; c++) {                                                      \
      STRIDED_OUTPUT_GRAD(T, v, (y) + c, 4);                                                  \
      UNROLL for (int r = 0; r < 5; r++) half[r * 4 + c] = v[r];                              \
      UNROLL for (int r = 0; r < 5; r++) store(STRIDED_DOWN + r * 4 + c, &v[r]);              \
    }                                                                                         \
    UNROLL for (int r = 0; r < 5; r++) {                                                      \
      STRIDED_OUTPUT_GRAD(T, v, half + r * 4, 1);                                             \
      UNROLL for (int c = 0; c < 5; c++) store(r * 5 + c, &v[c]);                             \
    }                                                                                         \
    UNROLL for (int r = 0; r < 4; r++) {                                                      \
      STRIDED_OUTPUT_GRAD(T, v, (y) + r * 4, 1);                                              \
      UNROLL for (int c = 0; c < 5; c++) store(STRIDED_ACROSS + c * 4 + r, &v[c]);            \
    }                                                                                         \
    UNROLL for (int i = 0; i < 16; i++) store(STRIDED_PLAIN + i, &(y)[i]);                    \
  } while (0)

/// w = G^T u, the transpose of G: five points to the gradients of two taps.
#define STRIDED_FILTER_GRAD(T, first, second, u)                                              \
  do {                                                                                        \
    first = STRIDED_SCALE_P * ((u)[0] - (u)[1]) + STRIDED_SCALE_Q * ((u)[2] - (u)[3]);        \
    second = STRIDED_SCALE_P * STRIDED_P * ((u)[0] + (u)[1]) +                                \
             STRIDED_SCALE_Q * STRIDED_Q * ((u)[2] + (u)[3]) + (u)[4];                        \
  } while (0)

/// The gradients of 3x3 taps w of the sums at all 36 points u.
#define STRIDED_FILTER_GRADS(T, w, u)                                                         \
  do {                                                                                        \
    T left[5], right[5];                                                                      \
    UNROLL for (int r = 0; r < 5; r++) STRIDED_FILTER_GRAD(T, left[r], right[r], (u) + r * 5); \
    STRIDED_FILTER_GRAD(T, (w)[0], (w)[6], left);                                             \
    STRIDED_FILTER_GRAD(T, (w)[2], (w)[8], right);                                            \
    STRIDED_FILTER_GRAD(T, (w)[1], (w)[7], (u) + 25);                                         \
    STRIDED_FILTER_GRAD(T, (w)[3], (w)[5], (u) + 30);                                         \
    (w)[4] = (u)[35];                                                                         \
  } while (0)

/// Where a tile's i-th row (or column) of inputs lies: i below 5 of the two taps, then of the one.
/// `first` is the tile's first output; of an input gradient it is a multiple of 8.
static inline int64_t strided_place(int gradient, int64_t first, int pad, int i) {
  const int64_t lone = i >= 5, at = lone ? i - 5 : i;
  if (!gradient) return 2 * first - pad + 2 * at + lone;
  return first / 2 + (pad + 1) / 2 - 1 + at + (lone && pad % 2 == 0);
}

#endif
