// A phase's taps as a window that slides over a grid, which the offset table itself must show; so
// that kernels may read a padded copy of the input at constant distances.

#define WINDOW_MAPS (64 << 10) // pixels of all phases' padded input

typedef struct {
  int64_t width, height;         // output pixels of a row, rows of the phase
  int64_t line, lines, stride;   // taps of a line, lines, input pixels between output pixels
  int64_t map_width, map_height; // input pixels of a row with its padding, rows
  int64_t across, down;          // input pixels and rows from one output pixel's to the next's
  int backwards;                 // the taps run against the input
  int32_t *map;                  // [map_height][map_width] input pixel, -1 in the padding
} window;

/// The input pixel at the window's v-th place.
INLINE int32_t window_pixel(const clat_conv_phase *ph, const window *s, int64_t p, int64_t v) {
  return ph->in[p * ph->taps + (s->backwards ? ph->taps - 1 - v : v)];
}

/// A pixel p such that all taps of p and of p + 1 lie inside, or -1.
static int64_t inner_pixel(const clat_conv_phase *ph) {
  int64_t inside = 0;
  for (int64_t p = ph->pixels / 2; p < ph->pixels; p++) {
    int32_t any = 0;
    for (int64_t t = 0; t < ph->taps; t++) any |= ph->in[p * ph->taps + t];
    inside = any < 0 ? 0 : inside + 1;
    if (inside == 2) return p - 1;
  }
  return -1;
}

/// Pixels until the window no longer slides along the row.
static int64_t row_width(const clat_conv_phase *ph, const window *s, int64_t inner) {
  if (s->line == 1 && s->lines == 1) return ph->pixels % 16 ? 8 : 16; // of any width
  if (s->line == 1) { // until the second line sees what the first saw
    for (int64_t p = 1; inner + p < ph->pixels; p++)
      if (window_pixel(ph, s, inner, 1) == window_pixel(ph, s, inner + p, 0)) return p;
    return ph->pixels;
  }
  for (int64_t p = 1; p < ph->pixels; p++)
    for (int64_t first = 0; first < ph->taps; first += s->line)
      for (int64_t v = first; v + s->stride < first + s->line; v++)
        if (window_pixel(ph, s, p, v) != window_pixel(ph, s, p - 1, v + s->stride)) return p;
  return ph->pixels;
}

/// Lays a window's pixels out, or returns nonzero bits where they differ from the map's.
INLINE int32_t map_pixel(const window *s, const int32_t *in, int32_t *map, int verify) {
  const int64_t step = s->backwards ? -1 : 1;
  int32_t wrong = 0;
  for (int64_t i = 0; i < s->lines; i++, map += s->map_width)
    for (int64_t j = 0; j < s->line; j++, in += step) {
      if (verify) wrong |= map[j] ^ *in;
      else map[j] = *in;
    }
  return wrong;
}

/// Lays the map out and holds every entry of the offset table against it.
static int map_window(const clat_conv_phase *ph, const window *s) {
  int32_t wrong = 0;
  for (int64_t i = 0; i < s->map_width * s->map_height; i++) s->map[i] = -1;
  for (int verify = 0; verify < 2; verify++) {
    const int32_t *in = ph->in + (s->backwards ? ph->taps - 1 : 0);
    for (int64_t y = 0; y < s->height; y++)
      for (int64_t c = 0; c < s->width; c++, in += ph->taps)
        wrong |= map_pixel(s, in, s->map + y * s->down * s->map_width + c * s->across, verify);
  }
  return wrong == 0;
}

/// Finds the window in a phase's table, and lays its map out in `room` pixels; returns 0 where
/// there is none.
static int find_window(const clat_conv_phase *ph, window *s, int32_t *map, int64_t room) {
  *s = (window){.map = map, .line = 1};
  const int64_t inner = ph->taps < 1 ? -1 : inner_pixel(ph);
  if (inner < 0) return 0;
  const int32_t *in = ph->in + inner * ph->taps;
  s->backwards = ph->taps > 1 && in[1] < in[0];
  while (s->line < ph->taps && in[s->line] - in[s->line - 1] == (s->backwards ? -1 : 1)) s->line++;
  s->lines = ph->taps / s->line;
  s->stride = in[ph->taps] - in[0];
  if (s->lines * s->line != ph->taps) return 0;
  if (s->stride < 1 || (ph->taps > 1 && s->stride > 2)) return 0;
  s->across = s->line == 1 ? 1 : s->stride, s->down = s->lines == 1 ? 1 : s->stride;
  s->width = row_width(ph, s, inner);
  s->height = ph->pixels / s->width;
  if (s->width * s->height != ph->pixels) return 0;
  s->map_width = (s->width - 1) * s->across + s->line;
  s->map_height = (s->height - 1) * s->down + s->lines;
  return s->map_width * s->map_height <= room && map_window(ph, s);
}
