// Chains of multiply-adds that stay in registers: as many at once as hide an addition's latency.
#if defined(CLAT_SIMD_AVX512)
enum { CHAINS = 12 };
#elif defined(CLAT_SIMD_AVX2)
enum { CHAINS = 6 };
#else
enum { CHAINS = 3 };
#endif

static void chains(float *y, int64_t rounds, float factor, float addend) {
  const vf a = splat(factor), b = splat(addend);
  vf x[CHAINS];
  for (int i = 0; i < CHAINS; i++) x[i] = load(y + LANES * i, LANES);
  for (int64_t round = 0; round < rounds; round++) {
    _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) x[i] = x[i] * a + b;
  }
  for (int i = 0; i < CHAINS; i++) store(y + LANES * i, x[i], LANES);
}

void CLAT_KERNEL(multiply_add)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_multiply_add_args *a = args;
  for (int64_t i = begin * CLAT_CHAINS; i < end * CLAT_CHAINS; i += CHAINS * LANES) {
    chains(a->y + i, a->rounds, a->factor, a->addend);
  }
}
