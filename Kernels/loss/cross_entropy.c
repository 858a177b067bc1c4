// Rows are short (the classes), so that one plain loop serves every instruction set. A label
// outside the classes gives NaN, which shows, instead of a read outside the row.
#include "kernels.h"

#include <math.h>

static int in_range(int32_t label, int32_t classes) { return label >= 0 && label < classes; }

static float largest(const float *row, int32_t count) {
  float best = row[0];
  for (int32_t i = 1; i < count; i++) best = row[i] > best ? row[i] : best;
  return best;
}

/// Sum of exp(row - best).
static double exp_sum(const float *row, int32_t count, float best) {
  double sum = 0;
  for (int32_t i = 0; i < count; i++) sum += (double)expf(row[i] - best);
  return sum;
}

void clat_cross_entropy_plain(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_cross_entropy_args *a = args;
  for (int64_t image = begin; image < end; image++) {
    const float *row = a->logits + image * a->classes;
    const int32_t label = a->labels[image];
    const float best = largest(row, a->classes);
    const double sum = log(exp_sum(row, a->classes, best)) + best;
    a->loss[image] = in_range(label, a->classes) ? (float)(sum - row[label]) : NAN;
  }
}

void clat_cross_entropy_grad_plain(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_cross_entropy_grad_args *a = args;
  for (int64_t image = begin; image < end; image++) {
    const float *row = a->logits + image * a->classes;
    float *to = a->dlogits + image * a->classes;
    const int32_t label = a->labels[image];
    const float best = largest(row, a->classes);
    const double sum = exp_sum(row, a->classes, best);
    const float dloss = in_range(label, a->classes) ? a->dloss[image] : NAN;
    for (int32_t i = 0; i < a->classes; i++) {
      const double p = (double)expf(row[i] - best) / sum;
      to[i] = (float)(p - (i == label)) * dloss;
    }
  }
}

void clat_correct_plain(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_correct_args *a = args;
  for (int64_t image = begin; image < end; image++) {
    const float *row = a->logits + image * a->classes;
    int32_t best = 0;
    for (int32_t i = 1; i < a->classes; i++) best = row[i] > row[best] ? i : best;
    a->correct[image] = best == a->labels[image];
  }
}
