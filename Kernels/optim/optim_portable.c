#define CLAT_SIMD_PORTABLE
#include "../team/simd.inc.h"

#include "sgd.inc.h"
