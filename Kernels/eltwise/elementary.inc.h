// exp, log, erf and tanh of 16 lanes; the coefficients are in kernels.h, and the code generator for
// fused regions writes the same.

/// The bits of lanes i ... i + n of a row of bits; i is a multiple of 16.
INLINE vi load_bits(const uint8_t *row, int32_t i, int n) { return load_mask(row + i / 8, n); }
INLINE void store_bits(uint8_t *row, int32_t i, vi mask, int n) {
  store_mask(row + i / 8, mask, n);
}

INLINE vf polynomial(const float *p, int count, vf x) {
  vf y = splat(p[0]);
  for (int i = 1; i < count; i++) y = y * x + splat(p[i]);
  return y;
}
#define POLYNOMIAL(p, x) polynomial(p, (int)(sizeof(p) / sizeof(p)[0]), x)

/// 2^n for whole n in -126 ... 127.
INLINE vf power_of_two(vi n) { return (vf)((n + 127) << 23); }

INLINE vf lanes_absolute(vf x) { return (vf)((vi)x & 0x7fffffff); }

INLINE vf lanes_exp(vf x) {
  const vf magic = splat(0x1.8p23f), bounded = clamp(x, splat(-104), splat(89));
  const vf shifted = bounded * splat(0x1.715476p0f) + magic, n = shifted - magic;
  vf r = bounded - n * splat(0.693359375f);
  r = r - n * splat(-2.12194440e-4f);
  const vf y = splat(1) + r + r * r * POLYNOMIAL(clat_exp_p, r);
  const vi whole = (vi)shifted - (vi)magic, half = whole >> 1;
  return y * power_of_two(half) * power_of_two(whole - half);
}

INLINE vf lanes_log(vf x) {
  const vi bits = (vi)x, offset = bits - 0x3f3504f3; // sqrt(1/2)
  const vi exponent = offset >> 23;
  const vf r = (vf)((offset & 0x7fffff) + 0x3f3504f3) - splat(1);
  const vf e = __builtin_convertvector(exponent, vf), z = r * r;
  vf y = r * z * POLYNOMIAL(clat_log_p, r);
  y = y + e * splat(-2.12194440e-4f);
  y = y - splat(0.5f) * z;
  y = r + y;
  y = y + e * splat(0.693359375f);
  y = blend(x < splat(__builtin_inff()), y, x); // infinity and NaN
  y = blend(x > 0, y, blend(x == 0, splat(-__builtin_inff()), splat(__builtin_nanf(""))));
  return blend(x != x, x, y);
}

/// Kahan's: the rounding of 1 + x cancels.
INLINE vf lanes_log1p(vf x) {
  const vf w = x + splat(1), d = w - splat(1);
  return blend(d == 0, x, lanes_log(w) * x / d);
}

INLINE vf lanes_erf(vf x) {
  const vf bounded = clamp(x, splat(-4), splat(4)), z = bounded * bounded;
  return bounded * POLYNOMIAL(clat_erf_p, z) / POLYNOMIAL(clat_erf_q, z);
}

INLINE vf lanes_tanh(vf x) {
  const vf bounded = clamp(x, splat(-7.99881172180175781f), splat(7.99881172180175781f));
  const vf z = bounded * bounded;
  return bounded * POLYNOMIAL(clat_tanh_p, z) / POLYNOMIAL(clat_tanh_q, z);
}
