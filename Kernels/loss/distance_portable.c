#define CLAT_SIMD_PORTABLE
#include "../team/simd.inc.h"

#include "distance.inc.h"
