// The epilogue as a pass of its own: memory-bound, so every choice is made outside the pixel loop.
enum { SCALE = 1, SHIFT = 2, RESIDUAL = 4, RELU = 8, BITS = 16, MASK = 24, ACTIVATION = 24 };

INLINE void affine_lanes(const clat_affine_args *a, int flags, int64_t pixel, int64_t c, int n) {
  const int64_t bit_stride = (a->channels + 7) / 8, bits = pixel * bit_stride + c / 8;
  vf factor = splat(a->x_scale);
  if (flags & SCALE) factor *= load(a->scale + c, n);
  vf v = load_apart(a->x + pixel * a->x_stride + c, n) * factor;
  if (flags & SHIFT) v += load(a->shift + c, n);
  if (flags & RESIDUAL) {
    v += load(a->residual + pixel * a->residual_stride + c, n) * splat(a->residual_scale);
  }
  switch (flags & ACTIVATION) {
  case BITS: store_mask(a->relu_bits + bits, v > 0, n); // and then as RELU
  case RELU: v = blend(v <= 0, splat(0), v); break; // a NaN stays a NaN
  case MASK: v = blend(load_mask(a->mask_bits + bits, n), v, splat(0)); break;
  }
  store(a->y + pixel * a->y_stride + c, v, n);
}

INLINE void affine_pixels(const clat_affine_args *a, int flags, int64_t begin, int64_t end) {
  for (int64_t pixel = begin; pixel < end; pixel++) {
    FOR_LANES(c, a->channels, affine_lanes(a, flags, pixel, c, n));
  }
}

static int affine_flags(const clat_affine_args *a) {
  const int activation = a->relu ? (a->relu_bits ? BITS : RELU) : a->mask_bits ? MASK : 0;
  return (a->scale ? SCALE : 0) | (a->shift ? SHIFT : 0) | (a->residual ? RESIDUAL : 0) |
         activation;
}

#define CASE(flags)                                                                               \
  case flags: affine_pixels(&a, flags, begin, end); break;
#define CASES(flags) CASE(flags) CASE(flags + 1) CASE(flags + 2) CASE(flags + 3)

void CLAT_KERNEL(affine)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_affine_args a = *(const clat_affine_args *)args;
  begin *= a.pixels;
  end *= a.pixels;
  switch (affine_flags(&a)) {
    CASES(0) CASES(4) CASES(8) CASES(12) CASES(16) CASES(20) CASES(24) CASES(28)
  }
}
#undef CASE
#undef CASES
