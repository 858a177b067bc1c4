#include "sweep.h"

typedef struct {
  int images, height, width, channels, kernel, stride, pad, gap;
} shape;

static const shape shapes[] = {
    {2, 4, 4, 3, 2, 2, 0, 0},  {3, 7, 5, 17, 3, 2, 1, 2}, {1, 8, 8, 640, 8, 8, 0, 0},
    {2, 6, 6, 16, 3, 1, 1, 0}, {2, 5, 5, 10, 2, 3, 0, 1}, {1, 1, 1, 1, 1, 1, 0, 0},
    {2, 9, 9, 33, 5, 2, 2, 0},
};

static int pooled(int size, const shape *s) {
  return (size + 2 * s->pad - s->kernel) / s->stride + 1;
}

typedef struct {
  shape s;
  int out_height, out_width, x_stride, y_stride;
  int64_t x_count, y_count, index_count; // floats
  clat_pool_args args;
} pool;

static pool make(shape s) {
  pool p = {.s = s, .out_height = pooled(s.height, &s), .out_width = pooled(s.width, &s)};
  p.x_stride = s.channels + s.gap, p.y_stride = s.channels + 2 * s.gap;
  const int64_t out = (int64_t)s.images * p.out_height * p.out_width;
  p.x_count = slab_floats((int64_t)s.images * s.height * s.width, s.channels, p.x_stride);
  p.y_count = slab_floats(out, s.channels, p.y_stride);
  p.index_count = out * s.channels;
  p.args = (clat_pool_args){s.images, s.height, s.width, p.out_height, p.out_width, s.channels,
                            s.kernel, s.kernel, s.stride, s.stride, s.pad, s.pad,
                            p.x_stride, p.y_stride, 0, NULL, NULL, NULL};
  return p;
}

static float *input(const pool *p) {
  return random_slab((int64_t)p->s.images * p->s.height * p->s.width, p->s.channels, p->x_stride);
}
static float *result(const pool *p) {
  return random_slab(p->index_count / p->s.channels, p->s.channels, p->y_stride);
}

static double *gaps(int64_t count) {
  double *want = doubles(count);
  for (int64_t i = 0; i < count; i++) want[i] = gap;
  return want;
}

/// Pixels of the input in the window of output pixel q.
static int inside(const pool *p, int q) {
  int count = 0;
  for (int tap = 0; tap < p->s.kernel * p->s.kernel; tap++) {
    const int i = q / p->out_width * p->s.stride - p->s.pad + tap / p->s.kernel;
    const int j = q % p->out_width * p->s.stride - p->s.pad + tap % p->s.kernel;
    count += i >= 0 && j >= 0 && i < p->s.height && j < p->s.width;
  }
  return count;
}

/// For every output (pixel q within the image, channel c): the maximum, its input pixel, and the
/// sum.
static void window(const pool *p, const float *x, int64_t image, int q, int c, double *best,
                   int32_t *where, double *sum) {
  *best = -INFINITY, *where = -1, *sum = 0;
  for (int kh = 0; kh < p->s.kernel; kh++) {
    for (int kw = 0; kw < p->s.kernel; kw++) {
      const int i = q / p->out_width * p->s.stride - p->s.pad + kh;
      const int j = q % p->out_width * p->s.stride - p->s.pad + kw;
      if (i < 0 || j < 0 || i >= p->s.height || j >= p->s.width) continue;
      const int pixel = i * p->s.width + j;
      const float v = x[(image * p->s.height * p->s.width + pixel) * p->x_stride + c];
      *sum += v;
      if (v > *best) *best = v, *where = pixel;
    }
  }
}

static void forward_case(shape s) {
  pool p = make(s);
  float *x = input(&p);
  for (int64_t i = 0; i < p.x_count; i++) { // coarse values, so that maxima tie
    if (i % p.x_stride < s.channels) x[i] = roundf(x[i] * 4) / 4;
  }
  double *largest = gaps(p.y_count), *average = gaps(p.y_count), *own = gaps(p.y_count);
  int32_t *index = guarded((size_t)p.index_count * 4), *where = guarded((size_t)p.index_count * 4);
  const int out = p.out_height * p.out_width;
  for (int64_t k = 0; k < p.index_count; k++) {
    const int64_t pixel = k / s.channels;
    const int c = (int)(k % s.channels);
    double best, sum;
    window(&p, x, pixel / out, (int)(pixel % out), c, &best, &where[k], &sum);
    largest[pixel * p.y_stride + c] = best;
    average[pixel * p.y_stride + c] = sum / (s.kernel * s.kernel);
    own[pixel * p.y_stride + c] = sum / inside(&p, (int)(pixel % out));
  }
  p.args.x = x, p.args.y = result(&p), p.args.index = index;
  output outs[] = {floats_out(p.args.y, p.y_count, largest, 0),
                   exact_out(index, (size_t)p.index_count * 4, where)};
  sweep("max_pool", &p.args, s.images, outs, 2);
  p.args.index = NULL;
  sweep("max_pool", &p.args, s.images, outs, 1);
  outs[0].expected = average, outs[0].tolerance = 1e-6;
  sweep("avg_pool", &p.args, s.images, outs, 1);
  p.args.skip_pad = 1, outs[0].expected = own;
  sweep("avg_pool", &p.args, s.images, outs, 1);
  release_guarded();
}

/// The gradients are the transposes: scatter in double.
static void backward_case(shape s) {
  pool p = make(s);
  float *x = input(&p), *dy = result(&p), *dx = input(&p);
  double *largest = gaps(p.x_count), *average = gaps(p.x_count), *own = gaps(p.x_count);
  int32_t *index = guarded((size_t)p.index_count * 4);
  const int out = p.out_height * p.out_width, in = s.height * s.width;
  for (int64_t i = 0; i < p.x_count; i++) {
    if (i % p.x_stride < s.channels) largest[i] = average[i] = own[i] = 0;
  }
  for (int64_t k = 0; k < p.index_count; k++) {
    const int64_t pixel = k / s.channels, image = pixel / out;
    const int c = (int)(k % s.channels), q = (int)(pixel % out);
    double best, sum;
    window(&p, x, image, q, c, &best, &index[k], &sum);
    const double g = dy[pixel * p.y_stride + c];
    largest[(image * in + index[k]) * p.x_stride + c] += g;
    for (int tap = 0; tap < s.kernel * s.kernel; tap++) {
      const int i = q / p.out_width * s.stride - s.pad + tap / s.kernel;
      const int j = q % p.out_width * s.stride - s.pad + tap % s.kernel;
      if (i < 0 || j < 0 || i >= s.height || j >= s.width) continue;
      const int64_t at = (image * in + i * s.width + j) * p.x_stride + c;
      average[at] += g / (s.kernel * s.kernel);
      own[at] += g / inside(&p, q);
    }
  }
  p.args.x = dy, p.args.y = dx, p.args.index = index;
  output grad = floats_out(dx, p.x_count, largest, 1e-6);
  sweep("max_pool_grad", &p.args, s.images, &grad, 1);
  grad.expected = average;
  sweep("avg_pool_grad", &p.args, s.images, &grad, 1);
  p.args.skip_pad = 1, grad.expected = own;
  sweep("avg_pool_grad", &p.args, s.images, &grad, 1);
  release_guarded();
}

static void max_of_nan(void) {
  float x[4] = {1, NAN, 3, 2}, y;
  int32_t index;
  clat_pool_args a = {1, 2, 2, 1, 1, 1, 2, 2, 2, 2, 0, 0, 1, 1, 0, x, &y, &index};
  for (int isa = 0; isa < CLAT_ISA_COUNT; isa++) {
    if (!clat_isa_supported((clat_isa)isa)) continue;
    clat_kernel_find("max_pool", (clat_isa)isa)(&a, 0, 1, NULL);
    CHECK(isnan(y) && index == 1, "%s: a NaN does not win", clat_isa_name((clat_isa)isa));
  }
}

typedef struct {
  int images, height, width, channels, stride, before, after, gap;
} shortcut;

static const shortcut shortcuts[] = {
    {2, 4, 4, 3, 2, 1, 2, 0},
    {3, 5, 7, 16, 2, 8, 8, 3},
    {1, 3, 3, 5, 1, 0, 0, 1},
    {2, 7, 7, 2, 3, 0, 4, 0},
};

static void shortcut_case(shortcut s) {
  const int height = (s.height + s.stride - 1) / s.stride;
  const int width = (s.width + s.stride - 1) / s.stride;
  const int out_channels = s.before + s.channels + s.after;
  const int x_stride = s.channels + s.gap, y_stride = out_channels + s.gap;
  const int64_t in = (int64_t)s.images * s.height * s.width;
  const int64_t out = (int64_t)s.images * height * width;
  const int64_t x_count = slab_floats(in, s.channels, x_stride);
  const int64_t y_count = slab_floats(out, out_channels, y_stride);
  float *x = random_slab(in, s.channels, x_stride), *y = random_slab(out, out_channels, y_stride);
  float *dx = random_slab(in, s.channels, x_stride), *dy = random_slab(out, out_channels, y_stride);
  double *want = gaps(y_count), *want_dx = gaps(x_count);
  for (int64_t i = 0; i < y_count; i++) want[i] = i % y_stride < out_channels ? 0 : gap;
  for (int64_t i = 0; i < x_count; i++) want_dx[i] = i % x_stride < s.channels ? 0 : gap;
  for (int64_t q = 0; q < out; q++) {
    const int64_t image = q / (height * width), i = q / width % height, j = q % width;
    const int64_t from = (image * s.height + i * s.stride) * s.width + j * s.stride;
    for (int c = 0; c < s.channels; c++) {
      want[q * y_stride + s.before + c] = x[from * x_stride + c];
      want_dx[from * x_stride + c] = dy[q * y_stride + s.before + c];
    }
  }
  clat_subsample_pad_args a = {s.images, s.height, s.width, s.channels, s.stride, s.before, s.after,
                               x_stride, y_stride, x, y};
  output forward = floats_out(y, y_count, want, 0), backward = floats_out(dx, x_count, want_dx, 0);
  sweep("subsample_pad", &a, s.images, &forward, 1);
  a.x = dy, a.y = dx;
  sweep("subsample_pad_grad", &a, s.images, &backward, 1);
  release_guarded();
}

static void flatten_case(int images, int pixels, int channels) {
  const int64_t count = (int64_t)images * pixels * channels;
  clat_flatten_args a = {images, pixels, channels, 0, random_floats(count), random_floats(count)};
  double *want = doubles(count), *want_back = doubles(count);
  for (int64_t i = 0; i < count; i++) {
    const int64_t image = i / (pixels * channels), p = i / channels % pixels, c = i % channels;
    const int64_t flat = (image * channels + c) * pixels + p;
    want[flat] = a.x[i];
    want_back[i] = a.x[flat];
  }
  output out = floats_out(a.y, count, want, 0);
  sweep("flatten", &a, images, &out, 1);
  a.backward = 1, out.expected = want_back;
  sweep("flatten", &a, images, &out, 1);
  release_guarded();
}

int main(void) {
  for (guard_front = 0; guard_front < 2; guard_front++) {
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
      forward_case(shapes[i]);
      backward_case(shapes[i]);
    }
    for (size_t i = 0; i < sizeof shortcuts / sizeof shortcuts[0]; i++) shortcut_case(shortcuts[i]);
    flatten_case(1, 1, 7), flatten_case(3, 16, 5), flatten_case(2, 49, 33);
  }
  max_of_nan();
  return finish("pool_test");
}
