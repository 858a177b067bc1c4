#include "sweep.h"

typedef struct {
  int images, pixels, channels, pad; // pad: stride - channels
} shape;

static const shape shapes[] = {{1, 1, 1, 0},  {3, 5, 3, 0},   {2, 7, 10, 3}, {5, 4, 16, 0},
                               {3, 3, 17, 5}, {2, 9, 640, 1}, {2, 6, 33, 0}, {4, 0, 8, 0}};

static double epilogue(const clat_affine_args *a, const float *x, const float *residual, int64_t p,
                       int c) {
  double v = (double)x[p * a->x_stride + c] * a->x_scale * (a->scale ? a->scale[c] : 1);
  v += a->shift ? a->shift[c] : 0;
  return v + (a->residual ? (double)residual[p * a->residual_stride + c] * a->residual_scale : 0);
}

/// Fills the expected output and bits; nudges the input away from values whose sign rounding could
/// turn.
static void expect_affine(const clat_affine_args *a, float *x, float *residual, double *want,
                          uint8_t *bits) {
  const int64_t row = (a->channels + 7) / 8;
  for (int64_t p = 0; p < (int64_t)a->images * a->pixels; p++) {
    for (int c = 0; c < a->channels; c++) {
      double v = epilogue(a, x, residual, p, c);
      while (fabs(v) < 1e-4) {
        x[p * a->x_stride + c] += 0.25f;
        v = epilogue(a, x, residual, p, c);
      }
      if (a->relu && v > 0 && a->relu_bits) bits[p * row + c / 8] |= (uint8_t)(1 << c % 8);
      if (a->relu && v < 0) v = 0;
      if (a->mask_bits && !bit_at(a->mask_bits, p, a->channels, c)) v = 0;
      want[p * a->y_stride + c] = v;
    }
  }
}

enum { SEPARATE, OVER_X, OVER_RESIDUAL };

static void affine_case(shape s, int flags, int alias) {
  const int64_t pixels = (int64_t)s.images * s.pixels;
  const int stride = s.channels + s.pad;
  const int64_t floats = slab_floats(pixels, s.channels, stride);
  float *x = random_slab(pixels, s.channels, stride);
  float *residual = random_slab(pixels, s.channels, stride);
  float *y = alias == OVER_X ? x : alias == OVER_RESIDUAL ? residual
                                                          : random_slab(pixels, s.channels, stride);
  clat_affine_args a = {.images = s.images, .pixels = s.pixels, .channels = s.channels,
                        .x_stride = stride, .y_stride = stride, .residual_stride = stride,
                        .x_scale = 0.5f, .residual_scale = -1.25f};
  const int activation = flags >> 3;
  a.x = x, a.y = y;
  a.scale = flags & 1 ? random_floats(s.channels) : NULL;
  a.shift = flags & 2 ? random_floats(s.channels) : NULL;
  a.residual = flags & 4 ? residual : NULL;
  a.relu = activation == 1 || activation == 2;
  const size_t bit_bytes = (size_t)(pixels * ((s.channels + 7) / 8));
  a.relu_bits = activation == 2 ? random_bits(pixels, s.channels) : NULL;
  a.mask_bits = activation == 3 ? random_bits(pixels, s.channels) : NULL;
  double *want = doubles(floats);
  uint8_t *bits = guarded(bit_bytes);
  memset(bits, 0, bit_bytes);
  for (int64_t i = 0; i < floats; i++) want[i] = gap;
  expect_affine(&a, x, residual, want, bits);
  output outs[] = {floats_out(y, floats, want, 1e-6), exact_out(a.relu_bits, bit_bytes, bits)};
  sweep("affine", &a, s.images, outs, activation == 2 ? 2 : 1);
  release_guarded();
}

static void affine_nan(void) {
  float x[20], y[20];
  uint8_t bits[3];
  for (int i = 0; i < 20; i++) x[i] = NAN;
  clat_affine_args a = {.images = 1, .pixels = 1, .channels = 20, .x_stride = 20, .y_stride = 20,
                        .x_scale = 1, .x = x, .y = y, .relu = 1, .relu_bits = bits};
  for (int isa = 0; isa < CLAT_ISA_COUNT; isa++) {
    if (!clat_isa_supported((clat_isa)isa)) continue;
    clat_kernel_find("affine", (clat_isa)isa)(&a, 0, 1, NULL);
    for (int i = 0; i < 20; i++) CHECK(isnan(y[i]), "%s: ReLU hides a NaN", clat_isa_name(isa));
    CHECK(!bits[0] && !bits[1] && !bits[2], "%s: NaN counts as positive", clat_isa_name(isa));
  }
}

static void product_case(const char *kernel, shape s) {
  const int64_t pixels = (int64_t)s.images * s.pixels;
  const int x_stride = s.channels + s.pad, y_stride = s.channels + 2 * s.pad;
  const int64_t floats = slab_floats(pixels, s.channels, y_stride);
  clat_multiply_args a = {s.images, s.pixels, s.channels, x_stride, s.channels, y_stride,
                          random_slab(pixels, s.channels, x_stride),
                          random_slab(pixels, s.channels, s.channels),
                          random_slab(pixels, s.channels, y_stride)};
  const int gradient = strcmp(kernel, "relu_grad") == 0;
  double *want = doubles(floats);
  for (int64_t i = 0; i < floats; i++) {
    const int64_t p = i / y_stride, c = i % y_stride;
    if (c >= s.channels) {
      want[i] = gap;
      continue;
    }
    const double x = a.x[p * x_stride + c], z = a.z[p * s.channels + c];
    want[i] = gradient ? (z > 0 ? x : 0) : x * z;
  }
  output out = floats_out(a.y, floats, want, 1e-6);
  sweep(kernel, &a, s.images, &out, 1);
  release_guarded();
}

static void copy_case(int64_t bytes) {
  clat_copy_args a = {bytes, random_bits(bytes, 8), random_bits(bytes, 8)};
  output out = exact_out(a.y, (size_t)bytes, a.x);
  sweep("copy", &a, (bytes + 1023) / 1024, &out, 1);
  release_guarded();
}

/// Draws are those of Philox, element by element, and what is kept is scaled.
static void dropout_case(int images, int elements, int in_place) {
  const int64_t count = (int64_t)images * elements;
  int32_t *ids = guarded((size_t)images * 4), stream[] = {5, -2, 3, 4};
  float *x = random_floats(count), *want = guarded((size_t)count * 4);
  for (int i = 0; i < images; i++) ids[i] = 77 + 5 * i;
  for (int64_t i = 0; i < count; i++) {
    const uint32_t key[2] = {5, (uint32_t)-2};
    const uint32_t counter[4] = {(uint32_t)(i % elements / 4), (uint32_t)ids[i / elements], 3, 520};
    uint32_t words[4];
    clat_philox(counter, key, words);
    want[i] = (words[i % elements % 4] >> 8) / 16777216.0 < 0.25 ? 0 : x[i] * (1 / 0.75f);
  }
  clat_dropout_args a = {images, 520, elements, 0.25f, 1 / 0.75f, x, ids, stream,
                         in_place ? x : random_floats(count)};
  output out = exact_out(a.y, (size_t)count * 4, want);
  sweep("dropout", &a, images, &out, 1);
  release_guarded();
}

int main(void) {
  for (guard_front = 0; guard_front < 2; guard_front++) {
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
      for (int flags = 0; flags < 32; flags++) affine_case(shapes[i], flags, SEPARATE);
      affine_case(shapes[i], 23, OVER_X);
      affine_case(shapes[i], 23, OVER_RESIDUAL);
      affine_case(shapes[i], 31, OVER_X);
      product_case("multiply", shapes[i]);
      product_case("relu_grad", shapes[i]);
    }
    for (int elements = 1; elements < 40; elements += 6) {
      dropout_case(3, elements, 0), dropout_case(5, elements, 1);
    }
    for (int64_t bytes = 0; bytes < 5000; bytes = bytes * 2 + 1) copy_case(bytes);
  }
  affine_nan();
  return finish("eltwise_test");
}
