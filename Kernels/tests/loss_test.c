#include "sweep.h"

static double *probabilities(const float *row, int classes, double *log_sum) {
  double *p = doubles(classes), best = row[0], sum = 0;
  for (int i = 1; i < classes; i++) best = fmax(best, row[i]);
  for (int i = 0; i < classes; i++) sum += exp(row[i] - best);
  for (int i = 0; i < classes; i++) p[i] = exp(row[i] - best) / sum;
  *log_sum = best + log(sum);
  return p;
}

static void cross_entropy_case(int images, int classes, float scale) {
  const int64_t count = (int64_t)images * classes;
  float *logits = random_floats(count), *dloss = random_floats(images);
  int32_t *labels = guarded((size_t)images * 4), *right = guarded((size_t)images * 4);
  double *want = doubles(images), *want_grad = doubles(count);
  for (int64_t i = 0; i < count; i++) logits[i] = roundf(logits[i] * 8) / 8 * scale; // some equal
  for (int i = 0; i < images; i++) {
    const float *row = logits + (int64_t)i * classes;
    double log_sum;
    int best = 0;
    labels[i] = (int32_t)(random_word() % (uint32_t)classes);
    const double *p = probabilities(row, classes, &log_sum);
    want[i] = log_sum - row[labels[i]];
    for (int k = 0; k < classes; k++) {
      want_grad[(int64_t)i * classes + k] = (p[k] - (k == labels[i])) * dloss[i];
      if (row[k] > row[best]) best = k;
    }
    right[i] = best == labels[i];
  }
  clat_cross_entropy_args loss = {images, classes, logits, labels, random_floats(images)};
  clat_cross_entropy_grad_args grad = {images, classes, logits,
                                       dloss,  labels,  random_floats(count)};
  clat_correct_args correct = {images, classes, logits, labels, guarded((size_t)images * 4)};
  output loss_out = floats_out(loss.loss, images, want, 1e-6);
  output grad_out = floats_out(grad.dlogits, count, want_grad, 1e-6);
  output correct_out = exact_out(correct.correct, (size_t)images * 4, right);
  sweep("cross_entropy", &loss, images, &loss_out, 1);
  sweep("cross_entropy_grad", &grad, images, &grad_out, 1);
  sweep("correct", &correct, images, &correct_out, 1);
  release_guarded();
}

/// Labels outside the classes show as NaN instead of reading beyond the row.
static void bad_labels(void) {
  const int32_t labels[] = {-1, 3};
  const float one[] = {1, 1};
  float *logits = random_floats(6), loss[2], grad[6];
  int32_t correct[2];
  clat_cross_entropy_args a = {2, 3, logits, labels, loss};
  clat_cross_entropy_grad_args g = {2, 3, logits, one, labels, grad};
  clat_correct_args c = {2, 3, logits, labels, correct};
  clat_kernel_find("cross_entropy", CLAT_ISA_PORTABLE)(&a, 0, 2, NULL);
  clat_kernel_find("cross_entropy_grad", CLAT_ISA_PORTABLE)(&g, 0, 2, NULL);
  clat_kernel_find("correct", CLAT_ISA_PORTABLE)(&c, 0, 2, NULL);
  for (int i = 0; i < 2; i++) CHECK(isnan(loss[i]) && !correct[i], "label %d", labels[i]);
  for (int i = 0; i < 6; i++) CHECK(isnan(grad[i]), "gradient %d of a bad label", i);
  release_guarded();
}

static void scalar_case(int count) {
  double mean = 0;
  clat_mean_args a = {count, random_floats(count), random_floats(1)};
  for (int i = 0; i < count; i++) mean += (double)a.x[i] / count;
  output out = floats_out(a.y, 1, &mean, 1e-7);
  sweep("mean", &a, 1, &out, 1);
  clat_broadcast_args b = {count, 0.37f, random_floats(1), random_floats(count)};
  double *want = doubles(count);
  for (int i = 0; i < count; i++) want[i] = (double)b.x[0] * 0.37f;
  output broadcast = floats_out(b.y, count, want, 1e-7);
  sweep("broadcast", &b, count, &broadcast, 1);
  release_guarded();
}

/// far: one image whose elements lie far apart; near: differences at the rounding of the values.
static void distance_case(int images, int elements, float spread) {
  const int64_t count = (int64_t)images * elements;
  float *a = random_floats(count), *b = random_floats(count), *dy = random_floats(images);
  float *distance = random_floats(images), *da = random_floats(count), *db = random_floats(count);
  double *want = doubles(images), *want_da = doubles(count), *want_db = doubles(count);
  const float eps = 1e-12f;
  for (int64_t i = 0; i < count; i++) b[i] = a[i] + b[i] * spread;
  for (int image = 0; image < images; image++) {
    double sum = eps;
    const int64_t first = (int64_t)image * elements;
    for (int64_t i = first; i < first + elements; i++) sum += pow((double)a[i] - b[i], 2);
    want[image] = sqrt(sum);
  }
  clat_feature_distance_args forward = {images, elements, eps, a, b, distance};
  output out = floats_out(distance, images, want, 1e-6);
  sweep("feature_distance", &forward, images, &out, 1);
  for (int i = 0; i < images; i++) distance[i] = (float)want[i];
  for (int64_t i = 0; i < count; i++) {
    want_da[i] = ((double)a[i] - b[i]) * dy[i / elements] / distance[i / elements];
    want_db[i] = -want_da[i];
  }
  output outs[] = {floats_out(da, count, want_da, 1e-6), floats_out(db, count, want_db, 1e-6)};
  clat_feature_distance_grad_args grad = {images, elements, a, b, distance, dy, da, db};
  sweep("feature_distance_grad", &grad, images, outs, 2);
  grad.db = NULL;
  sweep("feature_distance_grad", &grad, images, outs, 1);
  grad.db = db, grad.da = NULL;
  sweep("feature_distance_grad", &grad, images, outs + 1, 1);
  release_guarded();
}

static void no_distance(void) {
  float a[20] = {0}, d = 0, dy = 1, da[20];
  clat_feature_distance_grad_args g = {1, 20, a, a, &d, &dy, da, NULL};
  for (int isa = 0; isa < CLAT_ISA_COUNT; isa++) {
    if (!clat_isa_supported((clat_isa)isa)) continue;
    clat_kernel_find("feature_distance_grad", (clat_isa)isa)(&g, 0, 1, NULL);
    for (int i = 0; i < 20; i++) CHECK(da[i] == 0, "gradient at distance 0: %g", da[i]);
  }
}

int main(void) {
  for (guard_front = 0; guard_front < 2; guard_front++) {
    cross_entropy_case(1, 1, 1), cross_entropy_case(5, 10, 4), cross_entropy_case(3, 100, 1000);
    scalar_case(1), scalar_case(17), scalar_case(1000);
    const int sizes[] = {1, 15, 16, 63, 64, 65, 4096, 4097, 20000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      distance_case(3, sizes[i], 1), distance_case(2, sizes[i], 1e-5f);
    }
  }
  bad_labels();
  no_distance();
  return finish("loss_test");
}
