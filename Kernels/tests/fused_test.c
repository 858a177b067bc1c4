#include "sweep.h"

typedef struct {
  int images, pixels, channels;
} shape;

static const shape shapes[] = {{1, 1, 1}, {3, 5, 3}, {2, 7, 10}, {5, 4, 16}, {3, 3, 17},
                               {2, 2, 256}, {2, 3, 300}, {2, 1, 600}, {0, 3, 8}};

enum { X, VECTOR, MASK, FACTOR, Y, BITS, SUM, TOP, ROW, OPERANDS };
static const clat_lane_role roles[OPERANDS] = {
    CLAT_ROLE_FULL, CLAT_ROLE_CHANNEL, CLAT_ROLE_BITS,  CLAT_ROLE_IMAGE,        CLAT_ROLE_FULL,
    CLAT_ROLE_BITS, CLAT_ROLE_IMAGE,   CLAT_ROLE_IMAGE, CLAT_ROLE_IMAGE_CHANNEL};

// u = x + vector; its sum, maximum and sum by channel; then
// y = mask ? u * sum / count - top : row * factor, and the bits of u.
static const clat_lane_step sums[] = {
    {CLAT_LANE_LOAD, 0, 0, 0, X, 0, 0},    {CLAT_LANE_LOAD, 0, 0, 0, VECTOR, 1, 0},
    {CLAT_LANE_ADD, 0, 1, 0, 0, 2, 0},     {CLAT_LANE_SUM, 2, 0, 0, 0, 0, 0},
    {CLAT_LANE_TOP, 2, 0, 0, 1, 0, 0},     {CLAT_LANE_SUM_ROW, 2, 0, 0, 1, 0, 0},
};
static clat_lane_step of_image[] = {
    {CLAT_LANE_SCALAR, 0, 0, 0, 0, 0, 0},   {CLAT_LANE_STORE, 0, 0, 0, SUM, 0, 0},
    {CLAT_LANE_CONSTANT, 0, 0, 0, 0, 1, 0}, {CLAT_LANE_MULTIPLY, 0, 1, 0, 0, 0, 0},
    {CLAT_LANE_SET_SCALAR, 0, 0, 0, 0, 0, 0}, {CLAT_LANE_SCALAR, 0, 0, 0, 1, 0, 0},
    {CLAT_LANE_STORE, 0, 0, 0, TOP, 0, 0},
};
static const clat_lane_step of_channel[] = {
    {CLAT_LANE_ROW, 0, 0, 0, 1, 0, 0},
    {CLAT_LANE_STORE, 0, 0, 0, ROW, 0, 0},
    {CLAT_LANE_SET_ROW, 0, 0, 0, 0, 0, 0},
};
static const clat_lane_step last[] = {
    {CLAT_LANE_LOAD, 0, 0, 0, X, 0, 0},      {CLAT_LANE_LOAD, 0, 0, 0, VECTOR, 1, 0},
    {CLAT_LANE_ADD, 0, 1, 0, 0, 0, 0},       {CLAT_LANE_SCALAR, 0, 0, 0, 0, 1, 0},
    {CLAT_LANE_MULTIPLY, 0, 1, 0, 0, 2, 0},  {CLAT_LANE_SCALAR, 0, 0, 0, 1, 1, 0},
    {CLAT_LANE_SUBTRACT, 2, 1, 0, 0, 2, 0},  {CLAT_LANE_ROW, 0, 0, 0, 0, 3, 0},
    {CLAT_LANE_LOAD, 0, 0, 0, FACTOR, 1, 0}, {CLAT_LANE_MULTIPLY, 3, 1, 0, 0, 3, 0},
    {CLAT_LANE_LOAD, 0, 0, 0, MASK, 1, 0},   {CLAT_LANE_SELECT, 1, 2, 3, 0, 2, 0},
    {CLAT_LANE_STORE, 0, 0, 0, BITS, 0, 0},  {CLAT_LANE_STORE, 2, 0, 0, Y, 0, 0},
};
#define LOOP(space, steps) {space, (int32_t)(sizeof steps / sizeof steps[0]), steps}
static const clat_lane_loop loops[] = {
    LOOP(CLAT_ROLE_FULL, sums), LOOP(CLAT_ROLE_IMAGE, of_image),
    LOOP(CLAT_ROLE_IMAGE_CHANNEL, of_channel), LOOP(CLAT_ROLE_FULL, last)};

typedef struct {
  double *y, *sum, *top, *row;
  uint8_t *bits;
} wanted;

static wanted expect(shape s, void **operands) {
  const int64_t elements = (int64_t)s.pixels * s.channels, all = s.images * elements;
  const size_t bytes = (size_t)s.images * s.pixels * ((s.channels + 7) / 8);
  wanted w = {doubles(all), doubles(s.images), doubles(s.images),
              doubles((int64_t)s.images * s.channels), guarded(bytes)};
  memset(w.bits, 0, bytes);
  const float *x = operands[X], *vector = operands[VECTOR], *factor = operands[FACTOR];
  for (int image = 0; image < s.images; image++) {
    double *row = w.row + image * s.channels;
    for (int c = 0; c < s.channels; c++) row[c] = 0;
    w.sum[image] = 0, w.top[image] = -INFINITY;
    for (int64_t i = 0; i < elements; i++) {
      const float u = x[image * elements + i] + vector[i % s.channels];
      w.sum[image] += u, row[i % s.channels] += u;
      w.top[image] = fmax(w.top[image], u);
    }
    for (int64_t i = 0; i < elements; i++) {
      const int64_t pixel = (image * elements + i) / s.channels, c = i % s.channels;
      const float u = x[image * elements + i] + vector[c];
      if (u > 0) w.bits[pixel * ((s.channels + 7) / 8) + c / 8] |= (uint8_t)(1 << c % 8);
      w.y[image * elements + i] = bit_at(operands[MASK], pixel, s.channels, c)
                                      ? u * w.sum[image] / (double)elements - w.top[image]
                                      : row[c] * factor[image];
    }
  }
  return w;
}

static void region(shape s, int in_place) {
  const int64_t pixels = (int64_t)s.images * s.pixels, all = pixels * s.channels;
  const size_t bytes = (size_t)(pixels * ((s.channels + 7) / 8));
  void *operands[OPERANDS] = {
      random_floats(all),      random_floats(s.channels), random_bits(pixels, s.channels),
      random_floats(s.images), random_floats(all),        random_bits(pixels, s.channels),
      random_floats(s.images), random_floats(s.images),
      random_floats((int64_t)s.images * s.channels)};
  if (in_place) operands[Y] = operands[X];
  of_image[2].value = 1 / (float)(s.pixels * s.channels);
  const clat_lane_program program = {s.channels, 4, 4, 2, 2, loops, roles};
  const clat_fused_args args = {s.images, s.pixels, &program, operands};
  const wanted w = expect(s, operands);
  output outs[] = {floats_out(operands[Y], all, w.y, 1e-5),
                   exact_out(operands[BITS], bytes, w.bits),
                   floats_out(operands[SUM], s.images, w.sum, 3e-5),
                   floats_out(operands[TOP], s.images, w.top, 0),
                   floats_out(operands[ROW], (int64_t)s.images * s.channels, w.row, 1e-5)};
  sweep("fused", &args, s.images, outs, 5);
  release_guarded();
}

/// Distance in units of the last place of the wanted value.
static double ulps(float got, double want) {
  if (isnan(want) || isinf(want)) return (isnan(want) ? isnan(got) : got == want) ? 0 : INFINITY;
  int exponent;
  frexp(want, &exponent);
  return fabs(got - want) / ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
}

static double log1p_of(double x) { return log1p(x); }

/// Every elementary function on a grid of its range, and at special values.
static void elementary(clat_lane_op op, const char *name, double (*f)(double), float low,
                       float high, double bound) {
  enum { count = 4096 };
  float x[count], y[count];
  for (int i = 0; i < count; i++) x[i] = low + (high - low) * (float)i / (count - 1);
  const clat_lane_role in_out[] = {CLAT_ROLE_FULL, CLAT_ROLE_FULL};
  const clat_lane_step steps[] = {{CLAT_LANE_LOAD, 0, 0, 0, 0, 0, 0},
                                  {op, 0, 0, 0, 0, 1, 0},
                                  {CLAT_LANE_STORE, 1, 0, 0, 1, 0, 0}};
  const clat_lane_loop loop = LOOP(CLAT_ROLE_FULL, steps);
  const clat_lane_program program = {count, 1, 2, 0, 0, &loop, in_out};
  void *operands[] = {x, y};
  const clat_fused_args args = {1, 1, &program, operands};
  void *scratch = guarded(CLAT_SCRATCH_BYTES);
  for (int isa = 0; isa < CLAT_ISA_COUNT; isa++) {
    if (!clat_isa_supported((clat_isa)isa)) continue;
    clat_kernel_find("fused", (clat_isa)isa)(&args, 0, 1, scratch);
    double worst = 0, at = 0;
    for (int i = 0; i < count; i++) {
      const double error = ulps(y[i], f(x[i]));
      if (!(error <= worst)) worst = error, at = x[i];
    }
    CHECK(worst <= bound, "%s %s: %g ulp at %.9g, allowed %g", name, clat_isa_name((clat_isa)isa),
          worst, at, bound);
  }
  release_guarded();
}

static void special_values(void) {
  const float values[] = {0, -0.0f, INFINITY, -INFINITY, NAN, 88.8f, -120, -1, 1, 1e30f, -1e30f};
  const clat_lane_op ops[] = {CLAT_LANE_EXP, CLAT_LANE_LOG, CLAT_LANE_TANH};
  double (*const functions[])(double) = {exp, log, tanh};
  for (int k = 0; k < 3; k++) {
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
      double (*f)(double) = functions[k];
      if (ops[k] == CLAT_LANE_EXP && values[i] == 88.8f) continue;
      elementary(ops[k], "special", f, values[i], values[i], 4);
    }
  }
}

int main(void) {
  for (guard_front = 0; guard_front < 2; guard_front++) {
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
      region(shapes[i], 0);
      region(shapes[i], 1);
    }
  }
  elementary(CLAT_LANE_EXP, "exp", exp, -87, 88.7f, 2);
  elementary(CLAT_LANE_EXP, "exp", exp, -1, 1, 2);
  elementary(CLAT_LANE_LOG, "log", log, 1e-6f, 4, 2);
  elementary(CLAT_LANE_LOG, "log", log, 1, 1e30f, 2);
  elementary(CLAT_LANE_LOG1P, "log1p", log1p_of, 0, 1, 4);
  elementary(CLAT_LANE_LOG1P, "log1p", log1p_of, 0, 1e-6f, 4);
  elementary(CLAT_LANE_ERF, "erf", erf, -4, 4, 8);
  elementary(CLAT_LANE_TANH, "tanh", tanh, -9, 9, 8);
  special_values();
  return finish("fused_test");
}
