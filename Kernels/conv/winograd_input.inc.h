// The tiles of a convolution's output and the transform of what each sees of the input.

#define WINOGRAD_CHANNELS 4096 // of the input at most

typedef struct {
  const float *x;
  int64_t height, width, stride, pad_height, pad_width; // of the input
  int64_t out_height, out_width;
  int64_t side;               // outputs of a tile in each direction
  int64_t across, down;       // tiles of an image's row, rows of tiles
  int64_t first_image, total; // of the images; their tiles
  const float *zeros;         // a pixel outside the image
} winograd_grid;

typedef struct {
  int64_t image, y, x; // first output row and column
} winograd_tile;

INLINE winograd_tile tile_at(const winograd_grid *g, int64_t index) {
  const int64_t tiles = g->across * g->down;
  return (winograd_tile){g->first_image + index / tiles, index % tiles / g->across * g->side,
                         index % g->across * g->side};
}

/// Counts the tiles of images begin ..< end. `zeros` has room for a pixel.
static void count_tiles(winograd_grid *g, int64_t begin, int64_t end, int64_t channels,
                        float *zeros) {
  g->across = (g->out_width + g->side - 1) / g->side;
  g->down = (g->out_height + g->side - 1) / g->side;
  g->first_image = begin, g->total = (end - begin) * g->across * g->down;
  g->zeros = memset(zeros, 0, (size_t)channels * sizeof *zeros);
}

/// V = B^T d B of sixteen channels; load(v, r, c) loads the input in row r and column c of 6x6.
#define TRANSFORM_INPUT(to, plane, load)                                               \
  do {                                                                                 \
    v16 half[36], d[6];                                                                \
    UNROLL for (int c = 0; c < 6; c++) {                                               \
      UNROLL for (int r = 0; r < 6; r++) load(&d[r], r, c);                            \
      WINOGRAD_INPUT(v16, d, d, 1);                                                    \
      UNROLL for (int r = 0; r < 6; r++) half[r * 6 + c] = d[r];                       \
    }                                                                                  \
    UNROLL for (int r = 0; r < 6; r++) {                                               \
      WINOGRAD_INPUT(v16, d, half + r * 6, 1);                                         \
      UNROLL for (int c = 0; c < 6; c++) store16((to) + (r * 6 + c) * (plane), &d[c]); \
    }                                                                                  \
  } while (0)

/// A tile inside the image: its inputs lie at constant distances.
static void transform_inside(const float *x, int64_t row, int64_t column, int64_t channels,
                             float *to, int64_t plane) {
#define LOAD_INSIDE(v, r, c) load16(v, x + (r) * row + (c) * column + k)
  for (int64_t k = 0; k < channels; k += 16) TRANSFORM_INPUT(to + k, plane, LOAD_INSIDE);
#undef LOAD_INSIDE
}

static void transform_border(const float *const *x, int64_t channels, float *to, int64_t plane) {
#define LOAD_BORDER(v, r, c) load_lanes(v, x[(r) * 6 + (c)] + k, lanes)
  int64_t k = 0;
  for (; k + 16 <= channels; k += 16) {
    enum { lanes = 16 };
    TRANSFORM_INPUT(to + k, plane, LOAD_BORDER);
  }
  if (k < channels) {
    const int lanes = (int)(channels - k);
    TRANSFORM_INPUT(to + k, plane, LOAD_BORDER);
  }
#undef LOAD_BORDER
}

/// The transform of `channels` channels from `first` on, of the index-th tile, to `to` and every
/// `plane` floats behind it; lanes beyond the channels are zero.
static void transform_tile(const winograd_grid *g, int64_t index, int64_t first, int64_t channels,
                           float *to, int64_t plane) {
  const winograd_tile t = tile_at(g, index);
  const int64_t y = t.y - g->pad_height, x = t.x - g->pad_width, row = g->width * g->stride;
  const float *image = g->x + t.image * g->height * row + first;
  if (y >= 0 && x >= 0 && y + 6 <= g->height && x + 6 <= g->width && channels % 16 == 0) {
    transform_inside(image + y * row + x * g->stride, row, g->stride, channels, to, plane);
    return;
  }
  const float *in[36];
  for (int r = 0; r < 6; r++)
    for (int c = 0; c < 6; c++)
      in[r * 6 + c] = y + r >= 0 && y + r < g->height && x + c >= 0 && x + c < g->width
                          ? image + (y + r) * row + (x + c) * g->stride
                          : g->zeros;
  transform_border(in, channels, to, plane);
}

/// Floats from a tile's row of `channels` to the next's: whole vectors, not a power of two apart.
INLINE int64_t transform_row(int64_t channels) {
  const int64_t whole = (channels + 15) / 16 * 16;
  return whole + (whole % 128 == 0 ? 16 : 0);
}
