#define CLAT_SIMD_PORTABLE
#include "../team/simd.inc.h"

#include "max_pool.inc.h"
#include "avg_pool.inc.h"
