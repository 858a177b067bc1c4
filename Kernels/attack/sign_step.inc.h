void CLAT_KERNEL(sign_step)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_sign_step_args a = *(const clat_sign_step_args *)args;
  const vf step = splat(a.step), eps = splat(a.eps), low = splat(a.low), high = splat(a.high);
  const int64_t first = begin * a.elements, count = (end - begin) * a.elements;
  FOR_LANES(i, count, {
    const vf g = load(a.gradient + first + i, n);
    const vf clean = load(a.clean + first + i, n);
    const vf move = blend(g > 0, step, blend(g < 0, -step, splat(0)));
    const vf near = clamp(load(a.x + first + i, n) + move, clean - eps, clean + eps);
    store(a.y + first + i, clamp(near, low, high), n);
  });
}
