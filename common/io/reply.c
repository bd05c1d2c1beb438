/* reply.c - answers of our own: whole, in pieces, or broken on purpose
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "conn.h"
#include "json.h"

enum {
	EXTRA_MAX = 1024,	/* bytes of reply_header lines */
	HEAD_OUT  = 2048,
	DETAIL_MAX = 2048
};

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
	/* a relay may have chosen another framing before it failed */
	c->chunked_out = c->close_delimited = false;
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
		conn_reset(c);
		return;
	}
	conn_done(c, true);
}
