// Sixteen float lanes for every instruction set: clang splits the vectors where registers are
// narrower. Included once by a source that defines CLAT_SIMD_PORTABLE, _AVX2 or _AVX512 and ends
// with CLAT_SIMD_END. `n` is the number of live lanes, 1...16; memory of dead lanes is never
// touched, and they load as zero.
#include "kernels.h"

#include <string.h>

#pragma clang diagnostic ignored "-Wpsabi"

#if defined(CLAT_SIMD_AVX512)
#include <immintrin.h>
#define CLAT_KERNEL(name) clat_##name##_avx512
#pragma clang attribute push(                                                                     \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prfchw"))), apply_to = function)
#define CLAT_SIMD_END _Pragma("clang attribute pop")
#elif defined(CLAT_SIMD_AVX2)
#include <immintrin.h>
#define CLAT_KERNEL(name) clat_##name##_avx2
#pragma clang attribute push(__attribute__((target("avx2,fma,prfchw"))), apply_to = function)
#define CLAT_SIMD_END _Pragma("clang attribute pop")
#else
#define CLAT_KERNEL(name) clat_##name##_portable
#define CLAT_SIMD_END
#endif

#define LANES 16
#define INLINE static inline __attribute__((always_inline, unused))
#define UNROLL _Pragma("clang loop unroll(full)")

typedef float vf __attribute__((ext_vector_type(LANES)));
typedef int32_t vi __attribute__((ext_vector_type(LANES)));
typedef float vf_unaligned __attribute__((ext_vector_type(LANES), aligned(4), may_alias));
typedef float vf8_unaligned __attribute__((ext_vector_type(8), aligned(4), may_alias));
typedef float vf4_unaligned __attribute__((ext_vector_type(4), aligned(4), may_alias));
typedef _Bool vb __attribute__((ext_vector_type(LANES)));

INLINE int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

static const vi lane_index = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

INLINE vf splat(float x) { return (vf){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }
INLINE vi splat_int(int32_t x) { return lane_index * 0 + x; }

#if defined(CLAT_SIMD_AVX2)
INLINE __m256i lane_mask(int n, int first) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n - first), lane);
}
#endif

INLINE vf load_some(const float *p, int n) {
#if defined(CLAT_SIMD_AVX512)
  return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif defined(CLAT_SIMD_AVX2)
  const __m256 low = _mm256_maskload_ps(p, lane_mask(n, 0));
  const __m256 high = n > 8 ? _mm256_maskload_ps(p + 8, lane_mask(n, 8)) : _mm256_setzero_ps();
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#else
  vf v = splat(0);
  memcpy(&v, p, (size_t)n * sizeof(float));
  return v;
#endif
}

INLINE void store_some(float *p, vf v, int n) {
#if defined(CLAT_SIMD_AVX512)
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#elif defined(CLAT_SIMD_AVX2)
  _mm256_maskstore_ps(p, lane_mask(n, 0), __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7));
  if (n > 8) {
    _mm256_maskstore_ps(p + 8, lane_mask(n, 8),
                        __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
  }
#else
  memcpy(p, &v, (size_t)n * sizeof(float));
#endif
}

INLINE vf load(const float *p, int n) {
  return n == LANES ? (vf)(*(const vf_unaligned *)p) : load_some(p, n);
}
INLINE void store(float *p, vf v, int n) {
  if (n == LANES) {
    *(vf_unaligned *)p = v;
  } else {
    store_some(p, v, n);
  }
}
/// A whole load that the compiler may not merge with a mask: masked loads are not prefetched by the
/// hardware, which made a masked reduction over 75 MB four times slower (Zen 5, AVX-512).
INLINE vf load_apart(const float *p, int n) {
  vf v = load(p, n);
#if defined(CLAT_SIMD_AVX512)
  __asm__("" : "+v"(v));
#endif
  return v;
}
INLINE vi load_int(const int32_t *p, int n) { return (vi)load((const float *)p, n); }
INLINE void store_int(int32_t *p, vi v, int n) { store((float *)p, (vf)v, n); }

/// Where the mask is set a, else b.
INLINE vf blend(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }
INLINE vi blend_int(vi mask, vi a, vi b) { return (mask & a) | (~mask & b); }
INLINE vf clamp(vf x, vf low, vf high) {
  const vf above = blend(x < low, low, x);
  return blend(above > high, high, above);
}

/// All ones in the lanes whose bit is set.
INLINE vi load_mask(const uint8_t *bits, int n) {
  const vi lane_bit = splat_int(1) << lane_index;
  const int32_t word = n > 8 ? bits[0] | bits[1] << 8 : bits[0];
  return (splat_int(word) & lane_bit) != 0;
}
INLINE void store_mask(uint8_t *bits, vi mask, int n) {
  const vb lanes = __builtin_convertvector(mask, vb);
  uint16_t word;
  memcpy(&word, &lanes, sizeof word);
  bits[0] = (uint8_t)word;
  if (n > 8) bits[1] = (uint8_t)(word >> 8);
}

/// Runs `body` with the constant n = LANES for every whole vector of 0 ..< count, then once for the
/// rest.
#define FOR_LANES(index, count, body)                                                             \
  do {                                                                                            \
    int64_t index = 0;                                                                            \
    for (; index + LANES <= (count); index += LANES) {                                            \
      enum { n = LANES };                                                                         \
      body;                                                                                       \
    }                                                                                             \
    if (index < (count)) {                                                                        \
      const int n = (int)((count) - index);                                                       \
      body;                                                                                       \
    }                                                                                             \
  } while (0)
