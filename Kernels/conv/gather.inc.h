// Convolution, input gradient and linear layer as an implicit matrix product: pixels by output
// channels, summed over taps and input channels. A block of pixels keeps its input in L2 while
// every panel of weights passes; between chunks of the sum the tiles rest in scratch, never in y,
// which may alias the residual. Where slide.inc.h is there, it takes the narrow layers.

#define BLOCK_PIXELS 256
#define TABLE_BYTES (512 << 10)
#define POINTER_BYTES (BLOCK_PIXELS * 8) // of the table where rows are copied
#define COPY_BYTES (24 << 10)            // of copied rows, which stay in L1
#define PHASE_PIXELS 1024                // of input that all phases read before the next images
#define EMPTY_PIXELS 256                 // the same where phases without taps only write
#define PHASES 64                        // at most

typedef struct {
  const clat_conv_args *a;
  const clat_conv_phase *phase;
  float *copies;                     // [pixel][taps * channels] of copied rows, else NULL
  int64_t taps, channels;            // the phase's; of copied rows one tap with all channels
  int64_t group, part;               // taps, or channels of a tap, of one chunk
  int64_t block;                     // pixels, in whole tiles
  const float **in;                  // [tile][tap][TILE_ROWS]
  int64_t *pixel;                    // [BLOCK_PIXELS] output pixel, counted through all images
  int64_t distance[BLOCK_PIXELS / TILE_ROWS]; // of each tile's rows, by row_distance
  int64_t first_image, start, total; // pixels of the slice, and those before this block
  float *sums;                       // [tile][TILE_ROWS][TILE_PANELS][16]
} gather_plan;

/// Floats from a tile's row to the next, if all lie equally far apart and so do its output pixels,
/// without a gap; else 0.
static int64_t row_distance(const float *const *in, const int64_t *pixel) {
  const int64_t distance = in[1] - in[0];
  for (int i = 1; i < TILE_ROWS; i++)
    if (in[i] - in[i - 1] != distance || pixel[i] != pixel[0] + i) return 0;
  return distance;
}

/// Addresses of a block's rows.
static void address_block(gather_plan *g, int64_t count) {
  const clat_conv_args *a = g->a;
  const int64_t pixels = g->phase->pixels, taps = g->phase->taps;
  int64_t image = g->first_image + g->start / pixels, p = g->start % pixels;
  for (int64_t q = 0; q < count; q++) {
    const float *x = a->x + image * a->in_pixels * a->x_stride;
    const int32_t *offset = g->phase->in + p * taps;
    g->pixel[q] = image * a->out_pixels + g->phase->out[p];
    if (g->copies) {
      g->in[q] = g->copies + q * g->channels;
      copy_row(g->copies + q * g->channels, x, offset, taps, a->in_channels, a->x_stride);
    } else {
      const float **in = g->in + q / TILE_ROWS * taps * TILE_ROWS + q % TILE_ROWS;
      for (int64_t t = 0; t < taps; t++)
        in[t * TILE_ROWS] = offset[t] < 0 ? zero_row : x + (int64_t)offset[t] * a->x_stride;
    }
    if (++p == pixels) p = 0, image++;
  }
  for (int64_t q = count; q % TILE_ROWS; q++)
    for (int64_t t = 0; t < g->taps; t++)
      g->in[(q / TILE_ROWS * g->taps + t) * TILE_ROWS + q % TILE_ROWS] = zero_row;
  for (int64_t q = 0; q < count; q += TILE_ROWS)
    g->distance[q / TILE_ROWS] =
        g->taps == 1 && q + TILE_ROWS <= count ? row_distance(g->in + q, g->pixel + q) : 0;
}

/// A tile of rows at one distance.
INLINE void sum_line(const gather_tile *t, int64_t distance, int panels) {
  const line_tile line = {.x = t->in[0] + t->skip,
                          .x_stride = distance,
                          .steps = t->steps,
                          .lines = 1,
                          .weights = t->weights,
                          .panel_stride = t->panel_stride,
                          .ahead = t->ahead,
                          .sums = t->sums,
                          .first = t->first,
                          .out = t->out,
                          .pixel = t->pixel[0],
                          .channel = t->channel};
  line_kernels[panels - 1][TILE_ROWS](&line);
}

/// Asks for the lines that a tile will store to, while it still sums.
static void prefetch_outputs(const clat_conv_args *a, const int64_t *pixel, int rows, int n,
                             int panels) {
  for (int i = 0; i < rows; i++) {
    const float *y = a->out.y + pixel[i] * a->out.y_stride + n;
    const float *residual =
        a->out.residual ? a->out.residual + pixel[i] * a->out.residual_stride + n : NULL;
    for (int p = 0; p < panels; p++) {
      __builtin_prefetch(y + p * 16, 1);
      if (residual) __builtin_prefetch(residual + p * 16);
    }
  }
}

/// Asks for the input of the next block's pixels from the q-th on: its rows under the middle tap.
static void prefetch_inputs(const gather_plan *g, int64_t q) {
  const clat_conv_args *a = g->a;
  const int64_t taps = g->phase->taps, pixels = g->phase->pixels;
  const int64_t from = g->start + g->block + q, to = min64(from + TILE_ROWS, g->total);
  for (int64_t at = from; at < to; at++) {
    const int64_t in = g->phase->in[at % pixels * taps + taps / 2];
    if (in < 0) continue;
    const float *x = a->x + ((g->first_image + at / pixels) * a->in_pixels + in) * a->x_stride;
    for (int64_t c = 0; c < a->in_channels; c += 16) __builtin_prefetch(x + c, 0, 2);
  }
}

/// One chunk of the sum for all tiles of a block and `panels` panels from channel n on.
static void gather_chunk(const gather_plan *g, int64_t count, int n, int panels, int64_t tap,
                         int64_t skip) {
  const clat_conv_args *a = g->a;
  const int64_t taps = g->taps, channels = g->channels;
  gather_tile tile = {
      .taps = min64(g->group, taps - tap),
      .skip = skip,
      .steps = min64(g->part, channels - skip),
      .weights =
          a->packed + g->phase->packed_offset + ((n / 16 * taps + tap) * channels + skip) * 16,
      .tap_stride = channels * 16,
      .panel_stride = taps * channels * 16,
      .first = tap == 0 && skip == 0,
      .channel = n,
  };
  const int first = n == 0 && tile.first && !g->copies,
            last = tap + tile.taps >= taps && skip + tile.steps >= channels;
  for (int64_t q = 0; q < count; q += TILE_ROWS) {
    const int rows = (int)min64(TILE_ROWS, count - q);
    tile.in = g->in + (q * taps + tap * TILE_ROWS);
    tile.sums = g->sums + q * TILE_PANELS * 16;
    if (first) prefetch_inputs(g, q);
    tile.ahead = g->in[q * taps + tap * TILE_ROWS + TILE_ROWS - 1] + a->x_stride + skip;
    if (last) prefetch_outputs(a, g->pixel + q, rows, n, panels);
    tile.out = last ? finishes_itself(&a->out, rows, n, panels) : NULL;
    tile.pixel = g->pixel + q;
    const int64_t distance = g->distance[q / TILE_ROWS];
    if (distance) sum_line(&tile, distance, panels);
    else gather_kernels[panels - 1][rows](&tile);
    if (last && !tile.out)
      finish_sums(&a->out, tile.sums, g->pixel + q, rows, n, panels);
  }
}

/// The phase without taps whose next pixel comes first; -1 at the end. `at` counts those taken.
INLINE int next_empty(const clat_conv_args *a, const int32_t *at) {
  int first = -1;
  for (int i = 0; i < a->phases; i++) {
    const clat_conv_phase *ph = &a->phase[i];
    if (ph->taps == 0 && at[i] < ph->pixels &&
        (first < 0 || ph->out[at[i]] < a->phase[first].out[at[first]]))
      first = i;
  }
  return first;
}

/// In runs of pixels that lie equally far apart, which are a phase's share of a row.
INLINE void finish_empty(const clat_conv_args *a, const clat_epilogue *e, int64_t image) {
  int32_t at[PHASES] = {0};
  for (int i; (i = next_empty(a, at)) >= 0;) {
    const clat_conv_phase *ph = &a->phase[i];
    const int64_t first = image * a->out_pixels;
    const int32_t start = at[i], *out = ph->out;
    do {
      for (int n = 0; n < e->channels; n += 16) {
        vf zero = splat(0);
        const int lanes = e->channels - n;
        if (lanes >= 16) finish_panel(e, first + out[at[i]], n, 16, &zero);
        else finish_panel(e, first + out[at[i]], n, lanes, &zero);
      }
    } while (++at[i] < ph->pixels && out[at[i]] - out[at[i] - 1] == out[start + 1] - out[start]);
  }
}

/// Phases without taps: the epilogue of zeros, all phases' rows in the order of memory.
static void gather_nothing(const clat_conv_args *a, int64_t begin, int64_t end) {
  for (int64_t image = begin; image < end; image++)
    FINISH_USUAL(&a->out, finish_empty(a, usual, image));
}

/// How a phase is cut. Sums depend on the chunks, so these depend on shapes alone.
static gather_plan plan_phase(const clat_conv_args *a, const clat_conv_phase *phase,
                              char *scratch) {
  gather_plan g = {.a = a, .phase = phase, .taps = phase->taps, .channels = a->in_channels};
  const int64_t row_bytes = g.taps * g.channels * (int64_t)sizeof(float);
  int64_t pixels;
  if (g.channels < 16 && g.taps > 1 && row_bytes * TILE_ROWS <= TABLE_BYTES - POINTER_BYTES) {
    g.copies = (float *)(scratch + POINTER_BYTES);
    g.channels *= g.taps;
    g.taps = 1;
    pixels = COPY_BYTES / row_bytes;
  } else {
    pixels = max64(64, 65536 / g.channels);
    pixels = min64(pixels, TABLE_BYTES / (int64_t)sizeof(float *) / max64(g.taps, 1));
  }
  g.block = max64(1, min64(pixels, BLOCK_PIXELS) / TILE_ROWS) * TILE_ROWS;
  g.in = (const float **)scratch;
  g.sums = (float *)(scratch + TABLE_BYTES);
  g.pixel = (int64_t *)(g.sums + BLOCK_PIXELS * TILE_PANELS * 16);
  const int64_t parts = (g.channels + CHUNK - 1) / CHUNK;
  const int64_t groups = max64(1, (g.taps * g.channels + CHUNK - 1) / CHUNK);
  g.part = (g.channels + parts - 1) / parts;
  g.group = parts > 1 ? 1 : min64(CHUNK / g.channels, (g.taps + groups - 1) / groups);
  return g;
}

static void gather_phase(const clat_conv_args *a, const clat_conv_phase *phase, int64_t begin,
                         int64_t end, char *scratch) {
  gather_plan g = plan_phase(a, phase, scratch);
  g.first_image = begin;
  g.total = (end - begin) * phase->pixels;
  for (g.start = 0; g.start < g.total; g.start += g.block) {
    const int64_t count = min64(g.block, g.total - g.start);
    address_block(&g, count);
    for (int n = 0; n < a->out.channels; n += TILE_PANELS * 16) {
      const int panels = (int)min64(TILE_PANELS, (a->out.channels - n + 15) / 16);
      for (int64_t tap = 0; tap < g.taps; tap += g.group)
        for (int64_t skip = 0; skip < g.channels; skip += g.part)
          gather_chunk(&g, count, n, panels, tap, skip);
    }
  }
}

void CLAT_KERNEL(conv_gather)(const void *args, int64_t begin, int64_t end, void *scratch) {
  const clat_conv_args *a = args;
  int empty = 0, large = a->phases > PHASES; // strides beyond 8, kernels beyond 68 by 68
  for (int i = 0; i < a->phases; i++) {
    large |= (int64_t)a->phase[i].taps * TILE_ROWS * (int64_t)sizeof(float *) > TABLE_BYTES;
    empty |= a->phase[i].taps == 0;
  }
  if (large) {
    clat_conv_gather_reference(args, begin, end, scratch);
    return;
  }
  const int few = is_few(a);
  stem_plan stem;
  if (!few && plan_stem(a, &stem, scratch)) {
    gather_stem(a, &stem, begin, end, scratch);
    return;
  }
#ifdef SLIDE_BLOCK
  slide_plan slides[SLIDE_PHASES];
  const int slide = !few && plan_slides(a, slides, scratch);
#endif
  const int64_t pixels = (empty ? EMPTY_PIXELS : PHASE_PIXELS) / a->in_pixels;
  const int64_t together = a->phases == 1 ? end - begin : max64(1, pixels);
  for (int64_t first = begin; first < end; first += together) {
    const int64_t last = min64(end, first + together);
    if (empty) gather_nothing(a, first, last);
    for (int i = 0; i < a->phases; i++) {
      if (a->phase[i].taps == 0) continue;
      if (few) gather_few(a, &a->phase[i], first, last, scratch);
#ifdef SLIDE_BLOCK
      else if (slide) slide_phase(a, &a->phase[i], &slides[i], first, last, scratch);
#endif
      else gather_phase(a, &a->phase[i], first, last, scratch);
    }
  }
}
