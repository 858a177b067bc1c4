#include "sweep.h"

static void sgd_case(int64_t count, int in_place) {
  float *w = random_floats(count), *g = random_floats(count), *m = random_floats(count);
  float *new_w = in_place ? w : random_floats(count), *new_m = in_place ? m : random_floats(count);
  float lr = 0.1f;
  double *want_w = doubles(count), *want_m = doubles(count);
  for (int64_t i = 0; i < count; i++) {
    want_m[i] = 0.9f * (double)m[i] + (g[i] + 5e-4f * (double)w[i]);
    want_w[i] = w[i] - 0.1f * want_m[i];
  }
  clat_sgd_args a = {count, 0.9f, 5e-4f, &lr, w, g, m, new_w, new_m};
  output outs[] = {floats_out(new_w, count, want_w, 3e-7), floats_out(new_m, count, want_m, 3e-7)};
  sweep("sgd", &a, (count + 1023) / 1024, outs, 2);
  release_guarded();
}

static void axpby_case(int64_t count, int both) {
  clat_axpby_args a = {count, 0.3f, -1.7f, random_floats(count), both ? random_floats(count) : NULL,
                       random_floats(count)};
  double *want = doubles(count);
  for (int64_t i = 0; i < count; i++) {
    want[i] = 0.3f * (double)a.a[i] + (both ? -1.7f * (double)a.b[i] : 0);
  }
  output out = floats_out(a.y, count, want, 3e-7);
  sweep("axpby", &a, (count + 1023) / 1024, &out, 1);
  release_guarded();
}

int main(void) {
  for (guard_front = 0; guard_front < 2; guard_front++) {
    const int64_t counts[] = {0, 1, 3, 16, 17, 640, 1023, 1024, 1025, 5000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
      sgd_case(counts[i], 0), sgd_case(counts[i], 1);
      axpby_case(counts[i], 0), axpby_case(counts[i], 1);
    }
  }
  return finish("optim_test");
}
