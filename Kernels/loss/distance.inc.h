enum { DISTANCE_BLOCK = 4096, CHAINS = 4 };

/// Sum of (a - b)^2 over at most one block: four chains of sixteen lanes, then the lanes in order,
/// in double.
static double block_distance(const float *a, const float *b, int64_t count) {
  vf sums[CHAINS] = {splat(0), splat(0), splat(0), splat(0)};
  int64_t i = 0;
  for (; i + CHAINS * LANES <= count; i += CHAINS * LANES) {
    for (int k = 0; k < CHAINS; k++) {
      const vf d = load(a + i + k * LANES, LANES) - load(b + i + k * LANES, LANES);
      sums[k] += d * d;
    }
  }
  FOR_LANES(j, count - i, {
    const vf d = load(a + i + j, n) - load(b + i + j, n);
    sums[0] += d * d;
  });
  const vf total = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  double sum = 0;
  for (int lane = 0; lane < LANES; lane++) sum += (double)total[lane];
  return sum;
}

void CLAT_KERNEL(feature_distance)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_feature_distance_args a = *(const clat_feature_distance_args *)args;
  for (int64_t image = begin; image < end; image++) {
    const float *x = a.a + image * a.elements, *y = a.b + image * a.elements;
    double sum = 0;
    for (int64_t i = 0; i < a.elements; i += DISTANCE_BLOCK) {
      const int64_t rest = a.elements - i;
      sum += block_distance(x + i, y + i, rest < DISTANCE_BLOCK ? rest : DISTANCE_BLOCK);
    }
    a.distance[image] = (float)__builtin_sqrt(sum + a.eps);
  }
}

void CLAT_KERNEL(feature_distance_grad)(const void *args, int64_t begin, int64_t end,
                                        void *scratch) {
  (void)scratch;
  const clat_feature_distance_grad_args a = *(const clat_feature_distance_grad_args *)args;
  for (int64_t image = begin; image < end; image++) {
    // Where eps is 0 and a = b the norm has no derivative; 0 is its subgradient of least norm.
    const float distance = a.distance[image];
    const vf factor = splat(distance > 0 ? a.dy[image] / distance : 0);
    const int64_t first = image * a.elements;
    FOR_LANES(i, a.elements, {
      const vf d = (load(a.a + first + i, n) - load(a.b + first + i, n)) * factor;
      if (a.da) store(a.da + first + i, d, n);
      if (a.db) store(a.db + first + i, -d, n);
    });
  }
}
