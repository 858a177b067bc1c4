#if defined(__x86_64__)
#define CLAT_SIMD_AVX2
#include "../team/simd.inc.h"

#include "batch_norm.inc.h"
#include "batch_norm_grad.inc.h"
#include "channel_sum.inc.h"

CLAT_SIMD_END
#endif
