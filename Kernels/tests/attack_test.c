#include "sweep.h"

static float expected_step(const clat_sign_step_args *a, int64_t i) {
  const float g = a->gradient[i];
  const float moved = a->x[i] + (g > 0 ? a->step : g < 0 ? -a->step : 0);
  const float near = fminf(fmaxf(moved, a->clean[i] - a->eps), a->clean[i] + a->eps);
  return fminf(fmaxf(near, a->low), a->high);
}

/// Exact: the steps and bounds are the same float operations on every path.
static void sign_step_case(int images, int elements, int in_place) {
  const int64_t count = (int64_t)images * elements;
  float *x = random_floats(count), *gradient = random_floats(count), *clean = random_floats(count);
  float *y = in_place ? x : random_floats(count), *want = guarded((size_t)count * 4);
  for (int64_t i = 0; i < count; i++) {
    clean[i] = (clean[i] + 1) / 2;
    x[i] = clean[i] + x[i] * 0.05f;
    if (i % 7 == 3) gradient[i] = NAN;
    if (i % 5 == 2) gradient[i] = i % 2 ? 0.0f : -0.0f;
  }
  clat_sign_step_args a = {images, elements, 2 / 255.f, 8 / 255.f, 0, 1, x, gradient, clean, y};
  for (int64_t i = 0; i < count; i++) want[i] = expected_step(&a, i);
  output out = exact_out(y, (size_t)count * 4, want);
  sweep("sign_step", &a, images, &out, 1);
  release_guarded();
}

static void random_start_case(int images, int elements) {
  const int64_t count = (int64_t)images * elements;
  int32_t *ids = guarded((size_t)images * 4), stream[] = {-7, 12, 3, 4};
  float *x = random_floats(count), *want = guarded((size_t)count * 4);
  for (int i = 0; i < images; i++) ids[i] = 1000 - 3 * i;
  for (int64_t i = 0; i < count; i++) {
    const uint32_t key[2] = {(uint32_t)stream[0], (uint32_t)stream[1]};
    const uint32_t counter[4] = {(uint32_t)(i % elements / 4), (uint32_t)ids[i / elements], 3, 4};
    uint32_t words[4];
    clat_philox(counter, key, words);
    const double u = (words[i % elements % 4] >> 8) / 16777216.0;
    x[i] = (x[i] + 1) / 2;
    const float moved = x[i] + (float)(0.1f * (2 * u - 1));
    want[i] = moved < 0 ? 0 : moved > 1 ? 1 : moved;
  }
  clat_random_start_args a = {images, elements, 0.1f, 0, 1, x, ids, stream, random_floats(count)};
  output out = exact_out(a.y, (size_t)count * 4, want);
  sweep("random_start", &a, images, &out, 1);
  release_guarded();
}

/// The known answers of Random123's kat_vectors for philox4x32-10.
static void philox_known_answers(void) {
  static const uint32_t cases[3][10] = {
      {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
      {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
      {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
       0x94fdcceb, 0x5001e420, 0x24126ea1},
  };
  for (int i = 0; i < 3; i++) {
    uint32_t out[4];
    clat_philox(cases[i], cases[i] + 4, out);
    CHECK(memcmp(out, cases[i] + 6, sizeof out) == 0, "philox case %d: %08x", i, out[0]);
  }
}

/// Mean and variance of the start, far inside what 100000 draws can miss by chance.
static void random_start_moments(void) {
  enum { count = 100000 };
  static float x[count], y[count];
  int32_t id = 5, stream[] = {1, 0, 0, 4};
  double mean = 0, square = 0;
  clat_random_start_args a = {1, count, 1, -2, 2, x, &id, stream, y};
  clat_kernel_find("random_start", clat_isa_best())(&a, 0, 1, NULL);
  for (int i = 0; i < count; i++) {
    mean += y[i] / (double)count;
    square += y[i] * y[i] / (double)count;
  }
  CHECK(fabs(mean) < 0.01 && fabs(square - 1 / 3.0) < 0.01, "moments %g %g", mean, square);
}

int main(void) {
  for (guard_front = 0; guard_front < 2; guard_front++) {
    const int sizes[] = {1, 3, 10, 16, 17, 640, 3072};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      sign_step_case(3, sizes[i], 0), sign_step_case(5, sizes[i], 1);
      random_start_case(4, sizes[i]);
    }
  }
  philox_known_answers();
  random_start_moments();
  return finish("attack_test");
}
