// The reference twins that other paths fall back to.
#ifndef CLAT_CONV_REFERENCE_H
#define CLAT_CONV_REFERENCE_H

#include "kernels.h"

clat_kernel clat_conv_gather_reference, clat_conv_pack_reference, clat_conv_weight_grad_reference,
    clat_conv_weight_grad_reduce_reference;

/// The epilogue of one pixel's channel n, in channel order.
void clat_finish_reference(const clat_epilogue *e, int64_t pixel, int n, double sum);

/// Packs filters by their transform, u[points] of w[9].
typedef void clat_filter_transform(double *u, const double *w);
void clat_winograd_pack_filters_reference(const clat_winograd_pack_args *a, int points,
                                          int64_t begin, int64_t end,
                                          clat_filter_transform *transform);

/// The taps' gradients, w[9], of the sums at all points, u[36].
typedef void clat_filter_grad(double *w, const double *u);

/// Adds a tile's products, of input channel k and all output channels, to sums[point][padded channel].
typedef void clat_winograd_grad_tile(const clat_winograd_weight_grad_args *a, int64_t image, int row,
                                     int column, int64_t k, double *sums);
void clat_winograd_weight_grad_jobs_reference(const clat_winograd_weight_grad_args *a, int64_t begin,
                                              int64_t end, double *sums,
                                              clat_winograd_grad_tile *add_tile,
                                              clat_filter_grad *transform);
void clat_winograd_reduce_reference(const clat_winograd_weight_grad_reduce_args *a, int64_t begin,
                                    int64_t end, clat_filter_grad *transform);

/// A tile's output gradients y[4][4] of channel o, zero outside the image.
void clat_winograd_load_grad_reference(const clat_winograd_weight_grad_args *a, int64_t image,
                                       int row, int column, int o, double *y);

/// Images and output channels that a slice of units stands for.
typedef struct {
  int64_t image, last_image;
  int channel, last_channel;
} clat_winograd_part;
clat_winograd_part clat_winograd_part_of(const clat_winograd_args *a, int64_t begin, int64_t end);

/// The transform of the filter from input k to output n, packed or made of the weights.
void clat_winograd_filter_reference(const clat_winograd_args *a, int points, int64_t n, int64_t k,
                                    clat_filter_transform *transform, double *u);

#endif
