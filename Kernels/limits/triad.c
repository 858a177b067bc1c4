#include "kernels.h"

void clat_triad_plain(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_triad_args *a = args;
  const float *restrict x = a->x, *restrict z = a->z;
  float *restrict y = a->y;
  for (int64_t i = begin * a->floats; i < end * a->floats; i++) y[i] = x[i] + 3 * z[i];
}
