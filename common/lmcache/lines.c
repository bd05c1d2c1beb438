/* lines.c - see lines.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "lines.h"

enum {
	CHUNK  = 64 << 10,
	BUDGET = 4 * CHUNK,	/* bytes of one stream per turn: the others wait too */
	CLOSE_ROUNDS = 16	/* what a pipe can hold, and no more of a flood */
};

static char chunk[CHUNK];
static struct lines *held, **held_end = &held;

static void tell(struct lines *l)
{
	char text[64];
	int n;

	if (!l->untold)
		return;
	n = snprintf(text, sizeof text, "%llu lines of its output were dropped", l->untold);
	if (sink_line(l->sink, l->name, STREAM_LMC, text, (size_t)n) == 0)
		l->untold = 0;
}

static void emit(struct lines *l, const char *p, size_t n)
{
	if (n && p[n - 1] == '\r')
		n--;
	tell(l);
	if (!l->untold && sink_line(l->sink, l->name, l->stream, p, n) == 0) {
		l->taken++;
	} else {
		l->dropped++;
		l->untold++;
	}
}

static void keep(struct lines *l, const char *p, size_t n)
{
	char *more = n ? realloc(l->part, l->part_n + n) : NULL;

	if (!more) {
		if (n)
			emit(l, p, n);	/* no memory: as a line of its own */
		return;
	}
	l->part = more;
	memcpy(l->part + l->part_n, p, n);
	l->part_n += n;
}

static void part_out(struct lines *l)
{
	if (l->part)
		emit(l, l->part, l->part_n);
	free(l->part);
	l->part = NULL;
	l->part_n = 0;
}

/* Up to a newline or a full line; returns the bytes used. */
static size_t feed(struct lines *l, const char *p, size_t n)
{
	size_t room = SINK_LINE - l->part_n, look = n < room ? n : room;
	const char *nl = memchr(p, '\n', look);
	size_t len = nl ? (size_t)(nl - p) : look;

	if (!nl && len < room) {
		keep(l, p, len);
		return len;
	}
	if (l->part_n) {
		keep(l, p, len);
		part_out(l);
	} else {
		emit(l, p, len);
	}
	return len + (nl != NULL);
}

static void take(struct lines *l, size_t n)
{
	size_t at = 0;

	while (at < n)
		at += feed(l, chunk + at, n - at);
}

static void hold(struct lines *l)
{
	if (l->held)
		return;
	l->held = true;
	l->next_held = NULL;
	*held_end = l;
	held_end = &l->next_held;
}

static void let_go(struct lines *l)
{
	struct lines **at = &held;

	if (!l->held)
		return;
	while (*at != l)
		at = &(*at)->next_held;
	*at = l->next_held;
	if (held_end == &l->next_held)
		held_end = at;
	l->held = false;
}

static void end(struct lines *l)
{
	int fd = l->watch.fd;

	part_out(l);
	tell(l);
	watch_del(&l->watch);
	task_cancel(&l->task);
	if (fd >= 0)
		close(fd);
	if (l->untold)
		hold(l);
}

static void read_on(struct task *t);

static void work(struct lines *l)
{
	size_t budget = BUDGET;
	ssize_t n;

	while (budget) {
		if (sink_full(l->sink)) {
			hold(l);
			return;
		}
		n = read(l->watch.fd, chunk, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			end(l);
			return;
		}
		take(l, (size_t)n);
		budget -= (size_t)n < budget ? (size_t)n : budget;
	}
	task_later(&l->task, read_on);
}

static void read_on(struct task *t)
{
	struct lines *l = (struct lines *)((char *)t - offsetof(struct lines, task));

	if (l->watch.fd >= 0) {
		work(l);
		return;
	}
	tell(l);
	if (l->untold)
		hold(l);
}

static void on_ready(struct watch *w, unsigned ready)
{
	struct lines *l = (struct lines *)w;

	if (ready & READY_IN && !l->held && !l->task.queued)
		work(l);
}

int lines_open(struct lines *l, int fd, struct sink *s, const char *name, enum stream st)
{
	l->sink = s;
	l->name = name;
	l->stream = st;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return watch_add(&l->watch, fd, on_ready);
}

void lines_close(struct lines *l)
{
	int rounds;
	ssize_t n;

	let_go(l);
	task_cancel(&l->task);
	if (l->watch.fd < 0)
		return;
	for (rounds = 0; rounds < CLOSE_ROUNDS; rounds++) {
		n = read(l->watch.fd, chunk, CHUNK);
		if (n <= 0)
			break;
		take(l, (size_t)n);
	}
	end(l);
}

void lines_drain(struct lines *l, int64_t end_ms)
{
	int64_t left;
	ssize_t n;

	while (l->watch.fd >= 0 && (left = end_ms - clock_ms()) > 0) {
		if (l->sink->queue.len > SINK_QUEUE / 2)
			sink_drain(l->sink, left);
		if (l->sink->queue.len > SINK_QUEUE / 2)
			return;
		n = read(l->watch.fd, chunk, CHUNK);
		if (n <= 0)
			return;
		take(l, (size_t)n);
	}
}

void lines_init(struct lines *l)
{
	memset(l, 0, sizeof *l);
	l->watch.fd = -1;
}

void lines_free(struct lines *l)
{
	lines_close(l);
	let_go(l);
}

/* Everyone waiting gets its turn, not now but after this one. */
void lines_go_on(struct sink *s)
{
	struct lines *l;

	(void)s;
	while ((l = held)) {
		let_go(l);
		task_later(&l->task, read_on);
	}
}
