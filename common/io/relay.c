/* relay.c - passing an exchange on to a node
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "heads.h"
#include "upstream.h"

enum {
	HEAD_SPACE = HTTP_HEAD_MAX + 4096,	/* a head with what we add */
	SPLICE_MIN = 256 << 10,	/* bytes to come: shorter bodies are copied */
	PIECES     = 16,	/* reads of one answer before others have a turn */
	TRY_MS     = 3000	/* a node that is down is tried by one request */
};

/* A request that waits for one of its node's connections. */
struct waiting {
	struct timer    timer;
	struct waiting *next;
	struct origin  *o;
	struct conn    *c;
	enum http_method method;
	size_t n;
	char   head[];
};

static char *scratch;			/* what nodes sent; a block */
static char head_space[HEAD_SPACE];

static void up_go(struct conn *c, struct origin *o, enum http_method method,
		  const char *head, size_t n);

/* ---- the end of a relay ---- */

static void unpin(struct waiting *w)
{
	struct origin *o = w->o;
	struct waiting **at = &o->waiting;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (o->waiting_end == &w->next)
		o->waiting_end = at;
	o->waiting_n--;
	timer_stop(&w->timer);
}

static bool room(const struct origin *o)
{
	return !o->limits->per_node || o->open - o->idle_n < o->limits->per_node;
}

static void next_waiting(struct origin *o)
{
	while (o->waiting && room(o)) {
		struct waiting *w = o->waiting;

		unpin(w);
		up_go(w->c, o, w->method, w->head, w->n);
		origin_drop(o);
		free(w);
	}
}

static void let_go(struct upconn *u, bool keep)
{
	u->c = NULL;
	if (keep)
		up_keep(u);
	else
		up_close(u);
}

static void client_gone(struct conn *c)
{
	struct upconn *u = c->relay;

	c->relay = NULL;
	if (u)
		let_go(u, false);
}

static void busy(struct exchange *x, const struct origin *o, const char *why)
{
	reply_header(x, "Retry-After: 1");
	reply_detail(x, 503, "no connection to %s: %s", o->label, why);
}

/* Nothing of an answer has gone out: say why. Otherwise the client must see
 * that its answer is broken. */
static void fail(struct upconn *u, int status, const char *why)
{
	struct conn *c = u->c;
	struct origin *o = origin_ref(u->o);
	bool early = u->phase <= UP_CONNECTING, un = o->addr.kind == ADDR_UNIX;

	if (status != 503)
		origin_bad(o, why);
	origin_count(o, status, clock_us() - c->x.start_us);
	if (status == 504)
		o->slow = true;
	c->relay = NULL;
	let_go(u, false);
	c->pump = NULL;
	c->gone = NULL;
	if (c->started)
		conn_done(c, false);
	else if (status == 503)
		busy(&c->x, o, why);
	else if (status == 504)
		reply_detail(&c->x, 504, "Connection to %s %s timed out",
			     un ? "socket" : "target service", o->label);
	else if (early && un)
		reply_detail(&c->x, 502, "Failed to connect to socket: %s", o->label);
	else if (early)
		reply_detail(&c->x, 502, "Failed to connect to target service %s",
			     o->label);
	else
		reply_detail(&c->x, 502, "Error communicating with target service: %s",
			     why);
	origin_drop(o);
}

static void complete(struct upconn *u)
{
	struct conn *c = u->c;
	bool keep = u->keep && u->req_done && !u->view_n && !u->fin &&
		    !pend_n(&u->out) && !u->piped;

	origin_count(u->o, c->x.status, clock_us() - c->x.start_us);
	c->relay = NULL;
	let_go(u, keep);
	conn_done(c, true);
}

/* ---- towards the node ---- */

static int up_writev(struct upconn *u, struct iovec *iov, int n)
{
	u->since = loop_now();
	for (int i = 0; i < n; i++)
		u->o->bytes_out += iov[i].iov_len;
	return pend_writev(&u->out, &u->watch, &u->wr, iov, n,
			   conn_block(u->c));
}

/* A closed connection still may hold an answer: reading tells. */
static void write_failed(struct upconn *u)
{
	u->fin = u->rd = true;
	u->req_done = true;
	u->keep = false;
	pend_drop(&u->out, pend_n(&u->out));
}

/* Up to three pieces after those in iov: size line, payload, ends. Returns
 * how many iovecs are in use, or -1 when the client's body is broken. */
static int next_piece(struct upconn *u, struct iovec *iov, int at, char *line)
{
	struct conn *c = u->c;
	char *p;
	long n = conn_body(c, &p);
	size_t len;

	if (n < 0)
		return -1;
	u->req_done = c->body == BODY_NONE;
	if (u->asked == BODY_CHUNKED && n > 0) {
		len = (size_t)snprintf(line, 24, "%lx\r\n", n);
		iov[at++] = (struct iovec){ line, len };
	}
	if (n > 0)
		iov[at++] = (struct iovec){ p, (size_t)n };
	if (u->asked == BODY_CHUNKED && (n > 0 || u->req_done)) {
		p = (char *)(n > 0 ? "\r\n0\r\n\r\n" : "0\r\n\r\n");
		len = n > 0 ? (u->req_done ? 7 : 2) : 5;
		iov[at++] = (struct iovec){ p, len };
	}
	return at;
}

static void client_broke(struct upconn *u)
{
	struct conn *c = u->c;
	bool framing = c->body == BODY_CHUNKED && (c->view_n || pend_n(&c->in));

	c->relay = NULL;
	let_go(u, false);
	c->pump = NULL;
	c->gone = NULL;
	c->keep = false;
	c->body = BODY_NONE;
	if (framing && !c->started)
		reply_detail(&c->x, 400, "bad chunked body");
	else
		conn_done(c, false);
}

static void again(struct task *t)
{
	struct upconn *u = (struct upconn *)((char *)t - offsetof(struct upconn, task));

	u->ready(u);
}

/* ---- large bodies, by splice ---- */

/* Moves up to *left bytes from one socket to the other. 0, or -1 when one
 * side broke (*from_end: the sender). */
static int splice_some(struct upconn *u, int from, bool *rd, int to,
		       struct watch *out, bool *wr, uint64_t *left, bool *from_end)
{
	*from_end = false;
	for (int i = 0; i < PIECES && (u->piped || *left); i++) {
		ssize_t n;

		if (!u->piped && *rd) {
			n = splice(from, NULL, u->pipe[1], NULL,
				   *left < PIPE_BYTES ? *left : PIPE_BYTES,
				   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
			if (n < 0 && errno == EAGAIN)
				*rd = false;
			if (n == 0 || (n < 0 && errno != EAGAIN)) {
				*from_end = true;
				return -1;
			}
			if (n > 0) {
				u->piped += (size_t)n;
				*left -= (uint64_t)n;
			}
		}
		if (!u->piped || !*wr)
			return 0;
		n = splice(u->pipe[0], NULL, to, NULL, u->piped,
			   SPLICE_F_NONBLOCK | SPLICE_F_MOVE |
			   (*left ? SPLICE_F_MORE : 0));
		if (n < 0 && errno != EAGAIN)
			return -1;
		if (n > 0)
			u->piped -= (size_t)n;
		if (u->piped) {
			*wr = false;
			watch_out(out, true);
		}
	}
	return 0;
}

static bool splices_up(const struct upconn *u)
{
	const struct conn *c = u->c;

	return u->asked == BODY_LENGTH && c->body == BODY_LENGTH && !c->view_n &&
	       !pend_n(&c->in) && !pend_n(&u->out) &&
	       (u->piped || c->left >= SPLICE_MIN);
}

/* A UNIX socket holds 208 KiB unless it is told otherwise, and wakes us for
 * every piece its reader takes: a large upload cost twice the CPU time. */
static void widen(struct upconn *u)
{
	int bytes = PIPE_BYTES;

	if (u->wide || u->o->addr.kind != ADDR_UNIX)
		return;
	u->wide = true;
	setsockopt(u->watch.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

/* The rest of a large upload. False: the relay has ended. */
static bool push_spliced(struct upconn *u)
{
	struct conn *c = u->c;
	uint64_t before = c->left;
	bool client;

	widen(u);
	c->expect = false;
	if (splice_some(u, c->watch.fd, &c->rd, u->watch.fd, &u->watch, &u->wr,
			&c->left, &client) < 0) {
		if (client) {
			client_broke(u);
			return false;
		}
		write_failed(u);
		return true;
	}
	if (before != c->left)
		c->since = u->since = loop_now();
	c->x.bytes_in += before - c->left;
	u->o->bytes_out += before - c->left;
	if (c->left == 0 && !u->piped) {
		c->body = BODY_NONE;
		u->req_done = true;
		watch_out(&u->watch, false);
	} else if (c->rd && u->wr) {
		task_later(&u->task, again);
	}
	return true;
}

/* False: the relay has ended. */
static bool push(struct upconn *u, const char *head, size_t head_n)
{
	struct iovec iov[4] = { { (void *)(uintptr_t)head, head_n } };
	char line[24];
	int n = head_n ? 1 : 0;

	if (!head_n && pend_n(&u->out)) {
		u->since = loop_now();
		if (pend_flush(&u->out, &u->watch, &u->wr) < 0)
			write_failed(u);
		if (pend_n(&u->out))
			return true;
	}
	for (int i = 0; i < PIECES; i++) {
		if (!u->req_done && n == 0 && splices_up(u) && up_pipe(u))
			return push_spliced(u);
		if (!u->req_done) {
			n = next_piece(u, iov, n, line);
			if (n < 0) {
				client_broke(u);
				return false;
			}
		}
		if (n == 0)
			return true;
		if (up_writev(u, iov, n) < 0) {
			write_failed(u);
			return true;
		}
		n = 0;
		if (u->req_done || pend_n(&u->out))
			return true;
	}
	task_later(&u->task, again);	/* others first */
	return true;
}

/* ---- towards the client ---- */

/* Bytes of the node at *p: 0 for none now, -1 for an error, -2 for its end. */
static long up_take(struct upconn *u, char **p)
{
	ssize_t n;

	if (u->view_n) {
		*p = u->view;
		return (long)u->view_n;
	}
	if (!u->rd)
		return 0;
	do
		n = read(u->watch.fd, scratch, SCRATCH);
	while (n < 0 && errno == EINTR);
	if (n < SCRATCH && !u->fin)
		u->rd = false;
	if (n < 0 && errno == EAGAIN) {
		u->rd = false;
		return 0;
	}
	if (n <= 0)
		return n < 0 ? -1 : -2;
	u->since = loop_now();
	u->o->bytes_in += (size_t)n;
	u->view = *p = scratch;
	u->view_n = (size_t)n;
	return n;
}

static void up_used(struct upconn *u, size_t n)
{
	u->view += n;
	u->view_n -= n;
}

/* How the answer's body goes on to this client. */
static void choose_framing(struct upconn *u, struct http_head *h)
{
	struct conn *c = u->c;

	u->body = h->body;
	u->left = h->length;
	u->keep = h->keep;
	u->chunks = (struct chunks){ 0 };
	c->chunked_out = false;
	if (h->body == BODY_CHUNKED || h->body == BODY_CLOSE) {
		c->chunked_out = !c->minor0;
		c->close_delimited = c->minor0;
	}
	if (c->close_delimited || c->listener->server->draining)
		c->keep = false;
	if (c->body != BODY_NONE && c->expect)
		c->keep = false;	/* the body may or may not still come */
}

/* The payload at p with the framing the client gets; last: after it the body
 * is complete. */
static int to_client(struct conn *c, const char *head, size_t head_n,
		     char *p, size_t n, bool last)
{
	struct iovec iov[4] = { { (void *)(uintptr_t)head, head_n } };
	int at = head_n ? 1 : 0;
	char line[24];
	size_t len;

	c->x.bytes_out += n;
	if (c->chunked_out && n) {
		len = (size_t)snprintf(line, sizeof line, "%zx\r\n", n);
		iov[at++] = (struct iovec){ line, len };
	}
	if (n)
		iov[at++] = (struct iovec){ p, n };
	if (c->chunked_out && (n || last)) {
		p = (char *)(n ? "\r\n0\r\n\r\n" : "0\r\n\r\n");
		len = n ? (last ? 7 : 2) : 5;
		iov[at++] = (struct iovec){ p, len };
	}
	return at ? conn_writev(c, iov, at, &scratch) : 0;
}

/* Takes payload out of the bytes at hand. *last: the body ends with it. -1:
 * broken framing. */
static long payload(struct upconn *u, char **p, bool *last)
{
	size_t n = u->view_n, got = n;
	long used;

	*p = u->view;
	*last = false;
	switch (u->body) {
	case BODY_NONE:
		*last = true;
		return 0;
	case BODY_LENGTH:
		if (n > u->left)
			n = (size_t)u->left;
		u->left -= n;
		*last = u->left == 0;
		up_used(u, n);
		return (long)n;
	case BODY_CHUNKED:
		used = http_chunks(&u->chunks, u->view, n, &got);
		if (used < 0)
			return -1;
		*last = u->chunks.done;
		up_used(u, (size_t)used);
		return (long)got;
	default:
		up_used(u, n);
		return (long)n;
	}
}

enum go { ON, OVER };

/* The read buffer is shared: what an interim answer left in it moves out. */
static void settle(struct upconn *u)
{
	if (!u->view_n)
		return;
	u->rescan = pend_add(&u->in, u->view, u->view_n) == 0;
	u->view_n = 0;
}

static enum go pass_body(struct upconn *u, const char *head, size_t head_n)
{
	char *p;
	bool last;
	long n = payload(u, &p, &last);

	if (n < 0) {
		fail(u, 502, "bad chunked body");
		return OVER;
	}
	u->c->started = true;
	if (to_client(u->c, head, head_n, p, (size_t)n, last) < 0)
		return OVER;	/* conn_drop came back to client_gone */
	if (last) {
		complete(u);
		return OVER;
	}
	return ON;
}

static enum go pass_interim(struct upconn *u, struct http_head *h)
{
	struct text t = { head_space, 0, HEAD_SPACE, false };
	struct iovec iov;

	if (h->status == 101 || ++u->interim > INTERIM_MAX) {
		fail(u, 502, "unexpected interim answer");
		return OVER;
	}
	if (u->c->minor0)
		return ON;
	heads_response(&t, u->c, h);
	iov = (struct iovec){ t.p, t.n };
	return conn_writev(u->c, &iov, 1, NULL) < 0 ? OVER : ON;
}

static enum go pass_head(struct upconn *u, char *p, size_t n)
{
	static struct http_head h;
	struct text t = { head_space, 0, HEAD_SPACE, false };
	struct pend whole = { 0 };
	enum go go;
	long used;

	if (pend_n(&u->in)) {
		if (pend_add(&u->in, p, n) < 0) {
			fail(u, 502, "out of memory");
			return OVER;
		}
		whole = u->in;
		p = whole.p + whole.off;
		n = pend_n(&whole);
	}
	u->rescan = false;
	used = http_response(&h, p, n, u->method);
	if (used == HTTP_MORE) {
		if (!whole.p && pend_add(&u->in, p, n) < 0) {
			fail(u, 502, "out of memory");
			return OVER;
		}
		u->view_n = 0;
		return ON;
	}
	if (used < 0) {
		fail(u, 502, h.why);
		return OVER;
	}
	u->in = (struct pend){ 0 };
	u->view = p + used;
	u->view_n = n - (size_t)used;
	if (h.status < 200) {
		go = pass_interim(u, &h);
		/* what follows moves out of the buffer about to be freed */
		if (whole.p && go == ON)
			settle(u);
		free(whole.p);
		return go;
	}
	origin_ok(u->o, clock_us() - u->sent_us);
	choose_framing(u, &h);
	u->phase = UP_BODY;
	u->c->x.status = h.status;
	heads_response(&t, u->c, &h);
	if (t.over) {
		fail(u, 502, "head too large");
		go = OVER;
	} else if (u->body == BODY_LENGTH && u->left == 0) {
		u->body = BODY_NONE;
		go = pass_body(u, t.p, t.n);
	} else {
		go = pass_body(u, t.p, t.n);
		if (go == ON)
			up_timer(u, u->o->limits->between_ms);
	}
	/* whole is as large as one read: to_client wrote or copied it all */
	free(whole.p);
	return go;
}

static bool retry(struct upconn *u)
{
	struct conn *c = u->c;
	struct origin *o = u->o;

	if (!u->reused || !u->safe || pend_n(&u->in) || c->started || u->interim)
		return false;
	o->retried++;
	c->relay = NULL;
	u->c = NULL;
	origin_ref(o);
	u->dead = false;
	up_go(c, o, u->method, u->big ? u->big : u->head, u->head_n);
	up_close(u);
	origin_drop(o);
	return true;
}

/* The node has closed, or reset (error). */
static void node_ended(struct upconn *u, bool error)
{
	if (u->phase == UP_HEAD) {
		if (!retry(u))
			fail(u, 502, error ? "connection reset"
				: "the connection ended before an answer");
		return;
	}
	if (u->body != BODY_CLOSE || error) {
		fail(u, 502, "the answer was cut off");
		return;
	}
	if (to_client(u->c, NULL, 0, NULL, 0, true) == 0)
		complete(u);
}

/* From a UNIX socket splice costs twice what copying does (1 MiB: 390 us
 * against 155); from TCP half. */
static bool splices_down(const struct upconn *u)
{
	return u->phase == UP_BODY && u->body == BODY_LENGTH && u->req_done &&
	       u->o->addr.kind == ADDR_TCP && !u->view_n &&
	       !pend_n(&u->c->out) && (u->piped || u->left >= SPLICE_MIN);
}

static void pull_spliced(struct upconn *u)
{
	struct conn *c = u->c;
	uint64_t before = u->left;
	bool node;

	if (splice_some(u, u->watch.fd, &u->rd, c->watch.fd, &c->watch, &c->wr,
			&u->left, &node) < 0) {
		if (node)
			fail(u, 502, "the answer was cut off");
		else
			conn_drop(c);
		return;
	}
	if (before != u->left)
		u->since = c->since = loop_now();
	c->x.bytes_out += before - u->left;
	u->o->bytes_in += before - u->left;
	if (u->left == 0 && !u->piped) {
		watch_out(&c->watch, false);
		complete(u);
	} else if (u->rd && c->wr) {
		task_later(&u->task, again);
	}
}

static void pull(struct upconn *u)
{
	struct conn *c = u->c;
	enum go go = ON;
	char *p = scratch;
	long n;

	if (splices_down(u) && up_pipe(u)) {
		pull_spliced(u);
		return;
	}
	for (int i = 0; i < PIECES; i++) {
		if (pend_n(&c->out)) {	/* a slow reader slows the node */
			settle(u);
			return;
		}
		n = up_take(u, &p);
		if (n == 0 && !u->rescan)
			return;
		if (n < 0) {
			node_ended(u, n == -1);
			return;
		}
		go = u->phase == UP_HEAD ? pass_head(u, p, (size_t)n)
					 : pass_body(u, NULL, 0);
		if (go != ON)
			return;
	}
	task_later(&u->task, again);
}

static void move(struct upconn *u)
{
	if (u->phase <= UP_CONNECTING || !push(u, NULL, 0))
		return;
	pull(u);
}

static void ready(struct upconn *u)
{
	struct conn *c = u->c;

	if (!c || u->dead)
		return;
	if (u->phase == UP_HEAD && u->head_n && !u->reused && !u->sent_us) {
		u->sent_us = clock_us();
		if (!push(u, u->big ? u->big : u->head, u->head_n))
			return;
	}
	move(u);
}

static void pump(struct conn *c)
{
	struct upconn *u = c->relay;

	if (u)
		move(u);
}

/* ---- the start ---- */

static int keep_head(struct upconn *u, const char *head, size_t n)
{
	free(u->big);
	u->big = NULL;
	u->head_n = n;
	if (n <= KEPT_HEAD) {
		copy(u->head, head, n);
		return 0;
	}
	u->big = malloc(n);
	if (!u->big)
		return -1;
	memcpy(u->big, head, n);
	return 0;
}

/* Requests without a body leave together at the end of the turn: a node that
 * is woken by the first stays awake for the rest. Waking costs more than
 * sending. */
static void send_head(struct task *t)
{
	struct upconn *u = (struct upconn *)((char *)t - offsetof(struct upconn, task));

	u->sent_us = clock_us();
	if (push(u, u->big ? u->big : u->head, u->head_n) && u->fin)
		pull(u);
}

static void up_go(struct conn *c, struct origin *o, enum http_method method,
		  const char *head, size_t n)
{
	/* head may live in a connection about to be closed for a retry: then
	 * c->relay was cleared and the new connection is fresh */
	bool fresh = c->phase == RELAY && c->pump != NULL;
	struct upconn *u = up_get(o, fresh);

	if (!u || keep_head(u, head, n) < 0) {
		if (u)
			up_close(u);
		c->pump = NULL;
		reply_detail(&c->x, 503, "out of memory");
		return;
	}
	u->ready = ready;
	u->failed = fail;
	u->c = c;
	u->method = method;
	u->asked = c->body;
	u->req_done = c->body == BODY_NONE;
	u->safe = u->req_done && (method == M_GET || method == M_HEAD ||
				  method == M_OPTIONS);
	u->interim = 0;
	u->sent_us = 0;
	u->view_n = 0;
	u->keep = false;
	c->relay = u;
	c->phase = RELAY;
	c->pump = pump;
	c->gone = client_gone;
	if (!u->reused) {
		up_connect(u);
		return;
	}
	up_timer(u, o->limits->first_ms);
	if (u->req_done)
		task_later(&u->task, send_head);
	else
		send_head(&u->task);
}

static void waited(struct timer *t)
{
	struct waiting *w = (struct waiting *)t;
	struct conn *c = w->c;

	unpin(w);
	c->relay = NULL;
	c->gone = NULL;
	busy(&c->x, w->o, "all are in use");
	origin_drop(w->o);
	free(w);
}

static void waiter_gone(struct conn *c)
{
	struct waiting *w = c->relay;

	c->relay = NULL;
	unpin(w);
	origin_drop(w->o);
	free(w);
}

static void enqueue(struct conn *c, struct origin *o, enum http_method method,
		    const char *head, size_t n)
{
	struct waiting *w = NULL;

	if (o->waiting_n < o->limits->queue)
		w = malloc(sizeof *w + n);
	if (!w) {
		busy(&c->x, o, "all are in use");
		return;
	}
	o->serve = next_waiting;
	memset(w, 0, sizeof *w);
	w->o = origin_ref(o);
	w->c = c;
	w->method = method;
	w->n = n;
	memcpy(w->head, head, n);
	*o->waiting_end = w;
	o->waiting_end = &w->next;
	o->waiting_n++;
	c->relay = w;
	c->phase = RELAY;
	c->pump = NULL;
	c->gone = waiter_gone;
	timer_set(&w->timer, loop_now() + o->limits->first_ms, waited);
}

/* 0 for none; anything odd counts as too many. */
static int hops_of(const struct http_head *h)
{
	const struct http_field *f = http_find(h, F_HOPS);

	if (!f)
		return 0;
	return f->value.n == 1 && f->value.p[0] >= '0' && f->value.p[0] <= '9'
		? f->value.p[0] - '0' : HOPS_MAX;
}

void relay(struct exchange *x, struct origin *o, struct span target)
{
	struct text t = { head_space, 0, HEAD_SPACE, false };
	int hops = hops_of(x->req);

	if (!scratch && !(scratch = block_get())) {
		reply_detail(x, 503, "out of memory");
		return;
	}
	if (hops >= HOPS_MAX) {
		reply_detail(x, 508, "a loop: this request has passed %d frontends",
			     hops);
		return;
	}
	if (o->state == ORIGIN_DOWN && o->slow && o->tried + TRY_MS > loop_now()) {
		/* a probe brings it back, or a request now and then */
		reply_detail(x, 502, "%s is down: %s", o->label, o->error);
		return;
	}
	heads_request(&t, x, o->host, target, hops + 1);
	if (t.over) {
		reply_detail(x, 431, "the request head is too large to pass on");
		return;
	}
	o->requests++;
	o->tried = loop_now();
	x->conn->relay = NULL;
	x->conn->pump = NULL;
	if (room(o) && !o->waiting)
		up_go(x->conn, o, x->method, t.p, t.n);
	else
		enqueue(x->conn, o, x->method, t.p, t.n);
}
