#include "cpus.h"

#include <stdio.h>
#include <string.h>

enum { PATH = 4096 };

static int rounded_up(long long quota, long long period) {
  return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

/// Reads up to `count` numbers from a file; returns how many there were ("max" is none).
static int read_numbers(const char *folder, const char *name, long long *first, long long *second) {
  char path[PATH + 64];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  const int count = second ? fscanf(file, "%lld %lld", first, second) : fscanf(file, "%lld", first);
  fclose(file);
  return count;
}

static int folder_limit(const char *folder) {
  long long quota, period;
  if (read_numbers(folder, "cpu.max", &quota, &period) == 2) return rounded_up(quota, period); // v2
  if (read_numbers(folder, "cpu.cfs_quota_us", &quota, NULL) == 1 &&
      read_numbers(folder, "cpu.cfs_period_us", &period, NULL) == 1) {
    return rounded_up(quota, period); // v1
  }
  return 0;
}

static int smaller(int a, int b) { return a == 0 || (b && b < a) ? b : a; }

/// The smallest limit of `base`/`group` and of every group above it: each binds.
static int hierarchy_limit(const char *base, const char *group) {
  char folder[PATH];
  if (snprintf(folder, sizeof folder, "%s%s", base, group) >= PATH) return folder_limit(base);
  const size_t shortest = strlen(base);
  int limit = 0;
  for (;;) {
    limit = smaller(limit, folder_limit(folder));
    char *slash = strrchr(folder, '/');
    if (!slash || (size_t)(slash - folder) < shortest) return limit;
    *slash = 0;
  }
}

/// Whether the comma-separated list of controllers has `cpu`.
static int has_cpu(const char *controllers) {
  for (const char *p = controllers; p; p = strchr(p, ',')) {
    p += *p == ',';
    const size_t length = strcspn(p, ",");
    if (length == 3 && strncmp(p, "cpu", 3) == 0) return 1;
  }
  return 0;
}

int clat_cgroup_cpus(const char *membership, const char *root) {
  FILE *file = fopen(membership, "r");
  if (!file) return folder_limit(root);
  int limit = 0;
  char line[PATH], base[PATH];
  while (fgets(line, sizeof line, file)) { // hierarchy:controllers:group
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) continue;
    *group++ = 0;
    controllers++;
    if (*controllers && !has_cpu(controllers)) continue;
    snprintf(base, sizeof base, "%s%s%s", root, *controllers ? "/" : "", controllers);
    limit = smaller(limit, hierarchy_limit(base, group));
  }
  fclose(file);
  return limit;
}
