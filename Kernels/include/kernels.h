// The kernel library's interface, and the only header that Swift sees.
//
// Activations are f32, NHWC: a pixel's channels are contiguous. `*_stride` is the number of floats from one
// pixel to the next (>= channels, so that a tensor may be a slice of a wider slab). Bit tensors hold one bit a
// channel, least significant first, in (channels + 7) / 8 bytes a pixel. Convolution and linear weights are
// OIHW, as in PyTorch. Kernels never allocate, never start threads, and never read or write outside their
// operands; each processes the slice [begin, end) of its units, which a comment at its arguments names.
// Results do not depend on how the units are sliced.
#ifndef CLAT_KERNELS_H
#define CLAT_KERNELS_H

#include <stddef.h>
#include <stdint.h>

// ---------------------------------------------------------------- instruction sets

typedef enum {
  CLAT_ISA_REFERENCE = 0, // plain C loops: the twin that every other path is tested against
  CLAT_ISA_PORTABLE = 1,  // clang vector types, 128 bits, no instruction-set assumptions
  CLAT_ISA_AVX2 = 2,      // AVX2 + FMA
  CLAT_ISA_AVX512 = 3,    // AVX-512 F, BW, DQ, VL
  CLAT_ISA_COUNT = 4
} clat_isa;

const char *clat_isa_name(clat_isa isa);
int clat_isa_supported(clat_isa isa); // by cpuid and by the operating system (xgetbv)
clat_isa clat_isa_best(void);

/// `args` points to the kernel's argument struct; `scratch` to CLAT_SCRATCH_BYTES private to the thread.
typedef void clat_kernel(const void *args, int64_t begin, int64_t end, void *scratch);
#define CLAT_SCRATCH_BYTES (8 << 20)

/// The kernel of that name (a row of kernels.def, for example "conv_gather") for an instruction set,
/// or NULL where there is none.
clat_kernel *clat_kernel_find(const char *name, clat_isa isa);
int clat_kernel_count(void);
const char *clat_kernel_name(int index);
/// A hash of this header and of kernels.def: arguments made with other ones do not fit.
uint64_t clat_kernel_interface(void);

// ---------------------------------------------------------------- team

typedef struct {
  clat_kernel *kernel;
  const void *const *args; // [slices]: what the kernel is given for slice s
  const int64_t *bounds;   // [slices + 1]: slice s is units bounds[s] ..< bounds[s + 1]
  int32_t barrier;         // nonzero: all threads meet before this instruction
} clat_instruction;

/// Instructions cut into threads * rounds slices, of which thread t has those from t * rounds on. With
/// more than one round a thread runs all instructions for one slice before the next, and only the
/// first instruction may have a barrier.
typedef struct {
  const clat_instruction *instructions;
  int64_t count;
  int32_t rounds;
} clat_segment;

typedef struct {
  const clat_segment *segments;
  int64_t count;
  int64_t repeat; // the whole section runs this many times
} clat_section;

/// Runs the sections in order inside one parallel region of `threads` threads, with a barrier between
/// sections; between segments and repetitions only where the first instruction has one. scratch[t] is
/// thread t's scratch. `nanoseconds`, if not NULL, is [threads][total instructions] and accumulates the
/// time of every instruction. Denormals are flushed to zero in every thread for the duration of the call.
void clat_team_run(const clat_section *sections, int count, int threads, void *const *scratch,
                   uint64_t *nanoseconds);
/// CPUs this process may use: its affinity mask, limited by the cgroup's quota (rounded up).
int clat_team_available_cpus(void);
/// Pins worker t to the t-th CPU of the process's affinity mask, once. Returns 0, or errno.
int clat_team_pin(int threads);

// ---------------------------------------------------------------- convolution and linear layers

// A convolution, its input gradient, and a linear layer are one loop: every output pixel gathers, for each tap,
// one input pixel, or zeros. Offsets are computed when the program is compiled. A strided input gradient has one
// phase for each residue of the output pixel, because each sees other taps.
typedef struct {
  int32_t pixels;          // output pixels an image of this phase
  int32_t taps;
  const int32_t *out;      // [pixels] pixel index within the output image
  const int32_t *in;       // [pixels][taps] pixel index within the input image; -1 reads zeros
  const int32_t *tap;      // [taps] kh * kernel_width + kw, the tap of the weights
  int64_t packed_offset;   // floats from the start of the packed weights
} clat_conv_phase;

#define CLAT_PANEL 16 // output channels of one panel of packed weights, for every instruction set

/// What a convolution does with its sums, in this order: + bias[channel], + residual[pixel], then ReLU (and its bits to
/// relu_bits), or select by mask_bits (0 where the bit is clear), and the store to y. With residual_last the residual is
/// added after the selection. Every pointer but y may be NULL. relu excludes mask_bits and residual_last. y may alias
/// residual.
typedef struct {
  int32_t channels; // of y
  int32_t y_stride, residual_stride;
  float *y;
  const float *bias, *residual;
  int32_t relu;
  uint8_t *relu_bits;
  const uint8_t *mask_bits;
  int32_t residual_last;
} clat_epilogue;

/// Units: images. y[p] = epilogue(sum over taps and input channels of x[in(p, tap)] * w[tap]).
typedef struct {
  int32_t images, in_pixels, out_pixels, in_channels;
  int32_t x_stride;
  int32_t phases;
  const clat_conv_phase *phase;
  const float *x, *packed;
  clat_epilogue out;
} clat_conv_args;

/// `conv_depthwise`: every channel by itself, y[p][c] = epilogue(sum over taps of x[in(p, tap)][c] * w[c][tap]). Its weights, and
/// those of its input gradient, are packed as of one input channel, in_channels is 1. Of `conv_depthwise_weight_grad`,
/// x has out_channels channels too, and in_channels is 1: partial[chunk][tap][c] = sum of x[in(p, tap)][c] * dy[p][c].

/// Units: panels, all phases' panels counted through (phases * ceil(N / CLAT_PANEL), N = output channels of the gather).
/// packed[phase][panel][tap][k][CLAT_PANEL], zero beyond N. Forward (transpose 0): k = input channel, n = output channel of
/// the OIHW weights; input gradient (transpose 1): k = output channel, n = input channel.
typedef struct {
  int32_t out_channels, in_channels, kernel_taps; // of the OIHW weights
  int32_t transpose, phases;
  const clat_conv_phase *phase;
  const float *weights;
  float *packed;
} clat_conv_pack_args;

/// Partial weight gradients. Units: jobs = chunks * blocks; job j = chunk (j / blocks), block (j % blocks). A chunk is a
/// contiguous range of images (chunk c: images * c / chunks ..< images * (c + 1) / chunks); a block is a contiguous range of
/// the taps * in_channels rows of dw, split likewise. partial[chunk][tap][in_channel][out_channel] =
/// sum over the chunk's pixels p of x[in(p, tap)][in_channel] * dy[p][out_channel].
typedef struct {
  int32_t images, in_pixels, out_pixels, in_channels, out_channels, taps;
  int32_t x_stride, dy_stride;
  int32_t chunks, blocks;
  const int32_t *in; // [out_pixels][taps], -1 reads zeros
  const float *x, *dy;
  float *partial;
} clat_conv_weight_grad_args;

/// Units: output channels. dw (OIHW) = sum of the partials, in chunk order.
typedef struct {
  int32_t in_channels, out_channels, taps, chunks;
  const float *partial;
  float *dw;
} clat_conv_weight_grad_reduce_args;

// Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2016) of stride 1, with the points 0, +-3/4, +-3/2 and infinity:
// a tile of 4x4 outputs is 36 products per channel pair instead of 144. Filters are transformed once, U = G w G^T.

#define CLAT_WINOGRAD_POINTS 36
#define CLAT_WINOGRAD_2X2_POINTS 16

/// Units: images. y = epilogue(3x3 convolution of x). A tile of outputs sees 6x6 inputs, of which `pad` rows and columns lie
/// before the first output's own; those outside the image are zero. The filters' transforms are read from `packed`; where
/// that is NULL they are made of the OIHW weights for a block of tiles at a time, and never stored. Both give the same bits,
/// as do units that are panels of CLAT_PANEL output channels of all images, on request: they share the work on filters.
/// Weights that are not packed are multiplied by scale[their output channel] (scale_axis 0) or scale[their input channel]
/// (scale_axis 1) first, if scale is not NULL.
typedef struct {
  int32_t images, in_height, in_width, out_height, out_width, in_channels;
  int32_t pad_height, pad_width, x_stride;
  const float *x, *packed, *weights, *scale;
  int32_t scale_axis;
  int32_t transpose;   // of an input gradient: the weights are flipped and transposed on the way
  int32_t by_channels; // units are panels of output channels
  clat_epilogue out;
} clat_winograd_args;

/// `winograd_2x2`: F(2x2, 3x3), with the points 0, +-1 and infinity, for outputs that do not fill tiles of 4x4.
/// `winograd_strided`: stride 2, by the polyphase form of F(4x4, 3x3), with the padding of the convolution.
/// `winograd_strided_grad`: its input gradient; x is the output's gradient, y the input's, and the padding still the
/// convolution's. Of stride 1, the input gradient is `winograd` with a padding of 2 - pad.

/// Units: panels of CLAT_PANEL output channels. packed[panel][point][k][CLAT_PANEL] = U, zero beyond the channels; of the
/// flipped, transposed filters for an input gradient (transpose 1). `winograd_2x2_pack`,
/// `winograd_strided_pack`: the same for those.
typedef struct {
  int32_t out_channels, in_channels; // of the OIHW weights
  int32_t transpose;
  const float *weights;
  float *packed;
} clat_winograd_pack_args;

#define CLAT_FINISHED_CHANNELS 80 // whose sums have room in scratch

/// Partial weight gradients at Winograd's points. Units: jobs = chunks * blocks; job j = chunk (j / blocks), a range of images
/// as in clat_conv_weight_grad_args, and block (j % blocks), a range of the input channels: those from 16 * (ceil(in_channels / 16)
/// * block / blocks) on. partial[chunk][point][in_channel][out_channel, padded to whole
/// panels] = sum over the chunk's tiles of (B^T x B) * (A dy A^T). `winograd_strided_weight_grad`: of stride 2, in the polyphase
/// form, where a point sums up the products that share a filter's transform. Where `dw` is not NULL, `chunks` is 1 and a block
/// at most CLAT_FINISHED_CHANNELS channels, the sums stay in scratch and dw, OIHW, is what the reduction would give.
typedef struct {
  int32_t images, in_height, in_width, out_height, out_width, in_channels, out_channels;
  int32_t pad_height, pad_width, x_stride, dy_stride;
  int32_t chunks, blocks;
  const float *x, *dy;
  float *partial, *dw;
} clat_winograd_weight_grad_args;

/// Units: output channels. dw (OIHW) = G^T (sum of the partials, in chunk order) G; `winograd_strided_weight_grad_reduce`: of
/// the partials of stride 2.
typedef struct {
  int32_t in_channels, out_channels, chunks;
  const float *partial;
  float *dw;
} clat_winograd_weight_grad_reduce_args;

// ---------------------------------------------------------------- element-wise, by channel

/// Units: images. y = act(x * x_scale * scale[channel] + shift[channel] + residual * residual_scale), act = ReLU (bits to
/// relu_bits) or select by mask_bits. scale, shift, residual, relu_bits, mask_bits may be NULL. y may alias x or residual.
typedef struct {
  int32_t images, pixels, channels;
  int32_t x_stride, y_stride, residual_stride;
  float x_scale, residual_scale;
  const float *x, *scale, *shift, *residual;
  float *y;
  int32_t relu;
  uint8_t *relu_bits;
  const uint8_t *mask_bits;
} clat_affine_args;

/// Units: images. `multiply`: y = x * z, element by element. `relu_grad`: y = z > 0 ? x : 0.
typedef struct {
  int32_t images, pixels, channels;
  int32_t x_stride, z_stride, y_stride;
  const float *x, *z;
  float *y;
} clat_multiply_args;

// ---------------------------------------------------------------- fused regions

/// What a fused region does with a value of a lane, or of all lanes. Steps are numbered; a, b and c name earlier ones.
typedef enum {
  CLAT_LANE_LOAD,     // operand[index], by its role
  CLAT_LANE_CONSTANT, // value
  CLAT_LANE_SCALAR,   // the image's scalar [index]
  CLAT_LANE_ROW,      // the image's row [index], by channel
  CLAT_LANE_ADD,
  CLAT_LANE_SUBTRACT,
  CLAT_LANE_MULTIPLY,
  CLAT_LANE_DIVIDE,
  CLAT_LANE_MULTIPLY_ADD, // a * b + c
  CLAT_LANE_MAXIMUM,      // b where a < b, else a
  CLAT_LANE_SELECT,       // a > 0 ? b : c
  CLAT_LANE_ABSOLUTE,
  CLAT_LANE_EXP,
  CLAT_LANE_LOG,
  CLAT_LANE_LOG1P, // log(1 + a), a >= 0
  CLAT_LANE_ERF,
  CLAT_LANE_TANH,
  CLAT_LANE_STORE, // a to operand[index], by its role; a bit is a > 0
  CLAT_LANE_SET_SCALAR,
  CLAT_LANE_SET_ROW,
  CLAT_LANE_SUM, // the image's scalar [index] = sum of a over the loop
  CLAT_LANE_TOP, // the image's scalar [index] = maximum of a over the loop
  CLAT_LANE_SUM_ROW // the image's row [index] = sum of a over the loop's pixels, by channel
} clat_lane_op;

/// Where an operand's element for an image, pixel and channel lies. Loops have roles too: full runs over pixels and
/// channels, image_channel over channels, image once.
typedef enum {
  CLAT_ROLE_FULL,          // [images][pixels][channels]
  CLAT_ROLE_BITS,          // one bit each, (channels + 7) / 8 bytes a pixel
  CLAT_ROLE_CHANNEL,       // [channels]
  CLAT_ROLE_IMAGE,         // [images]
  CLAT_ROLE_IMAGE_CHANNEL, // [images][channels]
} clat_lane_role;

typedef struct {
  clat_lane_op op;
  int32_t a, b, c, index;
  int32_t slot; // the register of the result: among the program's `registers`
  float value;
} clat_lane_step;

typedef struct {
  clat_lane_role space;
  int32_t count;
  const clat_lane_step *steps; // a, b and c are registers here
} clat_lane_loop;

#define CLAT_LANE_BLOCK 256  // floats of a register
#define CLAT_LANE_SCALARS 32 // scalars of an image at most

typedef struct {
  int32_t channels, loop_count, registers, scalars, rows;
  const clat_lane_loop *loops;
  const clat_lane_role *roles; // of the operands
} clat_lane_program;

/// Units: images. The loops in order, for every image, on blocks of CLAT_LANE_BLOCK lanes. Registers and rows lie in
/// scratch. A full result may alias a full operand if it is stored in the last loop that is full. Compiled regions
/// take the same arguments, and do not read `program`.
typedef struct {
  int64_t images, pixels;
  const clat_lane_program *program;
  void *const *operands;
} clat_fused_args;

// Coefficients, highest power first, shared by the kernels and by the code generator.
// exp(r) = 1 + r + r^2 p(r), |r| <= ln(2) / 2, and log(1 + r) = r - r^2 / 2 + r^3 p(r), sqrt(1/2) <= 1 + r < sqrt(2)
// (Moshier, Cephes); erf and tanh as x p(x^2) / q(x^2) with clamped x (Eigen).
static const float clat_exp_p[6] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                    4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
static const float clat_log_p[9] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                                    -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                                    2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
static const float clat_erf_p[7] = {-2.72614225801306e-10f, 2.77068142495902e-08f,
                                    -2.10102402082508e-06f, -5.69250639462346e-05f,
                                    -7.34990630326855e-04f, -2.95459980854025e-03f,
                                    -1.60960333262415e-02f};
static const float clat_erf_q[5] = {-1.45660718464996e-05f, -2.13374055278905e-04f,
                                    -1.68282697438203e-03f, -7.37332916720468e-03f,
                                    -1.42647390514189e-02f};
static const float clat_tanh_p[7] = {-2.76076847742355e-16f, 2.00018790482477e-13f,
                                     -8.60467152213735e-11f, 5.12229709037114e-08f,
                                     1.48572235717979e-05f,  6.37261928875436e-04f,
                                     4.89352455891786e-03f};
static const float clat_tanh_q[4] = {1.19825839466702e-06f, 1.18534705686654e-04f,
                                     2.26843463243900e-03f, 4.89352518554385e-03f};

// ---------------------------------------------------------------- normalisation

/// Units: images. partial[image][0][channel] = mean over the image's pixels, [1] = sum of squared deviations from it.
typedef struct {
  int32_t images, pixels, channels, x_stride;
  const float *x;
  float *partial;
} clat_batch_norm_stats_args;

/// Units: channels. Combines the images' partials in double, in image order (Chan et al. 1979). Writes the batch mean and
/// 1/sqrt(var + eps) (biased variance), scale = gamma * invstd, shift = beta - mean * scale, and, where not NULL,
/// new_running_x = (1 - momentum) * running_x + momentum * x (unbiased variance), which may alias running_x.
typedef struct {
  int32_t images, pixels, channels;
  float eps, momentum;
  const float *partial, *gamma, *beta, *running_mean, *running_var;
  float *mean, *invstd, *scale, *shift, *new_running_mean, *new_running_var;
} clat_batch_norm_finalize_args;

/// Units: images. partial[image][0][c] = sum of dy, [1][c] = sum of dy * (x - mean) * invstd; dy is first selected by mask_bits
/// where that is not NULL.
typedef struct {
  int32_t images, pixels, channels, x_stride, dy_stride;
  const float *x, *dy, *mean, *invstd;
  const uint8_t *mask_bits;
  float *partial;
} clat_batch_norm_grad_stats_args;

/// Units: channels. dbeta = sum dy, dgamma = sum dy * xhat, and the coefficients of dx = a * dy + b * x + c.
typedef struct {
  int32_t images, pixels, channels;
  const float *partial, *gamma, *mean, *invstd;
  float *dgamma, *dbeta, *a, *b, *c;
} clat_batch_norm_grad_finalize_args;

/// Units: images. dx = a[channel] * select(dy, mask_bits) + b[channel] * x + c[channel]. dx may alias dy or x.
typedef struct {
  int32_t images, pixels, channels, x_stride, dy_stride, dx_stride;
  const float *x, *dy, *a, *b, *c;
  const uint8_t *mask_bits;
  float *dx;
} clat_batch_norm_grad_apply_args;

/// Units: channels. scale = gamma / sqrt(var + eps), shift = beta - mean * scale (evaluation mode).
typedef struct {
  int32_t channels;
  float eps;
  const float *gamma, *beta, *mean, *var;
  float *scale, *shift;
} clat_batch_norm_fold_args;

/// Units: filters (output channels). y[filter][...] = w[filter][...] * scale[filter], or, where taps is positive,
/// y[filter][channel][tap] = w[filter][channel][tap] * scale[channel].
typedef struct {
  int32_t filters, elements; // elements of one filter
  int32_t taps;
  const float *w, *scale;
  float *y;
} clat_scale_filters_args;

/// Units: images. partial[image][channel] = sum over pixels of a (times b where b is not NULL).
typedef struct {
  int32_t images, pixels, channels, a_stride, b_stride;
  const float *a, *b;
  float *partial;
} clat_channel_sum_args;

/// Units: channels. y[channel] = sum of the images' partials in double, in image order.
typedef struct {
  int32_t images, channels;
  const float *partial;
  float *y;
} clat_channel_sum_finalize_args;

// ---------------------------------------------------------------- pooling and rearrangement

/// Units: images. Padding never wins a maximum; in an average it counts as zero, or with skip_pad not at all (PyTorch's
/// count_include_pad = True and False).
/// index[pixel][channel] = input pixel of the maximum, the first in row order where several are equal.
typedef struct {
  int32_t images, in_height, in_width, out_height, out_width, channels;
  int32_t kernel_height, kernel_width, stride_height, stride_width, pad_height, pad_width;
  int32_t x_stride, y_stride, skip_pad;
  const float *x; // forward: input; backward: the gradient of the output, with y_stride
  float *y;       // forward: output; backward: the gradient of the input, with x_stride
  int32_t *index; // max pooling: written forward (may be NULL), read backward
} clat_pool_args;

/// Units: images. Option-A shortcut of He et al. 2015: every `stride`-th pixel in both directions, `before` and `after` zero
/// channels around the `channels` of the input. Backward: x is the gradient of the output, with y_stride, and y of the input, with
/// x_stride.
typedef struct {
  int32_t images, in_height, in_width, channels, stride, before, after;
  int32_t x_stride, y_stride;
  const float *x;
  float *y;
} clat_subsample_pad_args;

/// Units: images. NHWC [pixels][channels] to [channels][pixels] (PyTorch's order for a flattened map), or back.
typedef struct {
  int32_t images, pixels, channels;
  int32_t backward;
  const float *x;
  float *y;
} clat_flatten_args;

// ---------------------------------------------------------------- losses

/// Units: images. loss[image] = -log softmax(logits[image])[label].
typedef struct {
  int32_t images, classes;
  const float *logits;
  const int32_t *labels;
  float *loss;
} clat_cross_entropy_args;

/// Units: images. dlogits[image] = (softmax(logits[image]) - onehot(label)) * dloss[image].
typedef struct {
  int32_t images, classes;
  const float *logits, *dloss;
  const int32_t *labels;
  float *dlogits;
} clat_cross_entropy_grad_args;

/// Units: images. correct[image] = 1 where the first largest logit is the label's.
typedef struct {
  int32_t images, classes;
  const float *logits;
  const int32_t *labels;
  int32_t *correct;
} clat_correct_args;

/// Units: one. y[0] = mean of x, summed in double in order.
typedef struct {
  int32_t count;
  const float *x;
  float *y;
} clat_mean_args;

/// Units: images. y[image] = x[0] * factor.
typedef struct {
  int32_t images;
  float factor;
  const float *x;
  float *y;
} clat_broadcast_args;

/// Units: images. distance[image] = sqrt(sum over the image's elements of (a - b)^2 + eps), summed over fixed blocks.
typedef struct {
  int32_t images, elements;
  float eps;
  const float *a, *b;
  float *distance;
} clat_feature_distance_args;

/// Units: images. da = (a - b) * dy[image] / distance[image]; db = -da. da or db may be NULL.
typedef struct {
  int32_t images, elements;
  const float *a, *b, *distance, *dy;
  float *da, *db;
} clat_feature_distance_grad_args;

// ---------------------------------------------------------------- attacks

/// Units: images. y = clamp(clamp(x + step * sign(gradient), clean - eps, clean + eps), low, high); sign(0) = 0, and a NaN
/// gradient counts as 0. y may alias x.
typedef struct {
  int32_t images, elements;
  float step, eps, low, high;
  const float *x, *gradient, *clean;
  float *y;
} clat_sign_step_args;

/// Units: images. y = clamp(x + eps * (2 u - 1), low, high), u uniform in [0, 1) from Philox4x32-10 with
/// counter (element / 4, ids[image], stream[2], stream[3]) and key (stream[0], stream[1]); lane element % 4, u = (word >> 8) * 2^-24.
typedef struct {
  int32_t images, elements;
  float eps, low, high;
  const float *x;
  const int32_t *ids;    // [images] index of each image within its data set
  const int32_t *stream; // [4] seed low, seed high, epoch, purpose
  float *y;
} clat_random_start_args;

/// Units: images. y = u < rate ? 0 : x * scale, u as in clat_random_start_args with `purpose` for stream[3]. y may alias x.
typedef struct {
  int32_t images;
  int32_t purpose;
  int64_t elements;
  float rate, scale;
  const float *x;
  const int32_t *ids, *stream;
  float *y;
} clat_dropout_args;

void clat_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

// ---------------------------------------------------------------- optimiser

/// Units: blocks of 1024 elements. PyTorch's SGD: g += weight_decay * w; m = momentum * m + g; w -= lr * m.
/// new_w may alias w, new_m may alias m.
typedef struct {
  int64_t count;
  float momentum, weight_decay;
  const float *lr; // [1]
  const float *w, *g, *m;
  float *new_w, *new_m;
} clat_sgd_args;

/// Units: blocks of 1024 elements. y = a * a_scale + b * b_scale for tensors that have no image axis (weights). b may be NULL.
typedef struct {
  int64_t count;
  float a_scale, b_scale;
  const float *a, *b;
  float *y;
} clat_axpby_args;

/// Units: blocks of 1024 bytes. A copy.
typedef struct {
  int64_t bytes;
  const void *x;
  void *y;
} clat_copy_args;

// ---------------------------------------------------------------- the machine's limits

#define CLAT_CHAINS 192 // floats of one unit, a multiple of what any instruction set runs at once

/// Units: groups of CLAT_CHAINS floats. y = y * factor + addend, `rounds` times, in registers: no kernel does more
/// floating-point operations a second.
typedef struct {
  int64_t rounds;
  float factor, addend;
  float *y;
} clat_multiply_add_args;

/// Units: groups of `floats` floats. y = x + 3 * z (McCalpin 1995, STREAM): what memory can deliver.
typedef struct {
  int64_t floats;
  const float *x, *z;
  float *y;
} clat_triad_args;

#endif
