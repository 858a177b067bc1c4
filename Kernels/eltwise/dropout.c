#include "kernels.h"

void clat_dropout_plain(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_dropout_args *a = args;
  const uint32_t key[2] = {(uint32_t)a->stream[0], (uint32_t)a->stream[1]};
  for (int64_t image = begin; image < end; image++) {
    const float *x = a->x + image * a->elements;
    float *y = a->y + image * a->elements;
    for (int64_t i = 0; i < a->elements; i += 4) {
      const uint32_t counter[4] = {(uint32_t)(i / 4), (uint32_t)a->ids[image],
                                   (uint32_t)a->stream[2], (uint32_t)a->purpose};
      uint32_t words[4];
      clat_philox(counter, key, words);
      for (int64_t k = 0; k < 4 && i + k < a->elements; k++)
        y[i + k] = (float)(words[k] >> 8) * 0x1p-24f < a->rate ? 0 : x[i + k] * a->scale;
    }
  }
}
