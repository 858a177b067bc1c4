// Convolutions of an image: few input channels under a window of taps. The padded input is copied
// once, densely, so that a pixel's taps of one line are one run of floats, which serves all output
// channels at the same distances from pixel to pixel.

#define STEM_CHANNELS 15
#define STEM_COPY (32 << 10) // floats of copied input
#define STEM_ROWS min64(8, TILE_ROWS) // of a tile of two panels: they divide the usual widths
#define STEM_SUMS (TILE_ROWS * TILE_PANELS * 16)
#define STEM_AHEAD 64 // pixels

typedef struct {
  window w;
  int64_t left, right, top, bottom; // of the map: what lies within the image
  int64_t rows;                     // of output that share a copy
} stem_plan;

/// The part of the map that lies within the image; 0 unless it is a rectangle of consecutive pixels.
static int find_inside(stem_plan *s) {
  const window *w = &s->w;
  int64_t first = 0, last = w->map_width * w->map_height - 1;
  while (first < last && w->map[first] < 0) first++;
  while (last > first && w->map[last] < 0) last--;
  s->left = first % w->map_width, s->top = first / w->map_width;
  s->right = last % w->map_width + 1, s->bottom = last / w->map_width + 1;
  for (int64_t y = 0; y < w->map_height; y++)
    for (int64_t x = 0; x < w->map_width; x++) {
      const int inside = y >= s->top && y < s->bottom && x >= s->left && x < s->right;
      const int32_t at = w->map[y * w->map_width + x];
      if (inside ? at != w->map[y * w->map_width + s->left] + x - s->left || at < 0 : at >= 0)
        return 0;
    }
  return 1;
}

static int in_order(const clat_conv_phase *ph) {
  int32_t wrong = 0;
  for (int32_t p = 0; p < ph->pixels; p++) wrong |= ph->out[p] ^ p;
  return wrong == 0;
}

static int plan_stem(const clat_conv_args *a, stem_plan *s, int32_t *map) {
  if (a->in_channels > STEM_CHANNELS || a->phases != 1 || a->phase->taps == 1) return 0;
  if (!in_order(a->phase)) return 0;
  if (!find_window(a->phase, &s->w, map, WINDOW_MAPS) || s->w.backwards || !find_inside(s)) return 0;
  s->rows = (STEM_COPY / (s->w.map_width * a->in_channels) - s->w.lines) / s->w.down + 1;
  s->rows = min64(s->rows, s->w.height);
  return s->rows >= 1;
}

/// `rows` rows of the padded input from the map's row `first` on.
static void copy_padded(const clat_conv_args *a, const stem_plan *s, const float *x, int64_t first,
                        int64_t rows, float *to) {
  const int64_t channels = a->in_channels, width = s->w.map_width,
                floats = (s->right - s->left) * channels;
  for (int64_t y = first; y < first + rows; y++, to += width * channels) {
    if (y < s->top || y >= s->bottom) {
      memset(to, 0, (size_t)(width * channels) * sizeof(float));
      continue;
    }
    const float *from = x + s->w.map[y * width + s->left] * (int64_t)a->x_stride;
    float *row = to + s->left * channels;
    for (int64_t i = 0; i < s->left * channels; i++) to[i] = 0;
    for (int64_t i = s->right * channels; i < width * channels; i++) to[i] = 0;
    if (a->x_stride == channels) memcpy(row, from, (size_t)floats * sizeof(float));
    else
      for (int64_t i = 0; i < floats; i++) row[i] = from[i / channels * a->x_stride + i % channels];
  }
}

/// Takes lines of y into the cache, to be written, that tiles some rows further on will store to:
/// a run of as many as this tile's `panels` panels have, because addresses one by one cost more.
INLINE void prefetch_stem(const clat_epilogue *e, int64_t pixel, int count, int n, int panels) {
  if (e->y_stride != e->channels) return;
  const float *y = e->y + (pixel + STEM_AHEAD) * e->y_stride + n * count;
  for (int i = 0; i < count * panels * 16; i += 16) __builtin_prefetch(y + i, 1);
}

/// One row of output, all panels of a tile before the next tile: so y is written in order.
static void stem_row(const clat_conv_args *a, const stem_plan *s, const float *x, int64_t pixel,
                     float *sums) {
  const int64_t depth = a->phase->taps * a->in_channels * 16;
  int64_t pixels[TILE_ROWS];
  line_tile tile = {.x_stride = s->w.across * a->in_channels,
                    .row_stride = s->w.map_width * a->in_channels,
                    .steps = s->w.line * a->in_channels,
                    .lines = s->w.lines,
                    .panel_stride = depth,
                    .sums = sums,
                    .first = 1}; // copy and weights are near: `ahead` asks for nothing new
  const int64_t most = a->out.channels > 16 ? STEM_ROWS : TILE_ROWS;
  for (int64_t c = 0; c < s->w.width; c += most) {
    const int count = (int)min64(most, s->w.width - c);
    tile.x = x + c * tile.x_stride;
    tile.pixel = pixel + c;
    for (int n = 0; n < a->out.channels; n += TILE_PANELS * 16) {
      const int panels = (int)min64(TILE_PANELS, (a->out.channels - n + 15) / 16);
      prefetch_stem(&a->out, tile.pixel, count, n, panels);
      tile.weights = tile.ahead = a->packed + a->phase->packed_offset + n / 16 * depth;
      tile.channel = n;
      tile.out = finishes_itself(&a->out, count, n, panels);
      line_kernels[panels - 1][count](&tile);
      if (tile.out) continue;
      for (int i = 0; i < count; i++) pixels[i] = tile.pixel + i;
      finish_sums(&a->out, sums, pixels, count, n, panels);
    }
  }
}

static void gather_stem(const clat_conv_args *a, const stem_plan *s, int64_t begin, int64_t end,
                        char *scratch) {
  float *sums = (float *)(scratch + WINDOW_MAPS * sizeof(int32_t)), *copy = sums + STEM_SUMS;
  const int64_t row = s->w.map_width * a->in_channels * s->w.down;
  for (int64_t image = begin; image < end; image++)
    for (int64_t first = 0; first < s->w.height; first += s->rows) {
      const int64_t rows = min64(s->rows, s->w.height - first);
      copy_padded(a, s, a->x + image * a->in_pixels * a->x_stride, first * s->w.down,
                  (rows - 1) * s->w.down + s->w.lines, copy);
      for (int64_t y = 0; y < rows; y++)
        stem_row(a, s, copy + y * row,
                 image * a->out_pixels + (first + y) * s->w.width, sums);
    }
}
