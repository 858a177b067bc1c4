#include "kernels.h"

void clat_mean_plain(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_mean_args *a = args;
  if (begin >= end) return;
  double sum = 0;
  for (int32_t i = 0; i < a->count; i++) sum += a->x[i];
  a->y[0] = (float)(sum / a->count);
}

void clat_broadcast_plain(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_broadcast_args *a = args;
  for (int64_t image = begin; image < end; image++) a->y[image] = a->x[0] * a->factor;
}
