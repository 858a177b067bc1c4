#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

const char *clat_isa_name(clat_isa isa) {
  static const char *const names[CLAT_ISA_COUNT] = {"reference", "portable", "avx2", "avx512"};
  return (unsigned)isa < CLAT_ISA_COUNT ? names[isa] : "unknown";
}

#if defined(__x86_64__)
static int has(unsigned word, unsigned bits) { return (word & bits) == bits; }

// The register state that the operating system saves; an instruction set without it faults or
// corrupts.
static unsigned enabled_state(void) {
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

static clat_isa widest(void) {
  const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, avx2 = 1u << 5;
  const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; // F, DQ, BW, VL
  const unsigned ymm_state = 0x06, zmm_state = 0xe6;
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, fma | osxsave | avx)) return CLAT_ISA_PORTABLE;
  const unsigned state = enabled_state();
  if (!has(state, ymm_state) || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has(b, avx2)) {
    return CLAT_ISA_PORTABLE;
  }
  return has(state, zmm_state) && has(b, avx512) ? CLAT_ISA_AVX512 : CLAT_ISA_AVX2;
}
#else
static clat_isa widest(void) { return CLAT_ISA_PORTABLE; }
#endif

clat_isa clat_isa_best(void) { return widest(); }

int clat_isa_supported(clat_isa isa) { return (unsigned)isa <= (unsigned)widest(); }
