/* load.c - asks as fast as it is answered, and believes no answer unread
 * SPDX-License-Identifier: Apache-2.0
 *
 * load [-c CONNECTIONS] [-d SECONDS | -r REQUESTS] [-b BODY | -u UPLOAD]
 *      [-w AT_ONCE] [-n NUMBERS] [-s] [-x] ADDR PATH
 *
 * A closed loop on kept-alive connections, one thread. Each connection first
 * asks once (AT_ONCE of them at the same time), which is not measured. Then
 * for SECONDS, or REQUESTS in all; what is under way at the end is waited
 * for. -r 0 asks no more, -s waits for a line on stdin before the measured
 * part and again before closing, so that the caller can look at the proxy
 * with the connections open; "ready" and the result are written before.
 *
 * With -n the '@'s of PATH ("/x?y=@@@@@") are a number below NUMBERS, the next
 * one each time. With -x every request has a connection of its own.
 *
 * An answer is right if it has status 200, Content-Length BODY, and as many
 * bytes; for -u, if it tells that UPLOAD bytes came. One JSON object on
 * stdout.
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
	BLOCK    = 256 << 10,
	HEAD     = 8 << 10,
	EVENTS   = 512,
	COUNT    = 20,		/* bytes of the answer to an upload */
	SUB      = 64,		/* steps of the histogram per power of two */
	POWERS   = 40,
	FAILURES = 100,		/* more than these are not worth going on */
	QUIET    = EPOLLIN | EPOLLRDHUP | EPOLLET
};

static struct {
	uint64_t connections, seconds, requests, body, upload, at_once, numbers;
	bool     limited, steps, once;
	const char *addr, *path;
} o = { .connections = 1, .seconds = 1, .body = 8 };

struct conn {
	int      fd;
	bool     waits, warm, busy, drained, closing;
	uint64_t began, left;	/* left: body bytes of the answer to come */
	size_t   head_left;	/* of the request */
	uint64_t up_left;
	size_t   got;		/* of the answer's head */
	char    *head;		/* holds an answer's head in pieces */
};

static int ep;
static char request[1024], block[BLOCK];
static size_t request_n;
static char *digits;	/* in request; -n */
static struct conn *conns;
static uint64_t asked, done, errors, reconnects, bytes, deadline, last;
static uint64_t busy, cold;
static bool measuring;
static uint64_t hist[POWERS * SUB], slowest;

static size_t bucket(uint64_t ns)
{
	int power = 63 - __builtin_clzll(ns | SUB);
	size_t i = (size_t)(power - 6) * SUB + ((ns >> (power - 6)) - SUB);

	return ns < SUB ? 0 : i < POWERS * SUB ? i : POWERS * SUB - 1;
}

static double bucket_us(size_t i)
{
	uint64_t step = 1ull << (i / SUB);

	return (double)((i % SUB + SUB) * step + step / 2) / 1000;
}

static double percentile(double p)
{
	uint64_t want = (uint64_t)((double)done * p), seen = 0;

	for (size_t i = 0; i < POWERS * SUB; i++) {
		seen += hist[i];
		if (seen > want)
			return bucket_us(i);
	}
	return (double)slowest / 1000;
}

static void compose(void)
{
	int n = snprintf(request, sizeof request,
		"%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: lmc-bench\r\n"
		"Accept: */*\r\n%s", o.upload ? "POST" : "GET", o.path,
		strncmp(o.addr, "unix:", 5) ? o.addr : "localhost",
		o.once ? "Connection: close\r\n" : "");

	if (o.upload)
		n += snprintf(request + n, sizeof request - (size_t)n,
			"Content-Type: application/octet-stream\r\n"
			"Content-Length: %llu\r\n",
			(unsigned long long)o.upload);
	n += snprintf(request + n, sizeof request - (size_t)n, "\r\n");
	if ((size_t)n >= sizeof request)
		fatal("%s is too long", o.path);
	request_n = (size_t)n;
	digits = strchr(request, '@');
}

/* A request this short is taken whole: the text is free for the next one. */
static void next_number(void)
{
	static uint64_t next;
	uint64_t left = next++ % o.numbers;
	size_t n = strspn(digits, "@0123456789");

	while (n--) {
		digits[n] = (char)('0' + left % 10);
		left /= 10;
	}
}

static bool more_wanted(void)
{
	if (o.limited)
		return asked < o.requests;
	return now_ns() < deadline;
}

static void open_conn(struct conn *c)
{
	c->fd = dial(o.addr);
	if (c->fd < 0)
		fatal("unable to connect to %s:", o.addr);
	c->waits = c->drained = c->closing = false;
	watch(ep, EPOLL_CTL_ADD, c->fd, QUIET, c);
}

/* The answer was wrong or did not come: next time on a new connection. */
static void fail(struct conn *c, const char *why)
{
	if (errors++ < 3)
		fprintf(stderr, "load: %s\n", why);
	if (errors > FAILURES)
		fatal("more than %d wrong answers", FAILURES);
	close(c->fd);
	open_conn(c);
	c->busy = false;
	busy--;
}

static void want_out(struct conn *c, bool want)
{
	if (c->waits != want)
		watch(ep, EPOLL_CTL_MOD, c->fd,
		      QUIET | (want ? EPOLLOUT : 0), c);
	c->waits = want;
}

/* Sends the request as far as the socket takes it. */
static bool push(struct conn *c)
{
	while (c->head_left || c->up_left) {
		struct iovec v[2] = {
			{ request + request_n - c->head_left, c->head_left },
			{ block, c->up_left < BLOCK ? c->up_left : BLOCK }
		};
		struct msghdr m = { .msg_iov = v,
		                    .msg_iovlen = c->up_left ? 2 : 1 };
		ssize_t sent = sendmsg(c->fd, &m, MSG_NOSIGNAL);
		size_t n;

		if (sent < 0 && errno != EAGAIN)
			return false;
		if (sent < 0) {
			want_out(c, true);
			return true;
		}
		n = (size_t)sent < c->head_left ? (size_t)sent : c->head_left;
		c->head_left -= n;
		c->up_left -= (size_t)sent - n;
	}
	want_out(c, false);
	return true;
}

static void ask(struct conn *c)
{
	if (measuring)
		asked++;
	c->busy = true;
	busy++;
	c->began = now_ns();
	if (o.numbers && digits)
		next_number();
	c->head_left = request_n;
	c->up_left = o.upload;
	c->left = 0;
	c->got = 0;
	if (!push(c))
		fail(c, "unable to send a request");
}

static void finished(struct conn *c)
{
	uint64_t now = now_ns(), took = now - c->began;

	c->busy = false;
	busy--;
	if (!c->warm) {
		c->warm = true;
		cold--;
	}
	if (o.once) {
		close(c->fd);
		open_conn(c);
	}
	if (!measuring)
		return;
	done++;
	last = now;
	bytes += o.upload ? o.upload : o.body;
	hist[bucket(took)]++;
	if (took > slowest)
		slowest = took;
}

/* What is wrong with the head p (NUL-terminated), or NULL. */
static const char *judge(const char *p, size_t head, size_t n)
{
	const char *length = strcasestr(p, "\r\ncontent-length:");

	if (strncmp(p, "HTTP/1.1 200 ", 13))
		return "the status is not 200";
	if (!length || strtoull(length + 17, NULL, 10) != o.body)
		return "the length is not the one expected";
	if (n - head > o.body)
		return "the answer is longer than it says";
	if (o.upload && n - head != COUNT)
		return "the count came apart from the head";
	if (o.upload && strtoull(p + head, NULL, 10) != o.upload)
		return "the upload arrived cut";
	return NULL;
}

/* A head, perhaps in pieces, and what of the body came with it. */
static bool take_head(struct conn *c, char *p, size_t n)
{
	const char *why;
	char *end;

	p[n] = '\0';
	end = strstr(p, "\r\n\r\n");
	if (!end || (o.upload && n - (size_t)(end + 4 - p) < COUNT)) {
		if (n >= HEAD - 1) {
			fail(c, "no end of the head");
			return false;
		}
		if (!c->head && !(c->head = malloc(HEAD)))
			fatal("no memory");
		memmove(c->head, p, n);
		c->got = n;
		return true;
	}
	end += 4;
	why = judge(p, (size_t)(end - p), n);
	if (why) {
		fail(c, why);
		return false;
	}
	c->got = (size_t)-1;	/* the head is behind us */
	c->left = o.body - (n - (size_t)(end - p));
	if (!c->left)
		finished(c);
	return true;
}

static bool take(struct conn *c, size_t n)
{
	if (c->got == (size_t)-1) {
		if (n > c->left) {
			fail(c, "more than the body");
			return false;
		}
		c->left -= n;
		if (!c->left)
			finished(c);
		return true;
	}
	if (!c->got)
		return take_head(c, block, n);
	if (c->got + n > HEAD - 1) {
		fail(c, "the head is too long");
		return false;
	}
	memcpy(c->head + c->got, block, n);
	return take_head(c, c->head, c->got + n);
}

static void reconnect(struct conn *c)
{
	reconnects++;
	close(c->fd);
	open_conn(c);
}

static void pull(struct conn *c)
{
	ssize_t n;

	for (;;) {
		n = recv(c->fd, block, sizeof block - 1, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0 && c->busy) {
			fail(c, "the connection broke");
			return;
		}
		if (n <= 0) {
			reconnect(c);
			return;
		}
		if (!c->busy) {
			busy++;	/* fail() takes it back */
			fail(c, "bytes that nobody asked for");
			return;
		}
		if (!take(c, (size_t)n))
			return;
		if ((size_t)n < sizeof block - 1 && !c->closing)
			return;
	}
}

static void on_event(struct conn *c, uint32_t got)
{
	if (got & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->closing = true;
	if (got & EPOLLOUT && c->waits && !push(c))
		fail(c, "unable to send a request");
	if (got & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		pull(c);
}

static void turn(void)
{
	static struct epoll_event got[EVENTS];
	int n = epoll_wait(ep, got, EVENTS, 30000);

	if (n == 0)
		fatal("no answer for 30 seconds");
	for (int i = 0; i < n; i++) {
		struct conn *c = got[i].data.ptr;

		on_event(c, got[i].events);
		if (measuring && !c->busy && more_wanted())
			ask(c);
	}
}

static void warm_up(void)
{
	uint64_t next = 0;

	cold = o.connections;
	while (cold) {
		while (next < o.connections && busy < o.at_once) {
			open_conn(&conns[next]);
			ask(&conns[next++]);
		}
		turn();
		for (uint64_t i = 0; errors && i < next; i++)
			if (!conns[i].busy && !conns[i].warm)
				ask(&conns[i]);
	}
}

static void await_line(void)
{
	char c;

	while (o.steps && read(0, &c, 1) == 1 && c != '\n')
		continue;
}

static void measure(void)
{
	uint64_t began = now_ns();

	deadline = began + o.seconds * 1000000000u;
	last = began;
	measuring = true;
	for (uint64_t i = 0; i < o.connections && more_wanted(); i++)
		ask(&conns[i]);
	while (busy || (done < asked && more_wanted()))
		turn();
	printf("{\"requests\":%llu,\"errors\":%llu,\"reconnects\":%llu,"
	       "\"seconds\":%.6f,\"bytes\":%llu,\"p50_us\":%.1f,"
	       "\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f}\n",
	       (unsigned long long)done, (unsigned long long)errors,
	       (unsigned long long)reconnects, (double)(last - began) / 1e9,
	       (unsigned long long)bytes, percentile(0.5), percentile(0.99),
	       percentile(0.999), (double)slowest / 1000);
	fflush(stdout);
}

static void options(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "c:d:r:b:u:w:n:sx")) > 0) {
		switch (opt) {
		case 'c': o.connections = number(optarg); break;
		case 'd': o.seconds = number(optarg); break;
		case 'r': o.requests = number(optarg); o.limited = true; break;
		case 'b': o.body = number(optarg); break;
		case 'u': o.upload = number(optarg); break;
		case 'w': o.at_once = number(optarg); break;
		case 'n': o.numbers = number(optarg); break;
		case 's': o.steps = true; break;
		case 'x': o.once = true; break;
		default: exit(2);
		}
	}
	if (argc - optind != 2)
		fatal("usage: load [-c N] [-d SECONDS | -r REQUESTS] "
		      "[-b BODY | -u UPLOAD] [-w AT_ONCE] [-n NUMBERS] [-s] [-x] "
		      "ADDR PATH");
	o.addr = argv[optind];
	o.path = argv[optind + 1];
	if (o.upload)
		o.body = COUNT;
	if (!o.at_once)
		o.at_once = o.connections;
}

int main(int argc, char **argv)
{
	options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	compose();
	conns = calloc(o.connections, sizeof *conns);
	if (!conns)
		fatal("no memory");
	ep = epoll_create1(EPOLL_CLOEXEC);
	warm_up();
	if (o.steps) {
		puts("ready");
		fflush(stdout);
	}
	await_line();
	measure();
	await_line();
	return errors != 0;
}
