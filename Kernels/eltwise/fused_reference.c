// The interpreter of fused regions on one lane, with the C library's functions.
#include "kernels.h"

#include <math.h>
#include <string.h>

#define CLAT_KERNEL(name) clat_##name##_reference
#define INLINE static inline __attribute__((unused))
enum { LANES = 1 };
typedef float vf;
typedef int32_t vi;
static const vi lane_index = 0;

INLINE vf splat(float x) { return x; }
INLINE vf blend(vi mask, vf a, vf b) { return mask ? a : b; }
INLINE vf load(const float *p, int n) { return n > 0 ? *p : 0; }
INLINE void store(float *p, vf v, int n) {
  if (n > 0) *p = v;
}
INLINE vi load_bits(const uint8_t *row, int32_t i, int n) {
  return n > 0 && (row[i / 8] >> i % 8 & 1);
}
/// The first lane of a byte clears the bits behind it.
INLINE void store_bits(uint8_t *row, int32_t i, vi mask, int n) {
  if (n <= 0) return;
  if (i % 8 == 0) row[i / 8] = 0;
  if (mask) row[i / 8] |= (uint8_t)(1 << i % 8);
}

INLINE vf lanes_absolute(vf x) { return fabsf(x); }
INLINE vf lanes_exp(vf x) { return expf(x); }
INLINE vf lanes_log(vf x) { return logf(x); }
INLINE vf lanes_log1p(vf x) { return log1pf(x); }
INLINE vf lanes_erf(vf x) { return erff(x); }
INLINE vf lanes_tanh(vf x) { return tanhf(x); }

#include "fused.inc.h"
