#include "kernels.h"

// Philox4x32-10 (Salmon et al. 2011).
void clat_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)c0 * 0xD2511F53u, p1 = (uint64_t)c2 * 0xCD9E8D57u;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

static float started(const clat_random_start_args *a, float x, uint32_t word) {
#pragma clang fp contract(off) // the same bits on every machine
  const float u = (float)(word >> 8) * 0x1p-24f;
  const float y = x + a->eps * (2 * u - 1);
  return y < a->low ? a->low : y > a->high ? a->high : y;
}

void clat_random_start_plain(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_random_start_args *a = args;
  const uint32_t key[2] = {(uint32_t)a->stream[0], (uint32_t)a->stream[1]};
  for (int64_t image = begin; image < end; image++) {
    const float *x = a->x + image * a->elements;
    float *y = a->y + image * a->elements;
    for (int32_t i = 0; i < a->elements; i += 4) {
      const uint32_t counter[4] = {(uint32_t)i / 4, (uint32_t)a->ids[image],
                                   (uint32_t)a->stream[2], (uint32_t)a->stream[3]};
      uint32_t words[4];
      clat_philox(counter, key, words);
      for (int32_t k = 0; k < 4 && i + k < a->elements; k++) {
        y[i + k] = started(a, x[i + k], words[k]);
      }
    }
  }
}
