#define CLAT_SIMD_PORTABLE
#include "../team/simd.inc.h"

#include "sign_step.inc.h"
