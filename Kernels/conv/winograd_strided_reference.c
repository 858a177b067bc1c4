// The plain twins of the kernels for stride 2, in double.
#include "conv_reference.h"
#include "winograd_strided_points.h"

#define UNROLL

static void transform_filter(double *u, const double *w) { STRIDED_FILTERS(double, u, w); }

/// A tile's 9x9 inputs of channel k; x is the image, and rows and columns outside it are zero.
#define LOAD_TILE(a, x, row, column, gradient, k, in)                                         \
  for (int i = 0; i < 81; i++) {                                                              \
    const int64_t r = strided_place(gradient, row, (a)->pad_height, i / 9),                   \
                  c = strided_place(gradient, column, (a)->pad_width, i % 9);                 \
    const int inside = r >= 0 && r < (a)->in_height && c >= 0 && c < (a)->in_width;           \
    in[i / 9][i % 9] = inside ? (double)(x)[(r * (a)->in_width + c) * (a)->x_stride + k] : 0; \
  }

#define LOAD_INPUT(v, r, c) *(v) = in[r][c]

/// A tile's products for output channel n, summed over the input channels.
static void sum_products(const clat_winograd_args *a, const float *x, int row, int column, int n,
                         int gradient, double *sums) {
  for (int i = 0; i < STRIDED_PRODUCTS; i++) sums[i] = 0;
  for (int64_t k = 0; k < a->in_channels; k++) {
    double in[9][9], u[CLAT_WINOGRAD_POINTS];
    clat_winograd_filter_reference(a, CLAT_WINOGRAD_POINTS, n, k, transform_filter, u);
    LOAD_TILE(a, x, row, column, gradient, k, in);
#define ADD_PRODUCT(i, v) sums[i] += *(v) * u[STRIDED_FILTER_OF(i)]
    STRIDED_INPUTS(double, LOAD_INPUT, ADD_PRODUCT);
  }
}

/// A tile's outputs of channel n that see two taps or one, downwards and across: [2][2][4][4].
static void transform_products(const double *sums, double (*y)[2][16]) {
#define LOAD_PRODUCT(v, i) *(v) = sums[i]
  STRIDED_OUTPUT_SQUARE(double, y[0][0], LOAD_PRODUCT);
  STRIDED_OUTPUT_DOWN(double, y[0][1], LOAD_PRODUCT);
  STRIDED_OUTPUT_ACROSS(double, y[1][0], LOAD_PRODUCT);
  STRIDED_OUTPUT_PLAIN(double, y[1][1], LOAD_PRODUCT);
}

static void finish_pixel(const clat_winograd_args *a, int64_t image, int r, int c, int n,
                         double y) {
  if (r < a->out_height && c < a->out_width)
    clat_finish_reference(&a->out, (image * a->out_height + r) * a->out_width + c, n, y);
}

/// Forward, an output is the sum of four parts; of an input gradient, each is an output.
static void strided_tile(const clat_winograd_args *a, int64_t image, int row, int column,
                         int gradient, clat_winograd_part part) {
  const float *x = a->x + image * a->in_height * a->in_width * a->x_stride;
  for (int n = part.channel; n < part.last_channel; n++) {
    double sums[STRIDED_PRODUCTS], y[2][2][16];
    sum_products(a, x, row, column, n, gradient, sums);
    transform_products(sums, y);
    for (int i = 0; i < 16; i++) {
      if (!gradient)
        finish_pixel(a, image, row + i / 4, column + i % 4, n,
                     y[0][0][i] + y[0][1][i] + y[1][0][i] + y[1][1][i]);
      for (int down = 0; gradient && down < 2; down++)
        for (int across = 0; across < 2; across++)
          finish_pixel(a, image, row + i / 4 * 2 + (down ^ (a->pad_height & 1)),
                       column + i % 4 * 2 + (across ^ (a->pad_width & 1)), n, y[down][across][i]);
    }
  }
}

static void strided_units(const clat_winograd_args *a, int64_t begin, int64_t end, int gradient) {
  const int side = gradient ? 8 : 4;
  const clat_winograd_part part = clat_winograd_part_of(a, begin, end);
  for (int64_t image = part.image; image < part.last_image; image++)
    for (int row = 0; row < a->out_height; row += side)
      for (int column = 0; column < a->out_width; column += side)
        strided_tile(a, image, row, column, gradient, part);
}

void clat_winograd_strided_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  strided_units(args, begin, end, 0);
}

void clat_winograd_strided_grad_reference(const void *args, int64_t begin, int64_t end,
                                          void *scratch) {
  (void)scratch;
  strided_units(args, begin, end, 1);
}

void clat_winograd_strided_pack_reference(const void *args, int64_t begin, int64_t end,
                                          void *scratch) {
  (void)scratch;
  clat_winograd_pack_filters_reference(args, CLAT_WINOGRAD_POINTS, begin, end, transform_filter);
}

static void add_tile(const clat_winograd_weight_grad_args *a, int64_t image, int row, int column,
                     int64_t k, double *sums) {
  const int64_t padded = (a->out_channels + 15) / 16 * 16;
  double in[9][9], inputs[STRIDED_PRODUCTS];
  const float *x = a->x + image * a->in_height * a->in_width * a->x_stride;
  LOAD_TILE(a, x, row, column, 0, k, in);
#define STORE_INPUT(i, d) inputs[i] = *(d)
  STRIDED_INPUTS(double, LOAD_INPUT, STORE_INPUT);
  for (int o = 0; o < a->out_channels; o++) {
    double y[16];
    clat_winograd_load_grad_reference(a, image, row, column, o, y);
#define ADD_GRAD(i, d) sums[STRIDED_FILTER_OF(i) * padded + o] += inputs[i] * *(d)
    STRIDED_OUTPUT_GRADS(double, y, ADD_GRAD);
  }
}

static void transform_sums(double *w, const double *u) { STRIDED_FILTER_GRADS(double, w, u); }

void clat_winograd_strided_weight_grad_reference(const void *args, int64_t begin, int64_t end,
                                                 void *scratch) {
  clat_winograd_weight_grad_jobs_reference(args, begin, end, scratch, add_tile, transform_sums);
}

void clat_winograd_strided_weight_grad_reduce_reference(const void *args, int64_t begin,
                                                        int64_t end, void *scratch) {
  (void)scratch;
  clat_winograd_reduce_reference(args, begin, end, transform_sums);
}
