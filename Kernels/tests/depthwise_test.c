// Depthwise convolutions against the definition in double, their reference twins, and themselves
// sliced.
#include "sweep.h"

typedef struct {
  int images, height, width, channels, kernel, stride, pad, gap;
} shape;

static const shape shapes[] = {
    {2, 5, 7, 3, 3, 1, 1, 0},  {3, 8, 8, 16, 3, 2, 1, 2},  {1, 9, 6, 33, 5, 1, 2, 3},
    {2, 4, 4, 48, 1, 1, 0, 0}, {4, 7, 7, 21, 3, 3, 0, 1},  {1, 1, 1, 17, 3, 1, 1, 0},
    {2, 6, 10, 40, 4, 2, 1, 5}, {5, 3, 3, 1, 3, 1, 1, 0},
};

enum { BIAS = 1, RESIDUAL = 2, RELU = 4, MASK = 8 };
static const int epilogues[] = {0, BIAS | RELU, BIAS | RESIDUAL | RELU, RESIDUAL | MASK, MASK};

static int out_side(const shape *s, int side) {
  return (side + 2 * s->pad - s->kernel) / s->stride + 1;
}

/// The input pixel under a tap of output pixel p, or -1.
static int under(const shape *s, int p, int tap) {
  const int width = out_side(s, s->width);
  const int y = p / width * s->stride - s->pad + tap / s->kernel;
  const int x = p % width * s->stride - s->pad + tap % s->kernel;
  return y >= 0 && y < s->height && x >= 0 && x < s->width ? y * s->width + x : -1;
}

/// The forward pass as one phase; the gradient's, where `transpose`, as one phase of all taps,
/// most of which see nothing where there is a stride.
static clat_conv_phase make_phase(const shape *s, int transpose) {
  const int large = s->height * s->width, taps = s->kernel * s->kernel;
  const int small = out_side(s, s->height) * out_side(s, s->width);
  const int pixels = transpose ? large : small;
  int32_t *out = guarded((size_t)pixels * 4), *tap = guarded((size_t)taps * 4);
  int32_t *in = guarded((size_t)(pixels * taps) * 4);
  for (int t = 0; t < taps; t++) tap[t] = t;
  for (int i = 0; i < pixels; i++) out[i] = i;
  for (int i = 0; i < pixels * taps; i++) in[i] = -1;
  for (int p = 0; p < small; p++)
    for (int t = 0; t < taps; t++) {
      const int q = under(s, p, t);
      if (q >= 0) in[(transpose ? q : p) * taps + t] = transpose ? p : q;
    }
  return (clat_conv_phase){pixels, taps, out, in, tap, 0};
}

static float *packed_weights(const shape *s, const clat_conv_phase *phase, const float *w) {
  const int panels = (s->channels + CLAT_PANEL - 1) / CLAT_PANEL;
  float *packed = random_floats((int64_t)panels * CLAT_PANEL * phase->taps);
  clat_conv_pack_args a = {s->channels, 1, phase->taps, 0, 1, phase, w, packed};
  clat_kernel_find("conv_pack", CLAT_ISA_REFERENCE)(&a, 0, panels, NULL);
  return packed;
}

/// Applies the epilogue to the sums of one pixel's channel.
static double finished(const clat_epilogue *e, const float *residual, int64_t pixel, int c,
                       double y, uint8_t *bits) {
  if (e->bias) y += e->bias[c];
  if (residual) y += residual[pixel * e->residual_stride + c];
  if (e->relu && y > 0) bits[pixel * ((e->channels + 7) / 8) + c / 8] |= (uint8_t)(1 << c % 8);
  if (e->relu) y = fmax(y, 0);
  return e->mask_bits && !bit_at(e->mask_bits, pixel, e->channels, c) ? 0 : y;
}

static void test_convolution(const shape *s, int transpose, int parts) {
  const int large = s->height * s->width, channels = s->channels;
  const int small = out_side(s, s->height) * out_side(s, s->width);
  const clat_conv_phase phase = make_phase(s, transpose);
  const int64_t in = transpose ? small : large, out = transpose ? large : small;
  const int x_stride = channels + s->gap, y_stride = channels + 2 * s->gap;
  const int64_t pixels = s->images * out, y_count = slab_floats(pixels, channels, y_stride);
  const size_t bit_bytes = (size_t)pixels * (size_t)((channels + 7) / 8);
  const float *w = random_floats((int64_t)channels * phase.taps);
  const float *x = random_slab(s->images * in, channels, x_stride);
  float *y = random_slab(pixels, channels, y_stride);
  uint8_t *bits = random_bits(pixels, channels), *want_bits = guarded(bit_bytes);
  clat_conv_args a = {s->images, (int32_t)in, (int32_t)out, 1, x_stride, 1, &phase, x,
                      packed_weights(s, &phase, w), {0}};
  a.out = (clat_epilogue){
      .channels = channels, .y_stride = y_stride, .residual_stride = y_stride, .y = y,
      .bias = parts & BIAS ? random_floats(channels) : NULL,
      .residual = parts & RESIDUAL ? random_slab(pixels, channels, y_stride) : NULL,
      .relu = (parts & RELU) != 0, .relu_bits = parts & RELU ? bits : NULL,
      .mask_bits = parts & MASK ? random_bits(pixels, channels) : NULL};
  double *want = doubles(y_count);
  memset(want_bits, 0, bit_bytes);
  for (int64_t i = 0; i < y_count; i++) want[i] = gap;
  for (int64_t p = 0; p < pixels; p++)
    for (int c = 0; c < channels; c++) {
      double sum = 0;
      for (int t = 0; t < phase.taps; t++) {
        const int32_t from = phase.in[p % out * phase.taps + t];
        if (from >= 0)
          sum += (double)x[(p / out * in + from) * x_stride + c] * w[c * phase.taps + t];
      }
      want[p * y_stride + c] = finished(&a.out, a.out.residual, p, c, sum, want_bits);
    }
  output outs[] = {floats_out(y, y_count, want, 1e-5), exact_out(bits, bit_bytes, want_bits)};
  sweep("conv_depthwise", &a, s->images, outs, parts & RELU ? 2 : 1);
  release_guarded();
}

static void test_weight_gradient(const shape *s, int chunks, int blocks) {
  const int large = s->height * s->width, channels = s->channels, x_stride = channels + s->gap;
  const clat_conv_phase phase = make_phase(s, 0);
  const int small = phase.pixels, dy_stride = channels + 2 * s->gap;
  const float *x = random_slab((int64_t)s->images * large, channels, x_stride);
  const float *dy = random_slab((int64_t)s->images * small, channels, dy_stride);
  const int64_t count = (int64_t)chunks * phase.taps * channels;
  float *partial = random_floats(count);
  double *want = doubles(count);
  for (int64_t i = 0; i < count; i++) {
    const int64_t chunk = i / channels / phase.taps, tap = i / channels % phase.taps;
    want[i] = 0;
    for (int64_t n = s->images * chunk / chunks; n < s->images * (chunk + 1) / chunks; n++)
      for (int p = 0; p < small; p++) {
        const int32_t from = phase.in[p * phase.taps + tap];
        if (from >= 0)
          want[i] += (double)x[(n * large + from) * x_stride + i % channels] *
                     dy[(n * small + p) * dy_stride + i % channels];
      }
  }
  clat_conv_weight_grad_args a = {s->images, large, small, 1, channels, phase.taps, x_stride,
                                  dy_stride, chunks, blocks, phase.in, x, dy, partial};
  output out = floats_out(partial, count, want, 1e-4);
  sweep("conv_depthwise_weight_grad", &a, (int64_t)chunks * blocks, &out, 1);
  release_guarded();
}

int main(void) {
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    for (guard_front = 0; guard_front < 2; guard_front++) {
      for (size_t k = 0; k < sizeof epilogues / sizeof *epilogues; k++) {
        test_convolution(&shapes[i], 0, epilogues[k]);
        if (shapes[i].stride == 1) test_convolution(&shapes[i], 1, epilogues[k]);
      }
      test_weight_gradient(&shapes[i], shapes[i].images, 1);
      test_weight_gradient(&shapes[i], 1, 4);
    }
  }
  return finish("depthwise");
}
