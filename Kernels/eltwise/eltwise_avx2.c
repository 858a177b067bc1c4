#if defined(__x86_64__)
#define CLAT_SIMD_AVX2
#include "../team/simd.inc.h"

#include "affine.inc.h"
#include "elementary.inc.h"
#include "fused.inc.h"
#include "multiply.inc.h"

CLAT_SIMD_END
#endif
