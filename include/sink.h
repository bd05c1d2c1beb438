/* sink.h - where plugins' lines go, without ever waiting for it
 * SPDX-License-Identifier: Apache-2.0
 *
 * A line is taken into a bounded queue and written when the place takes it:
 * stderr, a directory of rotated files, or syslog. While the queue is full
 * the readers are asked to hold on; when the place takes nothing for
 * SINK_PATIENCE_MS, lines are dropped instead and counted by whoever offers
 * them. What a plugin wrote is escaped: control characters and bytes that
 * are not UTF-8 as \xNN.
 */
#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "loop.h"
#include "url.h"

enum {
	SINK_QUEUE       = 256 << 10,	/* bytes that wait at most */
	SINK_LOW         = 64 << 10,	/* readers go on below this */
	SINK_LINE        = 16 << 10,	/* bytes of one line; longer ones are cut in pieces */
	SINK_PATIENCE_MS = 1000,
	SINK_FILES       = 4096		/* open or remembered files of a directory */
};

enum stream { STREAM_OUT, STREAM_ERR, STREAM_LMC };	/* LMC: what we say about it */

struct sink {
	/* all: take what is queued; the queue's front is dropped by it */
	void  (*flush)(struct sink *s);
	/* puts one formatted line into the queue: 0, or -1 */
	int   (*put)(struct sink *s, const char *name, enum stream st, const char *p, size_t n);
	void  (*on_room)(struct sink *s);	/* the owner's: readers may go on */
	bool   json;
	bool   waits;		/* the place takes nothing just now */
	bool   given_up;	/* patience is over */
	struct buf   queue;
	struct watch watch;
	struct timer patience, retry;
	struct task  task;
	unsigned long long lines, bytes;	/* taken */
	/* a directory's */
	const char *dir;
	int64_t size;
	int     count, files_n;
	struct sink_file *files, *current;
	/* syslog's */
	struct addr addr;
	bool     datagram, connecting;
	size_t   sent;		/* bytes of the first message that are out */
	int64_t  delay;
};

void sink_init(struct sink *s);	/* zeroes and defaults; then one of: */
int  sink_stderr(struct sink *s);
/* dir is made if it is not there; size bytes a file, count old ones kept. */
int  sink_dir(struct sink *s, const char *dir, int64_t size, int count);
/* "unix:/dev/log", "udp://HOST:PORT", "tcp://HOST:PORT" (port 514). 0, or -1
 * with *why. */
int  sink_syslog(struct sink *s, const char *where, const char **why);

/* 0, or -1: dropped. n <= SINK_LINE, no newline in it. */
int  sink_line(struct sink *s, const char *name, enum stream st, const char *p, size_t n);
/* True: hold on; on_room will be called. */
bool sink_full(struct sink *s);
/* The last chance before exit: up to ms for what is queued. */
void sink_drain(struct sink *s, int64_t ms);

/* For the three: what a flush found out. */
void sink_moves(struct sink *s);
void sink_stalls(struct sink *s);

/* Text as it may be shown. */
void sink_escape(struct buf *out, const char *p, size_t n);
/* A line as text or JSON, newline included. */
int  sink_format(struct sink *s, bool stamp, const char *name, enum stream st,
		 const char *p, size_t n);

#endif
