// Winograd kernels against the definition in double, against their reference twins, and against
// themselves sliced.
#include "conv_case.h"

#define KERNELS(isa) {clat_winograd_##isa, clat_winograd_pack_##isa}
#define DECLARE(isa) clat_kernel clat_winograd_##isa, clat_winograd_pack_##isa;

DECLARE(reference)
DECLARE(portable)
DECLARE(avx2)
DECLARE(avx512)

typedef struct {
  clat_kernel *winograd, *pack;
} kernels;

static const kernels paths[CLAT_ISA_COUNT] = {
    KERNELS(reference),
    KERNELS(portable),
#if defined(__x86_64__)
    KERNELS(avx2),
    KERNELS(avx512),
#endif
};

static const float *pack(const shape *s, int transpose, const float *w, clat_isa isa) {
  const int to = transpose ? s->in : s->out, from = transpose ? s->out : s->in;
  const int panels = (int)rounded((size_t)to) / CLAT_PANEL;
  const size_t count = (size_t)(panels * CLAT_WINOGRAD_POINTS * from * CLAT_PANEL);
  float *packed = test_floats(count), *twin = test_floats(count);
  clat_winograd_pack_args a = {s->out, s->in, transpose, w, twin};
  paths[CLAT_ISA_REFERENCE].pack(&a, 0, panels, scratch);
  a.packed = packed;
  const int cut = test_below(panels + 1);
  paths[isa].pack(&a, cut, panels, scratch);
  paths[isa].pack(&a, 0, cut, scratch);
  double worst = 0;
  for (size_t i = 0; i < count; i++) worst = fmax(worst, fabs((double)packed[i] - twin[i]));
  test_check(worst <= 1e-6, "%s: transformed filters %.1e from the reference path", name, worst);
  return packed;
}

static void test_convolution(const shape *s, int transpose, clat_isa isa, const epilogue *e) {
  const int height = out_side(s, s->height), width = out_side(s, s->width);
  const float *w = test_floats((size_t)(s->in * s->out * 9));
  clat_winograd_args a = {.images = s->images,
                          .in_height = transpose ? height : s->height,
                          .in_width = transpose ? width : s->width,
                          .out_height = transpose ? s->height : height,
                          .out_width = transpose ? s->width : width,
                          .in_channels = transpose ? s->out : s->in,
                          .pad_height = transpose ? 2 - s->pad : s->pad,
                          .pad_width = transpose ? 2 - s->pad : s->pad,
                          .packed = pack(s, transpose, w, isa)};
  const test_case c = {.s = s,
                       .transpose = transpose,
                       .e = e,
                       .w = w,
                       .args = &a,
                       .x = &a.x,
                       .x_stride = &a.x_stride,
                       .out = &a.out,
                       .kernel = paths[isa].winograd,
                       .reference = paths[CLAT_ISA_REFERENCE].winograd,
                       .tolerance = 2e-6,
                       .spreads = 1};
  run_case(&c);
}

static void test_shape(shape s) {
  static int turn;
  for (int isa = 0; isa < CLAT_ISA_COUNT; isa++) {
    if (!test_runs((clat_isa)isa)) continue;
    snprintf(name, sizeof name, "%s %d images %dx%d, %d->%d, pad %d", clat_isa_name((clat_isa)isa),
             s.images, s.height, s.width, s.in, s.out, s.pad);
    for (int transpose = 0; transpose < 2; transpose++) {
      test_convolution(&s, transpose, (clat_isa)isa, &epilogues[turn++ % EPILOGUES]);
      test_release();
    }
  }
}

/// Max error / rms of normal layers, in units that decision records use.
static void test_accuracy(shape s, int transpose, double limit) {
  const int to = transpose ? s.in : s.out, pixels = s.images * s.height * s.width;
  const float *w = test_floats((size_t)(s.in * s.out * 9));
  const float *x = test_floats((size_t)(pixels * (transpose ? s.out : s.in)));
  float *y = test_floats((size_t)(pixels * to));
  double *sum = malloc(sizeof(double) * (size_t)(pixels * to)),
         *size = malloc(sizeof(double) * (size_t)(pixels * to));
  convolve(&s, transpose, w, x, transpose ? s.out : s.in, sum, size);
  for (int isa = CLAT_ISA_PORTABLE; isa < CLAT_ISA_COUNT; isa++) {
    if (!test_runs((clat_isa)isa)) continue;
    clat_winograd_args a = {s.images, s.height, s.width, s.height, s.width,
                            transpose ? s.out : s.in, 1, 1, transpose ? s.out : s.in, x,
                            pack(&s, transpose, w, (clat_isa)isa), {.channels = to, .y_stride = to, .y = y}};
    paths[isa].winograd(&a, 0, s.images, scratch);
    double worst = 0, squares = 0;
    for (int i = 0; i < pixels * to; i++)
      worst = fmax(worst, fabs(y[i] - sum[i])), squares += sum[i] * sum[i];
    const double relative = worst / sqrt(squares / (pixels * to));
    test_check(relative <= limit, "%s %d->%d: max error / rms %.1e", clat_isa_name((clat_isa)isa),
               s.in, s.out, relative);
  }
  free(sum), free(size);
  test_release();
}

int main(void) {
  static const int channels[] = {1, 3, 15, 16, 17, 33, 64}, sides[][2] = {{5, 7}, {4, 4}, {9, 12}, {8, 8}};
  scratch = test_guarded(CLAT_SCRATCH_BYTES), test_mapped = 0;
  test_accuracy((shape){1, 12, 12, 64, 64, 3, 1, 1}, 0, 3e-5);
  test_accuracy((shape){1, 8, 8, 256, 64, 3, 1, 1}, 0, 3e-5);
  test_accuracy((shape){2, 4, 4, 64, 512, 3, 1, 1}, 1, 3e-5);
  test_shape((shape){3, 4, 4, 300, 40, 3, 1, 1});
  test_shape((shape){70, 4, 4, 128, 16, 3, 1, 1});
  test_shape((shape){2, 1, 1, 20, 20, 3, 1, 1});
  test_shape((shape){1, 33, 31, 16, 33, 3, 1, 1});
  test_shape((shape){1, 2, 3, 1030, 9, 3, 1, 2});
  int at = 0;
  for (int in = 0; in < 7; in++)
    for (int out = 0; out < 7; out++, at++)
      test_shape((shape){1 + at % 4, sides[at / 3 % 4][0], sides[at / 3 % 4][1], channels[in],
                         channels[out], 3, 1, at % 5 % 3});
  return test_finish("winograd");
}
