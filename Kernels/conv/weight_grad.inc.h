// Weight gradients as an outer product: (tap, input channel) rows by output channels, summed over pixels. A block
// of dy is packed, so that its rows lie together; pixels whose tap falls into the padding are left out.

#define GRAD_FLOATS (128 << 10) // of packed dy
#define GRAD_PIXELS 512
#define GRAD_CHANNELS 512

typedef struct {
  const clat_conv_weight_grad_args *a;
  float *dy;              // [panel group][pixel][TILE_PANELS * 16]
  const float **x, **b;   // [pixel] addresses of the taps that exist
  int32_t *from;          // [pixel] its index within the block
  int64_t first_image;
  int64_t start, count;   // the block's pixels, counted from first_image
  int64_t channel, channels; // output channels of the block
} grad_block;

static void pack_dy(const grad_block *g) {
  const clat_conv_weight_grad_args *a = g->a;
  const int64_t width = TILE_PANELS * 16;
  for (int64_t q = 0; q < g->count; q++) {
    const float *from = a->dy + (g->first_image * a->out_pixels + g->start + q) * a->dy_stride + g->channel;
    for (int64_t n = 0; n < g->channels; n += 16) {
      const int lanes = (int)min64(16, g->channels - n);
      v16 v;
      load_lanes(&v, from + n, lanes);
      store16(g->dy + (n / width * g->count + q) * width + n % width, &v);
    }
  }
}

/// Lists the block's pixels that tap sees; returns their number.
static int64_t list_tap(const grad_block *g, int64_t tap) {
  const clat_conv_weight_grad_args *a = g->a;
  int64_t image = g->first_image + g->start / a->out_pixels, p = g->start % a->out_pixels, found = 0;
  for (int64_t q = 0; q < g->count; q++) {
    const int32_t in = a->in[p * a->taps + tap];
    g->x[found] = a->x + (image * a->in_pixels + (in < 0 ? 0 : in)) * a->x_stride;
    g->from[found] = (int32_t)q;
    found += in >= 0;
    if (++p == a->out_pixels) p = 0, image++;
  }
  return found;
}

/// rows (input channels from `channel` on) by panels from n on; sums at `to`, of which `lanes` columns are ours.
static void outer_panels(const grad_block *g, int64_t steps, int64_t rows, int panels, int64_t lanes, float *to) {
  const int64_t width = panels * 16, stride = g->a->out_channels;
  outer_tile tile = {.x = g->x, .b = g->b, .steps = steps, .stride = stride, .sums = to, .first = g->start == 0};
  float tail[OUTER_ROWS * TILE_PANELS * 16];
  if (lanes < width) {
    for (int64_t i = 0; i < rows && !tile.first; i++)
      memcpy(tail + i * width, to + i * stride, (size_t)lanes * sizeof *to);
    tile.sums = tail, tile.stride = width;
  }
  outer_kernels[panels - 1][rows](&tile);
  if (lanes < width)
    for (int64_t i = 0; i < rows; i++) memcpy(to + i * stride, tail + i * width, (size_t)lanes * sizeof *to);
}

/// Adds one block's share to input channels c0 ..< c1 of one tap.
static void grad_tap(const grad_block *g, int64_t tap, int64_t c0, int64_t c1, float *partial) {
  const clat_conv_weight_grad_args *a = g->a;
  const int64_t steps = list_tap(g, tap), width = TILE_PANELS * 16;
  for (int64_t n = 0; n < g->channels; n += width) {
    const int panels = (int)min64(TILE_PANELS, (g->channels - n + 15) / 16);
    const float *dy = g->dy + n * g->count;
    for (int64_t q = 0; q < steps; q++) g->b[q] = dy + g->from[q] * width;
    for (int64_t q = 0; q < steps; q++) g->x[q] += c0;
    for (int64_t c = c0; c < c1; c += OUTER_ROWS) {
      const int64_t rows = min64(OUTER_ROWS, c1 - c);
      outer_panels(g, steps, rows, panels, min64(g->channels - n, panels * 16),
                   partial + (tap * a->in_channels + c) * a->out_channels + g->channel + n);
      for (int64_t q = 0; q < steps; q++) g->x[q] += rows;
    }
    for (int64_t q = 0; q < steps; q++) g->x[q] -= c1;
  }
}

static void grad_job(const clat_conv_weight_grad_args *a, int64_t job, char *scratch) {
  const int64_t chunk = job / a->blocks, block = job % a->blocks, rows = (int64_t)a->taps * a->in_channels;
  const int64_t first = a->images * chunk / a->chunks, last = a->images * (chunk + 1) / a->chunks;
  const int64_t begin = rows * block / a->blocks, end = rows * (block + 1) / a->blocks;
  const int64_t total = (last - first) * a->out_pixels;
  float *partial = a->partial + chunk * rows * a->out_channels;
  grad_block g = {.a = a, .first_image = first};
  g.dy = (float *)scratch;
  g.x = (const float **)(g.dy + GRAD_FLOATS);
  g.b = g.x + GRAD_PIXELS;
  g.from = (int32_t *)(g.b + GRAD_PIXELS);
  for (g.channel = 0; g.channel < a->out_channels; g.channel += GRAD_CHANNELS) {
    g.channels = min64(GRAD_CHANNELS, a->out_channels - g.channel);
    const int64_t padded = (g.channels + TILE_PANELS * 16 - 1) / (TILE_PANELS * 16) * (TILE_PANELS * 16);
    const int64_t pixels = min64(GRAD_PIXELS, GRAD_FLOATS / padded);
    g.start = 0;
    do { // once even without pixels, which stores zeros
      g.count = min64(pixels, total - g.start);
      pack_dy(&g);
      for (int64_t row = begin, next; row < end; row = next) {
        const int64_t tap = row / a->in_channels;
        next = min64(end, (tap + 1) * a->in_channels);
        grad_tap(&g, tap, row - tap * a->in_channels, next - tap * a->in_channels, partial);
      }
      g.start += g.count;
    } while (g.start < total);
  }
}

void KERNEL_NAME(conv_weight_grad, ISA)(const void *args, int64_t begin, int64_t end, void *scratch) {
  for (int64_t job = begin; job < end; job++) grad_job(args, job, scratch);
}

#define REDUCE_FLOATS (4 << 10)

/// dw[o + lane][c .. c + depth][tap] from the partials' [tap][c][o].
static void reduce_tile(const clat_conv_weight_grad_reduce_args *a, int64_t o, int lanes, int64_t c, int64_t depth,
                        float *tile) {
  const int64_t rows = (int64_t)a->taps * a->in_channels;
  for (int64_t t = 0; t < a->taps; t++)
    for (int64_t k = 0; k < depth; k++) {
      const float *from = a->partial + (t * a->in_channels + c + k) * a->out_channels + o;
      v16 sum = (v16)0.0f, v;
      for (int64_t chunk = 0; chunk < a->chunks; chunk++) {
        load_lanes(&v, from + chunk * rows * a->out_channels, lanes);
        sum += v;
      }
      store16(tile + (k * a->taps + t) * 16, &sum);
    }
  for (int lane = 0; lane < lanes; lane++) {
    float *to = a->dw + ((o + lane) * a->in_channels + c) * a->taps;
    for (int64_t i = 0; i < depth * a->taps; i++) to[i] = tile[i * 16 + lane];
  }
}

void KERNEL_NAME(conv_weight_grad_reduce, ISA)(const void *args, int64_t begin, int64_t end, void *scratch) {
  const clat_conv_weight_grad_reduce_args *a = args;
  const int64_t depth = max64(1, REDUCE_FLOATS / 16 / a->taps);
  for (int64_t o = begin; o < end; o += 16)
    for (int64_t c = 0; c < a->in_channels; c += depth)
      reduce_tile(a, o, (int)min64(16, end - o), c, min64(depth, a->in_channels - c), scratch);
}
