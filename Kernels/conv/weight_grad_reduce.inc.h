// The sum of the weight gradient's partials, in PyTorch's order of weights.

#define REDUCE_FLOATS (4 << 10)

/// dw[o + lane][c .. c + depth][tap] from the partials' [tap][c][o].
static void reduce_tile(const clat_conv_weight_grad_reduce_args *a, int64_t o, int lanes, int64_t c,
                        int64_t depth, float *tile) {
  const int64_t rows = (int64_t)a->taps * a->in_channels;
  for (int64_t t = 0; t < a->taps; t++)
    for (int64_t k = 0; k < depth; k++) {
      const float *from = a->partial + (t * a->in_channels + c + k) * a->out_channels + o;
      vf sum = splat(0), v;
      for (int64_t chunk = 0; chunk < a->chunks; chunk++) {
        v = load(from + chunk * rows * a->out_channels, lanes);
        sum += v;
      }
      store(tile + (k * a->taps + t) * 16, sum, LANES);
    }
  for (int lane = 0; lane < lanes; lane++) {
    float *to = a->dw + ((o + lane) * a->in_channels + c) * a->taps;
    for (int64_t i = 0; i < depth * a->taps; i++) to[i] = tile[i * 16 + lane];
  }
}

void CLAT_KERNEL(conv_weight_grad_reduce)(const void *args, int64_t begin, int64_t end,
                                               void *scratch) {
  const clat_conv_weight_grad_reduce_args *a = args;
  const int64_t depth = max64(1, REDUCE_FLOATS / 16 / a->taps);
  for (int64_t o = begin; o < end; o += 16)
    for (int64_t c = 0; c < a->in_channels; c += depth)
      reduce_tile(a, o, (int)min64(16, end - o), c, min64(depth, a->in_channels - c), scratch);
}
