#include "kernels.h"

#include "denormals.h"
#include "sync.h"

#include <stddef.h>
#include <time.h>

// The compiler ships no omp.h.
int omp_get_thread_num(void);
int omp_get_num_threads(void);

typedef struct {
  const clat_section *sections;
  int64_t count, total; // sections, instructions
  int threads;          // slices that the program was cut into
  void *const *scratch;
  uint64_t *nanoseconds;
} program;

typedef struct {
  const program *run;
  int index, size; // of this thread in the team, which may be smaller than run->threads
} member;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void meet(const program *run) {
  CLAT_RELEASE((void *)run);
#pragma omp barrier
  CLAT_ACQUIRE((void *)run);
}

static void run_instruction(const member *me, const clat_instruction *in, int64_t index) {
  const program *run = me->run;
  for (int slice = me->index; slice < run->threads; slice += me->size) {
    const uint64_t start = run->nanoseconds ? now() : 0;
    const int64_t begin = in->bounds[slice], end = in->bounds[slice + 1];
    void *scratch = run->scratch ? run->scratch[slice] : NULL;
    if (begin < end) in->kernel(in->args[slice], begin, end, scratch);
    if (run->nanoseconds) run->nanoseconds[slice * run->total + index] += now() - start;
  }
}

static void run_section(const member *me, const clat_section *section, int64_t first, int *fresh) {
  if (!*fresh) meet(me->run);
  *fresh = 1; // a barrier just passed serves the first instruction, too
  for (int64_t repeat = 0; repeat < section->repeat; repeat++) {
    for (int64_t i = 0; i < section->count; i++) {
      const clat_instruction *in = &section->instructions[i];
      if (in->barrier && !*fresh) meet(me->run);
      *fresh = 0;
      run_instruction(me, in, first + i);
    }
  }
}

static void run_member(const member *me) {
  const clat_float_mode mode = clat_flush_denormals();
  int64_t first = 0;
  int fresh = 1;
  for (int64_t s = 0; s < me->run->count; s++) {
    run_section(me, &me->run->sections[s], first, &fresh);
    first += me->run->sections[s].count;
  }
  clat_float_mode_set(mode);
}

void clat_team_run(const clat_section *sections, int count, int threads, void *const *scratch,
                   uint64_t *nanoseconds) {
  program run = {sections, count, 0, threads, scratch, nanoseconds};
  for (int s = 0; s < count; s++) run.total += sections[s].count;
  static char fork_point;
  CLAT_RELEASE(&fork_point);
#pragma omp parallel num_threads(threads)
  {
    CLAT_ACQUIRE(&fork_point);
    const member me = {&run, omp_get_thread_num(), omp_get_num_threads()};
    run_member(&me);
    CLAT_RELEASE(&fork_point);
  }
  CLAT_ACQUIRE(&fork_point);
}
