/* child.h - starting one process, fenced in
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CHILD_LIMITS = 8 };

struct child_limit { int what; uint64_t value; };	/* RLIMIT_... */

struct child_spec {
	char *const *argv;	/* argv[0] is looked up by nobody: see file */
	const char  *file;	/* what is executed */
	char *const *env;
	int   file_fd;		/* the script or program, kept open under its number; -1 */
	int   out, err;		/* become 1 and 2; -1: inherited */
	int   ready;		/* kept open under its number; -1 */
	bool  own_stdin;	/* stdin stays; otherwise /dev/null */
	bool  session;		/* a session of its own */
	bool  keep_fds;		/* other inherited descriptors stay open */
	int   nice;		/* added; 0 */
	uid_t uid;		/* (uid_t)-1: unchanged */
	gid_t gid;
	const char *user;	/* for its supplementary groups, with uid */
	const char *cgroup;	/* path of a cgroup.procs file to enter, or NULL */
	struct child_limit limits[CHILD_LIMITS];
	int   limits_n;
};

/* It dies with this process. The pid, or -1 with errno. What fails after the fork is a line on the
 * child's stderr and exit 126 (127: not there). Its group (and without
 * .session too) is its own pid. */
pid_t child_start(const struct child_spec *c);

/* "exited with code 3", "was killed by SIGKILL": static buffer. */
const char *child_end(int status);
int child_code(int status);	/* as a shell has it: 128 + signal */

/* "TERM", or "SIG%d" for the odd ones; static buffer. */
const char *child_signal(int signo);

#endif
