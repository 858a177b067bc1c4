#include "sweep.h"

static void multiply_add_case(int64_t units, int64_t rounds) {
  const int64_t count = units * CLAT_CHAINS;
  clat_multiply_add_args a = {rounds, 0.75f, 0.5f, random_floats(count)};
  double *want = doubles(count);
  for (int64_t i = 0; i < count; i++) {
    want[i] = a.y[i];
    for (int64_t round = 0; round < rounds; round++) want[i] = want[i] * 0.75 + 0.5;
  }
  output out = floats_out(a.y, count, want, 1e-6);
  sweep("multiply_add", &a, units, &out, 1);
  release_guarded();
}

static void triad_case(int64_t units, int64_t floats) {
  const int64_t count = units * floats;
  clat_triad_args a = {floats, random_floats(count), random_floats(count), random_floats(count)};
  double *want = doubles(count);
  for (int64_t i = 0; i < count; i++) want[i] = a.x[i] + 3 * (double)a.z[i];
  output out = floats_out(a.y, count, want, 3e-7);
  sweep("triad", &a, units, &out, 1);
  release_guarded();
}

int main(void) {
  for (guard_front = 0; guard_front < 2; guard_front++) {
    for (int64_t units = 0; units < 4; units++) {
      multiply_add_case(units, 0), multiply_add_case(units, 1), multiply_add_case(units, 40);
      triad_case(units, 1), triad_case(units, 67);
    }
  }
  return finish("limits_test");
}
