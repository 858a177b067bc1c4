#if defined(__x86_64__)
#include "conv_reference.h"
#include "winograd_points.h"
#include "winograd_strided_points.h"

#define CLAT_SIMD_AVX2
#define TILE_ROWS 6
#define TILE_PANELS 1

#include "../team/simd.inc.h"

#include "finish.inc.h"

#include "../gemm/tile.inc.h"

#include "../gemm/line.inc.h"

#include "../gemm/dot.inc.h"

#include "copy_row.inc.h"
#include "window.inc.h"

#include "few_channels.inc.h"
#include "stem.inc.h"
#include "depthwise.inc.h"
#include "gather.inc.h"
#include "transpose.inc.h"
#include "pack.inc.h"
#include "weight_grad.inc.h"
#include "weight_grad_reduce.inc.h"
#include "winograd_grid.inc.h"
#include "winograd_filters.inc.h"
#include "winograd_block.inc.h"
#include "winograd.inc.h"
#include "winograd_pack.inc.h"
#include "winograd_strided.inc.h"
#include "winograd_weight_grad.inc.h"
CLAT_SIMD_END
#endif
