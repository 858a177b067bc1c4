#include "cimages.h"

#include <stdlib.h>

// Weights are integers in units of 2^-BITS, as in Pillow's Resample.c.
enum { BITS = 32 - 8 - 2 };

// For every output position of one direction: the first input position and the weights.
typedef struct {
  int32_t taps;   // room for the weights of one output
  int32_t *first; // by output
  int32_t *count; // by output
  int32_t *weights;
} filter;

static double triangle(double x) {
  if (x < 0) x = -x;
  return x < 1 ? 1 - x : 0;
}

// The weights of outputs start..<start + count of `outputs`, over `inputs` positions.
static int make_filter(filter *f, int32_t inputs, int32_t outputs, int32_t start, int32_t count) {
  const double scale = (double)inputs / outputs;
  const double support = scale < 1 ? 1 : scale;
  f->taps = (int32_t)support * 2 + 3;
  f->first = malloc((size_t)count * (2 + (size_t)f->taps) * sizeof(int32_t));
  double *exact = malloc((size_t)f->taps * sizeof(double));
  if (!f->first || !exact) return free(exact), 1;
  f->count = f->first + count;
  f->weights = f->count + count;
  for (int32_t i = 0; i < count; i++) {
    const double centre = (start + i + 0.5) * scale;
    int32_t low = (int32_t)(centre - support + 0.5), high = (int32_t)(centre + support + 0.5);
    if (centre - support + 0.5 < 0) low = 0;
    if (high > inputs) high = inputs;
    double sum = 0;
    for (int32_t x = low; x < high; x++)
      sum += exact[x - low] = triangle((x - centre + 0.5) * (1 / support));
    for (int32_t x = 0; x < high - low; x++)
      f->weights[i * f->taps + x] = (int32_t)(0.5 + exact[x] / sum * (1 << BITS));
    f->first[i] = low;
    f->count[i] = high - low;
  }
  free(exact);
  return 0;
}

static inline uint8_t rounded(int32_t sum) {
  sum >>= BITS;
  return (uint8_t)(sum > 255 ? 255 : sum);
}

static inline __attribute__((always_inline)) void
resample_row(const uint8_t *row, const filter *f, int32_t width, int32_t channels, uint8_t *out) {
  for (int32_t x = 0; x < width; x++) {
    const int32_t *weights = f->weights + x * f->taps;
    const uint8_t *in = row + f->first[x] * channels;
    int32_t sums[4] = {1 << (BITS - 1), 1 << (BITS - 1), 1 << (BITS - 1), 1 << (BITS - 1)};
    for (int32_t k = 0; k < f->count[x]; k++)
      for (int32_t c = 0; c < channels; c++) sums[c] += in[k * channels + c] * weights[k];
    for (int32_t c = 0; c < channels; c++) out[x * channels + c] = rounded(sums[c]);
  }
}

static void resample_column(const uint8_t *rows, size_t row_bytes, const int32_t *weights,
                            int32_t count, int32_t *sums, uint8_t *out) {
  for (size_t i = 0; i < row_bytes; i++) sums[i] = 1 << (BITS - 1);
  for (int32_t k = 0; k < count; k++) {
    const uint8_t *in = rows + (size_t)k * row_bytes;
    const int32_t weight = weights[k];
    for (size_t i = 0; i < row_bytes; i++) sums[i] += in[i] * weight;
  }
  for (size_t i = 0; i < row_bytes; i++) out[i] = rounded(sums[i]);
}

// First the rows that the columns will need, then the columns: Pillow's order, with bytes between.
static int resample(const clat_image *image, const clat_resample_box *box, const filter *across,
                    const filter *down, uint8_t *target) {
  const int32_t last = box->window_height - 1;
  const int32_t top = down->first[0], bottom = down->first[last] + down->count[last];
  const size_t row_bytes = (size_t)box->window_width * (size_t)image->channels;
  uint8_t *rows = malloc((size_t)(bottom - top) * row_bytes);
  int32_t *sums = malloc(row_bytes * sizeof *sums);
  if (!rows || !sums) return free(rows), free(sums), 1;
  for (int32_t y = top; y < bottom; y++) {
    const size_t start = (size_t)(box->top + y) * (size_t)image->width + (size_t)box->left;
    const uint8_t *in = image->pixels + start * (size_t)image->channels;
    uint8_t *out = rows + (size_t)(y - top) * row_bytes;
    if (image->channels == 3) resample_row(in, across, box->window_width, 3, out);
    else resample_row(in, across, box->window_width, 1, out);
  }
  for (int32_t y = 0; y <= last; y++)
    resample_column(rows + (size_t)(down->first[y] - top) * row_bytes, row_bytes,
                    down->weights + y * down->taps, down->count[y], sums,
                    target + (size_t)y * row_bytes);
  free(rows);
  free(sums);
  return 0;
}

int clat_resample(const clat_image *image, const clat_resample_box *box, uint8_t *target) {
  filter across = {0}, down = {0};
  const int failed =
      make_filter(&across, box->width, box->scaled_width, box->window_left, box->window_width) ||
      make_filter(&down, box->height, box->scaled_height, box->window_top, box->window_height) ||
      resample(image, box, &across, &down, target);
  free(across.first);
  free(down.first);
  return failed;
}
