#if defined(__x86_64__)
#define CLAT_SIMD_AVX512
#include "../team/simd.inc.h"

#include "multiply_add.inc.h"

CLAT_SIMD_END
#endif
