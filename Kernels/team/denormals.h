// Denormal numbers cost a hundred cycles each and carry no information for training: flush them to
// zero.
#ifndef CLAT_TEAM_DENORMALS_H
#define CLAT_TEAM_DENORMALS_H

#include <stdint.h>

#if defined(__x86_64__)
typedef uint32_t clat_float_mode;
static inline clat_float_mode clat_float_mode_get(void) { return __builtin_ia32_stmxcsr(); }
static inline void clat_float_mode_set(clat_float_mode mode) { __builtin_ia32_ldmxcsr(mode); }
enum { CLAT_FLUSH = 0x8040 }; // FTZ and DAZ
#elif defined(__aarch64__)
typedef uint64_t clat_float_mode;
static inline clat_float_mode clat_float_mode_get(void) {
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
static inline void clat_float_mode_set(clat_float_mode mode) {
  __asm__ volatile("msr fpcr, %0" : : "r"(mode));
}
enum { CLAT_FLUSH = 1 << 24 }; // FZ
#else
typedef uint32_t clat_float_mode;
static inline clat_float_mode clat_float_mode_get(void) { return 0; }
static inline void clat_float_mode_set(clat_float_mode mode) { (void)mode; }
enum { CLAT_FLUSH = 0 };
#endif

/// Returns the mode to restore.
static inline clat_float_mode clat_flush_denormals(void) {
  const clat_float_mode mode = clat_float_mode_get();
  clat_float_mode_set(mode | CLAT_FLUSH);
  return mode;
}

#endif
