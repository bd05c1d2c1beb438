/* journal.h - records appended to a file, so that what was said is still known
 * SPDX-License-Identifier: Apache-2.0
 *
 * Records gather in memory until journal_flush() writes them all: one write,
 * and one sync if wanted, for all that happened in a turn. A record has its
 * length and a checksum. A tail cut short by a crash is cut off when the file
 * is opened; a record damaged in the middle costs itself alone.
 *
 * A journal that has grown is written anew beside the old one, a piece at a
 * time while both take what happens, and takes its place at the end.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

enum {
	JOURNAL_RECORD  = 8 << 10,	/* bytes of a record at most */
	JOURNAL_PENDING = 4 << 20	/* bytes that may wait while the disk is full */
};

/* When written bytes are synced. An answer given after journal_flush() holds
 * through the end of the process in all three; through the end of the machine
 * in the first. */
enum journal_sync { SYNC_ALWAYS, SYNC_INTERVAL, SYNC_NEVER };

struct journal {
	char    *path;			/* NULL: nothing is kept */
	int      fd, next_fd;		/* next: the new one; -1: none */
	enum journal_sync sync;
	uint64_t size, base;		/* bytes written; size when it was new */
	struct buf pending;
	bool     unsynced;
	bool     suspect;		/* a sync failed: what is there must be written anew */
	unsigned long records, rewrites, failures;
};

struct journal_found {
	uint64_t cut, damaged;		/* bytes at the end, and before it, that were no records */
	unsigned long records, unknown;	/* whole ones; those that take() did not want */
	char why[160];			/* on -1 */
};

/* Makes or opens path, locks it, and gives every record to take(), which
 * says 0, or -1: none of ours. 0, or -1 with found->why. */
int  journal_open(struct journal *j, const char *path, enum journal_sync sync,
		  int (*take)(void *ctx, const void *p, size_t n), void *ctx,
		  struct journal_found *found);
void journal_close(struct journal *j);

/* The bytes of a journal: how many of them are good, up to the end of the last
 * whole record. */
size_t journal_read(const char *p, size_t n,
		    int (*take)(void *ctx, const void *p, size_t n), void *ctx,
		    struct journal_found *found);

/* No more can wait: do not change what could not be kept. */
bool journal_full(const struct journal *j);
void journal_add(struct journal *j, const void *p, size_t n);
/* 0, or -1 with errno: what was added since the last success may be lost, and
 * will be tried again. */
int  journal_flush(struct journal *j);
int  journal_sync(struct journal *j);	/* SYNC_INTERVAL's: if there is something to sync */

/* Writing it anew: while journal_rewriting(), pieces by journal_put(), then
 * journal_renew() puts it in place. Each 0, or -1 with errno (it goes on with
 * the old one). */
bool journal_grown(const struct journal *j);
int  journal_rewrite(struct journal *j);
static inline bool journal_rewriting(const struct journal *j) { return j->next_fd >= 0; }
int  journal_put(struct journal *j, struct buf *records);
int  journal_renew(struct journal *j);
/* Appends a record in the journal's form, for journal_put(). */
void journal_frame(struct buf *b, const void *p, size_t n);

#endif
