// The plain twins of the Winograd kernels, in double.
#include "conv_reference.h"
#include "winograd_points.h"

static void load_taps(const float *weights, int in_channels, int transpose, int64_t n, int64_t k,
                      double *w) {
  const int64_t filter = transpose ? k * in_channels + n : n * in_channels + k;
  for (int t = 0; t < 9; t++) w[t] = weights[filter * 9 + (transpose ? 8 - t : t)];
}

void clat_winograd_filter_reference(const clat_winograd_args *a, int points, int64_t n, int64_t k,
                                    clat_filter_transform *transform, double *u) {
  if (a->packed) {
    const int64_t depth = a->in_channels, panel = n / CLAT_PANEL;
    for (int i = 0; i < points; i++)
      u[i] = a->packed[((panel * points + i) * depth + k) * CLAT_PANEL + n % CLAT_PANEL];
    return;
  }
  double w[9];
  load_taps(a->weights, a->transpose ? a->out.channels : a->in_channels, a->transpose, n, k, w);
  if (a->scale) {
    const float scale = a->scale[a->scale_axis == a->transpose ? n : k];
    for (int t = 0; t < 9; t++) w[t] = (float)w[t] * scale;
  }
  transform(u, w);
}

/// One dimension of a tile of `side` outputs: what it sees, and its products' sums, to points and
/// outputs.
static void transform_line(int side, double *v, const double *d, int step) {
  if (side == 4) WINOGRAD_INPUT_4(double, v, d, step);
  else WINOGRAD_INPUT_2(double, v, d, step);
}

static void finish_line(int side, double *y, const double *m, int step) {
  if (side == 4) WINOGRAD_OUTPUT_4(double, y, m, step);
  else WINOGRAD_OUTPUT_2(double, y, m, step);
}

static void transform_filter_4(double *u, const double *w) {
  double half[18], column[6];
  for (int c = 0; c < 3; c++) {
    WINOGRAD_FILTER_4(double, column, w + c, 3);
    for (int r = 0; r < 6; r++) half[r * 3 + c] = column[r];
  }
  for (int r = 0; r < 6; r++) WINOGRAD_FILTER_4(double, u + r * 6, half + r * 3, 1);
}

static void transform_filter_2(double *u, const double *w) {
  double half[12], column[4];
  for (int c = 0; c < 3; c++) {
    WINOGRAD_FILTER_2(double, column, w + c, 3);
    for (int r = 0; r < 4; r++) half[r * 3 + c] = column[r];
  }
  for (int r = 0; r < 4; r++) WINOGRAD_FILTER_2(double, u + r * 4, half + r * 3, 1);
}

/// A tile's outputs y[side][side] of channel n; its first output is (row, column) of the image.
static void tile_sums(const clat_winograd_args *a, const float *x, int side, int row, int column,
                      int n, double *y) {
  const int seen = side + 2, points = seen * seen;
  double sums[36] = {0}, half[36];
  for (int64_t k = 0; k < a->in_channels; k++) {
    double d[36], v[6], u[36];
    clat_winograd_filter_reference(a, points, n, k, side == 4 ? transform_filter_4 : transform_filter_2,
                                   u);
    for (int i = 0; i < points; i++) {
      const int r = row - a->pad_height + i / seen, c = column - a->pad_width + i % seen;
      const int inside = r >= 0 && r < a->in_height && c >= 0 && c < a->in_width;
      d[i] = inside ? (double)x[((int64_t)r * a->in_width + c) * a->x_stride + k] : 0;
    }
    for (int c = 0; c < seen; c++) {
      transform_line(side, v, d + c, seen);
      for (int r = 0; r < seen; r++) half[r * seen + c] = v[r];
    }
    for (int r = 0; r < seen; r++) {
      transform_line(side, v, half + r * seen, 1);
      for (int c = 0; c < seen; c++) sums[r * seen + c] += v[c] * u[r * seen + c];
    }
  }
  for (int c = 0; c < seen; c++) {
    double column_sums[4];
    finish_line(side, column_sums, sums + c, seen);
    for (int r = 0; r < side; r++) half[r * seen + c] = column_sums[r];
  }
  for (int r = 0; r < side; r++) finish_line(side, y + r * side, half + r * seen, 1);
}

static void winograd_tile(const clat_winograd_args *a, int side, int64_t image, int row,
                          int column, clat_winograd_part part) {
  const float *x = a->x + image * a->in_height * a->in_width * a->x_stride;
  for (int n = part.channel; n < part.last_channel; n++) {
    double y[16];
    tile_sums(a, x, side, row, column, n, y);
    for (int i = 0; i < side * side; i++) {
      const int r = row + i / side, c = column + i % side;
      if (r >= a->out_height || c >= a->out_width) continue;
      clat_finish_reference(&a->out, (image * a->out_height + r) * a->out_width + c, n, y[i]);
    }
  }
}

clat_winograd_part clat_winograd_part_of(const clat_winograd_args *a, int64_t begin, int64_t end) {
  if (!a->by_channels) return (clat_winograd_part){begin, end, 0, a->out.channels};
  const int64_t last = end * CLAT_PANEL < a->out.channels ? end * CLAT_PANEL : a->out.channels;
  return (clat_winograd_part){0, a->images, (int)begin * CLAT_PANEL, (int)last};
}

static void winograd_units(const clat_winograd_args *a, int side, int64_t begin, int64_t end) {
  const clat_winograd_part part = clat_winograd_part_of(a, begin, end);
  for (int64_t image = part.image; image < part.last_image; image++)
    for (int row = 0; row < a->out_height; row += side)
      for (int column = 0; column < a->out_width; column += side)
        winograd_tile(a, side, image, row, column, part);
}

void clat_winograd_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  winograd_units(args, 4, begin, end);
}

void clat_winograd_2x2_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  winograd_units(args, 2, begin, end);
}

void clat_winograd_pack_filters_reference(const clat_winograd_pack_args *a, int points,
                                          int64_t begin, int64_t end,
                                          clat_filter_transform *transform) {
  const int channels = a->transpose ? a->in_channels : a->out_channels;
  const int depth = a->transpose ? a->out_channels : a->in_channels;
  for (int64_t panel = begin; panel < end; panel++)
    for (int k = 0; k < depth; k++)
      for (int lane = 0; lane < CLAT_PANEL; lane++) {
        const int64_t n = panel * CLAT_PANEL + lane;
        double w[9] = {0}, u[CLAT_WINOGRAD_POINTS];
        if (n < channels) load_taps(a->weights, a->in_channels, a->transpose, n, k, w);
        float *to = a->packed + (panel * points * depth + k) * CLAT_PANEL + lane;
        transform(u, w);
        for (int i = 0; i < points; i++) to[i * depth * CLAT_PANEL] = (float)u[i];
      }
}

void clat_winograd_pack_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  clat_winograd_pack_filters_reference(args, CLAT_WINOGRAD_POINTS, begin, end,
                                       transform_filter_4);
}

void clat_winograd_2x2_pack_reference(const void *args, int64_t begin, int64_t end,
                                      void *scratch) {
  (void)scratch;
  clat_winograd_pack_filters_reference(args, CLAT_WINOGRAD_2X2_POINTS, begin, end,
                                       transform_filter_2);
}

void clat_winograd_load_grad_reference(const clat_winograd_weight_grad_args *a, int64_t image,
                                       int row, int column, int o, double *y) {
  for (int i = 0; i < 16; i++) {
    const int r = row + i / 4, c = column + i % 4;
    const int64_t pixel = (image * a->out_height + r) * a->out_width + c;
    y[i] = r < a->out_height && c < a->out_width ? (double)a->dy[pixel * a->dy_stride + o] : 0;
  }
}

/// Adds one tile's products to the sums of input channel k.
static void add_tile(const clat_winograd_weight_grad_args *a, int64_t image, int row, int column,
                     int64_t k, double *sums) {
  const int64_t padded = (a->out_channels + 15) / 16 * 16;
  double d[36], half[36], v[36], grad[36];
  for (int i = 0; i < 36; i++) {
    const int r = row - a->pad_height + i / 6, c = column - a->pad_width + i % 6;
    const int inside = r >= 0 && r < a->in_height && c >= 0 && c < a->in_width;
    const int64_t pixel = (image * a->in_height + r) * a->in_width + c;
    d[i] = inside ? (double)a->x[pixel * a->x_stride + k] : 0;
  }
  for (int c = 0; c < 6; c++) WINOGRAD_INPUT_4(double, half + c * 6, d + c, 6);
  for (int r = 0; r < 6; r++) WINOGRAD_INPUT_4(double, v + r * 6, half + r, 6);
  for (int o = 0; o < a->out_channels; o++) {
    double y[16];
    clat_winograd_load_grad_reference(a, image, row, column, o, y);
    for (int c = 0; c < 4; c++) WINOGRAD_OUTPUT_GRAD(double, half + c * 6, y + c, 4);
    for (int r = 0; r < 6; r++) WINOGRAD_OUTPUT_GRAD(double, grad + r * 6, half + r, 6);
    for (int i = 0; i < 36; i++) sums[i * padded + o] += v[i] * grad[i];
  }
}

/// The gradients of the filters from input k, of sums at all points.
static void finish_filters(const clat_winograd_weight_grad_args *a, int64_t k, const double *sums,
                           clat_filter_grad *transform) {
  const int64_t padded = (a->out_channels + 15) / 16 * 16;
  for (int64_t o = 0; o < a->out_channels; o++) {
    double u[CLAT_WINOGRAD_POINTS], w[9];
    for (int i = 0; i < CLAT_WINOGRAD_POINTS; i++) u[i] = sums[i * padded + o];
    transform(w, u);
    for (int t = 0; t < 9; t++) a->dw[(o * a->in_channels + k) * 9 + t] = (float)w[t];
  }
}

void clat_winograd_weight_grad_jobs_reference(const clat_winograd_weight_grad_args *a, int64_t begin,
                                              int64_t end, double *sums,
                                              clat_winograd_grad_tile *add,
                                              clat_filter_grad *transform) {
  const int64_t padded = (a->out_channels + 15) / 16 * 16, panels = (a->in_channels + 15) / 16;
  for (int64_t job = begin; job < end; job++) {
    const int64_t chunk = job / a->blocks, block = job % a->blocks;
    const int64_t last = panels * (block + 1) / a->blocks * 16;
    for (int64_t k = panels * block / a->blocks * 16; k < last && k < a->in_channels; k++) {
      for (int64_t i = 0; i < CLAT_WINOGRAD_POINTS * padded; i++) sums[i] = 0;
      for (int64_t image = a->images * chunk / a->chunks;
           image < a->images * (chunk + 1) / a->chunks; image++)
        for (int row = 0; row < a->out_height; row += 4)
          for (int column = 0; column < a->out_width; column += 4)
            add(a, image, row, column, k, sums);
      if (a->dw) {
        finish_filters(a, k, sums, transform);
        continue;
      }
      for (int64_t i = 0; i < CLAT_WINOGRAD_POINTS; i++)
        for (int64_t o = 0; o < padded; o++)
          a->partial[((chunk * CLAT_WINOGRAD_POINTS + i) * a->in_channels + k) * padded + o] =
              (float)sums[i * padded + o];
    }
  }
}

static void transform_sums(double *w, const double *u) {
  double half[18];
  for (int c = 0; c < 6; c++) WINOGRAD_FILTER_GRAD(double, half + c * 3, u + c, 6);
  for (int r = 0; r < 3; r++) WINOGRAD_FILTER_GRAD(double, w + r * 3, half + r, 3);
}

void clat_winograd_weight_grad_reference(const void *args, int64_t begin, int64_t end,
                                         void *scratch) {
  clat_winograd_weight_grad_jobs_reference(args, begin, end, scratch, add_tile, transform_sums);
}

void clat_winograd_reduce_reference(const clat_winograd_weight_grad_reduce_args *a, int64_t begin,
                                    int64_t end, clat_filter_grad *transform) {
  const int64_t padded = (a->out_channels + 15) / 16 * 16, plane = a->in_channels * padded;
  for (int64_t o = begin; o < end; o++)
    for (int64_t k = 0; k < a->in_channels; k++) {
      double u[36], w[9];
      for (int i = 0; i < 36; i++) {
        u[i] = 0;
        for (int64_t chunk = 0; chunk < a->chunks; chunk++)
          u[i] += a->partial[(chunk * CLAT_WINOGRAD_POINTS + i) * plane + k * padded + o];
      }
      transform(w, u);
      for (int t = 0; t < 9; t++) a->dw[(o * a->in_channels + k) * 9 + t] = (float)w[t];
    }
}

void clat_winograd_weight_grad_reduce_reference(const void *args, int64_t begin, int64_t end,
                                                void *scratch) {
  (void)scratch;
  clat_winograd_reduce_reference(args, begin, end, transform_sums);
}
