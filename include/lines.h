/* lines.h - a process's output, line by line, into a sink
 * SPDX-License-Identifier: Apache-2.0
 *
 * Never more than SINK_LINE bytes are kept of a stream: what has no newline
 * by then goes on as pieces. When the sink is full the stream is left alone,
 * for as long as the sink has patience; after that lines are read and
 * dropped, and how many is told as soon as there is room.
 */
#ifndef LINES_H
#define LINES_H

#include "sink.h"

struct lines {
	struct watch watch;
	struct task  task;
	struct lines *next_held;	/* among those waiting for room */
	bool         held;
	struct sink *sink;
	const char  *name;		/* the owner's */
	enum stream  stream;
	char        *part;		/* a line without its end, or NULL */
	size_t       part_n;
	unsigned long long taken, dropped, untold;	/* of every run */
};

void lines_init(struct lines *l);
/* fd becomes l's, non-blocking; closed when everybody has closed it at the
 * other end. 0, or -1 with errno. */
int  lines_open(struct lines *l, int fd, struct sink *s, const char *name, enum stream st);
/* Takes what is there without waiting, then closes. */
void lines_close(struct lines *l);
/* Before the end: takes what is there at the pace of the sink, until then. */
void lines_drain(struct lines *l, int64_t end_ms);	/* clock_ms() scale */
/* As lines_close(), and l may go. */
void lines_free(struct lines *l);
/* For sink.on_room. */
void lines_go_on(struct sink *s);

#endif
