#define CLAT_SIMD_PORTABLE
#include "../team/simd.inc.h"

#include "multiply_add.inc.h"
