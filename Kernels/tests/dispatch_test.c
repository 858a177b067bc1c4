#include "check.h"

#include <dirent.h>

static void names(void) {
  for (int i = 0; i < clat_kernel_count(); i++) {
    const char *name = clat_kernel_name(i);
    for (int isa = 0; isa < CLAT_ISA_COUNT; isa++) {
      clat_kernel *kernel = clat_kernel_find(name, (clat_isa)isa);
      CHECK(kernel || !clat_isa_supported((clat_isa)isa), "%s has no %s path", name,
            clat_isa_name((clat_isa)isa));
    }
    for (int j = 0; j < i; j++) CHECK(strcmp(name, clat_kernel_name(j)) != 0, "%s twice", name);
  }
  CHECK(!clat_kernel_find("none", CLAT_ISA_PORTABLE), "unknown name");
  CHECK(!clat_kernel_find(NULL, CLAT_ISA_PORTABLE), "no name");
  CHECK(!clat_kernel_find("affine", CLAT_ISA_COUNT), "unknown instruction set");
  CHECK(!clat_kernel_name(-1) && !clat_kernel_name(clat_kernel_count()), "unknown index");
}

static void instruction_sets(void) {
  CHECK(clat_isa_supported(CLAT_ISA_REFERENCE) && clat_isa_supported(CLAT_ISA_PORTABLE), "basic");
  CHECK(clat_isa_supported(clat_isa_best()), "best");
#if defined(__x86_64__)
  const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const int avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                     __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                     __builtin_cpu_supports("avx512vl");
  CHECK(clat_isa_supported(CLAT_ISA_AVX2) == avx2, "AVX2");
  CHECK(clat_isa_supported(CLAT_ISA_AVX512) == avx512, "AVX-512");
#endif
}

/// Whether some test of this folder names the kernel, in quotes or by its functions.
static int is_tested(const char *folder, const char *name) {
  char quoted[128], function[128], path[4096], line[1024];
  snprintf(quoted, sizeof quoted, "\"%s\"", name);
  snprintf(function, sizeof function, "clat_%s_##isa", name);
  int found = 0;
  DIR *directory = opendir(folder);
  for (struct dirent *entry; directory && !found && (entry = readdir(directory));) {
    if (!strstr(entry->d_name, "_test.c")) continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    FILE *file = fopen(path, "r");
    while (file && !found && fgets(line, sizeof line, file)) {
      found = strstr(line, quoted) || strstr(line, function);
    }
    if (file) fclose(file);
  }
  if (directory) closedir(directory);
  return found;
}

int main(void) {
  names();
  instruction_sets();
  char folder[] = __FILE__;
  char *slash = strrchr(folder, '/');
  if (slash) *slash = 0;
  for (int i = 0; i < clat_kernel_count(); i++) {
    const char *name = clat_kernel_name(i);
    CHECK(is_tested(slash ? folder : ".", name), "%s has no test", name);
  }
  return finish("dispatch_test");
}
