// ResNet-18's convolutions, forward, input gradient and weight gradient, for every instruction set:
// GFLOP/s (taps in the padding counted) and the share of the multiply-add rate measured in between.
// conv_bench [batch] [repetitions] [isa or all] [width or 0] [wall or cpu] [plain or fused]
//            [channels,out_channels,size,kernel,stride]: that layer alone
// fused: forward with bias, ReLU and its bits; input gradient with a residual and a mask.
// cpu: the busiest thread's own time, for a machine that others use too; it hides an uneven share
// of the cores.
#include "peak.h"

#define DECLARE(isa)                                                                         \
  clat_kernel clat_conv_gather_##isa, clat_conv_pack_##isa, clat_conv_weight_grad_##isa,     \
      clat_conv_weight_grad_reduce_##isa, clat_winograd_##isa, clat_winograd_pack_##isa,     \
      clat_winograd_strided_##isa, clat_winograd_strided_grad_##isa,                         \
      clat_winograd_strided_pack_##isa, clat_winograd_weight_grad_##isa,                     \
      clat_winograd_weight_grad_reduce_##isa;
#define KERNELS(isa)                                                                         \
  {clat_conv_gather_##isa,                                                                   \
   clat_conv_pack_##isa,                                                                     \
   clat_conv_weight_grad_##isa,                                                              \
   clat_conv_weight_grad_reduce_##isa,                                                       \
   clat_winograd_weight_grad_##isa,                                                          \
   clat_winograd_weight_grad_reduce_##isa,                                                   \
   {{clat_winograd_##isa, clat_winograd_##isa, clat_winograd_pack_##isa},                    \
    {clat_winograd_strided_##isa, clat_winograd_strided_grad_##isa,                          \
     clat_winograd_strided_pack_##isa}}}
DECLARE(portable)
DECLARE(avx2)
DECLARE(avx512)

typedef struct {
  clat_kernel *gather, *pack, *grad, *reduce, *winograd_grad, *winograd_reduce;
  struct {
    clat_kernel *forward, *gradient, *pack;
  } winograd[2]; // of stride 1 and 2
} kernels;
static const kernels paths[CLAT_ISA_COUNT] = {
    {0},
    KERNELS(portable),
#if defined(__x86_64__)
    KERNELS(avx2),
    KERNELS(avx512),
#endif
};

enum { THREADS = 2, DIRECT = 4, TRANSIENT = 6, PASSES = 10, MOST = 99 };
static const char *const pass_names[PASSES] = {
    "forward", "input grad", "weight grad", "pack",
    "forward", "input grad", "transient filters: forward", "input grad", "pack", "weight grad"};

typedef struct {
  int size, in, out, kernel, stride;
} layer;

typedef struct {
  clat_conv_args forward, gradient;
  clat_conv_pack_args pack;
  clat_conv_weight_grad_args grad;
  clat_conv_weight_grad_reduce_args reduce;
  int stride;
  int has_winograd; // 3x3
  clat_winograd_args winograd[4]; // forward, input gradient; then with transient filters
  clat_winograd_pack_args winograd_pack;
  clat_winograd_weight_grad_args winograd_grad;
  clat_winograd_weight_grad_reduce_args winograd_reduce;
  clat_conv_phase forward_phase, gradient_phase[4];
} work;

static void *scratch[THREADS];
static int fused;

static int32_t *integers(int n) { return (int32_t *)bench_floats((size_t)n); }

static clat_conv_phase forward_phase(const layer *l) {
  const int side = l->size / l->stride, k = l->kernel, taps = k * k;
  int32_t *out = integers(side * side), *in = integers(side * side * taps), *tap = integers(taps);
  for (int i = 0; i < side * side * taps; i++) {
    const int p = i / taps, t = i % taps;
    const int y = p / side * l->stride - k / 2 + t / k, x = p % side * l->stride - k / 2 + t % k;
    out[p] = p, tap[t] = t;
    in[i] = y >= 0 && y < l->size && x >= 0 && x < l->size ? y * l->size + x : -1;
  }
  return (clat_conv_phase){side * side, taps, out, in, tap, 0};
}

static clat_conv_phase gradient_phase(const layer *l, int residue, int64_t *packed) {
  const int side = l->size / l->stride, k = l->kernel, step = l->stride, pad = k / 2;
  int32_t *out = integers(l->size * l->size), *in = integers(l->size * l->size * k * k),
          *tap = integers(k * k);
  clat_conv_phase ph = {0, 0, out, in, tap, *packed};
  for (int t = 0; t < k * k; t++)
    if ((t / k) % step == residue / step && (t % k) % step == residue % step) tap[ph.taps++] = t;
  for (int q = 0; q < l->size * l->size; q++) {
    const int y = q / l->size + pad, x = q % l->size + pad;
    if (y % step != residue / step || x % step != residue % step) continue;
    out[ph.pixels] = q;
    for (int t = 0; t < ph.taps; t++) {
      const int oy = (y - tap[t] / k) / step, ox = (x - tap[t] % k) / step;
      const int inside = y >= tap[t] / k && x >= tap[t] % k && oy < side && ox < side;
      in[ph.pixels * ph.taps + t] = inside ? oy * side + ox : -1;
    }
    ph.pixels++;
  }
  *packed += (int64_t)(l->in + 15) / 16 * 16 * ph.taps * l->out;
  return ph;
}

static void prepare(work *w, const layer *l, int images) {
  const int side = l->size / l->stride, taps = l->kernel * l->kernel,
            phases = l->stride * l->stride;
  const size_t in = (size_t)images * l->size * l->size * l->in,
               out = (size_t)images * side * side * l->out;
  const size_t dw = (size_t)taps * l->in * l->out,
               packed = (size_t)taps * (l->in + 16) * (l->out + 16);
  int64_t end = 0;
  const int small = dw <= 160000;
  const float *x = bench_floats(in), *dy = bench_floats(out);
  w->forward_phase = forward_phase(l);
  for (int i = 0; i < phases; i++) w->gradient_phase[i] = gradient_phase(l, i, &end);
  w->forward = (clat_conv_args){
      .images = images,
      .in_pixels = l->size * l->size,
      .out_pixels = side * side,
      .in_channels = l->in,
      .x_stride = l->in,
      .phases = 1,
      .phase = &w->forward_phase,
      .x = x,
      .packed = bench_floats(packed),
      .out = {.channels = l->out, .y_stride = l->out, .residual_stride = l->out, .y = bench_floats(out)}};
  w->gradient = (clat_conv_args){
      .images = images,
      .in_pixels = side * side,
      .out_pixels = l->size * l->size,
      .in_channels = l->out,
      .x_stride = l->out,
      .phases = phases,
      .phase = w->gradient_phase,
      .x = dy,
      .packed = bench_floats(packed),
      .out = {.channels = l->in, .y_stride = l->in, .residual_stride = l->in, .y = bench_floats(in)}};
  if (fused) {
    w->forward.out.bias = bench_floats((size_t)l->out);
    w->forward.out.relu = 1, w->forward.out.relu_bits = calloc(out, 1);
    w->gradient.out.residual = bench_floats(in);
    w->gradient.out.mask_bits = calloc(in, 1);
  }
  w->pack = (clat_conv_pack_args){
      l->out, l->in, taps, 0, 1, &w->forward_phase, bench_floats(dw), (float *)w->forward.packed};
  w->grad = (clat_conv_weight_grad_args){
      images,        l->size * l->size, side * side,         l->in, l->out, taps, l->in, l->out,
      small ? 8 : 1, small ? 1 : 4,     w->forward_phase.in, x,     dy,     NULL};
  w->grad.partial = bench_floats(dw * (size_t)w->grad.chunks);
  w->reduce = (clat_conv_weight_grad_reduce_args){
      l->in, l->out, taps, w->grad.chunks, w->grad.partial, bench_floats(dw)};
}

/// The same operands as the direct algorithm's, and filters of its own.
static clat_winograd_args winograd(const clat_conv_args *a, int in_side, int out_side) {
  const size_t panels = (size_t)(a->out.channels + CLAT_PANEL - 1) / CLAT_PANEL;
  return (clat_winograd_args){
      .images = a->images,
      .in_height = in_side,
      .in_width = in_side,
      .out_height = out_side,
      .out_width = out_side,
      .in_channels = a->in_channels,
      .pad_height = 1,
      .pad_width = 1,
      .x_stride = a->x_stride,
      .x = a->x,
      .packed = bench_floats(panels * CLAT_WINOGRAD_POINTS * (size_t)a->in_channels * CLAT_PANEL),
      .out = a->out};
}

static void prepare_winograd(work *w, const layer *l) {
  const int side = l->size / l->stride;
  w->stride = l->stride;
  w->has_winograd = l->kernel == 3;
  if (!w->has_winograd) return;
  w->winograd[0] = winograd(&w->forward, l->size, side);
  w->winograd[1] = winograd(&w->gradient, side, l->size);
  for (int i = 0; i < 2; i++) {
    w->winograd[i].weights = w->pack.weights, w->winograd[i].transpose = i;
    w->winograd[2 + i] = w->winograd[i], w->winograd[2 + i].packed = NULL;
  }
  w->winograd_pack = (clat_winograd_pack_args){l->out, l->in, 0, w->pack.weights,
                                               (float *)w->winograd[0].packed};
  // As the compiler divides them (WinogradGradientJobs).
  const size_t sums = CLAT_WINOGRAD_POINTS * (size_t)l->in * ((size_t)(l->out + 15) / 16 * 16);
  const int finishes = w->forward.images * ((side + 3) / 4) * ((side + 3) / 4) <= 256;
  const int panels = (l->in + 15) / 16, fits = (int)((3 << 20) / sums);
  const int chunks = finishes || fits < 2 ? 1 : fits < 4 ? 2 : 4;
  const int wanted = finishes ? (panels + 19) / 20 * 4 : 4 / chunks;
  const int blocks = wanted < panels ? wanted : panels;
  float *partial = finishes ? NULL : bench_floats(sums * (size_t)chunks);
  w->winograd_grad = (clat_winograd_weight_grad_args){
      w->forward.images, l->size, l->size, l->size, l->size, l->in, l->out, 1, 1, l->in, l->out,
      chunks, blocks, w->forward.x, w->gradient.x, partial, finishes ? w->reduce.dw : NULL};
  w->winograd_reduce =
      (clat_winograd_weight_grad_reduce_args){l->in, l->out, chunks, partial, w->reduce.dw};
}

static void release(work *w) {
  const void *owned[] = {w->forward.x,    w->forward.packed,  w->forward.out.y,
                         w->gradient.x,   w->gradient.packed, w->gradient.out.y,
                         w->pack.weights, w->grad.partial,    w->reduce.dw,
                         w->winograd[0].packed, w->winograd[1].packed, w->winograd_grad.partial,
                         w->forward.out.bias, w->forward.out.relu_bits, w->gradient.out.residual,
                         w->gradient.out.mask_bits};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free((void *)owned[i]);
  for (int i = -1; i < w->gradient.phases; i++) {
    const clat_conv_phase *ph = i < 0 ? &w->forward_phase : &w->gradient_phase[i];
    free((void *)ph->in), free((void *)ph->out), free((void *)ph->tap);
  }
}

static void share(clat_kernel *kernel, const void *args, int units, int t) {
  kernel(args, (int64_t)units * t / THREADS, (int64_t)units * (t + 1) / THREADS, scratch[t]);
}

/// Seconds of the slower thread.
static double run_pass(const work *w, clat_isa isa, int pass) {
  double spent[THREADS];
  const kernels *k = &paths[isa];
#pragma omp parallel num_threads(THREADS)
  {
    const int t = omp_get_thread_num();
    const double start = bench_thread_now();
    if (pass == 0) share(k->gather, &w->forward, w->forward.images, t);
    if (pass == 1) share(k->gather, &w->gradient, w->gradient.images, t);
    if (pass == 2) share(k->grad, &w->grad, w->grad.chunks * w->grad.blocks, t);
    if (pass == 3) share(k->pack, &w->pack, (w->pack.out_channels + 15) / 16, t);
    if (pass >= DIRECT && pass < DIRECT + 4)
      share(pass % 2 ? k->winograd[w->stride - 1].gradient : k->winograd[w->stride - 1].forward,
            &w->winograd[pass - DIRECT], w->forward.images, t);
    if (pass == 8)
      share(k->winograd[w->stride - 1].pack, &w->winograd_pack, (w->pack.out_channels + 15) / 16,
            t);
    if (pass == 9)
      share(k->winograd_grad, &w->winograd_grad,
            w->winograd_grad.chunks * w->winograd_grad.blocks, t);
    const int reduce = pass == 2 || pass == 9;
    if (reduce) {
#pragma omp barrier
    }
    if (pass == 2) share(k->reduce, &w->reduce, w->reduce.out_channels, t);
    if (pass == 9 && !w->winograd_grad.dw)
      share(k->winograd_reduce, &w->winograd_reduce, w->reduce.out_channels, t);
    spent[t] = bench_thread_now() - start;
  }
  double most = 0;
  for (int t = 0; t < THREADS; t++) most = spent[t] > most ? spent[t] : most;
  return most;
}

static void measure(const layer *l, clat_isa isa, int images, int repetitions) {
  static double time[PASSES][MOST], peak[MOST];
  const int side = l->size / l->stride;
  const double flops = 2.0 * images * side * side * l->kernel * l->kernel * l->in * l->out;
  work w = {0};
  prepare(&w, l, images);
  prepare_winograd(&w, l);
  const int passes = !w.has_winograd ? DIRECT : w.stride == 1 ? PASSES : PASSES - 1;
  for (int r = -1; r < repetitions; r++) {
    if (r >= 0) peak[r] = peak_once(isa, THREADS);
    for (int pass = 0; pass < passes; pass++) {
      const double spent = run_pass(&w, isa, pass);
      if (r >= 0) time[pass][r] = spent;
    }
  }
  const double rate = bench_median(peak, repetitions), most = peak[repetitions - 1];
  printf("%-8s %3d->%3d @%2d k%d s%d  peak %3.0f |", clat_isa_name(isa), l->in, l->out, l->size,
         l->kernel, l->stride, rate);
  for (int pass = 0; pass < passes; pass++) {
    if (pass == DIRECT || pass == TRANSIENT) printf("\n%38s Winograd |", "");
    const double median = bench_median(time[pass], repetitions), best = time[pass][0];
    printf(" %s %.3f ms", pass_names[pass], 1e3 * median);
    if (pass != 3 && pass != 8)
      printf(" %3.0f (%3.0f%%, best %3.0f%%) |", 1e-9 * flops / median,
             1e-7 * flops / median / rate, 1e-7 * flops / best / most);
  }
  printf("\n");
  release(&w);
}

int main(int argc, char **argv) {
  static const layer layers[] = {{32, 0, 1, 3, 1}, {32, 1, 1, 3, 1}, {32, 1, 2, 3, 2},
                                 {16, 2, 2, 3, 1}, {16, 2, 4, 3, 2}, {8, 4, 4, 3, 1},
                                 {8, 4, 8, 3, 2},  {4, 8, 8, 3, 1},  {32, 1, 2, 1, 2},
                                 {16, 2, 4, 1, 2}, {8, 4, 8, 1, 2}};
  const int images = argc > 1 ? atoi(argv[1]) : 128, asked = argc > 2 ? atoi(argv[2]) : 15;
  const int repetitions = asked < 1 ? 1 : asked > MOST ? MOST : asked;
  const char *only = argc > 3 ? argv[3] : "all";
  fused = argc > 6 && strcmp(argv[6], "fused") == 0;
  bench_own_time = argc > 5 && strcmp(argv[5], "cpu") == 0;
  layer one;
  const int alone = argc > 7 && sscanf(argv[7], "%d,%d,%d,%d,%d", &one.in, &one.out, &one.size,
                                       &one.kernel, &one.stride) == 5;
  for (int t = 0; t < THREADS; t++) scratch[t] = aligned_alloc(4096, CLAT_SCRATCH_BYTES);
  for (int isa = CLAT_ISA_PORTABLE; isa < CLAT_ISA_COUNT; isa++) {
    if (!paths[isa].gather || (strcmp(only, "all") && strcmp(only, clat_isa_name((clat_isa)isa))))
      continue;
#if defined(__x86_64__)
    if ((isa == CLAT_ISA_AVX2 && !__builtin_cpu_supports("avx2")) ||
        (isa == CLAT_ISA_AVX512 && !__builtin_cpu_supports("avx512f"))) {
      printf("%s: not executed, this CPU lacks it\n", clat_isa_name((clat_isa)isa));
      continue;
    }
#endif
    if (alone) {
      measure(&one, (clat_isa)isa, images, repetitions);
      continue;
    }
    const int only_width = argc > 4 ? atoi(argv[4]) : 0;
    for (int width = only_width ? only_width : 64; width > 0; width = only_width ? 0 : width - 48) {
      for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        layer l = layers[i];
        if (l.out * width > 1024) continue;
        l.in = l.in ? l.in * width : 3, l.out *= width;
        measure(&l, (clat_isa)isa, images, repetitions);
      }
    }
  }
  return 0;
}
