// Winograd's F(4, 3) at the points 0, +-P, +-Q and infinity, and F(2, 3) at 0, +-1 and infinity. P
// and Q are smaller than the textbook's 1
// and 2, and so is the error: max / rms 5e-6 to 2e-5 where those have 1e-5 to 7e-5. Written as
// macros, so that vectors and doubles share them.
#ifndef CLAT_CONV_WINOGRAD_POINTS_H
#define CLAT_CONV_WINOGRAD_POINTS_H

#define POINT_P 0.75f
#define POINT_Q 1.5f
#define POINT_P2 (POINT_P * POINT_P)
#define POINT_Q2 (POINT_Q * POINT_Q)
// 1 / product of a point's distances to the others.
#define SCALE_0 (1 / (POINT_P2 * POINT_Q2))
#define SCALE_P (1 / (2 * POINT_P2 * (POINT_P2 - POINT_Q2)))
#define SCALE_Q (1 / (2 * POINT_Q2 * (POINT_Q2 - POINT_P2)))

/// v = B^T d: six inputs, from `d` `step` apart, to six points.
#define WINOGRAD_INPUT_4(T, v, d, step)                                                  \
  do {                                                                                 \
    const T d0 = (d)[0], d1 = (d)[step], d2 = (d)[2 * step], d3 = (d)[3 * step],       \
            d4 = (d)[4 * step], d5 = (d)[5 * step];                                    \
    const T even_p = d4 - POINT_Q2 * d2, odd_p = d3 - POINT_Q2 * d1;                   \
    const T even_q = d4 - POINT_P2 * d2, odd_q = d3 - POINT_P2 * d1;                   \
    (v)[0] = d4 - (POINT_P2 + POINT_Q2) * d2 + POINT_P2 * POINT_Q2 * d0;               \
    (v)[1] = even_p + POINT_P * odd_p, (v)[2] = even_p - POINT_P * odd_p;              \
    (v)[3] = even_q + POINT_Q * odd_q, (v)[4] = even_q - POINT_Q * odd_q;              \
    (v)[5] = d5 - (POINT_P2 + POINT_Q2) * d3 + POINT_P2 * POINT_Q2 * d1;               \
  } while (0)

/// y = A^T m: six points, `step` apart, to four outputs.
#define WINOGRAD_OUTPUT_4(T, y, m, step)                                                 \
  do {                                                                                 \
    const T sum_p = (m)[step] + (m)[2 * step], difference_p = (m)[step] - (m)[2 * step]; \
    const T sum_q = (m)[3 * step] + (m)[4 * step],                                     \
            difference_q = (m)[3 * step] - (m)[4 * step];                              \
    (y)[0] = (m)[0] + sum_p + sum_q;                                                   \
    (y)[1] = POINT_P * difference_p + POINT_Q * difference_q;                          \
    (y)[2] = POINT_P2 * sum_p + POINT_Q2 * sum_q;                                      \
    (y)[3] = (m)[5 * step] + POINT_P2 * POINT_P * difference_p +                       \
             POINT_Q2 * POINT_Q * difference_q;                                        \
  } while (0)

/// u = G w: three taps, `step` apart, to six points.
#define WINOGRAD_FILTER_4(T, u, w, step)                                                 \
  do {                                                                                 \
    const T w0 = (w)[0], w1 = (w)[step], w2 = (w)[2 * step];                           \
    const T even_p = SCALE_P * (w0 + POINT_P2 * w2), odd_p = SCALE_P * POINT_P * w1;   \
    const T even_q = SCALE_Q * (w0 + POINT_Q2 * w2), odd_q = SCALE_Q * POINT_Q * w1;   \
    (u)[0] = SCALE_0 * w0;                                                             \
    (u)[1] = even_p + odd_p, (u)[2] = even_p - odd_p;                                  \
    (u)[3] = even_q + odd_q, (u)[4] = even_q - odd_q;                                  \
    (u)[5] = w2;                                                                       \
  } while (0)

/// v = A y, the transpose of A^T: four output gradients to six points.
#define WINOGRAD_OUTPUT_GRAD(T, v, y, step)                                            \
  do {                                                                                 \
    const T y0 = (y)[0], y1 = (y)[step], y2 = (y)[2 * step], y3 = (y)[3 * step];       \
    const T even_p = y0 + POINT_P2 * y2, odd_p = POINT_P * y1 + POINT_P2 * POINT_P * y3; \
    const T even_q = y0 + POINT_Q2 * y2, odd_q = POINT_Q * y1 + POINT_Q2 * POINT_Q * y3; \
    (v)[0] = y0;                                                                       \
    (v)[1] = even_p + odd_p, (v)[2] = even_p - odd_p;                                  \
    (v)[3] = even_q + odd_q, (v)[4] = even_q - odd_q;                                  \
    (v)[5] = y3;                                                                       \
  } while (0)

/// w = G^T u, the transpose of G: six points to the gradients of three taps.
#define WINOGRAD_FILTER_GRAD(T, w, u, step)                                            \
  do {                                                                                 \
    const T sum_p = SCALE_P * ((u)[step] + (u)[2 * step]),                             \
            difference_p = SCALE_P * ((u)[step] - (u)[2 * step]);                      \
    const T sum_q = SCALE_Q * ((u)[3 * step] + (u)[4 * step]),                         \
            difference_q = SCALE_Q * ((u)[3 * step] - (u)[4 * step]);                  \
    (w)[0] = SCALE_0 * (u)[0] + sum_p + sum_q;                                         \
    (w)[1] = POINT_P * difference_p + POINT_Q * difference_q;                          \
    (w)[2] = (u)[5 * step] + POINT_P2 * sum_p + POINT_Q2 * sum_q;                      \
  } while (0)

#define WINOGRAD_INPUT_2(T, v, d, step)                                                \
  do {                                                                                 \
    const T d0 = (d)[0], d1 = (d)[step], d2 = (d)[2 * step], d3 = (d)[3 * step];       \
    (v)[0] = d0 - d2, (v)[1] = d2 + d1, (v)[2] = d2 - d1, (v)[3] = d3 - d1;            \
  } while (0)

#define WINOGRAD_OUTPUT_2(T, y, m, step)                                               \
  do {                                                                                 \
    const T sum = (m)[step] + (m)[2 * step], difference = (m)[step] - (m)[2 * step];   \
    (y)[0] = (m)[0] + sum, (y)[1] = (m)[3 * step] + difference;                        \
  } while (0)

#define WINOGRAD_FILTER_2(T, u, w, step)                                               \
  do {                                                                                 \
    const T w0 = (w)[0], w1 = (w)[step], w2 = (w)[2 * step];                           \
    const T even = 0.5f * (w0 + w2), odd = 0.5f * w1;                                  \
    (u)[0] = w0, (u)[1] = even + odd, (u)[2] = even - odd, (u)[3] = w2;                \
  } while (0)

#endif
