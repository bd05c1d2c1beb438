/* server.c - the serving side of HTTP/1.1
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "conn.h"

enum {
	SLAB        = 64,	/* connections allocated at once */
	FIN_MS      = 250,	/* a client that sent FIN still gets this long */
	LINGER_MS   = 2000,
	LOOK_MS     = 15000	/* a request under way is looked after so often */
};

static char *scratch;		/* what clients sent; a block */
static struct conn *free_conns;
static struct conn **slabs;
static int slabs_n;

static void exchange_over(struct conn *c);
static void drained(struct server *s);
static void conn_on(struct watch *w, unsigned ready);

/* ---- slots ---- */

struct conn *conn_new(struct listener *l)
{
	struct conn *c, *slab, **more;

	if (!free_conns) {
		slab = calloc(SLAB, sizeof *slab);
		more = realloc(slabs, (size_t)(slabs_n + 1) * sizeof *slabs);
		if (more)
			slabs = more;
		if (!slab || !more) {
			free(slab);
			return NULL;
		}
		slabs[slabs_n++] = slab;
		for (int i = SLAB; i-- > 0; ) {
			slab[i].next = free_conns;
			slab[i].watch.fd = -1;
			free_conns = &slab[i];
		}
	}
	c = free_conns;
	free_conns = c->next;
	memset(c, 0, sizeof *c);
	c->watch.fd = -1;
	c->listener = l;
	c->x.server = l->server;
	c->x.listener = l;
	c->x.conn = c;
	c->wr = true;
	c->fresh = true;
	return c;
}

void conn_free(struct task *t)
{
	struct conn *c = (struct conn *)((char *)t - offsetof(struct conn, task));

	c->next = free_conns;
	free_conns = c;
}

static void free_gather(struct conn *c)
{
	if (!c->gather)
		return;
	buf_free(&c->gather->buf);
	free(c->gather);
	c->gather = NULL;
}

/* The slot itself is free after the turn: callers further up still look at
 * .dead. */
static void conn_close(struct conn *c)
{
	int fd = c->watch.fd;

	if (c->dead)
		return;
	c->dead = true;
	watch_del(&c->watch);
	close(fd);
	timer_stop(&c->timer);
	task_cancel(&c->task);
	pend_drop(&c->in, pend_n(&c->in));
	pend_drop(&c->out, pend_n(&c->out));
	c->view_n = 0;
	exchange_over(c);
	drained(c->listener->server);
	c->listener->server->open--;
	if (c->counted)
		peers_drop(&conn_peers, c->peer);
	task_later(&c->task, conn_free);
}

void conn_drop(struct conn *c)
{
	void (*gone)(struct conn *) = c->gone;

	if (c->dead)
		return;
	c->gone = NULL;
	if (c->phase == RELAY && gone)
		gone(c);
	if (c->owed && c->phase != RELAY && c->x.on_abort)
		c->x.on_abort(&c->x);
	conn_close(c);
}

/* ---- writing ---- */

char **conn_block(struct conn *c)
{
	return c->view_n ? NULL : &scratch;
}

int conn_writev(struct conn *c, struct iovec *iov, int n, char **block)
{
	c->since = loop_now();
	if (pend_writev(&c->out, &c->watch, &c->wr, iov, n, block) == 0)
		return 0;
	conn_drop(c);
	return -1;
}

static void conn_timer(struct timer *t);

static void deadline(struct conn *c, int64_t ms)
{
	c->since = loop_now();
	if (timer_set(&c->timer, c->since + ms, conn_timer) < 0)
		conn_drop(c);
}

/* ---- the end of an exchange ---- */

/* While ending: nothing is under way any more, nothing waits for a client. */
static void drained(struct server *s)
{
	if (!s->draining || s->active || !s->on_drained)
		return;
	for (int i = 0; i < slabs_n; i++) {
		for (int j = 0; j < SLAB; j++) {
			struct conn *c = &slabs[i][j];

			if (c->watch.fd >= 0 && !c->dead && pend_n(&c->out) &&
			    c->listener->server == s)
				return;
		}
	}
	s->on_drained(s);
}

static void exchange_over(struct conn *c)
{
	struct server *s = c->listener->server;

	if (!c->owed)
		return;
	c->owed = false;
	s->active--;
	if (s->on_done)
		s->on_done(&c->x);
	free_gather(c);
	pend_drop(&c->extra, pend_n(&c->extra));
	drained(s);
}

static void shut(struct conn *c)
{
	shutdown(c->watch.fd, SHUT_WR);
	c->phase = LINGER;
	deadline(c, LINGER_MS);
}

/* All of the answer is written or queued. */
static void finish(struct conn *c)
{
	const struct limits *l = c->listener->server->limits;

	exchange_over(c);
	c->phase = READ_HEAD;
	c->fresh = true;
	if (c->body != BODY_NONE)
		c->phase = DRAIN;
	if (!c->keep || c->listener->server->draining)
		c->phase = CLOSE;
	deadline(c, pend_n(&c->out) ? l->write_ms :
		 pend_n(&c->in) ? l->head_ms : l->idle_ms);
}

void conn_reset(struct conn *c)
{
	struct linger hard = { 1, 0 };

	setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	conn_close(c);
}

static void resume(struct task *t)
{
	conn_run((struct conn *)((char *)t - offsetof(struct conn, task)));
}

void conn_done(struct conn *c, bool whole)
{
	c->pump = NULL;
	c->gone = NULL;
	if (c->dead)
		return;
	if (!whole) {
		/* a body that ends with the connection looks complete after
		 * a FIN: only a reset says that it is not */
		if (c->close_delimited)
			conn_reset(c);
		conn_close(c);
		return;
	}
	if (c->body != BODY_NONE && (c->body != BODY_LENGTH || c->left > DRAIN_MAX))
		c->keep = false;
	finish(c);
	if (!c->running)
		task_later(&c->task, resume);
}

/* ---- reading ---- */

/* Some raw bytes at *p: 0 for none now, -1 for the end or an error. */
static long take(struct conn *c, char **p)
{
	ssize_t n;

	if (c->view_n) {
		*p = c->view;
		return (long)c->view_n;
	}
	if (pend_n(&c->in)) {
		*p = c->in.p + c->in.off;
		return pend_n(&c->in) < SCRATCH ? (long)pend_n(&c->in) : SCRATCH;
	}
	if (!c->rd)
		return 0;
	do
		n = read(c->watch.fd, scratch, SCRATCH);
	while (n < 0 && errno == EINTR);
	if (n < SCRATCH && !c->fin)
		c->rd = false;
	if (n < 0 && errno == EAGAIN) {
		c->rd = false;
		return 0;
	}
	if (n <= 0)
		return -1;
	c->since = loop_now();
	c->view = *p = scratch;
	c->view_n = (size_t)n;
	c->fresh = true;
	return n;
}

static void used(struct conn *c, size_t n)
{
	if (c->view_n) {
		c->view += n;
		c->view_n -= n;
	} else {
		pend_drop(&c->in, n);
	}
}

/* The read buffer is shared: what is left in it moves out. */
static void settle(struct conn *c)
{
	size_t n = c->view_n;

	if (!n)
		return;
	c->view_n = 0;
	if (pend_add(&c->in, c->view, n) < 0)
		conn_drop(c);
}

long conn_body(struct conn *c, char **p)
{
	size_t payload;
	long n;

	while (c->body != BODY_NONE) {
		n = take(c, p);
		if (n <= 0)
			return n;
		c->expect = false;
		if (c->body == BODY_CHUNKED) {
			n = http_chunks(&c->chunks, *p, (size_t)n, &payload);
			if (n < 0)
				return -1;
			if (c->chunks.done)
				c->body = BODY_NONE;
		} else {
			if ((uint64_t)n > c->left)
				n = (long)c->left;
			payload = (size_t)n;
			c->left -= (uint64_t)n;
			if (c->left == 0)
				c->body = BODY_NONE;
		}
		c->x.bytes_in += payload;
		if (c->view_n) {
			used(c, (size_t)n);
		} else if (pend_n(&c->in) > (size_t)n) {
			pend_drop(&c->in, (size_t)n);
		} else {
			/* the caller still reads these bytes: keep them alive */
			memcpy(scratch, *p, payload);
			*p = scratch;
			pend_drop(&c->in, (size_t)n);
		}
		if (!c->running)
			settle(c);	/* called for the node's sake */
		if (payload)
			return (long)payload;
	}
	return 0;
}

/* ---- requests ---- */

static void refuse(struct conn *c, int status, const char *why)
{
	struct server *s = c->listener->server;

	c->owed = true;
	s->active++;
	c->started = false;
	c->keep = false;
	c->body = BODY_NONE;
	c->head_only = false;
	c->x.start_us = clock_us();
	c->x.method = M_OTHER;
	c->x.data = c->x.note = NULL;
	c->x.tag = 0;
	c->x.status = 0;
	c->x.bytes_in = c->x.bytes_out = 0;
	c->x.on_abort = NULL;
	c->x.req = NULL;
	c->phase = ANSWER;
	reply_detail(&c->x, status, "%s", why);
}

/* How long until a request under way is looked at again. */
static int64_t look_ms(const struct limits *l)
{
	int64_t ms = l->write_ms < l->body_idle_ms ? l->write_ms : l->body_idle_ms;

	return ms < LOOK_MS ? ms : LOOK_MS;
}

/* The timer stands where the phase before wanted it: that may be too late. */
static void look_after(struct conn *c)
{
	int64_t due = loop_now() + look_ms(c->listener->server->limits);

	if (c->timer.due > due)
		timer_set(&c->timer, due, conn_timer);
}

static void begin(struct conn *c, struct http_head *h, size_t n)
{
	struct server *s = c->listener->server;
	struct pend hold = { 0 };

	c->body = h->body;
	c->left = h->length;
	if (c->body == BODY_LENGTH && c->left == 0)
		c->body = BODY_NONE;
	c->chunks = (struct chunks){ 0 };
	c->keep = h->keep;
	c->minor0 = h->minor == 0;
	c->expect = h->expect && c->body != BODY_NONE;
	c->head_only = h->method == M_HEAD;
	c->chunked_out = c->started = c->close_delimited = false;
	c->owed = true;
	c->on_room = NULL;
	c->x = (struct exchange){
		.server = s, .listener = c->listener, .conn = c, .req = h,
		.method = h->method, .start_us = clock_us(),
	};
	c->phase = ANSWER;
	look_after(c);
	s->active++;
	s->requests++;
	if (!c->view_n) {
		/* the head's bytes stay while the handler reads them */
		hold = c->in;
		c->in = (struct pend){ 0 };
		hold.off += (uint32_t)n;
		if (pend_add(&c->in, hold.p + hold.off, pend_n(&hold)) < 0)
			conn_drop(c);
	} else {
		used(c, n);
	}
	if (!c->dead)
		s->on_request(&c->x);
	c->x.req = NULL;
	free(hold.p);
}

/* True when there is more to do at once. */
static bool read_head(struct conn *c)
{
	const struct limits *l = c->listener->server->limits;
	static struct http_head h;
	char *p;
	long n, got;
	ssize_t more;

	if (!c->view_n && pend_n(&c->in) && !c->fresh && c->rd) {
		do
			more = read(c->watch.fd, scratch, HTTP_HEAD_MAX);
		while (more < 0 && errno == EINTR);
		if (more < HTTP_HEAD_MAX && !c->fin)
			c->rd = false;
		if (more < 0 && errno == EAGAIN)
			return false;
		if (more <= 0 || pend_add(&c->in, scratch, (size_t)more) < 0) {
			conn_drop(c);
			return false;
		}
		c->fresh = memchr(scratch, '\n', (size_t)more) ||
			   pend_n(&c->in) >= HTTP_HEAD_MAX;
		if (!c->fresh)
			return c->rd;
	}
	got = take(c, &p);
	if (got < 0) {
		conn_drop(c);
		return false;
	}
	if (got == 0 || !c->fresh)
		return false;
	n = http_request(&h, p, (size_t)got);
	if (n > 0) {
		begin(c, &h, (size_t)n);
		return true;
	}
	if (n < 0) {
		refuse(c, h.status, h.why);
		return true;
	}
	c->fresh = false;
	if (c->view_n && !pend_n(&c->in))
		deadline(c, l->head_ms);
	settle(c);
	return c->rd;
}

static void respond_100(struct conn *c)
{
	struct iovec iov = { (char *)"HTTP/1.1 100 Continue\r\n\r\n", 25 };

	if (c->expect && !c->view_n && !pend_n(&c->in))
		conn_writev(c, &iov, 1, NULL);
}

void exchange_body(struct exchange *x, size_t max,
		   void (*on_body)(struct exchange *, char *, size_t))
{
	struct conn *c = x->conn;

	if (c->body == BODY_LENGTH && c->left > max) {
		reply_detail(x, 413, "the body is over %zu bytes", max);
		return;
	}
	c->gather = calloc(1, sizeof *c->gather);
	if (!c->gather) {
		reply_detail(x, 503, "out of memory");
		return;
	}
	c->gather->buf.max = max;
	c->gather->on_body = on_body;
	c->phase = READ_BODY;
	respond_100(c);
	if (!c->dead && !c->running)
		conn_run(c);
}

static bool read_body(struct conn *c)
{
	struct buf *b = &c->gather->buf;
	char *p;
	long n = conn_body(c, &p);

	/* the bytes that broke the framing are still there; at the end of the
	 * connection there are none */
	if (n < 0 && (c->view_n || pend_n(&c->in))) {
		reply_detail(&c->x, 400, "bad chunked body");
		return true;
	}
	if (n < 0) {
		conn_drop(c);
		return false;
	}
	if (n > 0 && buf_add(b, p, (size_t)n) < 0) {
		reply_detail(&c->x, 413, "the body is over %zu bytes", b->max);
		return true;
	}
	if (c->body != BODY_NONE)
		return n > 0;
	c->phase = ANSWER;
	c->gather->on_body(&c->x, b->p ? b->p : (char *)"", b->len);
	return true;
}

static bool skip_body(struct conn *c)
{
	char *p;
	long n = conn_body(c, &p);

	if (n < 0) {
		conn_drop(c);
		return false;
	}
	if (c->body != BODY_NONE)
		return n > 0;
	c->phase = READ_HEAD;
	c->fresh = true;
	return true;
}

static bool linger_on(struct conn *c)
{
	ssize_t n;

	if (!c->rd)
		return false;
	n = read(c->watch.fd, scratch, SCRATCH);
	if (n < 0 && errno == EAGAIN)
		c->rd = false;
	else if (n <= 0)
		conn_close(c);
	else
		task_later(&c->task, resume);	/* others first */
	return false;
}

static bool closing(struct conn *c)
{
	/* closing with bytes unread would reset, and lose the answer */
	if (c->fin && !c->rd)
		conn_close(c);
	else
		shut(c);
	return !c->dead;
}

static bool answering(struct conn *c)
{
	void (*on_room)(struct exchange *) = c->on_room;

	if (c->fin && c->since + FIN_MS < c->timer.due)
		timer_set(&c->timer, loop_now() + FIN_MS, conn_timer);
	if (!on_room)
		return false;
	c->on_room = NULL;
	on_room(&c->x);
	return c->on_room == NULL || c->phase != ANSWER;
}

static bool relaying(struct conn *c)
{
	if (c->fin && c->since + FIN_MS < c->timer.due)
		timer_set(&c->timer, loop_now() + FIN_MS, conn_timer);
	if (c->pump)
		c->pump(c);
	return c->phase != RELAY;
}

static bool step(struct conn *c)
{
	switch (c->phase) {
	case READ_HEAD:	return read_head(c);
	case READ_BODY:	return read_body(c);
	case ANSWER:	return answering(c);
	case RELAY:	return relaying(c);
	case DRAIN:	return skip_body(c);
	case LINGER:	return linger_on(c);
	default:	return closing(c);
	}
}

static void flush(struct conn *c)
{
	c->since = loop_now();
	if (pend_flush(&c->out, &c->watch, &c->wr) < 0)
		conn_drop(c);
	else if (!pend_n(&c->out) && c->phase == READ_HEAD)
		deadline(c, c->listener->server->limits->idle_ms);
	if (!pend_n(&c->out))
		drained(c->listener->server);
}

void conn_run(struct conn *c)
{
	if (c->running || c->dead)
		return;
	c->running = true;
	do {
		if (pend_n(&c->out) && c->wr)
			flush(c);
		/* a slow reader's next request waits; a relay looks itself */
	} while (!c->dead && (!pend_n(&c->out) || c->phase == RELAY) && step(c));
	if (!c->dead)
		settle(c);
	c->running = false;
}

static void conn_on(struct watch *w, unsigned ready)
{
	struct conn *c = (struct conn *)w;

	if (ready & READY_IN)
		c->rd = true;
	if (ready & READY_OUT)
		c->wr = true;
	if (ready & READY_END)
		c->fin = true;
	if (ready & READY_GONE && (c->phase == RELAY || c->phase == ANSWER))
		conn_drop(c);
	conn_run(c);
}

/* How long this phase may go without progress; 0: as long as it likes. */
static int64_t patience(const struct conn *c)
{
	const struct limits *l = c->listener->server->limits;

	if (pend_n(&c->out) || (c->phase == RELAY && !c->wr))
		return l->write_ms;
	switch (c->phase) {
	case READ_HEAD:
		return pend_n(&c->in) ? l->head_ms : l->idle_ms;
	case READ_BODY:
	case DRAIN:
		return l->body_idle_ms;
	case ANSWER:
	case RELAY:
		if (c->fin)
			return FIN_MS;
		/* bytes that wait unread are the node's delay */
		return c->phase == RELAY && c->body != BODY_NONE && !c->rd
			? l->body_idle_ms : 0;
	default:
		return LINGER_MS;
	}
}

static void conn_timer(struct timer *t)
{
	struct conn *c = (struct conn *)((char *)t - offsetof(struct conn, timer));
	int64_t wait = patience(c);

	/* a head's deadline counts from its first byte, so it is exact; the
	 * others moved on with every byte */
	if (wait == 0 || ((c->phase != READ_HEAD || pend_n(&c->out)) &&
			  c->since + wait > loop_now())) {
		timer_set(t, wait ? c->since + wait : loop_now() +
			  look_ms(c->listener->server->limits), conn_timer);
		return;
	}
	if (c->phase == READ_HEAD && pend_n(&c->in) && !pend_n(&c->out)) {
		refuse(c, 408, "the request head took too long");
		conn_run(c);
	} else if (c->phase == READ_BODY ||
		   (c->phase == RELAY && !c->fin && !c->started && c->gone)) {
		if (c->phase == RELAY)
			c->gone(c);
		c->pump = NULL;
		c->gone = NULL;
		c->keep = false;
		reply_detail(&c->x, 408, "the request body took too long");
		conn_run(c);
	} else {
		conn_drop(c);
	}
}

int conn_init(void)
{
	if (!scratch)
		scratch = block_get();
	return scratch ? 0 : -1;
}

int conn_start(struct conn *c, int fd)
{
	struct server *s = c->listener->server;

	if (watch_add_quiet(&c->watch, fd, conn_on) < 0)
		return -1;
	s->open++;
	s->accepted++;
	deadline(c, s->limits->head_ms);
	return 0;
}

/* ---- the end ---- */

static struct timer grace;
static struct server *grace_server;

static void grace_over(struct timer *t)
{
	struct server *s = grace_server;

	(void)t;
	if (s->on_drained)
		s->on_drained(s);
}

void server_drain(struct server *s)
{
	if (s->draining)
		return;
	s->draining = true;
	for (int i = 0; i < slabs_n; i++) {
		for (int j = 0; j < SLAB; j++) {
			struct conn *c = &slabs[i][j];

			if (c->watch.fd < 0 || c->dead || c->listener->server != s)
				continue;
			c->rd = true;	/* a request may wait unread */
			conn_run(c);
		}
	}
	/* idle connections stay until the end: /readyz says 503 on them */
	grace_server = s;
	timer_set(&grace, loop_now() + s->limits->grace_ms, grace_over);
	drained(s);
}
