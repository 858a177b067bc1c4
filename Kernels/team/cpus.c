#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "cpus.h"

#include "kernels.h"

#include <errno.h>
#include <sched.h>

int omp_get_thread_num(void);

// The mask that the process started with, read before main: pinning, ours or the runtime's
// (OMP_PROC_BIND), narrows what the system reports later.
static cpu_set_t initial_mask;

__attribute__((constructor)) static void read_mask(void) {
  CPU_ZERO(&initial_mask);
  if (sched_getaffinity(0, sizeof initial_mask, &initial_mask) != 0) CPU_SET(0, &initial_mask);
}

int clat_team_available_cpus(void) {
  const int allowed = CPU_COUNT(&initial_mask);
  const int quota = clat_cgroup_cpus("/proc/self/cgroup", "/sys/fs/cgroup");
  return quota && quota < allowed ? quota : allowed;
}

static int cpu_at(int index) {
  index %= CPU_COUNT(&initial_mask);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (CPU_ISSET(cpu, &initial_mask) && index-- == 0) return cpu;
  }
  return 0;
}

static int pin_caller(int cpu) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(cpu, &mask);
  return sched_setaffinity(0, sizeof mask, &mask) == 0 ? 0 : errno;
}

int clat_team_pin(int threads) {
  static _Thread_local int pinned; // a team belongs to the thread that calls it
  if (threads <= pinned) return 0;
  int failure = 0;
#pragma omp parallel num_threads(threads)
  {
    const int error = pin_caller(cpu_at(omp_get_thread_num()));
    if (error) __atomic_store_n(&failure, error, __ATOMIC_RELAXED);
  }
  if (!failure) pinned = threads;
  return failure;
}
