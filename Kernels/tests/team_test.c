#define _GNU_SOURCE // affinity masks
#include "check.h"

#include "../team/cpus.h"

#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

/// The OpenMP runtime keeps its threads' memory until the process ends.
const char *__lsan_default_suppressions(void) { return "leak:libomp.so"; }

enum { THREADS = 5, UNITS = 1000 };

static float values[2][UNITS];

/// y[i] = x[i - 1] + 2 x[i] + x[i + 1] on a ring: reads what other threads wrote before the
/// barrier.
typedef struct {
  const float *x;
  float *y;
} ring_args;

static void ring(const void *args, int64_t begin, int64_t end, void *scratch) {
  const ring_args *a = args;
  float *row = scratch;
  for (int64_t i = begin; i < end; i++) {
    row[0] = a->x[(i + UNITS - 1) % UNITS], row[1] = a->x[(i + 1) % UNITS];
    a->y[i] = 0.25f * (row[0] + 2 * a->x[i] + row[1]);
  }
}

/// Every slice doubles its own denormal; flushed, the result is zero.
static void halve(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  float *x = *(float *const *)args;
  for (int64_t i = begin; i < end; i++) x[i] *= 0.5f;
}

static void cut(int64_t *bounds, int threads, int64_t units) {
  for (int t = 0; t <= threads; t++) bounds[t] = units * t / threads;
}

static void run_ring(int threads, int64_t repeat, uint64_t *nanoseconds) {
  for (int i = 0; i < UNITS; i++) values[0][i] = (float)(i * 37 % 101);
  int64_t bounds[THREADS + 1], other[THREADS + 1];
  cut(bounds, threads, UNITS);
  for (int t = 0; t <= threads; t++) other[t] = UNITS - bounds[threads - t];
  if (threads > 1) other[1] = other[0]; // an empty slice, and other owners than before
  const ring_args there = {values[0], values[1]}, back = {values[1], values[0]};
  const void *forth_args[THREADS], *back_args[THREADS];
  for (int t = 0; t < threads; t++) forth_args[t] = &there, back_args[t] = &back;
  const clat_instruction list[] = {{ring, forth_args, bounds, 1}, {ring, back_args, other, 1}};
  const clat_segment both = {list, 2, 1};
  const clat_section sections[] = {{&both, 1, repeat}, {&both, 0, 3}, {&both, 1, 1}};
  char *scratch = malloc((size_t)threads * 64);
  void *scratches[THREADS];
  for (int t = 0; t < threads; t++) scratches[t] = scratch + 64 * t;
  clat_team_run(sections, 3, threads, scratches, nanoseconds);
  free(scratch);
}

static void same_bits_for_any_team(void) {
  static float expected[2][UNITS];
  const int teams[] = {1, 2, 3, 5};
  run_ring(1, 7, NULL);
  memcpy(expected, values, sizeof expected);
  for (int round = 0; round < 20; round++) {
    run_ring(teams[round % 4], 7, NULL);
    CHECK(memcmp(values, expected, sizeof values) == 0, "team of %d", teams[round % 4]);
  }
  double sum = 0;
  for (int i = 0; i < UNITS; i++) sum += values[0][i];
  CHECK(fabs(sum - 50 * UNITS) < UNITS * 1.0, "the ring keeps its sum: %g", sum);
}

static void times_every_instruction(void) {
  uint64_t nanoseconds[3 * 4] = {0};
  run_ring(3, 50, nanoseconds);
  for (int t = 0; t < 3; t++) {
    CHECK(nanoseconds[t * 4] > 0 && nanoseconds[t * 4 + 2] > 0, "thread %d has no time", t);
    CHECK(nanoseconds[t * 4] > nanoseconds[t * 4 + 2] || nanoseconds[t * 4] < 100000,
          "50 repetitions take less than one");
  }
}

static void flushes_denormals_and_restores(int threads) {
  float x[THREADS];
  float *const data = x;
  int64_t bounds[THREADS + 1];
  cut(bounds, threads, THREADS);
  const void *args[THREADS];
  for (int t = 0; t < THREADS; t++) x[t] = 2e-38f, args[t] = &data;
  const clat_instruction in = {halve, args, bounds, 0};
  const clat_segment segment = {&in, 1, 1};
  const clat_section section = {&segment, 1, 1};
  clat_team_run(&section, 1, threads, NULL, NULL);
  for (int t = 0; t < THREADS; t++) CHECK(x[t] == 0, "unit %d of %d keeps a denormal", t, threads);
  volatile float after = 2e-38f;
  after *= 0.5f;
  CHECK(after > 0, "a team of %d does not restore its caller's mode", threads);
}

/// Every slice has arguments of its own: an array that begins before its memory, by the units that
/// come before.
static void slices_have_their_own_arguments(int threads) {
  float own[THREADS][UNITS], *base[THREADS];
  const void *args[THREADS];
  int64_t bounds[THREADS + 1];
  cut(bounds, threads, UNITS);
  for (int t = 0; t < threads; t++) {
    for (int i = 0; i < UNITS; i++) own[t][i] = (float)(t + 1);
    base[t] = (float *)((uintptr_t)own[t] - (uintptr_t)bounds[t] * sizeof(float));
    args[t] = &base[t];
  }
  const clat_instruction in = {halve, args, bounds, 0};
  const clat_segment segment = {&in, 1, 1};
  const clat_section section = {&segment, 1, 3};
  clat_team_run(&section, 1, threads, NULL, NULL);
  for (int t = 0; t < threads; t++) {
    const int64_t count = bounds[t + 1] - bounds[t];
    for (int i = 0; i < UNITS; i++) {
      const float expected = (float)(t + 1) * (i < count ? 0.125f : 1);
      CHECK(own[t][i] == expected, "unit %d of slice %d: %g", i, t, own[t][i]);
    }
  }
}

// ---- CPUs

static void write_file(const char *folder, const char *name, const char *text) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  if (!file || fputs(text, file) < 0 || fclose(file) != 0) abort();
}

static char *folder(const char *root, const char *below) {
  static char path[512];
  snprintf(path, sizeof path, "%s%s", root, below);
  if (mkdir(path, 0700) != 0) abort();
  return path;
}

static int granted(const char *root, const char *membership) {
  char path[512];
  write_file(root, "membership", membership);
  snprintf(path, sizeof path, "%s/membership", root);
  return clat_cgroup_cpus(path, root);
}

static void control_groups(void) {
  char root[] = "/tmp/cgroup-test-XXXXXX";
  if (!mkdtemp(root)) abort();
  write_file(folder(root, "/a"), "cpu.max", "250000 100000\n");
  write_file(folder(root, "/a/b"), "cpu.max", "max 100000\n");
  char *v1 = folder(root, "/cpu,cpuacct");
  write_file(v1, "cpu.cfs_quota_us", "-1\n");
  write_file(v1, "cpu.cfs_period_us", "100000\n");
  char *job = folder(root, "/cpu,cpuacct/job");
  write_file(job, "cpu.cfs_quota_us", "100000\n");
  write_file(job, "cpu.cfs_period_us", "100000\n");
  CHECK(granted(root, "0::/a\n") == 3, "2.5 CPUs are 3");
  CHECK(granted(root, "0::/a/b\n") == 3, "the group above binds, too");
  CHECK(granted(root, "0::/\n") == 0, "no limit");
  CHECK(granted(root, "3:cpuset:/a\n4:cpu,cpuacct:/job\n") == 1, "version 1");
  CHECK(granted(root, "4:cpu,cpuacct:/other\n") == 0, "version 1 without a quota");
  CHECK(granted(root, "4:cpu,cpuacct:/job\n0::/a\n") == 1, "the smaller of both");
  CHECK(granted(root, "nonsense\n::\n") == 0, "malformed lines");
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", root);
  CHECK(system(command) == 0, "cannot remove %s", root);
}

static void cpus(void) {
  const int before = clat_team_available_cpus();
  CHECK(before >= 1 && before <= sysconf(_SC_NPROCESSORS_ONLN), "%d CPUs", before);
  CHECK(clat_team_pin(before) == 0 && clat_team_pin(1) == 0, "pinning fails");
  CHECK(clat_team_available_cpus() == before, "pinning hides CPUs");
  run_ring(2, 3, NULL);
}

/// Notes when each unit was visited last, and how often it was.
typedef struct {
  int *clock, *last, *visits;
} visit_args;

static void visit(const void *args, int64_t begin, int64_t end, void *scratch) {
  const visit_args *a = args;
  (void)scratch;
  for (int64_t i = begin; i < end; i++) a->last[i] = (*a->clock)++, a->visits[i]++;
}

/// A segment of several rounds does all instructions for a slice before its next one, and a section
/// all segments before it repeats.
static void segments_run_slice_by_slice(void) {
  enum { ROUNDS = 3, REPEAT = 4 };
  int clock = 0, last[2][UNITS], visits[2][UNITS] = {{0}};
  const visit_args a = {&clock, last[0], visits[0]}, b = {&clock, last[1], visits[1]};
  const void *a_args[ROUNDS] = {&a, &a, &a}, *b_args[ROUNDS] = {&b, &b, &b};
  int64_t cut3[ROUNDS + 1], whole[] = {0, UNITS};
  cut(cut3, ROUNDS, UNITS);
  const clat_instruction list[] = {
      {visit, a_args, cut3, 1}, {visit, a_args, cut3, 0}, {visit, b_args, whole, 1}};
  const clat_segment segments[] = {{list, 2, ROUNDS}, {list + 2, 1, 1}};
  const clat_section section = {segments, 2, REPEAT};
  clat_team_run(&section, 1, 1, NULL, NULL);
  for (int i = 0; i < UNITS; i++)
    CHECK(visits[0][i] == 2 * REPEAT && visits[1][i] == REPEAT, "unit %d: %d and %d visits", i,
          visits[0][i], visits[1][i]);
  const int before = (REPEAT - 1) * 3 * UNITS, first = (int)cut3[1];
  CHECK(last[0][first - 1] == before + 2 * first - 1, "slice 0 ends at %d", last[0][first - 1]);
  CHECK(last[1][0] == before + 2 * UNITS, "the second segment begins at %d", last[1][0]);
}

/// Every slice notes its CPU.
static void note_cpu(const void *args, int64_t begin, int64_t end, void *scratch) {
  (void)scratch;
  for (int64_t i = begin; i < end; i++) (*(int *const *)args)[i] = sched_getcpu();
}

/// A process that may use one CPU alone: it counts one, and pinned threads stay there.
static void confined(int cpu) {
  CHECK(clat_team_available_cpus() == 1, "%d CPUs", clat_team_available_cpus());
  CHECK(clat_team_pin(2) == 0, "pinning fails");
  int cpus[2] = {-1, -1}, *const data = cpus;
  const void *args[] = {&data, &data};
  const int64_t bounds[] = {0, 1, 2};
  const clat_instruction in = {note_cpu, args, bounds, 0};
  const clat_segment segment = {&in, 1, 1};
  const clat_section section = {&segment, 1, 1};
  clat_team_run(&section, 1, 2, NULL, NULL);
  CHECK(cpus[0] == cpu && cpus[1] == cpu, "threads on CPUs %d and %d, not %d", cpus[0], cpus[1],
        cpu);
}

/// Runs this program again under a mask of its last CPU.
static void affinity_mask(const char *program) {
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) abort();
  int cpu = CPU_SETSIZE - 1;
  while (!CPU_ISSET(cpu, &mask)) cpu--;
  const pid_t child = fork();
  if (child == 0) {
    char argument[16];
    snprintf(argument, sizeof argument, "%d", cpu);
    CPU_ZERO(&mask);
    CPU_SET(cpu, &mask);
    if (sched_setaffinity(0, sizeof mask, &mask) == 0) {
      execl(program, program, argument, (char *)NULL);
    }
    _exit(127);
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the confined process fails: %d", status);
}

int main(int argc, char **argv) {
  if (argc > 1) {
    confined(atoi(argv[1]));
    return finish("team_test on one CPU");
  }
  affinity_mask("/proc/self/exe");
  same_bits_for_any_team();
  times_every_instruction();
  for (int t = 1; t <= THREADS; t++) {
    flushes_denormals_and_restores(t);
    slices_have_their_own_arguments(t);
  }
  segments_run_slice_by_slice();
  control_groups();
  cpus();
  return finish("team_test");
}
