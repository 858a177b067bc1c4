#include "kernels.h"

#include <string.h>

// kernels.def, read twice: once to declare the functions, once to list them.
#define KERNEL(name)                                                                              \
  clat_kernel clat_##name##_reference, clat_##name##_portable, clat_##name##_avx2,                \
      clat_##name##_avx512;
#define KERNEL_PLAIN(name) clat_kernel clat_##name##_plain;
#include "../kernels.def"
#undef KERNEL
#undef KERNEL_PLAIN

#if defined(__x86_64__)
#define X86_ONLY(function) function
#else
#define X86_ONLY(function) NULL
#endif

typedef struct {
  const char *name;
  clat_kernel *paths[CLAT_ISA_COUNT];
} row;

static const row rows[] = {
#define KERNEL(name)                                                                              \
  {#name,                                                                                         \
   {clat_##name##_reference, clat_##name##_portable, X86_ONLY(clat_##name##_avx2),                \
    X86_ONLY(clat_##name##_avx512)}},
#define KERNEL_PLAIN(name)                                                                        \
  {#name, {clat_##name##_plain, clat_##name##_plain, clat_##name##_plain, clat_##name##_plain}},
#include "../kernels.def"
};

enum { row_count = sizeof rows / sizeof rows[0] };

int clat_kernel_count(void) { return row_count; }

const char *clat_kernel_name(int index) {
  return index >= 0 && index < row_count ? rows[index].name : NULL;
}

clat_kernel *clat_kernel_find(const char *name, clat_isa isa) {
  if (!name || (unsigned)isa >= CLAT_ISA_COUNT) return NULL;
  for (int i = 0; i < row_count; i++) {
    if (strcmp(rows[i].name, name) == 0) return rows[i].paths[isa];
  }
  return NULL;
}
