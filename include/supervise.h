/* supervise.h - a set of plugins beside a main process
 * SPDX-License-Identifier: Apache-2.0
 *
 * kin_guard() first, then supervise_init(), then plugins are found and added,
 * then supervise_run(), which ends them all and returns the exit status.
 */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include "job.h"

struct supervise {
	char *const *main_argv;		/* NULL: none */
	int    guard_fd;		/* readable when the warden is gone, -1 */
	pid_t  group;			/* we came in: has the terminal, maybe */
	pid_t  follow;			/* ends when this process does; 0: none */
	bool   until_done;		/* ends when every plugin has */
	bool   watch;			/* notices changed plugin files */
	const struct addr *wait_for;	/* plugins start when this answers, or NULL */
	char *const *locations;		/* ends with NULL */
	void (*on_begun)(void);		/* every plugin had its first start, or NULL */
	int  (*find)(struct plugins *ps);	/* everything there is now: 0, or -1 */
};
extern struct supervise supervise;

extern struct job *jobs;		/* in the order they were found */
extern unsigned long long orphans_reaped;

/* Signals, the guardian, the process followed. 0, or -1 with *why. */
int  supervise_init(const char **why);
/* Looks at the locations: new files become jobs, changed ones are restarted,
 * those gone are stopped. 0, or -1 with errno. */
int  supervise_scan(void);
int  supervise_run(void);
/* Everything ends; status is what supervise_run() returns. */
void supervise_end(int status);
struct job *supervise_find(const char *name);

#endif
