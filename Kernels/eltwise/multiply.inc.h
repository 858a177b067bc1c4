void CLAT_KERNEL(multiply)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_multiply_args a = *(const clat_multiply_args *)args;
  for (int64_t pixel = begin * a.pixels; pixel < end * a.pixels; pixel++) {
    const float *x = a.x + pixel * a.x_stride, *z = a.z + pixel * a.z_stride;
    float *y = a.y + pixel * a.y_stride;
    FOR_LANES(c, a.channels, store(y + c, load(x + c, n) * load(z + c, n), n));
  }
}

void CLAT_KERNEL(relu_grad)(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_multiply_args a = *(const clat_multiply_args *)args;
  for (int64_t pixel = begin * a.pixels; pixel < end * a.pixels; pixel++) {
    const float *x = a.x + pixel * a.x_stride, *z = a.z + pixel * a.z_stride;
    float *y = a.y + pixel * a.y_stride;
    FOR_LANES(c, a.channels, store(y + c, blend(load(z + c, n) > 0, load(x + c, n), splat(0)), n));
  }
}
