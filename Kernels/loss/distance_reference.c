#include "kernels.h"

#include <math.h>

void clat_feature_distance_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_feature_distance_args *a = args;
  for (int64_t image = begin; image < end; image++) {
    double sum = 0;
    for (int64_t i = image * a->elements; i < (image + 1) * a->elements; i++) {
      const double d = (double)a->a[i] - a->b[i];
      sum += d * d;
    }
    a->distance[image] = (float)sqrt(sum + a->eps);
  }
}

void clat_feature_distance_grad_reference(const void *args, int64_t begin, int64_t end,
                                          void *scratch) {
  (void)scratch;
  const clat_feature_distance_grad_args *a = args;
  for (int64_t image = begin; image < end; image++) {
    const float distance = a->distance[image];
    const float factor = distance > 0 ? a->dy[image] / distance : 0;
    for (int64_t i = image * a->elements; i < (image + 1) * a->elements; i++) {
      const float d = (a->a[i] - a->b[i]) * factor;
      if (a->da) a->da[i] = d;
      if (a->db) a->db[i] = -d;
    }
  }
}
