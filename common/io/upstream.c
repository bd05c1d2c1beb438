/* upstream.c - kept-alive connections to nodes
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "die.h"
#include "upstream.h"

enum {
	PIPES_KEPT  = 16,
	AGAIN_MS    = 10,	/* a UNIX listener's full backlog is tried again */
	LOOKUP_MS   = 30000,	/* a name is looked up again after this long */
	DOWN_AFTER  = 3		/* failures in a row */
};

const char *const origin_state_names[] = {
	[ORIGIN_UNKNOWN] = "unknown", [ORIGIN_HEALTHY] = "healthy",
	[ORIGIN_FAILING] = "failing", [ORIGIN_DOWN] = "down",
};

/* ---- origins ---- */

struct origin *origin_new(const struct addr *a, const struct relay_limits *l)
{
	struct origin *o = xcalloc(1, sizeof *o);
	bool v6;

	o->addr = *a;
	o->limits = l;
	o->refs = 1;
	o->heard = -1;
	o->waiting_end = &o->waiting;
	v6 = a->kind == ADDR_TCP && strchr(a->host, ':');
	if (a->kind == ADDR_UNIX) {
		snprintf(o->label, sizeof o->label, "%s", a->host);
		snprintf(o->host, sizeof o->host, "localhost");
	} else {
		snprintf(o->label, sizeof o->label, v6 ? "[%s]:%d" : "%s:%d",
			 a->host, a->port);
		memcpy(o->host, o->label, sizeof o->host);
	}
	if (net_literal(a, &o->sa[0], &o->len[0]) == 0)
		o->addrs = 1;
	return o;
}

struct origin *origin_ref(struct origin *o)
{
	o->refs++;
	return o;
}

void origin_drop(struct origin *o)
{
	/* every connection holds a reference: none is left when it is freed */
	if (!o || --o->refs)
		return;
	task_cancel(&o->wake);
	free(o);
}

void origin_retire(struct origin *o)
{
	if (!o)
		return;
	o->gone = true;
	origin_drop(o);
}

const char *origin_host(const struct origin *o)
{
	return o->host;
}

const struct addr *origin_addr(const struct origin *o)
{
	return &o->addr;
}

void origin_ok(struct origin *o, int64_t latency_us)
{
	o->state = ORIGIN_HEALTHY;
	o->slow = false;
	o->fails_in_row = 0;
	o->heard = loop_now();
	o->latency_us = latency_us;
}

const int origin_bounds_ms[ORIGIN_BUCKETS] = {
	1, 5, 10, 50, 100, 500, 1000, 5000, 10000, 60000
};

void origin_count(struct origin *o, int status, int64_t us)
{
	int i = 0;

	o->by_class[status / 100 % 6]++;
	while (i < ORIGIN_BUCKETS && us > origin_bounds_ms[i] * INT64_C(1000))
		i++;
	o->buckets[i]++;
	o->total_us += us;
}

void origin_bad(struct origin *o, const char *why)
{
	o->failures++;
	o->fails_in_row++;
	o->tried = loop_now();
	o->state = o->fails_in_row < DOWN_AFTER ? ORIGIN_FAILING : ORIGIN_DOWN;
	snprintf(o->error, sizeof o->error, "%s", why);
}

void origin_look(const struct origin *o, struct origin_view *out)
{
	*out = (struct origin_view){
		.state = o->state, .latency_us = o->latency_us,
		.age_ms = o->heard < 0 ? -1 : loop_now() - o->heard,
		.requests = o->requests, .failures = o->failures,
		.reused = o->reused, .retried = o->retried, .open = o->open,
		.idle = o->idle_n, .waiting = o->waiting_n,
		.bytes_in = o->bytes_in, .bytes_out = o->bytes_out,
		.total_us = o->total_us, .probing = o->fetches > 0,
	};
	memcpy(out->by_class, o->by_class, sizeof out->by_class);
	memcpy(out->buckets, o->buckets, sizeof out->buckets);
	memcpy(out->error, o->error, sizeof out->error);
}

/* ---- names: looked up by a thread, for getaddrinfo blocks ---- */

struct lookup {
	struct origin *o;
	struct addr    addr;
	union net_addr sa[ORIGIN_ADDRS];
	socklen_t      len[ORIGIN_ADDRS];
	int            n;
	const char    *why;
};

static int lookup_pipe[2] = { -1, -1 };
static struct watch lookup_watch;

static void *look_up(void *arg)
{
	struct lookup *job = arg;

	job->n = net_resolve(&job->addr, job->sa, job->len, ORIGIN_ADDRS, &job->why);
	/* a pointer is written whole; the pipe has room for thousands */
	while (write(lookup_pipe[1], &job, sizeof job) < 0 && errno == EINTR)
		;
	return NULL;
}

static void looked_up(struct lookup *job)
{
	struct origin *o = job->o;
	struct upconn *u;

	o->looking = false;
	o->looked = loop_now();
	if (job->n > 0) {
		memcpy(o->sa, job->sa, sizeof o->sa);
		memcpy(o->len, job->len, sizeof o->len);
		o->addrs = job->n;
	}
	while ((u = o->unresolved)) {
		o->unresolved = u->next;
		u->next = NULL;
		if (o->addrs)
			up_connect(u);
		else
			u->failed(u, 502, job->why);
	}
	free(job);
	origin_drop(o);
}

static void lookups_ready(struct watch *w, unsigned ready)
{
	struct lookup *job;

	(void)ready;
	if (read(w->fd, &job, sizeof job) == sizeof job)
		looked_up(job);
}

static int start_lookup(struct origin *o)
{
	struct lookup *job;
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	if (lookup_pipe[0] < 0) {
		if (pipe2(lookup_pipe, O_CLOEXEC) < 0 ||
		    watch_add_level(&lookup_watch, lookup_pipe[0], lookups_ready) < 0)
			return -1;
	}
	job = calloc(1, sizeof *job);
	if (!job)
		return -1;
	job->o = o;
	job->addr = o->addr;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, look_up, job);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		free(job);
		return -1;
	}
	o->looking = true;
	origin_ref(o);
	return 0;
}

/* ---- connections ---- */

static void up_on(struct watch *w, unsigned ready);

static void up_free(struct task *t)
{
	free((char *)t - offsetof(struct upconn, task));
}

static void unlink_from(struct upconn **list, struct upconn *u)
{
	while (*list && *list != u)
		list = &(*list)->next;
	if (*list)
		*list = u->next;
}

static void hang_up(struct upconn *u)
{
	int fd = u->watch.fd;

	if (fd < 0)
		return;
	watch_del(&u->watch);
	close(fd);
}

static int pipes[PIPES_KEPT][2];	/* empty ones */
static int pipes_n;

bool up_pipe(struct upconn *u)
{
	if (u->pipe[0] >= 0)
		return true;
	if (pipes_n) {
		pipes_n--;
		u->pipe[0] = pipes[pipes_n][0];
		u->pipe[1] = pipes[pipes_n][1];
		return true;
	}
	if (pipe2(u->pipe, O_NONBLOCK | O_CLOEXEC) < 0) {
		u->pipe[0] = u->pipe[1] = -1;
		return false;
	}
	fcntl(u->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
	return true;
}

static void leave_pipe(struct upconn *u)
{
	if (u->pipe[0] < 0)
		return;
	if (!u->piped && pipes_n < PIPES_KEPT) {
		pipes[pipes_n][0] = u->pipe[0];
		pipes[pipes_n++][1] = u->pipe[1];
	} else {
		close(u->pipe[0]);
		close(u->pipe[1]);
	}
	u->pipe[0] = u->pipe[1] = -1;
	u->piped = 0;
}

static void woken(struct task *t)
{
	struct origin *o = (struct origin *)((char *)t - offsetof(struct origin, wake));

	origin_ref(o);
	o->serve(o);
	origin_drop(o);
}

/* Another connection may be used. Not at once: we may be deep in the work of
 * one client, whose bytes stand in the buffer that all of them share. */
static void roomier(struct origin *o)
{
	if (o->waiting)
		task_later(&o->wake, woken);
}

void up_close(struct upconn *u)
{
	struct origin *o = u->o;

	if (u->dead)
		return;
	u->dead = true;
	if (u->phase == UP_IDLE) {
		unlink_from(&o->idle, u);
		o->idle_n--;
	}
	if (u->phase == UP_RESOLVING)
		unlink_from(&o->unresolved, u);
	hang_up(u);
	timer_stop(&u->timer);
	task_cancel(&u->task);
	pend_drop(&u->out, pend_n(&u->out));
	pend_drop(&u->in, pend_n(&u->in));
	free(u->big);
	leave_pipe(u);
	o->open--;
	roomier(o);
	task_later(&u->task, up_free);
	origin_drop(o);
}

/* The client keeps us waiting, not the node. */
static bool client_is_slow(const struct upconn *u)
{
	const struct conn *c = u->c;

	if (!c)
		return false;
	if (u->phase == UP_BODY)
		return pend_n(&c->out) || !c->wr;
	return u->phase == UP_HEAD && !u->req_done && !c->rd && !c->expect &&
	       !pend_n(&u->out) && u->wr;
}

static void up_late(struct timer *t)
{
	struct upconn *u = (struct upconn *)((char *)t - offsetof(struct upconn, timer));
	const struct relay_limits *l = u->o->limits;
	int64_t wait = u->phase == UP_IDLE ? l->idle_ms :
		       u->phase <= UP_CONNECTING ? l->connect_ms :
		       u->phase == UP_HEAD ? l->first_ms : l->between_ms;

	if (u->phase == UP_CONNECTING && u->watch.fd < 0 &&
	    u->since + wait > loop_now()) {
		up_connect(u);
		return;
	}
	if (u->since + wait > loop_now() || client_is_slow(u)) {
		timer_set(t, (u->since + wait > loop_now() ? u->since : loop_now())
			  + wait, up_late);
		return;
	}
	if (u->phase == UP_IDLE)
		up_close(u);
	else
		u->failed(u, 504, "timed out");
}

void up_timer(struct upconn *u, int64_t ms)
{
	u->since = loop_now();
	timer_set(&u->timer, u->since + ms, up_late);
}

static void connected(struct upconn *u)
{
	u->phase = UP_HEAD;
	u->wr = true;
	watch_out(&u->watch, false);
	up_timer(u, u->o->limits->first_ms);
	u->ready(u);
}

/* We lack something, not the node. */
static bool ours(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOBUFS ||
	       err == ENOMEM || err == EADDRNOTAVAIL;
}

/* The next address, or the end. */
static void refused(struct upconn *u, int err)
{
	hang_up(u);
	if (ours(err))
		u->failed(u, 503, strerror(err));
	else if (++u->try < u->o->addrs)
		up_connect(u);
	else
		u->failed(u, err == ETIMEDOUT ? 504 : 502, strerror(err));
}

static void up_on(struct watch *w, unsigned ready)
{
	struct upconn *u = (struct upconn *)w;
	socklen_t len = sizeof(int);
	int err = 0;

	if (u->phase == UP_CONNECTING) {
		getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err)
			refused(u, err);
		else if (ready & READY_OUT)
			connected(u);
		return;
	}
	if (ready & READY_IN)
		u->rd = true;
	if (ready & READY_OUT)
		u->wr = true;
	if (ready & READY_END)
		u->fin = true;
	/* a kept connection has nothing to say: it was closed, or is confused */
	if (u->phase == UP_IDLE && ready & (READY_IN | READY_END))
		up_close(u);
	else if (u->phase != UP_IDLE)
		u->ready(u);
}

void up_connect(struct upconn *u)
{
	struct origin *o = u->o;
	int fd;

	if (!o->addrs) {
		u->phase = UP_RESOLVING;
		u->next = o->unresolved;
		o->unresolved = u;
		if (!o->looking && start_lookup(o) < 0)
			u->failed(u, 502, "no resolver");
		return;
	}
	if (net_literal(&o->addr, &o->sa[0], &o->len[0]) < 0 && !o->looking &&
	    o->looked + LOOKUP_MS < loop_now())
		start_lookup(o);
	u->phase = UP_CONNECTING;
	fd = net_connect(&o->sa[u->try], o->len[u->try]);
	if (fd < 0 && errno == EAGAIN) {
		timer_set(&u->timer, loop_now() + AGAIN_MS, up_late);
		return;
	}
	if (fd < 0) {
		refused(u, errno);
		return;
	}
	if (watch_add_quiet(&u->watch, fd, up_on) < 0) {
		close(fd);
		u->failed(u, 503, strerror(errno));
		return;
	}
	if (o->addr.kind == ADDR_UNIX)
		connected(u);
	else
		watch_out(&u->watch, true);
}

struct upconn *up_get(struct origin *o, bool fresh)
{
	struct upconn *u = fresh ? NULL : o->idle;

	if (u) {
		o->idle = u->next;
		o->idle_n--;
		o->reused++;
		u->next = NULL;
		u->reused = true;
		u->phase = UP_HEAD;
		u->since = loop_now();
		return u;
	}
	u = calloc(1, sizeof *u);
	if (!u)
		return NULL;
	u->o = origin_ref(o);
	u->watch.fd = -1;
	u->pipe[0] = u->pipe[1] = -1;
	u->phase = UP_CONNECTING;
	o->open++;
	up_timer(u, o->limits->connect_ms);
	return u;
}

void up_keep(struct upconn *u)
{
	struct origin *o = u->o;

	if (u->fin || o->gone || o->idle_n >= o->limits->idle_max) {
		up_close(u);
		return;
	}
	leave_pipe(u);
	u->c = NULL;
	u->user = NULL;
	u->phase = UP_IDLE;
	u->next = o->idle;
	o->idle = u;
	o->idle_n++;
	up_timer(u, o->limits->idle_ms);
	roomier(o);
}
