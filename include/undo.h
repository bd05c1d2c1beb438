/* undo.h - what was changed for a while, in files that outlive this process
 * SPDX-License-Identifier: Apache-2.0
 *
 * A journal is one file for each process: JSON, mode 0600, in
 * $XDG_STATE_HOME/lmc, or ~/.local/state/lmc, or /tmp/lmc-UID. It is written
 * before the change and removed when all is as before.
 */
#ifndef UNDO_H
#define UNDO_H

#include <sys/types.h>

#include "call.h"

enum { UNDO_FILES = 1024, UNDO_FILE = 4 << 20 };

struct undo {			/* one level of one logger of one node */
	struct call_node node;
	char *logger, *level;
	bool  done;
};

struct undos {
	struct undo *v;
	int   n;
	char *path;		/* the journal */
	char *token_file;	/* or NULL */
	pid_t pid;
	bool  alive;		/* its process still is */
};

void undo_add(struct undos *u, const struct call_node *node,
	      const char *logger, const char *level);
/* Writes what is not done yet, or removes the file when all is: 0, or -1 with
 * errno and u->path the name. */
int  undo_write(struct undos *u);
/* All journals there are: how many, or -1 with errno; *dir names the place. */
int  undo_find(struct undos **out, const char **dir);
/* The same logger of the same node in another one's journal, or NULL. alive:
 * only where the other is still at work, and will set it back. */
struct undo *undo_other(const struct undos *all, int n, bool alive,
			const struct call_node *node, const char *logger);

#endif
