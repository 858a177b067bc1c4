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
  int threads; // that the program was made for
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

static void run_slice(const program *run, const clat_instruction *in, int64_t index, int thread,
                      int slice) {
  const uint64_t start = run->nanoseconds ? now() : 0;
  const int64_t begin = in->bounds[slice], end = in->bounds[slice + 1];
  void *scratch = run->scratch ? run->scratch[thread] : NULL;
  if (begin < end) in->kernel(in->args[slice], begin, end, scratch);
  if (run->nanoseconds) run->nanoseconds[thread * run->total + index] += now() - start;
}

static void run_segment(const member *me, const clat_segment *segment, int64_t first, int *fresh) {
  const program *run = me->run;
  for (int round = 0; round < segment->rounds; round++) {
    for (int64_t i = 0; i < segment->count; i++) {
      const clat_instruction *in = &segment->instructions[i];
      if (in->barrier && round == 0 && !*fresh) meet(run);
      *fresh = 0;
      for (int thread = me->index; thread < run->threads; thread += me->size)
        run_slice(run, in, first + i, thread, thread * segment->rounds + round);
    }
  }
}

static int64_t instructions(const clat_section *section) {
  int64_t count = 0;
  for (int64_t s = 0; s < section->count; s++) count += section->segments[s].count;
  return count;
}

static void run_section(const member *me, const clat_section *section, int64_t first, int *fresh) {
  if (!*fresh) meet(me->run);
  *fresh = 1; // a barrier just passed serves the first instruction, too
  for (int64_t repeat = 0; repeat < section->repeat; repeat++) {
    int64_t index = first;
    for (int64_t s = 0; s < section->count; s++) {
      run_segment(me, &section->segments[s], index, fresh);
      index += section->segments[s].count;
    }
  }
}

static void run_member(const member *me) {
  const clat_float_mode mode = clat_flush_denormals();
  int64_t first = 0;
  int fresh = 1;
  for (int64_t s = 0; s < me->run->count; s++) {
    run_section(me, &me->run->sections[s], first, &fresh);
    first += instructions(&me->run->sections[s]);
  }
  clat_float_mode_set(mode);
}

void clat_team_run(const clat_section *sections, int count, int threads, void *const *scratch,
                   uint64_t *nanoseconds) {
  program run = {sections, count, 0, threads, scratch, nanoseconds};
  for (int s = 0; s < count; s++) run.total += instructions(&sections[s]);
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
