// Narrow layers: a pixel's taps side by side, so that one short row a tap does not cost one start a
// tap.

INLINE void copy_taps(float *to, const float *x, const int32_t *offset, int64_t taps,
                      int64_t channels, int64_t stride) {
  for (int64_t t = 0; t < taps; t++, to += channels) {
    const float *from = offset[t] < 0 ? zero_row : x + offset[t] * stride;
    if (channels == 16) *(vf_unaligned *)to = *(const vf_unaligned *)from;
    else
      for (int64_t c = 0; c < channels; c++) to[c] = from[c];
  }
}

/// Three channels: where three taps see neighbours, nine floats at once.
INLINE void copy_taps_of_3(float *to, const float *x, const int32_t *offset, int64_t taps,
                           int64_t stride) {
  for (int64_t t = 0; t < taps;) {
    const int64_t o = offset[t];
    if (stride == 3 && t + 2 < taps && o >= 0 && offset[t + 1] == o + 1 && offset[t + 2] == o + 2) {
      *(vf8_unaligned *)(to + t * 3) = *(const vf8_unaligned *)(x + o * 3);
      to[t * 3 + 8] = x[o * 3 + 8];
      t += 3;
    } else {
      copy_taps(to + t * 3, x, offset + t, 1, 3, stride);
      t++;
    }
  }
}

/// A pixel's taps side by side: [tap][channel].
static void copy_row(float *to, const float *x, const int32_t *offset, int64_t taps,
                     int64_t channels, int64_t stride) {
  if (channels == 3) copy_taps_of_3(to, x, offset, taps, stride);
  else if (channels == 16) copy_taps(to, x, offset, taps, 16, stride);
  else copy_taps(to, x, offset, taps, channels, stride);
}
