// Which activation layout? NHWC against nChw8c and nChw16c under one register tile whose addresses
// are strides: 3x3 convolutions, the gather of Winograd's 6x6 input tiles, and a dense block's
// concatenation. Images carry a halo of zeros, so that no layout pays for borders. Figures are
// decided in docs/decisions/0001-activation-layout.md.
#include "bench.h"

typedef float v16 __attribute__((ext_vector_type(16)));
typedef float v16u __attribute__((ext_vector_type(16), aligned(4)));
typedef float v8u __attribute__((ext_vector_type(8), aligned(4)));

#define INLINE static inline __attribute__((always_inline))
#define MAX_ROWS 14
#define BLOCK_TILES 16
#define CHUNK 256 // input channels times taps whose weights are reused over a block of pixels

typedef struct {
  int size, in, out, images, block; // block: channels that lie together, 0 for all (NHWC)
} Shape;

static int run_length(const Shape *s, int channels) {
  return s->block && s->block < channels ? s->block : channels;
}

typedef struct {
  int64_t pixel, block; // floats from a pixel, or a channel block, to the next
  int run, blocks;
} Strides;

static Strides strides_of(const Shape *s, int channels, int side) {
  const int run = run_length(s, channels);
  return (Strides){run, (int64_t)side * side * run, run, channels / run};
}

INLINE void tile(int rows, int panels, const float *const *x, const int64_t *tap, int taps,
                 Strides in, const float *b, int64_t panel, float *sums, int first) {
  v16 acc[MAX_ROWS][2];
#pragma unroll
  for (int i = 0; i < rows; i++)
    for (int p = 0; p < panels; p++)
      acc[i][p] = first ? (v16)0 : *(v16u *)(sums + (i * panels + p) * 16);
  for (int t = 0; t < taps; t++)
    for (int c = 0; c < in.blocks; c++) {
      const float *a[MAX_ROWS];
#pragma unroll
      for (int i = 0; i < rows; i++) a[i] = x[i] + tap[t] + c * in.block;
      for (int k = 0; k < in.run; k++, b += 16) {
        const v16 b0 = *(const v16u *)b, b1 = panels > 1 ? *(const v16u *)(b + panel) : b0;
#pragma unroll
        for (int i = 0; i < rows; i++) {
          const v16 ak = a[i][k];
          acc[i][0] += ak * b0;
          if (panels > 1) acc[i][1] += ak * b1;
        }
      }
    }
#pragma unroll
  for (int i = 0; i < rows; i++)
    for (int p = 0; p < panels; p++) *(v16u *)(sums + (i * panels + p) * 16) = acc[i][p];
}

INLINE void store(int rows, int panels, const float *sums, float *const *y, Strides out,
                  int channel) {
  for (int i = 0; i < rows; i++)
    for (int p = 0; p < panels; p++) {
      const int n = channel + p * 16;
      const float *s = sums + (i * panels + p) * 16;
      if (out.run >= 16) {
        *(v16u *)(y[i] + n / out.run * out.block + n % out.run) = *(const v16u *)s;
      } else {
        *(v8u *)(y[i] + n / 8 * out.block) = *(const v8u *)s;
        *(v8u *)(y[i] + (n / 8 + 1) * out.block) = *(const v8u *)(s + 8);
      }
    }
}

INLINE void conv(int rows, int panels, const Shape *s, const float *x, const float *w, float *y,
                 int begin, int end) {
  const Strides in = strides_of(s, s->in, s->size + 2), out = strides_of(s, s->out, s->size);
  const int64_t in_image = (int64_t)(s->size + 2) * (s->size + 2) * s->in;
  const int64_t out_image = (int64_t)s->size * s->size * s->out;
  const int pixels = s->size * s->size, total = (end - begin) * pixels;
  const int group = s->in >= CHUNK ? 1 : CHUNK / s->in < 9 ? CHUNK / s->in : 9;
  int64_t tap[9];
  for (int t = 0; t < 9; t++) tap[t] = (t / 3 * (s->size + 2) + t % 3) * in.pixel;
  static _Thread_local float sums[BLOCK_TILES][MAX_ROWS * 32] __attribute__((aligned(64)));
  const float *xs[BLOCK_TILES * MAX_ROWS];
  float *ys[BLOCK_TILES * MAX_ROWS];
  for (int start = 0; start < total; start += BLOCK_TILES * rows) {
    const int count = total - start < BLOCK_TILES * rows ? total - start : BLOCK_TILES * rows;
    const int tiles = (count + rows - 1) / rows;
    for (int q = 0; q < tiles * rows; q++) {
      const int at = start + (q < count ? q : count - 1), image = begin + at / pixels,
                p = at % pixels;
      xs[q] = x + image * in_image + (p / s->size * (s->size + 2) + p % s->size) * in.pixel;
      ys[q] = y + image * out_image + p * out.pixel;
    }
    for (int n = 0; n < s->out; n += 16 * panels)
      for (int t = 0; t < 9; t += group) {
        const int taps = 9 - t < group ? 9 - t : group;
        for (int i = 0; i < tiles; i++) {
          tile(rows, panels, xs + i * rows, tap + t, taps, in,
               w + ((int64_t)n / 16 * 9 + t) * s->in * 16, (int64_t)9 * s->in * 16, sums[i],
               t == 0);
          if (t + taps == 9) store(rows, panels, sums[i], ys + i * rows, out, n);
        }
      }
  }
}

#define TARGET(isa) __attribute__((target(isa), noinline))
#define AVX512 "avx512f,avx512bw,avx512dq,avx512vl,fma"
typedef void Run(const Shape *, const float *, const float *, float *, int, int);

TARGET(AVX512)
static void conv_avx512(const Shape *s, const float *x, const float *w, float *y, int b, int e) {
  if (s->out % 32) conv(14, 1, s, x, w, y, b, e);
  else conv(14, 2, s, x, w, y, b, e);
}
TARGET("avx2,fma")
static void conv_avx2(const Shape *s, const float *x, const float *w, float *y, int b, int e) {
  conv(6, 1, s, x, w, y, b, e);
}

// One-dimensional B^T d with the points 0, +-3/4, +-3/2; enough arithmetic to be a Winograd input
// transform.
INLINE void transform(const v16 *d, v16 *o) {
  const v16 a = d[4] - 2.25f * d[2], b = d[3] - 2.25f * d[1], c = d[4] - 0.5625f * d[2],
            e = d[3] - 0.5625f * d[1];
  o[0] = 1.265625f * d[0] - 2.8125f * d[2] + d[4];
  o[1] = a + 0.75f * b, o[2] = a - 0.75f * b, o[3] = c + 1.5f * e, o[4] = c - 1.5f * e;
  o[5] = 1.265625f * d[1] - 2.8125f * d[3] + d[5];
}

// Input tiles, 16 channels at a time, to 36 planes of [tile][channel].
INLINE void gather(const Shape *s, const float *x, float *planes, int begin, int end) {
  const Strides in = strides_of(s, s->in, s->size + 2);
  const int side = s->size / 4;
  const int64_t plane = (int64_t)side * side * s->in + 16, row = (s->size + 2) * in.pixel;
  for (int image = begin; image < end; image++)
    for (int t = 0; t < side * side; t++)
      for (int c = 0; c < s->in; c += 16) {
        const float *at = x + (int64_t)image * (s->size + 2) * (s->size + 2) * s->in +
                          t / side * 4 * row + t % side * 4 * in.pixel + c / in.run * in.block +
                          c % in.run;
        v16 d[6][6], u[6][6];
        for (int i = 0; i < 6; i++) {
          v16 line[6];
          for (int j = 0; j < 6; j++) {
            const float *p = at + i * row + j * in.pixel;
            if (in.run >= 16) line[j] = *(const v16u *)p;
            else
              line[j] = __builtin_shufflevector(*(const v8u *)p, *(const v8u *)(p + in.block), 0, 1,
                                                2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
          }
          transform(line, u[i]);
        }
        for (int j = 0; j < 6; j++) {
          v16 line[6], o[6];
          for (int i = 0; i < 6; i++) line[i] = u[i][j];
          transform(line, o);
          for (int i = 0; i < 6; i++) d[i][j] = o[i];
        }
        for (int i = 0; i < 36; i++)
          *(v16u *)(planes + i * plane + (int64_t)t * s->in + c) = d[i / 6][i % 6];
      }
}
TARGET(AVX512)
static void gather_avx512(const Shape *s, const float *x, const float *w, float *y, int b, int e) {
  (void)w;
  gather(s, x, y + (size_t)omp_get_thread_num() * s->size * s->size * s->in * 4, b, e);
}
TARGET("avx2,fma")
static void gather_avx2(const Shape *s, const float *x, const float *w, float *y, int b, int e) {
  (void)w;
  gather(s, x, y + (size_t)omp_get_thread_num() * s->size * s->size * s->in * 4, b, e);
}

// Growth 32 into a slab of s->in channels: write the last 32 channels, then read them all (y +=
// slab).
TARGET("avx2,fma")
static void concat(const Shape *s, const float *x, const float *w, float *y, int b, int e) {
  const int pixels = s->size * s->size, growth = 32;
  const Strides st = strides_of(s, s->in, s->size);
  (void)w;
  for (int image = b; image < e; image++) {
    float *slab = y + (int64_t)image * pixels * s->in;
    for (int c = s->in - growth; c < s->in; c += st.run < growth ? st.run : growth)
      for (int p = 0; p < pixels; p++)
        memcpy(slab + c / st.run * st.block + p * st.pixel + c % st.run, x + p * growth,
               (st.run < growth ? st.run : growth) * sizeof(float));
    float sum = 0;
    for (int i = 0; i < pixels * s->in; i += 16) sum += slab[i];
    slab[0] = sum;
  }
}

/// Seconds of the slower of two threads.
static double once(Run *run, const Shape *s, const float *x, const float *w, float *y) {
  double spent[2];
#pragma omp parallel num_threads(2)
  {
    const int t = omp_get_thread_num();
    const double start = bench_thread_now();
    run(s, x, w, y, s->images * t / 2, s->images * (t + 1) / 2);
    spent[t] = bench_thread_now() - start;
  }
  return spent[0] > spent[1] ? spent[0] : spent[1];
}

static void compare(const char *name, Run *run, int size, int in, int out, int images) {
  const int blocks[3] = {0, 8, 16}, repetitions = 15;
  double time[3][15], best[3], median[3];
  float *x = bench_floats((size_t)images * (size + 2) * (size + 2) * in),
        *w = bench_floats((size_t)9 * in * out);
  const size_t outputs = (size_t)images * size * size * out, planes = (size_t)8 * size * size * in;
  float *y = bench_floats((outputs > planes ? outputs : planes) + 16384);
  for (int r = -1; r < repetitions; r++)
    for (int l = 0; l < 3; l++) {
      const Shape s = {size, in, out, images, blocks[l]};
      const double t = once(run, &s, x, w, y);
      if (r >= 0) time[l][r] = t;
    }
  for (int l = 0; l < 3; l++) {
    median[l] = bench_median(time[l], repetitions);
    best[l] = time[l][0];
  }
  const double flops = 18.0 * in * out * size * size * images;
  printf("%-22s %3d->%3d @%2d  NHWC %8.3f ms", name, in, out, size, 1e3 * best[0]);
  if (strncmp(name, "conv", 4) == 0) printf(" (%3.0f GFLOP/s)", 1e-9 * flops / best[0]);
  printf("  8c/NHWC %.2f (median %.2f)  16c/NHWC %.2f (median %.2f)\n", best[1] / best[0],
         median[1] / median[0], best[2] / best[0], median[2] / median[0]);
  free(x), free(w), free(y);
}

int main(int argc, char **argv) {
  static const int wide[4][2] = {{32, 64}, {16, 128}, {8, 256}, {4, 512}};
  static const int narrow[3][2] = {{32, 16}, {16, 32}, {8, 64}};
  bench_own_time = argc > 1 && strcmp(argv[1], "cpu") == 0;
  const int wide512 = __builtin_cpu_supports("avx512f");
  for (int isa = 0; isa <= wide512; isa++) {
    Run *run = isa ? conv_avx512 : conv_avx2;
    const char *name = isa ? "conv avx512" : "conv avx2";
    for (int i = 0; i < 4; i++) compare(name, run, wide[i][0], wide[i][1], wide[i][1], 64);
    for (int i = 0; i < 3; i++) compare(name, run, narrow[i][0], narrow[i][1], narrow[i][1], 64);
    compare(name, run, 32, 3, 64, 64);
    for (int i = 0; i < 4; i++)
      compare(isa ? "winograd gather avx512" : "winograd gather avx2",
              isa ? gather_avx512 : gather_avx2, wide[i][0], wide[i][1], wide[i][1], 64);
  }
  compare("concat growth 32", concat, 16, 256, 256, 64);
  compare("concat growth 32", concat, 32, 128, 128, 64);
  return 0;
}
