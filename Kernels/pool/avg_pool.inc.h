/// Sum over a rectangle of pixels, in row order, times `factor`. The pixels `ahead` of them are asked
/// for meanwhile.
INLINE void window_sum(const float *x, int64_t width, int64_t stride, clat_window rows,
                       clat_window columns, int64_t ahead, float factor, float *y, int n) {
  vf sum = splat(0);
  for (int32_t i = rows.begin; i < rows.end; i++) {
    for (int32_t j = columns.begin; j < columns.end; j++) {
      __builtin_prefetch(x + (i * width + j + ahead) * stride, 0, 2);
      sum += load(x + (i * width + j) * stride, n);
    }
  }
  store(y, sum * splat(factor), n);
}

static clat_window pooled_rows(const clat_pool_args *a, int32_t i) {
  return clat_window_inputs(i, a->kernel_height, a->stride_height, a->pad_height, a->in_height);
}

static clat_window pooled_columns(const clat_pool_args *a, int32_t j) {
  return clat_window_inputs(j, a->kernel_width, a->stride_width, a->pad_width, a->in_width);
}

/// One over the pixels that an output is the mean of.
static float mean_factor(const clat_pool_args *a, clat_window rows, clat_window columns) {
  const int32_t pixels = a->skip_pad ? (rows.end - rows.begin) * (columns.end - columns.begin)
                                     : a->kernel_height * a->kernel_width;
  return 1.0f / (float)pixels;
}

static void avg_pool_image(const clat_pool_args *a, const float *x, float *y) {
  for (int32_t i = 0; i < a->out_height; i++) {
    const clat_window rows = pooled_rows(a, i);
    for (int32_t j = 0; j < a->out_width; j++) {
      const clat_window columns = pooled_columns(a, j);
      const float factor = mean_factor(a, rows, columns);
      float *to = y + ((int64_t)i * a->out_width + j) * a->y_stride;
      FOR_LANES(c, a->channels, window_sum(x + c, a->in_width, a->x_stride, rows, columns,
                                           2 * a->stride_width, factor, to + c, n));
    }
  }
}

/// Sum over a rectangle of outputs, each by a factor of its own.
INLINE void scaled_sum(const clat_pool_args *a, const float *dy, clat_window rows,
                       clat_window columns, float *dx, int n) {
  vf sum = splat(0);
  for (int32_t i = rows.begin; i < rows.end; i++) {
    for (int32_t j = columns.begin; j < columns.end; j++) {
      const float factor = mean_factor(a, pooled_rows(a, i), pooled_columns(a, j));
      sum += load(dy + ((int64_t)i * a->out_width + j) * a->y_stride, n) * splat(factor);
    }
  }
  store(dx, sum, n);
}

static void avg_pool_grad_image(const clat_pool_args *a, const float *dy, float *dx) {
  const float factor = 1.0f / (float)(a->kernel_height * a->kernel_width);
  for (int32_t i = 0; i < a->in_height; i++) {
    const clat_window rows =
        clat_window_outputs(i, a->kernel_height, a->stride_height, a->pad_height, a->out_height);
    for (int32_t j = 0; j < a->in_width; j++) {
      const clat_window columns =
          clat_window_outputs(j, a->kernel_width, a->stride_width, a->pad_width, a->out_width);
      float *to = dx + ((int64_t)i * a->in_width + j) * a->x_stride;
      if (a->skip_pad) {
        FOR_LANES(c, a->channels, scaled_sum(a, dy + c, rows, columns, to + c, n));
      } else {
        FOR_LANES(c, a->channels, window_sum(dy + c, a->out_width, a->y_stride, rows, columns, 1,
                                             factor, to + c, n));
      }
    }
  }
}

void CLAT_KERNEL(avg_pool)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_pool_args a = *(const clat_pool_args *)args;
  const int64_t in = (int64_t)a.in_height * a.in_width, out = (int64_t)a.out_height * a.out_width;
  for (int64_t image = begin; image < end; image++) {
    avg_pool_image(&a, a.x + image * in * a.x_stride, a.y + image * out * a.y_stride);
  }
}

void CLAT_KERNEL(avg_pool_grad)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_pool_args a = *(const clat_pool_args *)args;
  const int64_t in = (int64_t)a.in_height * a.in_width, out = (int64_t)a.out_height * a.out_width;
  for (int64_t image = begin; image < end; image++) {
    avg_pool_grad_image(&a, a.x + image * out * a.y_stride, a.y + image * in * a.x_stride);
  }
}
