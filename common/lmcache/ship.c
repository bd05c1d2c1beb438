/* ship.c - see ship.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "json.h"
#include "net.h"
#include "rfc5424.h"
#include "ship.h"
#include "sink.h"

/* A burst over UDP overflows the receiver's socket without a word: so many
 * datagrams at a time, so far apart. Linux's 208 kB hold some 270 small ones, and
 * a receiver on a busy machine may wait 50 ms for its turn. */
enum { UDP_BURST = 32, UDP_PAUSE_MS = 10 };

struct end { size_t out, in; };

enum { LOOK_MS = 5, PREFIX = sizeof(uint32_t), OUT_MAX = 8 << 20, ANSWER_MAX = 64 << 10 };

static void retry(struct timer *t);
static void work(struct ship *s);

#define SHIP(p, field) ((struct ship *)((char *)(p) - offsetof(struct ship, field)))

int ship_to(struct ship *s, const char *where, const char **why)
{
	const char *rest = strstr(where, "://");
	char base[ADDR_HOST + 16];
	size_t n;

	s->watch.fd = -1;
	s->out.max = s->ends.max = OUT_MAX;
	if (strncmp(where, "http", 4) != 0 || !rest)
		return rfc5424_addr(where, &s->addr, &s->datagram, why);
	n = (size_t)(rest + 3 - where);
	n += strcspn(where + n, "/?");
	if (n >= sizeof base || strlen(where + n) >= sizeof s->target) {
		*why = "too long";
		return -1;
	}
	memcpy(base, where, n);
	base[n] = 0;
	snprintf(s->target, sizeof s->target, "%s", where[n] ? where + n : "/loki/api/v1/push");
	s->loki = true;
	return addr_parse(&s->addr, base, -1, why);
}

static void disconnect(struct ship *s)
{
	int fd = s->watch.fd;

	watch_del(&s->watch);
	if (fd >= 0)
		close(fd);
	s->connecting = s->asked = false;
}

/* How much of the spool the first n bytes of out are; counts whole records. */
static size_t whole(const struct ship *s, size_t n, int *records)
{
	const struct end *e = (const struct end *)(const void *)s->ends.p;
	int i;

	for (i = 0; i < s->n && e[i].out <= n; i++)
		;
	*records = i;
	return i ? e[i - 1].in : 0;
}

/* What the other side has of a batch is not sent again. */
static void keep_sent(struct ship *s)
{
	int left = 0, records;
	size_t in;

	if (!s->datagram && s->watch.fd >= 0)
		ioctl(s->watch.fd, SIOCOUTQ, &left);
	in = whole(s, s->at - ((size_t)left < s->at ? (size_t)left : s->at), &records);
	s->sent += (unsigned long long)records;
	/* datagrams of the run before are away whatever became of them */
	if (in || (s->spool->handed && !s->datagram))
		spool_sent(s->spool, in);
}

/* The batch stays in the spool and is made anew. */
static void fail(struct ship *s, const char *why)
{
	keep_sent(s);
	disconnect(s);
	s->n = 0;
	s->at = 0;
	if (!s->trouble && s->on_trouble)
		s->on_trouble(s, why);
	s->trouble = true;
	s->delay = s->delay ? s->delay * 2 : SHIP_FIRST_MS;
	if (s->delay > SHIP_MAX_MS)
		s->delay = SHIP_MAX_MS;
	timer_set(&s->timer, loop_now() + s->delay, retry);
}

static void retry(struct timer *t)
{
	work(SHIP(t, timer));
}

static const char *base_name(const char *path)
{
	const char *cut = strrchr(path, '/');

	return cut ? cut + 1 : path;
}

static void put_syslog(struct ship *s, const struct spool_record *r)
{
	struct buf text = BUF(SPOOL_TEXT * 4), msg = BUF(SPOOL_TEXT * 5);
	uint32_t n;

	sink_escape(&text, r->text, r->n);
	rfc5424_put(&msg, SEV_INFO, (int64_t)(r->time_us / 1000), base_name(r->path), "",
		    "", text.p ? text.p : "", text.len);
	n = (uint32_t)msg.len;
	if (s->datagram)
		buf_add(&s->out, &n, PREFIX);
	else if (s->addr.kind == ADDR_TCP)
		buf_printf(&s->out, "%zu ", msg.len);
	buf_add(&s->out, msg.p, msg.len);
	if (!s->datagram && s->addr.kind == ADDR_UNIX)
		buf_putc(&s->out, '\n');
	buf_free(&text);
	buf_free(&msg);
}

static void put_labels(struct ship *s, struct buf *b, const char *path)
{
	const char *eq;
	int i;

	buf_puts(b, "{\"job\":\"lmc\",\"filename\":");
	json_puts(b, path);
	for (i = 0; s->labels && i < s->labels->n; i++) {
		eq = strchr(s->labels->v[i], '=');
		if (!eq)
			continue;
		buf_putc(b, ',');
		json_put(b, s->labels->v[i], (size_t)(eq - s->labels->v[i]));
		buf_putc(b, ':');
		json_puts(b, eq + 1);
	}
	buf_putc(b, '}');
}

/* One stream for each row of lines of one file. The time of a line is kept
 * in the spool, so a batch sent twice is the same twice, which Loki drops. */
static void put_loki(struct ship *s, const struct spool_record *r, char **last)
{
	struct buf text = BUF(SPOOL_TEXT * 4), *b = &s->out;

	if (!*last || strcmp(*last, r->path) != 0) {
		buf_puts(b, *last ? "]},{\"stream\":" : "{\"stream\":");
		put_labels(s, b, r->path);
		buf_puts(b, ",\"values\":[");
		free(*last);
		*last = strdup(r->path);
	} else {
		buf_putc(b, ',');
	}
	sink_escape(&text, r->text, r->n);
	buf_printf(b, "[\"%llu000\",", (unsigned long long)r->time_us);
	json_put(b, text.p ? text.p : "", text.len);
	buf_putc(b, ']');
	buf_free(&text);
}

static bool udp(const struct ship *s)
{
	return s->datagram && s->addr.kind == ADDR_TCP;
}

/* Fills out from the spool; how many records, or -1. */
static int batch(struct ship *s)
{
	struct spool_record r;
	char *last = NULL;
	struct end e;
	int more = 0;

	buf_reset(&s->out);
	buf_reset(&s->ends);
	s->at = 0;
	s->n = 0;
	spool_rewind(s->spool);
	buf_puts(&s->out, s->loki ? "{\"streams\":[" : "");
	while (s->out.len < SHIP_BATCH && !(udp(s) && s->n == UDP_BURST) &&
	       (more = spool_next(s->spool, &r)) > 0) {
		if (s->loki)
			put_loki(s, &r, &last);
		else
			put_syslog(s, &r);
		e = (struct end){ s->out.len, r.end };
		buf_add(&s->ends, &e, sizeof e);
		s->n++;
	}
	buf_puts(&s->out, s->loki ? "]}]}" : "");
	free(last);
	return more < 0 || s->out.bad || s->ends.bad ? -1 : s->n;
}

static void next_batch(struct task *t)
{
	work(SHIP(t, next));
}

static void done(struct ship *s)
{
	int records;
	size_t in = whole(s, s->out.len, &records);

	s->asked = false;
	s->sent += (unsigned long long)s->n;
	s->n = 0;
	s->delay = 0;
	s->trouble = false;
	timer_stop(&s->timer);
	if (spool_sent(s->spool, in) < 0) {
		s->at = 0;
		fail(s, strerror(errno));
		return;
	}
	if (s->on_sent)
		s->on_sent(s);
	if (udp(s))
		timer_set(&s->timer, loop_now() + UDP_PAUSE_MS, retry);
	else
		task_later(&s->next, next_batch);
}

static int socket_error(int fd)
{
	int err = 0;
	socklen_t len = sizeof err;

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	return err;
}

/* Has the other side's kernel got it all? */
static void look(struct timer *t)
{
	struct ship *s = SHIP(t, timer);
	int left = 0, err = socket_error(s->watch.fd);

	if (err) {
		fail(s, strerror(err));
		return;
	}
	ioctl(s->watch.fd, SIOCOUTQ, &left);
	if (s->spool->handed && loop_now() - s->asked_ms > SHIP_TRUST_MS)
		spool_hand(s->spool, 0);
	if (left == 0)
		done(s);
	else if (loop_now() - s->asked_ms > SHIP_ANSWER_MS)
		fail(s, "it takes nothing");
	else
		timer_set(t, loop_now() + LOOK_MS, look);
}

static void all_away(struct ship *s)
{
	s->asked = true;
	s->asked_ms = loop_now();
	if (s->datagram)
		done(s);
	else
		look(&s->timer);
}

/* One datagram; whoever is not there says so at once on this machine. 1, 0:
 * later, -1: failed. */
static int send_one(struct ship *s)
{
	uint32_t n;
	ssize_t out;
	int err;

	memcpy(&n, s->out.p + s->at, PREFIX);
	out = send(s->watch.fd, s->out.p + s->at + PREFIX, n, MSG_NOSIGNAL);
	if (out < 0 && (errno == EAGAIN || errno == ENOBUFS))
		return 0;
	if (out < 0 && errno != EMSGSIZE)
		return -1;
	s->refused += out < 0;	/* longer than a datagram can be */
	err = socket_error(s->watch.fd);
	if (err) {
		errno = err;
		return -1;
	}
	s->at += PREFIX + n;
	return 1;
}

static int send_some(struct ship *s)
{
	ssize_t n;

	if (s->datagram)
		return send_one(s);
	n = send(s->watch.fd, s->out.p + s->at, s->out.len - s->at, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	s->at += (size_t)n;
	return 1;
}

/* A kill must not send again what is away. */
static void hand(struct ship *s)
{
	int records;

	spool_hand(s->spool, whole(s, s->at, &records));
}

/* It has stood there for long: nobody knows whether it will be read. */
static void doubt(struct timer *t)
{
	spool_hand(SHIP(t, timer)->spool, 0);
}

static void pump(struct ship *s)
{
	int more = 1, err;

	while (s->at < s->out.len && (more = send_some(s)) > 0)
		hand(s);
	if (more < 0) {
		err = errno;
		fail(s, strerror(err));
	} else if (s->at == s->out.len) {
		all_away(s);
	} else if (!s->datagram && s->at) {
		timer_set(&s->timer, loop_now() + SHIP_TRUST_MS, doubt);
	}
}

/* It will never like these lines: the next may pass. Whoever may not send, or
 * not there, or not so much, is asked again. */
static bool never(int status)
{
	return status / 100 == 4 && status != 429 && status != 408 && status != 401 &&
		status != 403 && status != 404;
}

static void pushed(struct client_req *r)
{
	struct ship *s = r->ctx;
	char why[64];

	snprintf(why, sizeof why, "HTTP status %d", r->status);
	if (r->end != CLIENT_ANSWER) {
		fail(s, r->why);
	} else if (never(r->status)) {
		if (s->on_trouble)
			s->on_trouble(s, why);
		s->refused += (unsigned long long)s->n;
		done(s);
	} else if (r->status / 100 == 2) {
		done(s);
	} else {
		fail(s, why);
	}
}

/* libcurl has descriptors of its own, so while a push is under way it is
 * looked after now and then. */
static void push_on(struct timer *t)
{
	struct ship *s = SHIP(t, timer);
	int64_t age = loop_now() - s->asked_ms;

	client_run(s->client, 0);
	if (s->asked)
		timer_set(t, loop_now() + (age < 40 ? 2 + age / 2 : 20), push_on);
}

static void push(struct ship *s)
{
	if (!s->client)
		s->client = client_new(1);
	if (!s->client) {
		fail(s, "out of memory");
		return;
	}
	s->asked = true;
	s->asked_ms = loop_now();
	s->push = (struct client_req){
		.addr = s->addr, .method = "POST", .target = s->target, .headers = s->headers,
		.body = s->out.p, .body_n = s->out.len, .max = ANSWER_MAX,
		.timeout_ms = SHIP_ANSWER_MS, .done = pushed, .ctx = s,
	};
	client_add(s->client, &s->push);
	push_on(&s->timer);
}

static void ready(struct watch *w, unsigned bits)
{
	struct ship *s = SHIP(w, watch);
	int err = socket_error(w->fd);
	char none;

	if (err) {
		fail(s, strerror(err));
		return;
	}
	if (bits & READY_OUT && s->connecting) {
		s->connecting = false;
		/* the run before was killed: see ship.h */
		if (s->spool->handed && spool_sent(s->spool, s->spool->handed) == 0)
			s->n = 0;
		work(s);
		return;
	}
	/* a syslog receiver says nothing but its end */
	if (!s->datagram && bits & READY_IN && recv(w->fd, &none, 1, 0) == 0) {
		if (s->n)
			fail(s, "it closed the connection");
		else
			disconnect(s);
		return;
	}
	if (bits & READY_OUT && s->n && !s->asked)
		pump(s);
}

static void work(struct ship *s)
{
	int fd;

	if (s->connecting || s->asked || (s->n && s->watch.fd >= 0 && s->at))
		return;
	timer_stop(&s->timer);
	if (!s->n && batch(s) < 0) {
		fail(s, "the spool cannot be read");
		return;
	}
	if (!s->n) {
		if (s->on_idle)
			s->on_idle(s);
		return;
	}
	if (s->loki) {
		push(s);
		return;
	}
	if (s->watch.fd >= 0) {
		pump(s);
		return;
	}
	fd = rfc5424_connect(&s->addr, &s->datagram);
	if (fd < 0 || watch_add(&s->watch, fd, ready) < 0) {
		int err = errno;

		if (fd >= 0)
			close(fd);
		fail(s, strerror(err));
		return;
	}
	s->connecting = true;
}

void ship_go(struct ship *s)
{
	if (!s->timer.due)
		work(s);
}

bool ship_idle(const struct ship *s)
{
	return !s->n && !s->timer.due && !s->next.queued;
}

void ship_close(struct ship *s)
{
	disconnect(s);
	timer_stop(&s->timer);
	task_cancel(&s->next);
	client_free(s->client);
	buf_free(&s->out);
	buf_free(&s->ends);
}
