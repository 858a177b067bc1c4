#include "kernels.h"

#pragma clang diagnostic ignored "-Wc23-extensions"
static const unsigned char interface[] = {
#embed "../include/kernels.h"
#embed "../kernels.def" prefix(, )
};

uint64_t clat_kernel_interface(void) {
  uint64_t hash = 0xcbf29ce484222325u; // FNV-1a
  for (size_t i = 0; i < sizeof interface; i++) hash = (hash ^ interface[i]) * 0x100000001b3u;
  return hash;
}
