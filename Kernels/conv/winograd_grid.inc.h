// The tiles of a convolution's output, and where their transforms lie.

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

/// Floats from a tile's row of `channels` to the next's: whole vectors, not a power of two apart.
INLINE int64_t transform_row(int64_t channels) {
  const int64_t whole = (channels + 15) / 16 * 16;
  return whole + (whole % 128 == 0 ? 16 : 0);
}
