#include "sweep.h"

typedef struct {
  int images, pixels, channels, pad;
} shape;

static const shape shapes[] = {{1, 1, 1, 0},  {3, 5, 3, 0},   {2, 7, 10, 3},   {5, 4, 16, 0},
                               {3, 3, 17, 5}, {2, 9, 640, 1}, {2, 1024, 16, 0}};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static int64_t all_pixels(shape s) { return (int64_t)s.images * s.pixels; }

/// x has means far from zero, where one pass in float would lose the variance.
static void stats_case(shape s, float offset) {
  const int stride = s.channels + s.pad;
  float *x = random_slab(all_pixels(s), s.channels, stride);
  for (int64_t i = 0; i < slab_floats(all_pixels(s), s.channels, stride); i++) {
    if (i % stride < s.channels) x[i] += offset;
  }
  const int64_t count = 2 * (int64_t)s.images * s.channels;
  double *want = doubles(count);
  for (int image = 0; image < s.images; image++) {
    for (int c = 0; c < s.channels; c++) {
      const float *column = x + (int64_t)image * s.pixels * stride + c;
      double mean = 0, square = 0;
      for (int p = 0; p < s.pixels; p++) mean += (double)column[p * stride] / s.pixels;
      for (int p = 0; p < s.pixels; p++) square += pow(column[p * stride] - mean, 2);
      want[2 * image * s.channels + c] = mean;
      want[(2 * image + 1) * s.channels + c] = square;
    }
  }
  clat_batch_norm_stats_args a = {s.images, s.pixels, s.channels, stride, x, random_floats(count)};
  output out = floats_out(a.partial, count, want, 2e-6 * (1 + offset / 50));
  sweep("batch_norm_stats", &a, s.images, &out, 1);
  release_guarded();
}

/// The finalize step against the batch's mean and variance, computed from the pixels in double.
static void finalize_case(shape s, int running) {
  const int C = s.channels;
  const int64_t N = all_pixels(s);
  float *x = random_slab(N, C, C), *partial = random_floats(2 * (int64_t)s.images * C);
  clat_batch_norm_stats_args stats = {s.images, s.pixels, C, C, x, partial};
  clat_kernel_find("batch_norm_stats", CLAT_ISA_REFERENCE)(&stats, 0, s.images, NULL);
  float *out[6];
  double *want[6];
  output outs[6];
  for (int k = 0; k < 6; k++) {
    out[k] = random_floats(C), want[k] = doubles(C);
    outs[k] = floats_out(out[k], C, want[k], 3e-6);
  }
  float *gamma = random_floats(C), *beta = random_floats(C);
  const double eps = 1e-5f, momentum = 0.1f;
  for (int c = 0; c < C; c++) {
    double mean = 0, square = 0;
    for (int64_t p = 0; p < N; p++) mean += (double)x[p * C + c] / (double)N;
    for (int64_t p = 0; p < N; p++) square += pow(x[p * C + c] - mean, 2);
    const double invstd = 1 / sqrt(square / (double)N + eps);
    out[5][c] = fabsf(out[5][c]);
    want[0][c] = mean, want[1][c] = invstd;
    want[2][c] = gamma[c] * invstd, want[3][c] = beta[c] - mean * gamma[c] * invstd;
    want[4][c] = (1 - momentum) * out[4][c] + momentum * mean;
    want[5][c] = (1 - momentum) * out[5][c] + momentum * square / (N > 1 ? (double)N - 1 : 1);
  }
  const float *old_mean = copy_of(out[4], (size_t)C * 4), *old_var = copy_of(out[5], (size_t)C * 4);
  for (int c = 0; !running && c < C; c++) want[4][c] = out[4][c], want[5][c] = out[5][c];
  for (int c = 0; N == 1 && c < C; c++) want[2][c] = gamma[c] * want[1][c];
  clat_batch_norm_finalize_args a = {s.images, s.pixels, C, (float)eps, (float)momentum, partial,
                                     gamma, beta, old_mean, old_var, out[0], out[1], out[2], out[3],
                                     running ? out[4] : NULL, running ? out[5] : NULL};
  // 1 / sqrt(eps) multiplies rounding.
  for (int k = 1; N == 1 && k < 4; k++) outs[k].tolerance = 1e-4;
  sweep("batch_norm_finalize", &a, C, outs, 6);
  free((void *)old_mean), free((void *)old_var);
  release_guarded();
}

static void running_in_place(void) {
  float partial[2] = {2, 6}, gamma = 1, beta = 0, mean, invstd, scale, shift, rm = 10, rv = 4;
  clat_batch_norm_finalize_args a = {1, 4, 1, 0, 0.25f, partial, &gamma, &beta, &rm, &rv,
                                     &mean, &invstd, &scale, &shift, &rm, &rv};
  clat_kernel_find("batch_norm_finalize", CLAT_ISA_PORTABLE)(&a, 0, 1, NULL);
  CHECK(rm == 8 && rv == 3.5f, "running statistics in place: %g %g", rm, rv);
}

typedef struct {
  shape s;
  int stride;
  float *x, *dy, *mean, *invstd, *gamma;
  uint8_t *mask;
} gradient;

static gradient random_gradient(shape s, int masked) {
  const int stride = s.channels + s.pad;
  gradient g = {s, stride, random_slab(all_pixels(s), s.channels, stride),
                random_slab(all_pixels(s), s.channels, s.channels), random_floats(s.channels),
                random_floats(s.channels), random_floats(s.channels),
                masked ? random_bits(all_pixels(s), s.channels) : NULL};
  return g;
}

static double gradient_at(const gradient *g, int64_t p, int c) {
  const int keep = !g->mask || bit_at(g->mask, p, g->s.channels, c);
  return keep ? g->dy[p * g->s.channels + c] : 0;
}

static void grad_stats_case(shape s, int masked) {
  const gradient g = random_gradient(s, masked);
  const int C = s.channels;
  const int64_t count = 2 * (int64_t)s.images * C;
  double *want = doubles(count);
  memset(want, 0, (size_t)count * sizeof *want);
  for (int64_t p = 0; p < all_pixels(s); p++) {
    double *row = want + p / s.pixels * 2 * C;
    for (int c = 0; c < C; c++) {
      const double dy = gradient_at(&g, p, c);
      row[c] += dy;
      row[C + c] += dy * ((double)g.x[p * g.stride + c] - g.mean[c]) * g.invstd[c];
    }
  }
  clat_batch_norm_grad_stats_args a = {s.images, s.pixels, C, g.stride, C, g.x, g.dy, g.mean,
                                       g.invstd, g.mask, random_floats(count)};
  output out = floats_out(a.partial, count, want, 1e-5);
  sweep("batch_norm_grad_stats", &a, s.images, &out, 1);
  release_guarded();
}

enum { SEPARATE, OVER_DY, OVER_X };

static void grad_apply_case(shape s, int masked, int alias) {
  const gradient g = random_gradient(s, masked);
  const int C = s.channels, to = alias == OVER_DY ? C : g.stride;
  const int64_t floats = slab_floats(all_pixels(s), C, to);
  float *dx = alias == OVER_DY ? g.dy : alias == OVER_X ? g.x : random_slab(all_pixels(s), C, to);
  double *want = doubles(floats);
  for (int64_t i = 0; i < floats; i++) {
    const int64_t p = i / to, c = i % to;
    want[i] = gap;
    if (c < C) {
      const double x = g.x[p * g.stride + c];
      want[i] = g.mean[c] * gradient_at(&g, p, (int)c) + g.invstd[c] * x + g.gamma[c];
    }
  }
  clat_batch_norm_grad_apply_args a = {s.images, s.pixels, C, g.stride, C, to, g.x, g.dy, g.mean,
                                       g.invstd, g.gamma, g.mask, dx};
  output out = floats_out(dx, floats, want, 1e-6);
  sweep("batch_norm_grad_apply", &a, s.images, &out, 1);
  release_guarded();
}

/// The three gradient kernels in a row against central differences of the whole layer in double.
static double layer_loss(const double *x, const float *dy, const float *gamma, int N, int C) {
  double loss = 0;
  for (int c = 0; c < C; c++) {
    double mean = 0, square = 0;
    for (int p = 0; p < N; p++) mean += x[p * C + c] / N;
    for (int p = 0; p < N; p++) square += pow(x[p * C + c] - mean, 2) / N;
    for (int p = 0; p < N; p++) {
      loss += dy[p * C + c] * gamma[c] * (x[p * C + c] - mean) / sqrt(square + 1e-5);
    }
  }
  return loss;
}

static void grad_chain(void) {
  enum { images = 2, pixels = 5, C = 3, N = images * pixels };
  float x[N * C], dy[N * C], dx[N * C], gamma[C], beta[C] = {0}, partial[2 * images * C];
  float mean[C], invstd[C], scale[C], shift[C], a[C], b[C], c[C], dgamma[C], dbeta[C];
  static float scratch[CLAT_SCRATCH_BYTES / 4];
  double wide[N * C];
  for (int i = 0; i < N * C; i++) wide[i] = x[i] = random_float(), dy[i] = random_float();
  for (int i = 0; i < C; i++) gamma[i] = 1 + random_float() / 2;
  clat_batch_norm_stats_args stats = {images, pixels, C, C, x, partial};
  clat_batch_norm_finalize_args finalize = {images, pixels, C, 1e-5f, 0, partial, gamma, beta, NULL,
                                            NULL, mean, invstd, scale, shift, NULL, NULL};
  clat_batch_norm_grad_stats_args grad = {images, pixels, C, C, C, x, dy, mean, invstd,
                                          NULL, partial};
  clat_batch_norm_grad_finalize_args last = {images, pixels, C, partial, gamma, mean, invstd,
                                             dgamma, dbeta, a, b, c};
  clat_batch_norm_grad_apply_args apply = {images, pixels, C, C, C, C, x, dy, a, b, c, NULL, dx};
  const clat_isa isa = clat_isa_best();
  clat_kernel_find("batch_norm_stats", isa)(&stats, 0, images, scratch);
  clat_kernel_find("batch_norm_finalize", isa)(&finalize, 0, C, scratch);
  clat_kernel_find("batch_norm_grad_stats", isa)(&grad, 0, images, scratch);
  clat_kernel_find("batch_norm_grad_finalize", isa)(&last, 0, C, scratch);
  clat_kernel_find("batch_norm_grad_apply", isa)(&apply, 0, images, scratch);
  for (int i = 0; i < N * C; i++) {
    const double h = 1e-5, at = wide[i];
    wide[i] = at + h;
    const double up = layer_loss(wide, dy, gamma, N, C);
    wide[i] = at - h;
    const double slope = (up - layer_loss(wide, dy, gamma, N, C)) / (2 * h);
    wide[i] = at;
    CHECK(fabs(slope - dx[i]) < 2e-4, "batch norm gradient %d: %g, not %g", i, dx[i], slope);
  }
}

static void grad_finalize_case(shape s) {
  const int C = s.channels;
  const double N = (double)all_pixels(s);
  const gradient g = random_gradient(s, 0);
  float *partial = random_floats(2 * (int64_t)s.images * C), *out[5];
  double *want[5];
  output outs[5];
  for (int k = 0; k < 5; k++) {
    out[k] = random_floats(C), want[k] = doubles(C);
    outs[k] = floats_out(out[k], C, want[k], 1e-6);
  }
  for (int c = 0; c < C; c++) {
    double dbeta = 0, dgamma = 0;
    for (int i = 0; i < s.images; i++) {
      dbeta += partial[2 * i * C + c];
      dgamma += partial[(2 * i + 1) * C + c];
    }
    const double slope = (double)g.gamma[c] * g.invstd[c];
    want[0][c] = dgamma, want[1][c] = dbeta, want[2][c] = slope;
    want[3][c] = -slope * g.invstd[c] * dgamma / N;
    want[4][c] = slope * (g.mean[c] * g.invstd[c] * dgamma - dbeta) / N;
  }
  clat_batch_norm_grad_finalize_args a = {s.images, s.pixels, C, partial, g.gamma, g.mean, g.invstd,
                                          out[0], out[1], out[2], out[3], out[4]};
  sweep("batch_norm_grad_finalize", &a, C, outs, 5);
  release_guarded();
}

static void fold_case(int C) {
  float *gamma = random_floats(C), *beta = random_floats(C), *mean = random_floats(C);
  float *var = random_floats(C), *scale = random_floats(C), *shift = random_floats(C);
  double *want_scale = doubles(C), *want_shift = doubles(C);
  for (int c = 0; c < C; c++) {
    var[c] = 0.1f + fabsf(var[c]);
    want_scale[c] = gamma[c] / sqrt(var[c] + 1e-3f);
    want_shift[c] = beta[c] - mean[c] * want_scale[c];
  }
  clat_batch_norm_fold_args a = {C, 1e-3f, gamma, beta, mean, var, scale, shift};
  output outs[] = {floats_out(scale, C, want_scale, 1e-6), floats_out(shift, C, want_shift, 1e-6)};
  sweep("batch_norm_fold", &a, C, outs, 2);
  release_guarded();
}

/// By filter, or, with taps, by input channel.
static void scale_filters_case(int filters, int channels, int taps) {
  const int elements = channels * (taps > 0 ? taps : 1);
  const int64_t count = (int64_t)filters * elements;
  clat_scale_filters_args a = {filters,
                               elements,
                               taps,
                               random_floats(count),
                               random_floats(taps > 0 ? channels : filters),
                               random_floats(count)};
  double *want = doubles(count);
  for (int64_t i = 0; i < count; i++) 
    want[i] = (double)a.w[i] * a.scale[taps > 0 ? i % elements / taps : i / elements];
  output out = floats_out(a.y, count, want, 1e-6);
  sweep("scale_filters", &a, filters, &out, 1);
  release_guarded();
}

static void channel_sum_case(shape s, int product) {
  const int C = s.channels, stride = C + s.pad;
  float *x = random_slab(all_pixels(s), C, stride), *z = random_slab(all_pixels(s), C, C);
  const int64_t count = (int64_t)s.images * C;
  double *want = doubles(count), *want_total = doubles(C);
  memset(want, 0, (size_t)count * sizeof *want);
  memset(want_total, 0, (size_t)C * sizeof *want);
  for (int64_t p = 0; p < all_pixels(s); p++) {
    for (int c = 0; c < C; c++) {
      const double v = (double)x[p * stride + c] * (product ? z[p * C + c] : 1);
      want[p / s.pixels * C + c] += v;
      want_total[c] += v;
    }
  }
  clat_channel_sum_args a = {s.images, s.pixels, C, stride, C, x, product ? z : NULL,
                             random_floats(count)};
  output out = floats_out(a.partial, count, want, 1e-5);
  sweep("channel_sum", &a, s.images, &out, 1);
  clat_kernel_find("channel_sum", CLAT_ISA_REFERENCE)(&a, 0, s.images, NULL);
  clat_channel_sum_finalize_args total = {s.images, C, a.partial, random_floats(C)};
  output total_out = floats_out(total.y, C, want_total, 1e-6);
  sweep("channel_sum_finalize", &total, C, &total_out, 1);
  release_guarded();
}

int main(void) {
  for (guard_front = 0; guard_front < 2; guard_front++) {
    for (int i = 0; i < SHAPES; i++) {
      stats_case(shapes[i], 0), stats_case(shapes[i], 1000);
      finalize_case(shapes[i], 0), finalize_case(shapes[i], 1);
      grad_finalize_case(shapes[i]);
      for (int masked = 0; masked < 2; masked++) {
        grad_stats_case(shapes[i], masked);
        channel_sum_case(shapes[i], masked);
        for (int alias = 0; alias < 3; alias++) grad_apply_case(shapes[i], masked, alias);
      }
      fold_case(shapes[i].channels);
      for (int taps = 0; taps < 10; taps += 3)
        scale_filters_case(shapes[i].images, shapes[i].channels, taps);
    }
  }
  running_in_place();
  grad_chain();
  return finish("norm_test");
}
