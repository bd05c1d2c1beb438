/* helper.h - this program started again beside the frontend, and kept running
 * SPDX-License-Identifier: Apache-2.0
 *
 * What needs libcurl or may block runs in a process of its own, so that no
 * request ever waits for it. A helper ends with the frontend, however that
 * ends; one that ends by itself is started again, after 1 s, 2 s, 4 s, ... at
 * most a minute. Its stderr is the frontend's, its stdin /dev/null.
 */
#ifndef HELPER_H
#define HELPER_H

#include <sys/types.h>

#include "buf.h"
#include "loop.h"

struct helper {
	/* The user's; argv[0] is "lmc", NULL ends it; it must stay as it is
	 * until helper_stop(). */
	const char  *name;		/* for the log: "heartbeat" */
	char *const *argv;
	/* Each line of its stdout, without its end; p[n] is NUL. Longer ones
	 * than line_max bytes are logged and left out. line NULL: its stdout is
	 * the frontend's. It may call helper_stop(). */
	size_t       line_max;
	void       (*line)(struct helper *h, char *p, size_t n);
	/* It is (again) just started, or has ended: its lines begin anew. NULL:
	 * nobody. */
	void       (*began)(struct helper *h);
	void        *ctx;
	/* what is known */
	pid_t        pid;		/* 0: not running now */
	bool         wanted;		/* started, and not stopped since */
	/* private */
	int64_t      delay, since;
	struct timer timer;		/* to start it again, or to kill it */
	struct watch out;
	struct buf   part;
	bool         skipping;		/* what comes belongs to a line that is too long */
	bool         known;
	bool         again;	/* started while the one before is ending */
	struct helper *next;
};

/* Starts it and keeps it running. A first start that fails is tried again
 * like any other. Before the first one: loop_init(). */
void helper_start(struct helper *h);
/* SIGTERM, and SIGKILL if that is not enough; at_once: SIGKILL now, for one
 * whose successor is there already. */
void helper_stop(struct helper *h, bool at_once);
/* All of them. */
void helpers_stop(bool at_once);
/* Calls then() when no helper is left, maybe from in here: at the end, for the
 * end of this process is theirs too. */
void helpers_wait(void (*then)(void));

#endif
