/* cgroup.h - a cgroup v2 for each job, where we may make one
 * SPDX-License-Identifier: Apache-2.0
 *
 * One group of ours, "lmc-XXXXXX", and in it one for each job. Nothing leaves
 * its group by forking, by a session of its own or by clearing its
 * environment, and cgroup.kill ends a group at once. Where there is no group
 * every function here does nothing. Paths, not descriptors: the guardian and
 * the warden have none open.
 */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdbool.h>
#include <stdint.h>

enum { CGROUP_ALL = -1 };	/* every job */

/* Makes our group below dir, or (NULL) below the one we are in. When nobody
 * else is in that one we leave it for a group "lmc" beside ours: a group with
 * members cannot limit its children. $LMC_FAKE_CGROUP, for tests: dir may be any
 * directory, files are made in it. 0, or -1 with errno. */
int  cgroup_open(const char *dir);
const char *cgroup_top(void);	/* our group's path, or NULL */

/* Makes a job's group, and in it what of the limits (0: none) a controller
 * can hold; those are set to 0. The path of its cgroup.procs in a static buffer,
 * or NULL. */
const char *cgroup_make(long job, int64_t *memory, long *procs);
/* SIGKILL for everything in it. */
void cgroup_kill(long job);
/* How often the kernel has killed something in it for memory.max. */
long cgroup_ooms(long job);
/* The job whose group a line of /proc/PID/cgroup names, or -1. */
long cgroup_job(const char *text);
/* Removes our group, as far as it is empty. */
void cgroup_close(void);

#endif
