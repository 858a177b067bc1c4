// Winograd's F(4x4, 3x3) and F(2x2, 3x3): stride 1.

#define SIDE 4
#include "winograd_side.inc.h"
#undef SIDE
#define SIDE 2
#include "winograd_side.inc.h"
#undef SIDE

static const uint8_t lone_rows[CLAT_WINOGRAD_POINTS] = {[0 ... CLAT_WINOGRAD_POINTS - 1] = 1};

void CLAT_KERNEL(winograd)(const void *args, int64_t begin, int64_t end, void *scratch) {
  static const winograd_algorithm algorithm = {4, 70, CLAT_WINOGRAD_POINTS, CLAT_WINOGRAD_POINTS,
                                               lone_rows, transform_inputs_4, transform_panel_4,
                                               finish_block_4};
  run_blocks(&algorithm, args, begin, end, scratch);
}

void CLAT_KERNEL(winograd_2x2)(const void *args, int64_t begin, int64_t end, void *scratch) {
  static const winograd_algorithm algorithm = {2, 140, CLAT_WINOGRAD_2X2_POINTS,
                                               CLAT_WINOGRAD_2X2_POINTS, lone_rows,
                                               transform_inputs_2, transform_panel_2,
                                               finish_block_2};
  run_blocks(&algorithm, args, begin, end, scratch);
}
