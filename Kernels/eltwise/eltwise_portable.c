#define CLAT_SIMD_PORTABLE
#include "../team/simd.inc.h"

#include "affine.inc.h"
#include "elementary.inc.h"
#include "fused.inc.h"
#include "multiply.inc.h"
