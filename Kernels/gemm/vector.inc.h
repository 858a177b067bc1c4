// Sixteen lanes on every instruction set: the compiler splits them into the registers that the
// target has. Included inside a `#pragma clang attribute push(target)`. MASKED_LANES: AVX-512's
// masks are there, and immintrin.h is included.

typedef float v16 __attribute__((ext_vector_type(16)));
typedef float v16u __attribute__((ext_vector_type(16), aligned(4)));
typedef int32_t i16 __attribute__((ext_vector_type(16)));
typedef _Bool b16 __attribute__((ext_vector_type(16)));
typedef float v8u __attribute__((ext_vector_type(8), aligned(4)));
typedef float v4u __attribute__((ext_vector_type(4), aligned(4)));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

#define KERNEL_NAME_(kernel, isa) clat_##kernel##_##isa
#define KERNEL_NAME(kernel, isa) KERNEL_NAME_(kernel, isa)

INLINE int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

INLINE void load16(v16 *v, const float *p) { *v = *(const v16u *)p; }
INLINE void store16(float *p, const v16 *v) { *(v16u *)p = *v; }

/// The first `lanes` floats at p, zero beyond; nothing outside them is touched.
INLINE void load_lanes(v16 *v, const float *p, int lanes) {
  if (lanes == 16) {
    load16(v, p);
    return;
  }
#ifdef MASKED_LANES
  *v = (v16)_mm512_maskz_loadu_ps((__mmask16)((1u << lanes) - 1), p);
#else
  float t[16] = {0};
  memcpy(t, p, (size_t)lanes * sizeof *t);
  load16(v, t);
#endif
}

INLINE void store_lanes(float *p, const v16 *v, int lanes) {
  if (lanes == 16) {
    store16(p, v);
    return;
  }
#ifdef MASKED_LANES
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << lanes) - 1), (__m512)*v);
#else
  float t[16];
  store16(t, v);
  memcpy(p, t, (size_t)lanes * sizeof *t);
#endif
}

/// Bits of the lanes above zero, and those lanes; zero elsewhere.
INLINE uint32_t relu16(v16 *v) {
  const i16 positive = *v > (v16)0.0f;
  // Not `positive ? *v : 0`, which would hide a NaN.
  *v = *v <= (v16)0.0f ? (v16)0.0f : *v;
  return __builtin_bit_cast(uint16_t, __builtin_convertvector(positive, b16));
}

INLINE void select16(v16 *v, uint32_t bits) {
  const i16 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const i16 set = ((i16)(int32_t)bits >> lane & 1) != 0;
  *v = set ? *v : (v16)0.0f;
}

INLINE void store_bits(uint8_t *p, uint32_t bits, int lanes) {
  p[0] = (uint8_t)(bits & ((1u << lanes) - 1));
  if (lanes > 8) p[1] = (uint8_t)((bits & ((1u << lanes) - 1)) >> 8);
}

INLINE uint32_t load_bits(const uint8_t *p, int lanes) {
  return lanes > 8 ? p[0] | (uint32_t)p[1] << 8 : p[0];
}
