/* upstream.c - a node made of speed only: what the proxies are measured with
 * SPDX-License-Identifier: Apache-2.0
 *
 * upstream [-m FILE] LISTEN...
 *
 * GET .../b/N answers N bytes: of FILE where it is long enough, of a pattern
 * otherwise. POST takes a body of any size, drops it, and answers how many
 * bytes came. Any other GET, as a proxy's probe sends it, gets a few bytes of
 * JSON. HTTP/1.1 with keep-alive and Content-Length, nothing else.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"

enum {
	BLOCK     = 256 << 10,	/* multiple of the pattern's 256 bytes */
	HEAD      = 4 << 10,
	COUNT     = 20,		/* bytes of the answer to an upload */
	LISTENERS = 4,
	EVENTS    = 512,
	QUIET     = EPOLLIN | EPOLLRDHUP | EPOLLET
};

struct conn {
	int      fd;
	bool     listens, post, waits;
	bool     other;		/* a path without /b/: asked by a probe */
	bool     drained;	/* the last read gave less than asked for */
	bool     closing;	/* the other side will send no more */
	uint64_t body, left;	/* answer: size, bytes still to send */
	uint64_t drop, dropped;	/* upload: bytes to come, bytes seen */
	size_t   head_n, head_left, got;
	char     head[256];	/* of the answer */
	char     in[HEAD];
};

static int ep;
static char pattern[BLOCK], sink[BLOCK];
static char *text;
static const char other[] = "\"bench\"\n";
static size_t text_n;

/* The answer's bytes from this offset on: *n of them, at least one. */
static const char *body_at(const struct conn *c, uint64_t at, size_t *n)
{
	uint64_t left = c->body - at;
	size_t phase = at % 256, room = BLOCK - phase;

	if (c->other) {
		*n = (size_t)left;
		return other + at;
	}
	if (c->body <= text_n) {
		*n = (size_t)left;
		return text + at;
	}
	*n = left < room ? (size_t)left : room;
	return pattern + phase;
}

static void compose(struct conn *c)
{
	c->head_n = (size_t)snprintf(c->head, sizeof c->head,
		"HTTP/1.1 200 OK\r\n"
		"date: Mon, 23 Nov 2026 04:29:49 GMT\r\n"
		"server: uvicorn\r\n"
		"content-length: %llu\r\n"
		"content-type: text/plain; charset=utf-8\r\n\r\n",
		(unsigned long long)c->body);
	c->head_left = c->head_n;
	c->left = c->body;
}

/* Padded to a fixed length, and sent with the head. */
static void compose_count(struct conn *c)
{
	c->body = COUNT;
	compose(c);
	c->head_n += (size_t)snprintf(c->head + c->head_n,
		sizeof c->head - c->head_n, "%-*llu", COUNT,
		(unsigned long long)c->dropped);
	c->head_left = c->head_n;
	c->left = 0;
	c->post = false;
}

static void want_out(struct conn *c, bool want)
{
	if (c->waits != want)
		watch(ep, EPOLL_CTL_MOD, c->fd,
		      QUIET | (want ? EPOLLOUT : 0), c);
	c->waits = want;
}

/* 1: all sent, 0: the socket is full, -1: gone. */
static int answer(struct conn *c)
{
	while (c->head_left || c->left) {
		struct iovec v[2] = { { c->head + c->head_n - c->head_left,
		                        c->head_left } };
		struct msghdr m = { .msg_iov = v, .msg_iovlen = 1 };
		ssize_t sent;
		size_t n;

		if (c->left) {
			v[1].iov_base = (char *)body_at(c, c->body - c->left,
			                                &v[1].iov_len);
			m.msg_iovlen = 2;
		}
		sent = sendmsg(c->fd, &m, MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN ? 0 : -1;
		n = (size_t)sent < c->head_left ? (size_t)sent : c->head_left;
		c->head_left -= n;
		c->left -= (size_t)sent - n;
	}
	return 1;
}

/* A head at c->in: false if it is not there yet. */
static bool take_head(struct conn *c)
{
	char *end, *p;

	c->in[c->got] = '\0';
	end = strstr(c->in, "\r\n\r\n");
	if (!end) {
		if (c->got == sizeof c->in - 1)
			fatal("a head of more than %d bytes", HEAD);
		return false;
	}
	end[2] = '\0';
	end += 4;
	c->post = c->in[0] == 'P';
	c->drop = c->dropped = c->body = 0;
	c->other = false;
	if (c->post) {
		p = strcasestr(c->in, "\r\ncontent-length:");
		if (!p)
			fatal("an upload without a length: %s", c->in);
		c->drop = strtoull(p + 17, NULL, 10);
	} else {
		p = strstr(c->in, "/b/");
		c->other = !p;
		c->body = p ? strtoull(p + 3, NULL, 10) : sizeof other - 1;
	}
	c->got -= (size_t)(end - c->in);
	memmove(c->in, end, c->got);
	return true;
}

/* Upload bytes that came with the head. */
static void drop_early(struct conn *c)
{
	size_t n = c->got < c->drop ? c->got : (size_t)c->drop;

	c->drop -= n;
	c->dropped += n;
	c->got -= n;
	memmove(c->in, c->in + n, c->got);
}

/* Composes an answer if a request is complete. */
static bool next_request(struct conn *c)
{
	if (!c->post && !take_head(c))
		return false;
	if (!c->post) {
		compose(c);
		return true;
	}
	drop_early(c);
	if (c->drop)
		return false;
	compose_count(c);
	return true;
}

static ssize_t fill(struct conn *c)
{
	size_t room = sizeof c->in - 1 - c->got;
	ssize_t n;

	if (c->drop)
		room = c->drop < BLOCK ? (size_t)c->drop : BLOCK;
	n = recv(c->fd, c->drop ? sink : c->in + c->got, room, 0);
	if (n <= 0)
		return n;
	c->drained = (size_t)n < room && !c->closing;
	if (c->drop) {
		c->drop -= (size_t)n;
		c->dropped += (uint64_t)n;
	} else {
		c->got += (size_t)n;
	}
	return n;
}

static void hang_up(struct conn *c)
{
	close(c->fd);
	free(c);
}

/* Reads and answers until the socket gives or takes no more. */
static void serve(struct conn *c)
{
	ssize_t n;
	int done;

	for (;;) {
		done = answer(c);
		if (done < 0)
			break;
		want_out(c, !done);
		if (!done)
			return;
		if (next_request(c))
			continue;
		if (c->drained) {
			c->drained = false;
			return;
		}
		n = fill(c);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			break;
	}
	hang_up(c);
}

static void welcome(struct conn *listener)
{
	struct conn *c;
	int fd;

	while ((fd = next_client(listener->fd)) >= 0) {
		c = calloc(1, sizeof *c);
		if (!c)
			fatal("no memory");
		c->fd = fd;
		watch(ep, EPOLL_CTL_ADD, fd, QUIET, c);
	}
}

static void read_text(const char *path)
{
	FILE *f = fopen(path, "rb");

	text = malloc(BLOCK);
	if (!f || !text)
		fatal("unable to read %s:", path);
	text_n = fread(text, 1, BLOCK, f);
	fclose(f);
}

int main(int argc, char **argv)
{
	static struct conn listeners[LISTENERS];
	struct epoll_event got[EVENTS];
	int n, opt;

	while ((opt = getopt(argc, argv, "m:")) > 0) {
		if (opt != 'm')
			return 2;
		read_text(optarg);
	}
	if (argc == optind || argc - optind > LISTENERS)
		fatal("usage: upstream [-m FILE] LISTEN...");
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < BLOCK; i++)
		pattern[i] = (char)(i % 256);
	ep = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < argc - optind; i++) {
		listeners[i].fd = listen_on(argv[optind + i]);
		listeners[i].listens = true;
		watch(ep, EPOLL_CTL_ADD, listeners[i].fd, EPOLLIN,
		      &listeners[i]);
		say_bound(listeners[i].fd);
	}
	for (;;) {
		n = epoll_wait(ep, got, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = got[i].data.ptr;

			c->closing |= !!(got[i].events & EPOLLRDHUP);
			if (c->listens)
				welcome(c);
			else
				serve(c);
		}
	}
}
