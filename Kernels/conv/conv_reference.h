// The reference twins that other paths fall back to.
#ifndef CLAT_CONV_REFERENCE_H
#define CLAT_CONV_REFERENCE_H

#include "kernels.h"

clat_kernel clat_conv_gather_reference, clat_conv_pack_reference, clat_conv_weight_grad_reference,
    clat_conv_weight_grad_reduce_reference;

/// The epilogue of one pixel's channel n, in channel order.
void clat_finish_reference(const clat_epilogue *e, int64_t pixel, int n, double sum);

#endif
