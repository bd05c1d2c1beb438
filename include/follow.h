/* follow.h - reading log files as they grow, through rotation, into a spool
 * SPDX-License-Identifier: Apache-2.0
 *
 * A file is read from where the spool says it was read to, or from its
 * beginning. When another file stands under its name the old one is read to
 * its end first. What was rotated away while nobody looked is found in the
 * same directory (NAME.*) by its inode, and read on, with all that came after
 * it. A file that became shorter is read anew.
 */
#ifndef FOLLOW_H
#define FOLLOW_H

#include "loop.h"
#include "spool.h"

enum { FOLLOW_FILES = 256 };

struct follow {
	struct spool *spool;
	struct spool_source *source;
	char    *path;
	int      fd;			/* -1: not there now */
	bool     stream;		/* stdin: no offsets */
	bool     ended;			/* a stream at its end */
	bool     more;			/* a turn was not enough to reach the end */
	bool     from_end;		/* a file never seen before: only what is new */
	uint64_t at;			/* bytes read */
	struct buf part;		/* a line without its end */
	unsigned long long lines;
};

/* path "-": stdin. 0, or -1 with errno. */
int  follow_open(struct follow *f, struct spool *s, const char *path, bool from_end);
/* Reads what is there, up to a bounded turn: how many lines, or -1 with errno (the spool's disk). */
long follow_read(struct follow *f);
void follow_close(struct follow *f);

#endif
