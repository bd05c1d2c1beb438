/* spool.h - lines kept on disk until they are sent
 * SPDX-License-Identifier: Apache-2.0
 *
 * A directory of segments. A record is a line together with where it was
 * read, so what a kill leaves behind says by itself how far the sources have
 * been read; how far has been sent stands in a file of its own. A record cut
 * short by a crash is cut off when the spool is opened again.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

enum {
	SPOOL_SEGMENT = 16 << 20,	/* bytes after which a new segment begins */
	SPOOL_TEXT    = 64 << 10,	/* bytes of a line */
	SPOOL_SOURCES = 1024,
	SPOOL_LOCK_MS = 2000
};

/* How far a source has been read. */
struct spool_source {
	char    *path;
	uint64_t inode, offset;
};

struct spool_record {
	const char *path, *text;	/* path NUL-terminated, text not */
	size_t   n;
	size_t   end;			/* bytes of the spool up to here, from the first not sent */
	uint64_t time_us;		/* wall clock when it was read; never the same twice */
};

struct spool {
	int      dir;
	int      write_fd, read_fd, sent_fd;
	uint64_t write_gen, read_gen;
	uint64_t write_size, read_at;	/* bytes in their segments */
	uint64_t bytes;			/* not sent yet */
	uint64_t handed;		/* of these: handed over when a kill came, see below */
	uint64_t last_us;
	struct spool_source sources[SPOOL_SOURCES];
	int      sources_n;
	struct buf pending;		/* records not written yet */
	struct buf peek;		/* what spool_next() reads in */
	size_t   peek_at;
};

/* Makes dir if need be and locks it. 0, or -1 with errno (EWOULDBLOCK: another
 * process has it, and has had it for SPOOL_LOCK_MS: one that was killed takes a moment
 * to be gone). */
int  spool_open(struct spool *s, const char *dir);
void spool_close(struct spool *s);

struct spool_source *spool_source(struct spool *s, const char *path);
/* A line of a source read up to offset; on disk after spool_flush(). */
int  spool_add(struct spool *s, struct spool_source *src, uint64_t offset,
	       const char *p, size_t n);
int  spool_flush(struct spool *s);

/* Records not sent, in order, from the first on: spool_rewind() goes back to
 * it. 1 with *r filled, 0: no more, -1 with errno. */
int  spool_next(struct spool *s, struct spool_record *r);
void spool_rewind(struct spool *s);
/* The first n bytes, as .end counts, are sent. 0 or -1. */
int  spool_sent(struct spool *s, size_t n);
/* They are on their way: whoever opens the spool after a kill finds them in
 * .handed, and decides. n 0: they are not, after all. */
int  spool_hand(struct spool *s, size_t n);
bool spool_empty(const struct spool *s);

#endif
