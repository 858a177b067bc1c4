#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "cimages.h"

#include <sched.h>

// Read before main, and so before anything is pinned.
static cpu_set_t initial_mask;

__attribute__((constructor)) static void read_mask(void) {
  if (sched_getaffinity(0, sizeof initial_mask, &initial_mask) != 0) CPU_ZERO(&initial_mask);
}

void clat_unpin_thread(void) {
  if (CPU_COUNT(&initial_mask) > 0) sched_setaffinity(0, sizeof initial_mask, &initial_mask);
}
