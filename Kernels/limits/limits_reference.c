#include "kernels.h"

void clat_multiply_add_reference(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  const clat_multiply_add_args *a = args;
  for (int64_t i = begin * CLAT_CHAINS; i < end * CLAT_CHAINS; i++) {
    for (int64_t round = 0; round < a->rounds; round++) a->y[i] = a->y[i] * a->factor + a->addend;
  }
}
