#include "kernels.h"

const char *clat_isa_name(clat_isa isa) {
  static const char *const names[CLAT_ISA_COUNT] = {"reference", "portable", "avx2", "avx512"};
  return (unsigned)isa < CLAT_ISA_COUNT ? names[isa] : "unknown";
}
