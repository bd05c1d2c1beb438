/* fetch.c - asking a node something ourselves
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fetch.h"
#include "upstream.h"

static char *scratch;			/* a block */

static void fetch_free(struct fetch *f)
{
	timer_stop(&f->timer);
	task_cancel(&f->task);
	buf_free(&f->body);
	f->o->fetches--;
	origin_drop(f->o);
	free(f);
}

static void let_go(struct fetch *f, bool keep)
{
	struct upconn *u = f->u;

	if (!u)
		return;
	f->u = NULL;
	u->user = NULL;
	if (keep)
		up_keep(u);
	else
		up_close(u);
}

static void over(struct fetch *f, int status, const char *why, bool keep)
{
	let_go(f, keep);
	f->status = status;
	f->why = why;
	f->us = clock_us() - f->us;
	if (status)
		origin_ok(f->o, f->us);
	else
		origin_bad(f->o, why);
	f->done(f);
	fetch_free(f);
}

static void late(struct timer *t)
{
	struct fetch *f = (struct fetch *)((char *)t - offsetof(struct fetch, timer));

	over(f, 0, "timed out", false);
}

static void failed(struct upconn *u, int status, const char *why)
{
	(void)status;
	over(u->user, 0, why, false);
}

static void begin(struct task *t);

/* A kept connection was closed before it said anything: once more, anew. */
static void ended(struct fetch *f, bool error)
{
	struct upconn *u = f->u;

	if (u->phase == UP_HEAD && u->reused && !f->retried && !pend_n(&u->in)) {
		f->retried = true;
		let_go(f, false);
		task_later(&f->task, begin);
	} else if (u->phase == UP_BODY && u->body == BODY_CLOSE && !error) {
		over(f, f->status, "", false);
	} else {
		over(f, 0, "the answer was cut off", false);
	}
}

/* True when the body is complete, or the fetch is over. */
static bool take_body(struct fetch *f, char *p, size_t n)
{
	struct upconn *u = f->u;
	size_t payload = n;
	bool last = false, extra = false;
	long used;

	if (u->body == BODY_LENGTH) {
		payload = n < u->left ? n : (size_t)u->left;
		extra = payload < n;
		u->left -= payload;
		last = u->left == 0;
	} else if (u->body == BODY_CHUNKED) {
		used = http_chunks(&u->chunks, p, n, &payload);
		if (used < 0) {
			over(f, 0, "bad chunked body", false);
			return true;
		}
		last = u->chunks.done;
		extra = (size_t)used < n;
	} else if (u->body == BODY_NONE) {
		payload = 0;
		last = true;
		extra = n > 0;
	}
	if (payload && buf_add(&f->body, p, payload) < 0) {
		over(f, 0, "the answer is too large", false);
		return true;
	}
	if (last)
		over(f, f->status, "", u->keep && !extra && !u->fin);
	return last;
}

static bool no_memory(struct fetch *f)
{
	over(f, 0, "out of memory", false);
	return true;
}

/* Finds the final head behind interim ones, which it skips: its length,
 * HTTP_MORE, or -1 with h->why. */
static long final_head(struct http_head *h, char **p, size_t *n)
{
	long used;

	for (;;) {
		used = *n ? http_response(h, *p, *n, M_GET) : HTTP_MORE;
		if (used == HTTP_MORE || (used > 0 && h->status >= 200))
			return used;
		if (used > 0 && h->status == 101)
			h->why = "unexpected 101";
		if (used < 0 || h->status == 101)
			return -1;
		*p += used;
		*n -= (size_t)used;
	}
}

static bool begin_body(struct fetch *f, const struct http_head *h, char *p, size_t n)
{
	struct upconn *u = f->u;

	f->status = h->status;
	u->phase = UP_BODY;
	u->body = h->body == BODY_LENGTH && h->length == 0 ? BODY_NONE : h->body;
	u->left = h->length;
	u->keep = h->keep;
	u->chunks = (struct chunks){ 0 };
	return (n || u->body == BODY_NONE) && take_body(f, p, n);
}

/* What is no whole head yet waits in u->in; one that comes in one piece, as
 * nearly all do, is read where it stands. True when the fetch is over. */
static bool take_head(struct fetch *f, char *p, size_t n)
{
	static struct http_head h;
	struct upconn *u = f->u;
	struct pend held;
	bool over_now = true;
	long used;

	if (pend_n(&u->in)) {
		if (pend_add(&u->in, p, n) < 0)
			return no_memory(f);
		p = u->in.p + u->in.off;
		n = pend_n(&u->in);
	}
	held = u->in;
	u->in = (struct pend){ 0 };
	used = final_head(&h, &p, &n);
	if (used == HTTP_MORE)
		over_now = pend_add(&u->in, p, n) < 0 && no_memory(f);
	else if (used > 0)
		over_now = begin_body(f, &h, p + used, n - (size_t)used);
	else
		over(f, 0, h.why, false);
	pend_drop(&held, pend_n(&held));
	return over_now;
}

static void ready(struct upconn *u)
{
	struct fetch *f = u->user;
	struct iovec iov;
	ssize_t n;

	if (!f || u->dead)
		return;
	if (!u->sent_us) {
		u->sent_us = clock_us();
		iov = (struct iovec){ f->head, f->head_n };
		if (pend_writev(&u->out, &u->watch, &u->wr, &iov, 1, NULL) < 0)
			u->rd = u->fin = true;
	} else if (pend_n(&u->out) && pend_flush(&u->out, &u->watch, &u->wr) < 0) {
		u->rd = u->fin = true;
	}
	while (u->rd) {
		do
			n = read(u->watch.fd, scratch, SCRATCH);
		while (n < 0 && errno == EINTR);
		if (n < SCRATCH && !u->fin)
			u->rd = false;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			ended(f, n < 0);
			return;
		}
		u->since = loop_now();
		if (u->phase == UP_HEAD ? take_head(f, scratch, (size_t)n)
					: take_body(f, scratch, (size_t)n))
			return;
	}
}

static void begin(struct task *t)
{
	struct fetch *f = (struct fetch *)((char *)t - offsetof(struct fetch, task));
	struct upconn *u;

	if (!scratch)
		scratch = block_get();
	u = scratch ? up_get(f->o, f->retried) : NULL;
	if (!u) {
		over(f, 0, "out of memory", false);
		return;
	}
	f->u = u;
	u->user = f;
	u->ready = ready;
	u->failed = failed;
	u->c = NULL;
	u->method = M_GET;
	u->sent_us = 0;
	u->keep = false;
	if (u->reused) {
		up_timer(u, f->o->limits->first_ms);
		ready(u);
	} else {
		up_connect(u);
	}
}

struct fetch *fetch_start(struct origin *o, const char *target, const char *extra,
			  int64_t timeout_ms, size_t max,
			  void (*done)(struct fetch *f), void *ctx)
{
	struct fetch *f = calloc(1, sizeof *f);
	int n;

	if (!f)
		return NULL;
	n = snprintf(f->head, sizeof f->head,
		     "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: lmc\r\n%s\r\n",
		     target, origin_host(o), extra);
	if (n < 0 || n >= (int)sizeof f->head) {
		free(f);
		return NULL;
	}
	f->head_n = (size_t)n;
	f->body.max = max;
	f->o = origin_ref(o);
	o->fetches++;
	f->us = clock_us();
	f->done = done;
	f->ctx = ctx;
	timer_set(&f->timer, loop_now() + timeout_ms, late);
	task_later(&f->task, begin);
	return f;
}

void fetch_stop(struct fetch *f)
{
	let_go(f, false);
	fetch_free(f);
}
