// The steps between a normalisation's reductions and its element-wise passes: a few numbers a
// channel, in double.
#include "kernels.h"

#include <math.h>

// Adds the images' (mean, squares) pairs one after the other (Chan et al. 1979, with equal
// counts).
static void combine(const float *partial, int images, int64_t stride, double pixels, double *mean,
                    double *square) {
  *mean = *square = 0;
  for (int i = 0; i < images; i++) {
    const double delta = partial[2 * i * stride] - *mean;
    *mean += delta / (i + 1);
    *square += partial[(2 * i + 1) * stride] + delta * delta * pixels * i / (i + 1);
  }
}

void clat_batch_norm_finalize_plain(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_batch_norm_finalize_args *a = args;
  const double count = (double)a->images * a->pixels, momentum = a->momentum;
  for (int64_t c = begin; c < end; c++) {
    double mean, square;
    combine(a->partial + c, a->images, a->channels, a->pixels, &mean, &square);
    const double invstd = 1 / sqrt(square / count + a->eps);
    const double scale = a->gamma[c] * invstd;
    a->mean[c] = (float)mean;
    a->invstd[c] = (float)invstd;
    a->scale[c] = (float)scale;
    a->shift[c] = (float)(a->beta[c] - mean * scale);
    if (a->new_running_mean) {
      a->new_running_mean[c] = (float)((1 - momentum) * a->running_mean[c] + momentum * mean);
    }
    if (a->new_running_var) {
      const double unbiased = square / (count > 1 ? count - 1 : 1);
      a->new_running_var[c] = (float)((1 - momentum) * a->running_var[c] + momentum * unbiased);
    }
  }
}

static double sum_images(const float *partial, int images, int64_t stride) {
  double sum = 0;
  for (int i = 0; i < images; i++) sum += partial[i * stride];
  return sum;
}

// dx = gamma * invstd * (dy - mean(dy) - xhat * mean(dy * xhat)), as coefficients of dy, x and 1.
void clat_batch_norm_grad_finalize_plain(const void *args, int64_t begin, int64_t end,
                                         void *scratch) {
  (void)scratch;
  const clat_batch_norm_grad_finalize_args *a = args;
  const double count = (double)a->images * a->pixels;
  const int64_t stride = 2 * (int64_t)a->channels;
  for (int64_t c = begin; c < end; c++) {
    const double dbeta = sum_images(a->partial + c, a->images, stride);
    const double dgamma = sum_images(a->partial + a->channels + c, a->images, stride);
    const double slope = (double)a->gamma[c] * a->invstd[c];
    const double b = -slope * a->invstd[c] * dgamma / count;
    if (a->dbeta) a->dbeta[c] = (float)dbeta;
    if (a->dgamma) a->dgamma[c] = (float)dgamma;
    a->a[c] = (float)slope;
    a->b[c] = (float)b;
    a->c[c] = (float)(-slope * dbeta / count - b * a->mean[c]);
  }
}

void clat_batch_norm_fold_plain(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_batch_norm_fold_args *a = args;
  for (int64_t c = begin; c < end; c++) {
    const double scale = a->gamma[c] / sqrt((double)a->var[c] + a->eps);
    a->scale[c] = (float)scale;
    a->shift[c] = (float)(a->beta[c] - a->mean[c] * scale);
  }
}

void clat_channel_sum_finalize_plain(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_channel_sum_finalize_args *a = args;
  for (int64_t c = begin; c < end; c++) {
    a->y[c] = (float)sum_images(a->partial + c, a->images, a->channels);
  }
}
