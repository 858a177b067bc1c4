// Sixteen rows of floats to columns of sixteen lanes, in registers.

#define CHUNK_LOW(a, b)                                                                           \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define CHUNK_HIGH(a, b)                                                                          \
  __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define PAIR_LOW(a, b)                                                                            \
  __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define PAIR_HIGH(a, b)                                                                           \
  __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define EVEN_QUADS(a, b)                                                                          \
  __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
#define ODD_QUADS(a, b)                                                                           \
  __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31)

/// Sixteen rows to sixteen columns.
INLINE void transpose_rows(const vf *row, vf *column) {
  vf quad[4][4]; // [rows / 4][c]: columns c, c + 4, c + 8 and c + 12 of four rows
  UNROLL for (int q = 0; q < 4; q++) {
    const vf *r = row + q * 4;
    const vf a = CHUNK_LOW(r[0], r[1]), b = CHUNK_LOW(r[2], r[3]);
    const vf c = CHUNK_HIGH(r[0], r[1]), d = CHUNK_HIGH(r[2], r[3]);
    quad[q][0] = PAIR_LOW(a, b), quad[q][1] = PAIR_HIGH(a, b);
    quad[q][2] = PAIR_LOW(c, d), quad[q][3] = PAIR_HIGH(c, d);
  }
  UNROLL for (int c = 0; c < 4; c++) {
    const vf even_low = EVEN_QUADS(quad[0][c], quad[1][c]);
    const vf even_high = EVEN_QUADS(quad[2][c], quad[3][c]);
    const vf odd_low = ODD_QUADS(quad[0][c], quad[1][c]);
    const vf odd_high = ODD_QUADS(quad[2][c], quad[3][c]);
    column[c] = EVEN_QUADS(even_low, even_high), column[8 + c] = ODD_QUADS(even_low, even_high);
    column[4 + c] = EVEN_QUADS(odd_low, odd_high), column[12 + c] = ODD_QUADS(odd_low, odd_high);
  }
}

/// The columns of `rows` rows, `stride` floats apart, of `count` floats each, 1...16; the rest is zero.
INLINE void transpose_block(const float *from, int64_t stride, int rows, int count, vf *column) {
  vf row[16];
  if (rows == 16 && count == 16) {
    UNROLL for (int i = 0; i < 16; i++) row[i] = load(from + i * stride, LANES);
  } else {
    for (int i = 0; i < 16; i++) {
      row[i] = splat(0);
      if (i < rows) row[i] = load(from + i * stride, count);
    }
  }
  transpose_rows(row, column);
}
