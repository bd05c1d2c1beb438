/* server.c - the serving side of HTTP/1.1
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "conn.h"
#include "json.h"
#include "log.h"
#include "peers.h"

enum {
	SLAB        = 64,	/* connections allocated at once */
	ACCEPTS     = 64,	/* taken from a listener per turn */
	BACKLOG     = 4096,
	PARK_MS     = 100,	/* a listener rests when descriptors run out */
	FIN_MS      = 250,	/* a client that sent FIN still gets this long */
	LINGER_MS   = 2000,
	DRAIN_MAX   = 64 << 10,	/* unread request body skipped, bytes */
	EXTRA_MAX   = 1024,
	HEAD_OUT    = 2048
};

static char *scratch;		/* what clients sent; a block */
static struct conn *free_conns;
static struct conn **slabs;
static int slabs_n;
static int reserve_fd = -1;	/* given up to answer when no other is left */

static void exchange_over(struct conn *c);
static void conn_on(struct watch *w, unsigned ready);

const char *http_date(void)
{
	static char text[CLOCK_TEXT];
	static int64_t at = -1;
	int64_t sec = clock_wall_ms() / 1000;

	if (sec != at) {
		at = sec;
		clock_http(sec * 1000, text);
	}
	return text;
}

/* ---- slots ---- */

static struct conn *conn_new(void)
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
	return c;
}

static void conn_free(struct task *t)
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
	c->listener->server->open--;
	if (c->counted)
		peers_drop(c->peer);
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
	if (s->draining && s->active == 0 && s->on_drained)
		s->on_drained(s);
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
	deadline(c, pend_n(&c->out) ? l->write_ms : l->idle_ms);
}

static void reset_on_close(struct conn *c)
{
	struct linger hard = { 1, 0 };

	setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
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
			reset_on_close(c);
		conn_close(c);
		return;
	}
	if (c->body != BODY_NONE && (c->body != BODY_LENGTH || c->left > DRAIN_MAX))
		c->keep = false;
	finish(c);
	if (!c->running)
		task_later(&c->task, resume);
}

/* ---- answers ---- */

void reply_header(struct exchange *x, const char *fmt, ...)
{
	char line[EXTRA_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line - 2, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof line - 2 ||
	    pend_n(&x->conn->extra) + (size_t)n + 2 > EXTRA_MAX)
		return;
	line[n] = '\r';
	line[n + 1] = '\n';
	pend_add(&x->conn->extra, line, (size_t)n + 2);
}

/* What the client still sends of its body decides whether the connection can
 * be used again. */
static void decide_keep(struct conn *c)
{
	if (c->body == BODY_NONE)
		return;
	if (c->body != BODY_LENGTH || c->left > DRAIN_MAX || c->expect)
		c->keep = false;
}

static size_t head_text(struct conn *c, char *out, int status,
			const char *type, int64_t length)
{
	size_t n;

	decide_keep(c);
	if (c->listener->server->draining)
		c->keep = false;
	n = (size_t)snprintf(out, HEAD_OUT, "HTTP/1.1 %d %s\r\nDate: %s\r\n",
			     status, http_reason(status), http_date());
	if (type)
		n += (size_t)snprintf(out + n, HEAD_OUT - n,
				      "Content-Type: %s\r\n", type);
	if (length >= 0 && status >= 200 && status != 204 && status != 304)
		n += (size_t)snprintf(out + n, HEAD_OUT - n,
				      "Content-Length: %lld\r\n",
				      (long long)length);
	if (c->chunked_out)
		n += (size_t)snprintf(out + n, HEAD_OUT - n,
				      "Transfer-Encoding: chunked\r\n");
	if (!c->keep)
		n += (size_t)snprintf(out + n, HEAD_OUT - n,
				      "Connection: close\r\n");
	else if (c->minor0)
		n += (size_t)snprintf(out + n, HEAD_OUT - n,
				      "Connection: keep-alive\r\n");
	if (pend_n(&c->extra) && n + pend_n(&c->extra) + 2 < HEAD_OUT) {
		memcpy(out + n, c->extra.p + c->extra.off, pend_n(&c->extra));
		n += pend_n(&c->extra);
	}
	memcpy(out + n, "\r\n", 2);
	return n + 2;
}

static bool no_body(const struct conn *c, int status)
{
	return c->head_only || status == 204 || status == 304;
}

void reply(struct exchange *x, int status, const char *type, const void *p, size_t n)
{
	struct conn *c = x->conn;
	char head[HEAD_OUT];
	struct iovec iov[2];

	if (c->dead || !c->owed || c->started)
		return;
	c->started = true;
	x->status = status;
	iov[0].iov_base = head;
	iov[0].iov_len = head_text(c, head, status, type, (int64_t)n);
	iov[1].iov_base = (void *)(uintptr_t)p;
	iov[1].iov_len = no_body(c, status) ? 0 : n;
	x->bytes_out = iov[1].iov_len;
	if (conn_writev(c, iov, iov[1].iov_len ? 2 : 1, NULL) < 0)
		return;
	conn_done(c, true);
}

void reply_static(struct exchange *x, int status, const char *type,
		  const void *p, size_t n)
{
	reply(x, status, type, p, n);
}

void reply_detail(struct exchange *x, int status, const char *fmt, ...)
{
	struct buf text = BUF(4096), json = BUF(32768);
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	buf_puts(&text, line);
	buf_puts(&json, "{\"detail\":");
	json_put(&json, text.p ? text.p : "", text.len);
	buf_puts(&json, "}");
	reply(x, status, "application/json", json.p, json.len);
	buf_free(&text);
	buf_free(&json);
}

void reply_start(struct exchange *x, int status, const char *type, int64_t length)
{
	struct conn *c = x->conn;
	char head[HEAD_OUT];
	struct iovec iov;

	if (c->dead || !c->owed || c->started)
		return;
	c->started = true;
	x->status = status;
	c->phase = ANSWER;
	if (length < 0 && !no_body(c, status)) {
		c->chunked_out = !c->minor0;
		c->close_delimited = c->minor0;
		c->keep = c->keep && c->chunked_out;
	}
	iov.iov_base = head;
	iov.iov_len = head_text(c, head, status, type, length);
	conn_writev(c, &iov, 1, NULL);
}

long reply_write(struct exchange *x, const void *p, size_t n)
{
	struct conn *c = x->conn;
	char size[24];
	struct iovec iov[3] = {
		{ size, 0 }, { (void *)(uintptr_t)p, n }, { (char *)"\r\n", 2 }
	};

	if (c->dead || !c->owed)
		return -1;
	if (n == 0 || no_body(c, x->status))
		return (long)pend_n(&c->out);
	x->bytes_out += n;
	if (c->chunked_out) {
		iov[0].iov_len = (size_t)snprintf(size, sizeof size, "%zx\r\n", n);
		if (conn_writev(c, iov, 3, NULL) < 0)
			return -1;
	} else if (conn_writev(c, iov + 1, 1, NULL) < 0) {
		return -1;
	}
	return (long)pend_n(&c->out);
}

void reply_room(struct exchange *x, void (*on_room)(struct exchange *))
{
	x->conn->on_room = on_room;
}

void reply_end(struct exchange *x)
{
	struct conn *c = x->conn;
	struct iovec iov = { (char *)"0\r\n\r\n", 5 };

	if (c->dead || !c->owed)
		return;
	c->on_room = NULL;
	if (c->chunked_out && conn_writev(c, &iov, 1, NULL) < 0)
		return;
	conn_done(c, true);
}

void reply_raw(struct exchange *x, const void *p, size_t n, bool reset)
{
	struct conn *c = x->conn;
	struct iovec iov = { (void *)(uintptr_t)p, n };

	if (c->dead || !c->owed)
		return;
	c->keep = false;
	c->started = true;
	if (n && conn_writev(c, &iov, 1, NULL) < 0)
		return;
	if (reset) {
		reset_on_close(c);
		conn_close(c);
		return;
	}
	conn_done(c, true);
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

	if (n < 0 && c->chunks.line) {
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
		timer_set(t, wait ? c->since + wait : loop_now() + FIN_MS * 60,
			  conn_timer);
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

/* ---- accepting ---- */

static void remember_peer(struct conn *c, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)ss;

	if (ss->ss_family == AF_INET) {
		c->peer[10] = c->peer[11] = 0xff;
		memcpy(c->peer + 12, &v4->sin_addr, 4);
	} else if (ss->ss_family == AF_INET6) {
		memcpy(c->peer, &v6->sin6_addr, 16);
	}
}

/* inet_ntop goes through printf: too slow for every request. */
static const char *dotted(const unsigned char *p, char *out)
{
	char *at = out;

	for (int i = 0; i < 4; i++) {
		if (p[i] >= 100)
			*at++ = (char)('0' + p[i] / 100);
		if (p[i] >= 10)
			*at++ = (char)('0' + p[i] / 10 % 10);
		*at++ = (char)('0' + p[i] % 10);
		*at++ = '.';
	}
	at[-1] = '\0';
	return out;
}

const char *exchange_peer(const struct exchange *x)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const unsigned char none[16];
	static char text[INET6_ADDRSTRLEN];
	const unsigned char *p = x->conn->peer;

	if (memcmp(p, none, 16) == 0)
		return "unix";
	if (memcmp(p, mapped, 12) == 0)
		return dotted(p + 12, text);
	return inet_ntop(AF_INET6, p, text, sizeof text);
}

static void too_many(struct server *s, int fd, bool address)
{
	static const char busy[] =
		"HTTP/1.1 503 Service Unavailable\r\n"
		"Content-Type: application/json\r\nContent-Length: 33\r\n"
		"Retry-After: 1\r\nConnection: close\r\n\r\n"
		"{\"detail\":\"too many connections\"}";
	static const char greedy[] =
		"HTTP/1.1 429 Too Many Requests\r\n"
		"Content-Type: application/json\r\nContent-Length: 47\r\n"
		"Retry-After: 1\r\nConnection: close\r\n\r\n"
		"{\"detail\":\"too many connections of one client\"}";

	s->refused++;
	if ((address ? write(fd, greedy, sizeof greedy - 1)
		     : write(fd, busy, sizeof busy - 1)) > 0) {
		shutdown(fd, SHUT_WR);
		/* what is unread at close would reset the answer away */
		while (read(fd, scratch, SCRATCH) > 0)
			;
	}
	close(fd);
}

static void open_reserve(void)
{
	if (reserve_fd < 0)
		reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void listener_on(struct watch *w, unsigned ready);

static void unpark(struct timer *t)
{
	struct listener *l = (struct listener *)((char *)t - offsetof(struct listener, timer));
	int fd = l->watch.fd < 0 ? -l->watch.fd - 2 : -1;

	open_reserve();
	if (fd >= 0 && watch_add_level(&l->watch, fd, listener_on) < 0) {
		l->watch.fd = -fd - 2;
		timer_set(t, loop_now() + PARK_MS, unpark);
	}
}

/* Out of descriptors: answer one with the reserve, then rest. */
static void shortage(struct listener *l)
{
	int fd, listening = l->watch.fd;

	if (reserve_fd >= 0) {
		close(reserve_fd);
		reserve_fd = -1;
		for (int i = 0; i < ACCEPTS; i++) {
			fd = accept4(listening, NULL, NULL,
				     SOCK_NONBLOCK | SOCK_CLOEXEC);
			if (fd < 0)
				break;
			too_many(l->server, fd, false);
		}
		open_reserve();
	}
	watch_del(&l->watch);
	l->watch.fd = -listening - 2;	/* kept for unpark() */
	timer_set(&l->timer, loop_now() + PARK_MS, unpark);
}

/* Counts the connection for its address; false: it has enough. */
static bool one_more(struct conn *c)
{
	long limit = c->listener->server->limits->per_address;

	if (!limit || c->listener->addr.kind == ADDR_UNIX)
		return true;
	c->counted = true;
	if (peers_add(c->peer) <= limit)
		return true;
	peers_drop(c->peer);
	return false;
}

static void welcome(struct listener *l, int fd, const struct sockaddr_storage *ss)
{
	struct server *s = l->server;
	struct conn *c = s->open < s->limits->connections ? conn_new() : NULL;

	if (!c) {
		too_many(s, fd, false);
		return;
	}
	c->listener = l;
	c->x.server = s;
	c->x.listener = l;
	c->x.conn = c;
	c->wr = true;
	c->fresh = true;
	remember_peer(c, ss);
	if (!one_more(c)) {
		too_many(s, fd, true);
		conn_free(&c->task);
		return;
	}
	if (watch_add_quiet(&c->watch, fd, conn_on) < 0) {
		if (c->counted)
			peers_drop(c->peer);
		close(fd);
		conn_free(&c->task);
		return;
	}
	s->open++;
	s->accepted++;
	deadline(c, s->limits->head_ms);
}

static void listener_on(struct watch *w, unsigned ready)
{
	struct listener *l = (struct listener *)w;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd;

	(void)ready;
	for (int i = 0; i < ACCEPTS && w->fd >= 0; i++) {
		len = sizeof ss;
		ss.ss_family = AF_UNSPEC;
		fd = accept4(w->fd, (struct sockaddr *)&ss, &len,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			welcome(l, fd, &ss);
		else if (errno == EMFILE || errno == ENFILE ||
			 errno == ENOBUFS || errno == ENOMEM)
			shortage(l);
		else if (errno != EINTR && errno != ECONNABORTED)
			break;
	}
}

int server_listen_fd(struct server *s, struct listener *l, int fd)
{
	memset(l, 0, sizeof *l);
	l->server = s;
	net_bound(fd, &l->addr);
	l->trusted = addr_loopback(&l->addr);
	signal(SIGPIPE, SIG_IGN);
	open_reserve();
	if (!scratch)
		scratch = block_get();
	if (!scratch || watch_add_level(&l->watch, fd, listener_on) < 0) {
		close(fd);
		return -1;
	}
	return 0;
}

int server_listen(struct server *s, struct listener *l, const struct addr *a)
{
	int fd = net_listen(a, BACKLOG);

	if (fd < 0)
		return -1;
	return server_listen_fd(s, l, fd);
}

void server_unlisten(struct listener *l)
{
	int fd = l->watch.fd;

	timer_stop(&l->timer);
	if (fd == -1)
		return;
	if (fd < -1)
		fd = -fd - 2;
	else
		watch_del(&l->watch);
	l->watch.fd = -1;
	close(fd);
	if (l->addr.kind == ADDR_UNIX)
		unlink(l->addr.host);
}

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
			if (!c->dead && !c->owed && !pend_n(&c->out))
				conn_drop(c);
		}
	}
	grace_server = s;
	timer_set(&grace, loop_now() + s->limits->grace_ms, grace_over);
	if (s->active == 0 && s->on_drained)
		s->on_drained(s);
}
