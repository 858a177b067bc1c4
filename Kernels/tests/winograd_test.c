// Winograd kernels against the definition in double, against their reference twins, and against
// themselves sliced.
#include "conv_case.h"

#define KERNELS(isa)                                                            \
  {clat_winograd_##isa, clat_winograd_##isa, clat_winograd_pack_##isa,          \
   clat_winograd_weight_grad_##isa, clat_winograd_weight_grad_reduce_##isa}
#define SMALL(isa)                                                              \
  {clat_winograd_2x2_##isa, clat_winograd_2x2_##isa, clat_winograd_2x2_pack_##isa, NULL, NULL}
#define STRIDED(isa)                                                            \
  {clat_winograd_strided_##isa, clat_winograd_strided_grad_##isa,               \
   clat_winograd_strided_pack_##isa, clat_winograd_strided_weight_grad_##isa,   \
   clat_winograd_strided_weight_grad_reduce_##isa}
#define DECLARE(isa)                                                                      \
  clat_kernel clat_winograd_##isa, clat_winograd_pack_##isa, clat_winograd_strided_##isa, \
      clat_winograd_strided_grad_##isa, clat_winograd_strided_pack_##isa,                 \
      clat_winograd_2x2_##isa, clat_winograd_2x2_pack_##isa,                              \
      clat_winograd_weight_grad_##isa, clat_winograd_weight_grad_reduce_##isa,            \
      clat_winograd_strided_weight_grad_##isa, clat_winograd_strided_weight_grad_reduce_##isa;

DECLARE(reference)
DECLARE(portable)
DECLARE(avx2)
DECLARE(avx512)

typedef struct {
  clat_kernel *forward, *gradient, *pack, *grad, *reduce;
} kernels;

enum { TILE_4X4, TILE_STRIDED, TILE_2X2 };
static int tile; // of stride 1

static const kernels paths[3][CLAT_ISA_COUNT] = {
    {
        KERNELS(reference),
        KERNELS(portable),
#if defined(__x86_64__)
        KERNELS(avx2),
        KERNELS(avx512),
#endif
    },
    {
        STRIDED(reference),
        STRIDED(portable),
#if defined(__x86_64__)
        STRIDED(avx2),
        STRIDED(avx512),
#endif
    },
    {
        SMALL(reference),
        SMALL(portable),
#if defined(__x86_64__)
        SMALL(avx2),
        SMALL(avx512),
#endif
    },
};

static const kernels *path(const shape *s, clat_isa isa) {
  return &paths[s->stride == 1 ? tile : TILE_STRIDED][isa];
}

static clat_kernel *convolution(const shape *s, int transpose, clat_isa isa) {
  return transpose ? path(s, isa)->gradient : path(s, isa)->forward;
}

static const float *pack(const shape *s, int transpose, const float *w, clat_isa isa) {
  const int to = transpose ? s->in : s->out, from = transpose ? s->out : s->in;
  const int panels = (int)rounded((size_t)to) / CLAT_PANEL;
  const int points = s->stride == 1 && tile == TILE_2X2 ? CLAT_WINOGRAD_2X2_POINTS : CLAT_WINOGRAD_POINTS;
  const size_t count = (size_t)(panels * points * from * CLAT_PANEL);
  float *packed = random_floats(count), *twin = random_floats(count);
  clat_winograd_pack_args a = {s->out, s->in, transpose, w, twin};
  path(s, CLAT_ISA_REFERENCE)->pack(&a, 0, panels, scratch);
  a.packed = packed;
  const int cut = random_below(panels + 1);
  path(s, isa)->pack(&a, cut, panels, scratch);
  path(s, isa)->pack(&a, 0, cut, scratch);
  double worst = 0;
  for (size_t i = 0; i < count; i++) worst = fmax(worst, fabs((double)packed[i] - twin[i]));
  CHECK(worst <= 1e-6, "%s: transformed filters %.1e from the reference path", name, worst);
  return packed;
}

/// Without operands. Of stride 1, an input gradient is a convolution with other padding.
static clat_winograd_args arguments(const shape *s, int transpose) {
  const int height = out_side(s, s->height), width = out_side(s, s->width);
  const int pad = transpose && s->stride == 1 ? 2 - s->pad : s->pad;
  return (clat_winograd_args){.images = s->images,
                              .in_height = transpose ? height : s->height,
                              .in_width = transpose ? width : s->width,
                              .out_height = transpose ? s->height : height,
                              .out_width = transpose ? s->width : width,
                              .in_channels = transpose ? s->out : s->in,
                              .pad_height = pad,
                              .pad_width = pad};
}

/// Filters that the kernel transforms itself, multiplied by a scale or not, give the bits of packed
/// ones.
static void test_transient(const shape *s, clat_winograd_args a, int axis, clat_isa isa) {
  if (axis >= 0) {
    const int channels = axis ? s->in : s->out;
    float *scale = random_floats(channels), *w = random_floats((size_t)(s->in * s->out * 9));
    for (int i = 0; i < s->in * s->out * 9; i++)
      w[i] = a.weights[i] * scale[axis ? i / 9 % s->in : i / 9 / s->in];
    a.packed = pack(s, a.transpose, w, isa);
    a.scale = scale, a.scale_axis = axis;
  }
  const size_t count = (size_t)(s->images * a.out_height * a.out_width * a.out.y_stride);
  float *y = random_floats(count), *twin = random_floats(count);
  for (size_t i = 0; i < count; i++) y[i] = twin[i] = 0.5f; // the residual, too
  if (a.out.residual) a.out.residual = y;
  a.out.y = y;
  convolution(s, a.transpose, isa)(&a, 0, s->images, scratch);
  a.packed = NULL, a.out.y = twin;
  if (a.out.residual) a.out.residual = twin;
  const int cut = random_below(s->images + 1);
  convolution(s, a.transpose, isa)(&a, cut, s->images, scratch);
  convolution(s, a.transpose, isa)(&a, 0, cut, scratch);
  CHECK(memcmp(y, twin, count * sizeof *y) == 0,
             "%s: filters transformed on the way change the result", name);
}

/// Slices by output channels give the bits of slices by images.
static void test_channels(const shape *s, clat_winograd_args a, clat_isa isa) {
  const size_t pixels = (size_t)(s->images * a.out_height * a.out_width),
               count = pixels * (size_t)a.out.y_stride,
               bytes = pixels * (size_t)((a.out.channels + 7) / 8);
  float *y = random_floats(count), *twin = random_floats(count);
  uint8_t *bits = calloc(bytes, 2);
  for (size_t i = 0; i < count; i++) y[i] = twin[i] = 0.5f; // the residual, too
  if (a.out.residual) a.out.residual = y;
  if (a.out.relu_bits) a.out.relu_bits = bits;
  a.out.y = y;
  convolution(s, a.transpose, isa)(&a, 0, s->images, scratch);
  if (a.out.residual) a.out.residual = twin;
  if (a.out.relu_bits) a.out.relu_bits = bits + bytes;
  a.out.y = twin, a.by_channels = 1;
  const int panels = (a.out.channels + CLAT_PANEL - 1) / CLAT_PANEL, cut = random_below(panels + 1);
  convolution(s, a.transpose, isa)(&a, cut, panels, scratch);
  convolution(s, a.transpose, isa)(&a, 0, cut, scratch);
  CHECK(memcmp(y, twin, count * sizeof *y) == 0 && memcmp(bits, bits + bytes, bytes) == 0,
             "%s: slices by channels change the result", name);
  free(bits);
}

static void test_convolution(const shape *s, int transpose, clat_isa isa, const epilogue *e) {
  const float *w = random_floats((size_t)(s->in * s->out * 9));
  clat_winograd_args a = arguments(s, transpose);
  a.packed = pack(s, transpose, w, isa);
  a.weights = w, a.transpose = transpose;
  const test_case c = {.s = s,
                       .transpose = transpose,
                       .e = e,
                       .w = w,
                       .args = &a,
                       .x = &a.x,
                       .x_stride = &a.x_stride,
                       .out = &a.out,
                       .kernel = convolution(s, transpose, isa),
                       .reference = convolution(s, transpose, CLAT_ISA_REFERENCE),
                       .tolerance = 2e-6,
                       .spreads = 1};
  run_case(&c);
  if (isa != CLAT_ISA_REFERENCE)
    for (int axis = -1; axis < 2; axis++) test_transient(s, a, axis, isa);
  test_channels(s, a, isa);
  a.packed = NULL;
  test_channels(s, a, isa);
  run_case(&c);
}

/// dw in double, [out][in][tap], and its rms.
static double weight_grad(const shape *s, const float *x, const float *dy, int x_stride,
                          int dy_stride, double *dw) {
  const int height = out_side(s, s->height), width = out_side(s, s->width);
  double squares = 0;
  for (int o = 0; o < s->out; o++)
    for (int k = 0; k < s->in; k++)
      for (int t = 0; t < 9; t++) {
        double sum = 0;
        for (int q = 0; q < s->images * height * width; q++) {
          const int r = q / width % height * s->stride - s->pad + t / 3,
                    c = q % width * s->stride - s->pad + t % 3;
          if (r < 0 || r >= s->height || c < 0 || c >= s->width) continue;
          const int pixel = (q / (height * width) * s->height + r) * s->width + c;
          sum += (double)x[pixel * x_stride + k] * dy[q * dy_stride + o];
        }
        dw[(o * s->in + k) * 9 + t] = sum, squares += sum * sum;
      }
  return sqrt(squares / (s->out * s->in * 9));
}

/// Sums that stay in scratch give the bits of one chunk's partial sums; in the reference, which keeps
/// them in double, nearly so.
static void test_finished(const shape *s, clat_winograd_weight_grad_args a, clat_isa isa) {
  const int64_t count = (int64_t)s->in * s->out * 9;
  float *dw = random_floats(count), *twin = random_floats(count);
  a.chunks = a.blocks = 1;
  path(s, isa)->grad(&a, 0, 1, scratch);
  const clat_winograd_weight_grad_reduce_args r = {s->in, s->out, 1, a.partial, dw};
  path(s, isa)->reduce(&r, 0, s->out, scratch);
  a.partial = NULL, a.dw = twin;
  a.blocks = (s->in + CLAT_FINISHED_CHANNELS - 1) / CLAT_FINISHED_CHANNELS + random_below(3);
  for (int job = a.blocks - 1; job >= 0; job--) path(s, isa)->grad(&a, job, job + 1, scratch);
  double apart = 0;
  for (int64_t i = 0; i < count; i++) apart = fmax(apart, fabs((double)dw[i] - twin[i]));
  CHECK(isa == CLAT_ISA_REFERENCE ? apart < 1e-3 : memcmp(dw, twin, (size_t)count * sizeof *dw) == 0,
        "%s: finished weight gradients are %.1e from reduced ones", name, apart);
}

/// More tiles than have room at once, and more output channels.
static void test_finished_blocks(void) {
  const shape s = {6, 32, 32, 80, 80, 3, 1, 1};
  const int64_t pixels = (int64_t)s.images * s.height * s.width;
  for (int isa = CLAT_ISA_PORTABLE; isa < CLAT_ISA_COUNT; isa++) {
    if (!isa_runs((clat_isa)isa)) continue;
    snprintf(name, sizeof name, "%s, blocks of tiles", clat_isa_name((clat_isa)isa));
    const clat_winograd_weight_grad_args a = {
        .images = s.images,         .in_height = s.height, .in_width = s.width,
        .out_height = s.height,     .out_width = s.width,  .in_channels = s.in,
        .out_channels = s.out,      .pad_height = 1,       .pad_width = 1,
        .x_stride = s.in,           .dy_stride = s.out,    .x = random_floats(pixels * s.in),
        .dy = random_floats(pixels * s.out),
        .partial = random_floats(CLAT_WINOGRAD_POINTS * s.in * s.out)};
    test_finished(&s, a, (clat_isa)isa);
    release_guarded();
  }
}

static void test_weight_grad(const shape *s, clat_isa isa) {
  const int height = out_side(s, s->height), width = out_side(s, s->width),
            chunks = 1 + random_below(s->images + 1);
  const int x_stride = s->in + (random_below(3) ? 0 : 3),
            dy_stride = s->out + (random_below(3) ? 0 : 5);
  const size_t count = (size_t)(s->in * s->out * 9),
               one = CLAT_WINOGRAD_POINTS * (size_t)s->in * rounded((size_t)s->out);
  const float *x = random_floats((size_t)(s->images * s->height * s->width * x_stride - x_stride + s->in)),
              *dy = random_floats((size_t)(s->images * height * width * dy_stride - dy_stride + s->out));
  float *partial = random_floats(one * (size_t)chunks), *sliced = random_floats(one * (size_t)chunks),
        *dw = random_floats(count), *twin = random_floats(count);
  double *exact = malloc(count * sizeof *exact);
  clat_winograd_weight_grad_args a = {s->images, s->height, s->width, height,    width,
                                      s->in,     s->out,    s->pad,   s->pad,    x_stride,
                                      dy_stride, chunks,    1,        x,         dy,
                                      partial,   NULL};
  path(s, isa)->grad(&a, 0, chunks, scratch);
  a.partial = sliced, a.blocks = 1 + random_below(4);
  for (int job = chunks * a.blocks - 1; job >= 0; job--) path(s, isa)->grad(&a, job, job + 1, scratch);
  CHECK(memcmp(partial, sliced, one * (size_t)chunks * sizeof *dw) == 0,
             "%s: blocks change the result", name);
  clat_winograd_weight_grad_reduce_args r = {s->in, s->out, chunks, partial, dw};
  const int cut = random_below(s->out + 1);
  path(s, isa)->reduce(&r, 0, cut, scratch), path(s, isa)->reduce(&r, cut, s->out, scratch);
  a.partial = sliced, a.blocks = 1;
  path(s, CLAT_ISA_REFERENCE)->grad(&a, 0, chunks, scratch);
  r.partial = sliced, r.dw = twin;
  path(s, CLAT_ISA_REFERENCE)->reduce(&r, 0, s->out, scratch);
  const double rms = weight_grad(s, x, dy, x_stride, dy_stride, exact) + 0.1;
  double worst = 0, apart = 0;
  for (size_t i = 0; i < count; i++) {
    worst = fmax(worst, fabs(dw[i] - exact[i]) / rms);
    apart = fmax(apart, fabs((double)dw[i] - twin[i]) / rms);
  }
  CHECK(worst <= 2e-4, "%s: weight gradient %.1e of the rms from the exact one", name, worst);
  CHECK(apart <= 2e-4, "%s: weight gradient %.1e of the rms from the reference", name, apart);
  free(exact);
  test_finished(s, a, isa);
}

static void test_shape(shape s) {
  static int turn;
  for (int isa = 0; isa < CLAT_ISA_COUNT; isa++) {
    if (!isa_runs((clat_isa)isa)) continue;
    guard_front = random_below(4) == 0;
    snprintf(name, sizeof name, "%s%s %d images %dx%d, %d->%d, stride %d, pad %d",
             clat_isa_name((clat_isa)isa), tile == TILE_2X2 ? " 2x2" : "", s.images, s.height,
             s.width, s.in, s.out, s.stride, s.pad);
    for (int transpose = 0; transpose < 2; transpose++) {
      test_convolution(&s, transpose, (clat_isa)isa, &epilogues[turn++ % EPILOGUES]);
      release_guarded();
    }
    if (path(&s, (clat_isa)isa)->grad) test_weight_grad(&s, (clat_isa)isa);
    release_guarded();
  }
}

/// Max error / rms of normal layers, in units that decision records use.
static void test_accuracy(shape s, int transpose, double limit) {
  const int to = transpose ? s.in : s.out, from = transpose ? s.out : s.in;
  clat_winograd_args a = arguments(&s, transpose);
  const size_t inputs = (size_t)(s.images * a.in_height * a.in_width * from),
               outputs = (size_t)(s.images * a.out_height * a.out_width * to);
  const float *w = random_floats((size_t)(s.in * s.out * 9));
  a.x = random_floats(inputs), a.x_stride = from;
  a.out = (clat_epilogue){.channels = to, .y_stride = to, .y = random_floats(outputs)};
  double *sum = malloc(sizeof(double) * outputs), *size = malloc(sizeof(double) * outputs);
  convolve(&s, transpose, w, a.x, from, sum, size);
  for (int isa = CLAT_ISA_PORTABLE; isa < CLAT_ISA_COUNT; isa++) {
    if (!isa_runs((clat_isa)isa)) continue;
    a.packed = pack(&s, transpose, w, (clat_isa)isa);
    convolution(&s, transpose, (clat_isa)isa)(&a, 0, s.images, scratch);
    double worst = 0, squares = 0;
    for (size_t i = 0; i < outputs; i++)
      worst = fmax(worst, fabs(a.out.y[i] - sum[i])), squares += sum[i] * sum[i];
    const double relative = worst / sqrt(squares / (double)outputs);
    CHECK(relative <= limit, "%s %d->%d: max error / rms %.1e", clat_isa_name((clat_isa)isa),
               s.in, s.out, relative);
  }
  free(sum), free(size);
  release_guarded();
}

int main(void) {
  static const int channels[] = {1, 3, 15, 16, 17, 33, 64}, sides[][2] = {{5, 7}, {4, 4}, {9, 12}, {8, 8}};
  scratch = guarded(CLAT_SCRATCH_BYTES);
  keep_guarded();
  test_accuracy((shape){1, 12, 12, 64, 64, 3, 1, 1}, 0, 3e-5);
  test_accuracy((shape){1, 8, 8, 256, 64, 3, 1, 1}, 0, 3e-5);
  test_accuracy((shape){2, 4, 4, 64, 512, 3, 1, 1}, 1, 3e-5);
  test_accuracy((shape){2, 16, 16, 64, 128, 3, 2, 1}, 0, 2e-5);
  test_accuracy((shape){2, 16, 16, 64, 128, 3, 2, 1}, 1, 2e-5);
  test_accuracy((shape){1, 8, 8, 256, 512, 3, 2, 1}, 0, 2e-5);
  test_accuracy((shape){1, 8, 8, 64, 512, 3, 2, 1}, 1, 2e-5);
  test_shape((shape){3, 4, 4, 300, 40, 3, 1, 1});
  test_shape((shape){70, 4, 4, 128, 16, 3, 1, 1});
  test_shape((shape){2, 1, 1, 20, 20, 3, 1, 1});
  test_shape((shape){1, 33, 31, 16, 33, 3, 1, 1});
  test_shape((shape){1, 2, 3, 1030, 9, 3, 1, 2});
  test_shape((shape){70, 8, 8, 128, 16, 3, 2, 1});
  test_shape((shape){2, 1, 1, 20, 20, 3, 2, 1});
  test_shape((shape){1, 33, 31, 16, 33, 3, 2, 1});
  test_shape((shape){2, 3, 2, 1030, 9, 3, 2, 2});
  test_shape((shape){2, 40, 3, 9, 1030, 3, 2, 0});
  test_shape((shape){4, 9, 11, 2100, 3, 3, 2, 1}); // blocks of fewer tiles than a register tile's
  int at = 0;
  for (int in = 0; in < 7; in++)
    for (int out = 0; out < 7; out++, at++)
      for (int stride = 1; stride < 3; stride++)
        test_shape((shape){1 + at % 4, sides[at / 3 % 4][0], sides[at / 3 % 4][1], channels[in],
                           channels[out], 3, stride, at % 5 % 3});
  test_finished_blocks();
  tile = TILE_2X2;
  test_accuracy((shape){1, 12, 12, 64, 64, 3, 1, 1}, 0, 1e-5);
  test_accuracy((shape){4, 2, 2, 256, 512, 3, 1, 1}, 1, 1e-5);
  test_shape((shape){2, 1, 1, 20, 20, 3, 1, 1});
  test_shape((shape){150, 2, 2, 140, 40, 3, 1, 1});
  test_shape((shape){1, 2, 3, 4096, 9, 3, 1, 2});
  for (at = 0; at < 49; at++)
    test_shape((shape){1 + at % 4, at % 3 ? 2 : 1 + at % 6, at % 4 ? 2 : 3 + at % 5,
                       channels[at % 7], channels[at / 7], 3, 1, 1 + at % 2});
  return finish("winograd");
}
