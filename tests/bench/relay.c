/* relay.c - the floor: bytes from one socket to another, nothing understood
 * SPDX-License-Identifier: Apache-2.0
 *
 * relay [-s] [-x NS] LISTEN UPSTREAM
 *
 * Each client connection gets an upstream connection of its own. A request
 * that fits the buffer costs two reads, two writes and its share of
 * epoll_wait. -s moves by splice(2) what fills the buffer. -x burns NS
 * nanoseconds per request: a relay made slower on purpose, to see that the
 * bench notices.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum {
	BUFFER = 64 << 10,
	PIPE   = 1 << 20,
	EVENTS = 512,
	QUIET  = EPOLLIN | EPOLLRDHUP | EPOLLET
};

/* One socket of a pair; what is held waits to be written to it. */
struct end {
	struct end *peer;
	char  *held;
	size_t at, n;
	int    fd, pipe[2];
	size_t piped;		/* bytes in the pipe, for this end */
	bool   client, waits, gone;
	bool   closing;		/* the other side will send no more */
};

static int ep;
static bool splicing;
static uint64_t burn_ns;
static char buffer[BUFFER];
static struct end *dead;	/* pairs to free after the turn, by .held */

static void burn(void)
{
	uint64_t end = burn_ns ? now_ns() + burn_ns : 0;

	while (end && now_ns() < end)
		continue;
}

static void bury(struct end *e)
{
	close(e->fd);
	free(e->held);
	if (e->pipe[0]) {
		close(e->pipe[0]);
		close(e->pipe[1]);
	}
	e->gone = true;
}

/* Later events of this turn may still name the pair: it is freed after. */
static void end_pair(struct end *e)
{
	struct end *first = e->client ? e : e->peer;

	if (e->gone)
		return;
	bury(first);
	bury(first->peer);
	first->held = (char *)dead;
	dead = first;
}

static void want_out(struct end *e, bool want)
{
	if (e->waits != want)
		watch(ep, EPOLL_CTL_MOD, e->fd,
		      QUIET | (want ? EPOLLOUT : 0), e);
	e->waits = want;
}

/* Is all that waited for this end written? */
static bool flush_pipe(struct end *e)
{
	while (e->piped) {
		ssize_t n = splice(e->pipe[0], NULL, e->fd, NULL, e->piped,
		                   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
		if (n <= 0)
			return false;
		e->piped -= (size_t)n;
	}
	return true;
}

static bool flush_held(struct end *e)
{
	while (e->n) {
		ssize_t n = send(e->fd, e->held + e->at, e->n, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		e->at += (size_t)n;
		e->n -= (size_t)n;
	}
	return true;
}

static void hold(struct end *e, const char *p, size_t n)
{
	if (!e->held && !(e->held = malloc(BUFFER)))
		fatal("no memory");
	memcpy(e->held, p, n);
	e->at = 0;
	e->n = n;
	want_out(e, true);
}

static void pump_pipe(struct end *from, struct end *to)
{
	if (!to->pipe[0]) {
		if (pipe2(to->pipe, O_NONBLOCK | O_CLOEXEC) < 0)
			fatal("unable to open a pipe:");
		fcntl(to->pipe[1], F_SETPIPE_SZ, PIPE);
	}
	for (;;) {
		ssize_t n = splice(from->fd, NULL, to->pipe[1], NULL, PIPE,
		                   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			end_pair(from);
			return;
		}
		to->piped = (size_t)n;
		if (!flush_pipe(to)) {
			want_out(to, true);
			return;
		}
	}
}

static void pump(struct end *from, struct end *to)
{
	ssize_t n, sent;

	do {
		n = recv(from->fd, buffer, sizeof buffer, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			end_pair(from);
			return;
		}
		if (from->client)
			burn();
		sent = send(to->fd, buffer, (size_t)n, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN) {
			end_pair(from);
			return;
		}
		if (sent < 0)
			sent = 0;
		if (sent < n) {
			hold(to, buffer + sent, (size_t)(n - sent));
			return;
		}
	} while ((n == sizeof buffer && !splicing) || from->closing);
	if (n == sizeof buffer)
		pump_pipe(from, to);
}

static void on_event(struct end *e, uint32_t got)
{
	if (e->gone)
		return;
	if (got & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		e->closing = true;
	if (got & EPOLLOUT && e->waits) {
		if (!flush_held(e) || !flush_pipe(e)) {
			if (errno != EAGAIN)
				end_pair(e);
			return;
		}
		want_out(e, false);
		pump(e->peer, e);
	}
	if (!e->gone && got & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR) &&
	    !e->peer->waits)
		pump(e, e->peer);
}

static void welcome(int listener, const char *upstream)
{
	struct end *pair;
	int fd;

	while ((fd = next_client(listener)) >= 0) {
		pair = calloc(2, sizeof *pair);
		if (!pair)
			fatal("no memory");
		pair[0] = (struct end){ .fd = fd, .client = true,
		                        .peer = &pair[1] };
		pair[1] = (struct end){ .fd = dial(upstream),
		                        .peer = &pair[0] };
		if (pair[1].fd < 0)
			fatal("unable to reach %s:", upstream);
		watch(ep, EPOLL_CTL_ADD, pair[0].fd, QUIET, &pair[0]);
		watch(ep, EPOLL_CTL_ADD, pair[1].fd, QUIET, &pair[1]);
	}
}

static void free_dead(void)
{
	while (dead) {
		struct end *e = dead;

		dead = (struct end *)(void *)e->held;
		free(e);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event got[EVENTS];
	int listener, n, opt;

	while ((opt = getopt(argc, argv, "sx:")) > 0) {
		if (opt == 's')
			splicing = true;
		else if (opt == 'x')
			burn_ns = number(optarg);
		else
			return 2;
	}
	if (argc - optind != 2)
		fatal("usage: relay [-s] [-x NS] LISTEN UPSTREAM");
	signal(SIGPIPE, SIG_IGN);
	listener = listen_on(argv[optind]);
	ep = epoll_create1(EPOLL_CLOEXEC);
	watch(ep, EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
	say_bound(listener);
	for (;;) {
		n = epoll_wait(ep, got, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			if (got[i].data.ptr)
				on_event(got[i].data.ptr, got[i].events);
			else
				welcome(listener, argv[optind + 1]);
		}
		free_dead();
	}
}
