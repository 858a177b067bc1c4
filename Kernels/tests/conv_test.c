// Convolution kernels against the definition in double, against their reference twins, and against
// themselves sliced.
#include "conv_case.h"

#define KERNELS(isa)                                                          \
  {clat_conv_gather_##isa, clat_conv_pack_##isa, clat_conv_weight_grad_##isa, \
   clat_conv_weight_grad_reduce_##isa}
#define DECLARE(isa)                                                                     \
  clat_kernel clat_conv_gather_##isa, clat_conv_pack_##isa, clat_conv_weight_grad_##isa, \
      clat_conv_weight_grad_reduce_##isa;

DECLARE(reference)
DECLARE(portable)
DECLARE(avx2)
DECLARE(avx512)

typedef struct {
  clat_kernel *gather, *pack, *grad, *reduce;
} kernels;

static const kernels paths[CLAT_ISA_COUNT] = {
    KERNELS(reference),
    KERNELS(portable),
#if defined(__x86_64__)
    KERNELS(avx2),
    KERNELS(avx512),
#endif
};

// Offset tables, as the compiler lays them: of the forward pass, one phase; of the input gradient,
// stride^2.
typedef struct {
  clat_conv_phase phase[81];
  int phases, in_pixels, out_pixels;
  size_t packed;
} tables;

static int32_t *integers(size_t n) { return guarded(n * sizeof(int32_t)); }

static tables forward_tables(const shape *s) {
  const int height = out_side(s, s->height), width = out_side(s, s->width),
            taps = s->kernel * s->kernel;
  int32_t *out = integers((size_t)(height * width)),
          *in = integers((size_t)(height * width * taps));
  int32_t *tap = integers((size_t)taps);
  for (int p = 0; p < height * width; p++) {
    out[p] = p;
    for (int t = 0; t < taps; t++) {
      const int y = p / width * s->stride - s->pad + t / s->kernel,
                x = p % width * s->stride - s->pad + t % s->kernel;
      in[p * taps + t] = y >= 0 && y < s->height && x >= 0 && x < s->width ? y * s->width + x : -1;
      tap[t] = t;
    }
  }
  return (tables){{{height * width, taps, out, in, tap, 0}},
                  1,
                  s->height * s->width,
                  height * width,
                  rounded((size_t)s->out) * (size_t)(taps * s->in)};
}

static clat_conv_phase gradient_phase(const shape *s, int ry, int rx, size_t *packed) {
  const int height = out_side(s, s->height), width = out_side(s, s->width), k = s->kernel,
            step = s->stride;
  int32_t *out = integers((size_t)(s->height * s->width)), *tap = integers((size_t)(k * k));
  int32_t *in = integers((size_t)(s->height * s->width * k * k));
  clat_conv_phase ph = {0, 0, out, in, tap, (int64_t)*packed};
  for (int t = 0; t < k * k; t++)
    if ((t / k) % step == ry && (t % k) % step == rx) tap[ph.taps++] = t;
  for (int y = 0; y < s->height; y++)
    for (int x = 0; x < s->width; x++) {
      if ((y + s->pad) % step != ry || (x + s->pad) % step != rx) continue;
      out[ph.pixels] = y * s->width + x;
      for (int t = 0; t < ph.taps; t++) {
        const int oy = (y + s->pad - tap[t] / k) / step, ox = (x + s->pad - tap[t] % k) / step;
        const int inside =
            y + s->pad >= tap[t] / k && x + s->pad >= tap[t] % k && oy < height && ox < width;
        in[ph.pixels * ph.taps + t] = inside ? oy * width + ox : -1;
      }
      ph.pixels++;
    }
  *packed += rounded((size_t)s->in) * (size_t)(ph.taps * s->out);
  return ph;
}

static tables gradient_tables(const shape *s) {
  tables t = {.phases = s->stride * s->stride,
              .in_pixels = out_side(s, s->height) * out_side(s, s->width),
              .out_pixels = s->height * s->width};
  for (int i = 0; i < t.phases; i++)
    t.phase[i] = gradient_phase(s, i / s->stride, i % s->stride, &t.packed);
  return t;
}

static float *pack(const shape *s, int transpose, const tables *t, const float *w, clat_isa isa) {
  float *twin = random_floats(t->packed), *packed = random_floats(t->packed);
  clat_conv_pack_args a = {s->out, s->in, s->kernel * s->kernel, transpose, t->phases, t->phase,
                           w,      twin};
  const int units = t->phases * (int)(rounded((size_t)(transpose ? s->in : s->out)) / 16);
  paths[CLAT_ISA_REFERENCE].pack(&a, 0, units, scratch);
  a.packed = packed;
  const int cut = random_below(units + 1);
  paths[isa].pack(&a, cut, units, scratch);
  paths[isa].pack(&a, 0, cut, scratch);
  CHECK(memcmp(packed, twin, t->packed * sizeof *packed) == 0, "%s: packed weights differ",
             name);
  return packed;
}

static void test_gather(const shape *s, int transpose, clat_isa isa, const float *w,
                        const epilogue *e) {
  const tables t = transpose ? gradient_tables(s) : forward_tables(s);
  clat_conv_args a = {.images = s->images,
                      .in_pixels = t.in_pixels,
                      .out_pixels = t.out_pixels,
                      .in_channels = transpose ? s->out : s->in,
                      .phases = t.phases,
                      .phase = t.phase,
                      .packed = pack(s, transpose, &t, w, isa)};
  test_case c = {.s = s,
                 .transpose = transpose,
                 .e = e,
                 .w = w,
                 .args = &a,
                 .x = &a.x,
                 .x_stride = &a.x_stride,
                 .out = &a.out,
                 .kernel = paths[isa].gather,
                 .reference = paths[CLAT_ISA_REFERENCE].gather,
                 .tolerance = 2e-6};
  run_case(&c);
}

static void test_weight_grad(const shape *s, clat_isa isa) {
  const tables t = forward_tables(s);
  const int taps = s->kernel * s->kernel, rows = taps * s->in,
            chunks = 1 + random_below(s->images + 1);
  const int x_stride = s->in + (random_below(3) ? 0 : 3),
            dy_stride = s->out + (random_below(3) ? 0 : 5);
  const size_t one = (size_t)rows * (size_t)s->out;
  const float *x = random_floats((size_t)(s->images * t.in_pixels) * (size_t)x_stride -
                               (size_t)(x_stride - s->in));
  const float *dy = random_floats((size_t)(s->images * t.out_pixels) * (size_t)dy_stride -
                                (size_t)(dy_stride - s->out));
  float *partial = random_floats(one * (size_t)chunks), *sliced = random_floats(one * (size_t)chunks);
  float *dw = random_floats(one), *twin = random_floats(one);
  clat_conv_weight_grad_args a = {s->images,     t.in_pixels, t.out_pixels, s->in,  s->out,
                                  taps,          x_stride,    dy_stride,    chunks, 1,
                                  t.phase[0].in, x,           dy,           partial};
  paths[isa].grad(&a, 0, chunks, scratch);
  a.partial = sliced, a.blocks = 1 + random_below(rows + 2);
  for (int job = chunks * a.blocks - 1; job >= 0; job--) paths[isa].grad(&a, job, job + 1, scratch);
  CHECK(memcmp(partial, sliced, one * (size_t)chunks * sizeof *dw) == 0,
             "%s: blocks change the result", name);
  clat_conv_weight_grad_reduce_args r = {s->in, s->out, taps, chunks, partial, dw};
  const int cut = random_below(s->out + 1);
  paths[isa].reduce(&r, 0, cut, scratch), paths[isa].reduce(&r, cut, s->out, scratch);
  r.dw = twin;
  paths[CLAT_ISA_REFERENCE].reduce(&r, 0, s->out, scratch);
  CHECK(memcmp(dw, twin, one * sizeof *dw) == 0, "%s: reduced weight gradients differ", name);
  a.partial = sliced, a.blocks = 1;
  paths[CLAT_ISA_REFERENCE].grad(&a, 0, chunks, scratch);
  double worst = 0, apart = 0;
  for (size_t i = 0; i < one * (size_t)chunks; i++)
    apart = fmax(apart, fabs((double)partial[i] - sliced[i]));
  for (int row = 0; row < rows; row++)
    for (int o = 0; o < s->out; o++) {
      double sum = 0, size = 1e-3;
      for (int q = 0; q < s->images * t.out_pixels; q++) {
        const int tap = row / s->in, in = t.phase[0].in[q % t.out_pixels * taps + tap];
        if (in < 0) continue;
        const double v = (double)x[(q / t.out_pixels * t.in_pixels + in) * x_stride + row % s->in] *
                         dy[q * dy_stride + o];
        sum += v, size += fabs(v);
      }
      worst = fmax(worst, fabs(dw[(o * s->in + row % s->in) * taps + row / s->in] - sum) / size);
    }
  CHECK(worst <= 2e-6, "%s: weight gradient %.1e from the exact sums", name, worst);
  CHECK(apart <= 1e-4, "%s: weight gradient %.1e from the reference path", name, apart);
}

static void test_shape(shape s) {
  static int turn;
  if (s.height + 2 * s.pad < s.kernel || s.width + 2 * s.pad < s.kernel) return;
  for (int isa = 0; isa < CLAT_ISA_COUNT; isa++) {
    if (!isa_runs((clat_isa)isa)) continue;
    guard_front = random_below(4) == 0;
    snprintf(name, sizeof name, "%s %d images %dx%d, %d->%d, kernel %d stride %d pad %d",
             clat_isa_name((clat_isa)isa), s.images, s.height, s.width, s.in, s.out, s.kernel,
             s.stride, s.pad);
    const size_t count = (size_t)(s.in * s.out * s.kernel * s.kernel);
    for (int transpose = 0; transpose < 2; transpose++) {
      test_gather(&s, transpose, (clat_isa)isa, random_floats(count),
                  &epilogues[turn++ % EPILOGUES]);
      release_guarded();
    }
    test_weight_grad(&s, (clat_isa)isa);
    release_guarded();
  }
}

/// ReLU keeps a NaN, as PyTorch's does, and clears its bit; on every way to sum a pixel.
static void test_nan(shape s) {
  const tables t = forward_tables(&s);
  const size_t outputs = (size_t)(s.images * t.out_pixels * s.out);
  const float *x = random_floats((size_t)(s.images * t.in_pixels * s.in));
  const float *w = random_floats((size_t)(s.in * s.out * s.kernel * s.kernel));
  float *bias = random_floats(s.out), *y = random_floats(outputs);
  uint8_t *bits = random_bytes(outputs);
  for (int isa = 0; isa < CLAT_ISA_COUNT; isa++) {
    if (!isa_runs((clat_isa)isa)) continue;
    snprintf(name, sizeof name, "%s NaN %d->%d", clat_isa_name((clat_isa)isa), s.in, s.out);
    for (int c = 0; c < s.out; c++) bias[c] = c % 3 == 1 ? NAN : 0;
    clat_conv_args a = {.images = s.images,
                        .in_pixels = t.in_pixels,
                        .out_pixels = t.out_pixels,
                        .in_channels = s.in,
                        .x_stride = s.in,
                        .phases = t.phases,
                        .phase = t.phase,
                        .x = x,
                        .packed = pack(&s, 0, &t, w, (clat_isa)isa),
                        .out = {.channels = s.out,
                                .y_stride = s.out,
                                .y = y,
                                .bias = bias,
                                .relu = 1,
                                .relu_bits = bits}};
    paths[isa].gather(&a, 0, s.images, scratch);
    int wrong = 0;
    for (size_t i = 0; i < outputs; i++) {
      const int c = (int)(i % (size_t)s.out), hidden = c % 3 == 1;
      const size_t byte = i / (size_t)s.out * (size_t)((s.out + 7) / 8) + (size_t)c / 8;
      wrong += hidden ? !isnan(y[i]) || (bits[byte] >> c % 8 & 1) : !(y[i] >= 0);
    }
    CHECK(!wrong, "%s: %d outputs", name, wrong);
  }
  release_guarded();
}

int main(void) {
  static const int channels[] = {1, 3, 8, 15, 16, 17, 33},
                   sides[][2] = {{5, 7}, {1, 1}, {9, 4}, {8, 8}};
  // Long sums, long zero rows, whole blocks, the gradient of an image, layers without extent.
  static const shape odd[] = {
      {2, 4, 4, 300, 40, 3, 1, 1},   {1, 3, 3, 1030, 17, 3, 2, 1}, {5, 1, 1, 4096, 10, 1, 1, 0},
      {33, 1, 1, 512, 100, 1, 1, 0}, {3, 16, 16, 64, 3, 3, 1, 1},  {2, 16, 17, 3, 64, 3, 1, 1},
      {2, 23, 21, 3, 20, 7, 2, 3},   {2, 19, 19, 2, 9, 11, 4, 5},  {3, 20, 20, 16, 48, 3, 1, 1},
      {1, 9, 9, 40, 530, 1, 2, 0},   {2, 13, 13, 6, 4, 5, 3, 2},   {1, 40, 40, 4, 4, 3, 1, 1},
      {2, 8, 8, 260, 4, 3, 1, 1},    {1, 34, 30, 33, 66, 3, 2, 1}, {2, 7, 7, 20, 20, 3, 3, 0},
      // Lanes over pixels, with rests of rows and columns; strides that leave phases without taps.
      {1, 40, 37, 3, 18, 3, 1, 1},   {2, 12, 70, 2, 16, 5, 1, 2},  {1, 37, 36, 3, 24, 7, 2, 3},
      {2, 20, 33, 4, 12, 1, 2, 0},   {1, 18, 20, 17, 20, 3, 4, 1}, {1, 20, 19, 8, 20, 3, 9, 1},
      // Windows that slide: tiles of both shapes, partly filled, padding on no or both sides.
      {2, 32, 32, 16, 16, 3, 1, 1},  {3, 32, 32, 16, 32, 3, 2, 1}, {2, 16, 16, 32, 32, 3, 1, 1},
      {2, 8, 8, 64, 64, 3, 1, 1},    {2, 28, 28, 20, 17, 3, 1, 1}, {1, 15, 14, 24, 16, 3, 1, 0},
      {1, 31, 30, 18, 20, 3, 2, 1},  {2, 32, 32, 16, 32, 1, 2, 0}, {1, 45, 40, 12, 24, 3, 1, 1},
      {1, 9, 24, 40, 16, 2, 1, 0},   {1, 17, 15, 16, 16, 3, 1, 2}, {1, 64, 33, 16, 16, 3, 2, 0}};
  scratch = guarded(CLAT_SCRATCH_BYTES);
  keep_guarded();
  test_nan((shape){2, 8, 8, 16, 17, 3, 1, 1});
  test_nan((shape){1, 5, 7, 20, 3, 3, 1, 1});
  test_nan((shape){1, 4, 4, 160, 33, 3, 2, 1});
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) test_shape(odd[i]);
  int at = 0;
  for (int in = 0; in < 7; in++)
    for (int out = 0; out < 7; out++)
      for (int kernel = 1; kernel <= 7; kernel += 2)
        for (int stride = 1; stride <= 3; stride++, at++)
          test_shape((shape){1 + at % 4, sides[at / 3 % 4][0], sides[at / 3 % 4][1], channels[in],
                             channels[out], kernel, stride, at % 2 ? kernel / 2 : 0});
  return finish("conv");
}
