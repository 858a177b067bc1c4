#include "kernels.h"

static int64_t bounded(int64_t block, int64_t count) {
  return block * 1024 < count ? block * 1024 : count;
}

void clat_sgd_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_sgd_args *a = args;
  for (int64_t i = bounded(begin, a->count); i < bounded(end, a->count); i++) {
    const float g = a->g[i] + a->weight_decay * a->w[i];
    const float m = a->momentum * a->m[i] + g;
    a->new_w[i] = a->w[i] - a->lr[0] * m;
    a->new_m[i] = m;
  }
}

void clat_axpby_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_axpby_args *a = args;
  for (int64_t i = bounded(begin, a->count); i < bounded(end, a->count); i++) {
    a->y[i] = a->a[i] * a->a_scale + (a->b ? a->b[i] * a->b_scale : 0);
  }
}
