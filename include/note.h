/* note.h - what a plugin says about itself in a "# lmc:" comment line
 * SPDX-License-Identifier: Apache-2.0
 *
 *	# lmc: restart=always memory=64M schedule="0 3 * * *"
 *
 * One or more such lines among a script's first NOTE_LINES lines; later
 * values win. A key or value that is not known is an error, not a guess.
 */
#ifndef NOTE_H
#define NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cron.h"

enum { NOTE_LINES = 40, NOTE_BYTES = 8 << 10, NOTE_USER = 64 };

enum restart { RESTART_UNSET, RESTART_NEVER, RESTART_ON_FAILURE, RESTART_ALWAYS };

struct note {
	enum restart restart;
	bool     ready_fd;		/* ready=fd */
	int      nice;
	int64_t  memory;		/* bytes, 0: no limit; likewise below */
	int64_t  timeout_ms, grace_ms;	/* grace -1: not said */
	int64_t  cpu_ms;
	long     files, procs;
	char     user[NOTE_USER];
	struct cron schedule;		/* .kind CRON_NONE: a service */
};

/* From the first bytes of a file. 0, or -1 with why ("memory=lots: ..."). */
int note_parse(struct note *n, const char *p, size_t len, char *why, size_t why_n);

/* "never", "on-failure", "always"; RESTART_UNSET for anything else. */
enum restart restart_named(const char *s);

#endif
