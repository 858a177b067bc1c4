#include "kernels.h"

static float clamp(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

void clat_sign_step_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_sign_step_args *a = args;
  for (int64_t i = begin * a->elements; i < end * a->elements; i++) {
    const float sign = (float)((a->gradient[i] > 0) - (a->gradient[i] < 0));
    const float moved = a->x[i] + a->step * sign;
    const float near = clamp(moved, a->clean[i] - a->eps, a->clean[i] + a->eps);
    a->y[i] = clamp(near, a->low, a->high);
  }
}
