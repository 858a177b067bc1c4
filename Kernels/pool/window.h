// Which taps of a window lie inside the input, and which windows see an input pixel. Both along one
// axis.
#ifndef CLAT_POOL_WINDOW_H
#define CLAT_POOL_WINDOW_H

#include <stdint.h>

typedef struct {
  int32_t begin, end;
} clat_window;

static inline clat_window clat_window_clip(int32_t begin, int32_t end, int32_t size) {
  return (clat_window){begin < 0 ? 0 : begin, end > size ? size : end};
}

/// The input positions that output `out` sees.
static inline clat_window clat_window_inputs(int32_t out, int32_t kernel, int32_t stride,
                                             int32_t pad, int32_t in_size) {
  const int32_t first = out * stride - pad;
  return clat_window_clip(first, first + kernel, in_size);
}

/// The output positions that see input `in`.
static inline clat_window clat_window_outputs(int32_t in, int32_t kernel, int32_t stride,
                                              int32_t pad, int32_t out_size) {
  const int32_t below = in + pad - kernel; // the last start that ends before `in`
  const int32_t first = below < 0 ? 0 : below / stride + 1;
  return clat_window_clip(first, (in + pad) / stride + 1, out_size);
}

#endif
