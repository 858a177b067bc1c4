// Winograd's F(4x4, 3x3): stride 1.

static void transform_inputs(const winograd_block *g, int64_t index, int64_t k) {
  transform_tile(&g->grid, g->start + index, k, min64(g->depth, g->a->in_channels - k),
                 input_part(g, k) + index * g->row, input_offset(g, 1, 1));
}

/// Y = A^T m A of sixteen channels.
INLINE void transform_output(v16 *y, const float *m, int64_t plane) {
  v16 half[24], column[6];
  UNROLL for (int c = 0; c < 6; c++) {
    UNROLL for (int r = 0; r < 6; r++) load16(&column[r], m + (r * 6 + c) * plane);
    WINOGRAD_OUTPUT(v16, column, column, 1);
    UNROLL for (int r = 0; r < 4; r++) half[r * 6 + c] = column[r];
  }
  UNROLL for (int r = 0; r < 4; r++) WINOGRAD_OUTPUT(v16, y + r * 4, half + r * 6, 1);
}

INLINE void finish_tiles(const clat_epilogue *e, const winograd_block *g, int64_t count, int n,
                         int panels) {
  for (int64_t i = 0; i < count; i++)
    for (int p = 0; p < panels; p++) {
      v16 y[16];
      transform_output(y, g->sums + (i * panels + p) * 16, sum_offset(g, 1, 1));
      finish_outputs(e, g->a, block_tile(g, i), 1, n + p * 16, y);
    }
}

static void finish_block(const winograd_block *g, int64_t count, int n, int panels) {
  FINISH_USUAL(&g->a->out, finish_tiles(usual, g, count, n, panels));
}

void KERNEL_NAME(winograd, ISA)(const void *args, int64_t begin, int64_t end, void *scratch) {
  static const uint8_t rows[CLAT_WINOGRAD_POINTS] = {[0 ... CLAT_WINOGRAD_POINTS - 1] = 1};
  static const winograd_algorithm algorithm = {
      4, 70, 36, rows, transform_inputs, transform_panel_4x4, finish_block};
  run_blocks(&algorithm, args, begin, end, scratch);
}
