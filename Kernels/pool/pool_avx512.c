#if defined(__x86_64__)
#define CLAT_SIMD_AVX512
#include "../team/simd.inc.h"

#include "max_pool.inc.h"
#include "avg_pool.inc.h"

CLAT_SIMD_END
#endif
