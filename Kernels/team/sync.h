// Tells ThreadSanitizer what it cannot see, because the OpenMP runtime is not built for it: that a
// fork, a join and a barrier order memory. Nothing in other builds.
#ifndef CLAT_TEAM_SYNC_H
#define CLAT_TEAM_SYNC_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CLAT_TSAN 1
#endif
#endif

#if defined(CLAT_TSAN)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define CLAT_ACQUIRE(address) __tsan_acquire(address)
#define CLAT_RELEASE(address) __tsan_release(address)
#else
#define CLAT_ACQUIRE(address) ((void)(address))
#define CLAT_RELEASE(address) ((void)(address))
#endif

#endif
