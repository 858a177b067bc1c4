#ifndef CLAT_TEAM_CPUS_H
#define CLAT_TEAM_CPUS_H

/// CPUs that the control group grants, rounded up, or 0 where it sets no limit. `membership` is the
/// path of /proc/self/cgroup and `root` that of /sys/fs/cgroup (parameters, so that tests can offer
/// their own).
int clat_cgroup_cpus(const char *membership, const char *root);

#endif
