enum { BLOCK = 1024 };

void CLAT_KERNEL(sgd)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_sgd_args a = *(const clat_sgd_args *)args;
  const vf lr = splat(a.lr[0]), momentum = splat(a.momentum), decay = splat(a.weight_decay);
  const int64_t first = begin * BLOCK, last = end * BLOCK < a.count ? end * BLOCK : a.count;
  FOR_LANES(i, last - first, {
    const vf w = load(a.w + first + i, n);
    const vf g = load(a.g + first + i, n) + decay * w;
    const vf m = momentum * load(a.m + first + i, n) + g;
    store(a.new_m + first + i, m, n);
    store(a.new_w + first + i, w - lr * m, n);
  });
}

void CLAT_KERNEL(axpby)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_axpby_args a = *(const clat_axpby_args *)args;
  const vf a_scale = splat(a.a_scale), b_scale = splat(a.b_scale);
  const int64_t first = begin * BLOCK, last = end * BLOCK < a.count ? end * BLOCK : a.count;
  FOR_LANES(i, last - first, {
    vf v = load(a.a + first + i, n) * a_scale;
    if (a.b) v += load(a.b + first + i, n) * b_scale;
    store(a.y + first + i, v, n);
  });
}
