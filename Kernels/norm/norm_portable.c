#define CLAT_SIMD_PORTABLE
#include "../team/simd.inc.h"

#include "batch_norm.inc.h"
#include "batch_norm_grad.inc.h"
#include "channel_sum.inc.h"
