/* sink_syslog.c - lines to a syslog receiver, RFC 5424
 * SPDX-License-Identifier: Apache-2.0
 *
 * The queue holds messages, each after its length. A datagram is sent as it
 * is; a TCP stream gets "LENGTH MESSAGE" (RFC 6587 3.4.1), a UNIX stream the
 * message and a newline. A message whose connection broke is sent again as a
 * whole.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "rfc5424.h"
#include "sink.h"

enum { RETRY_FIRST_MS = 200, RETRY_MAX_MS = 30000, PREFIX = sizeof(uint32_t) };

static void dial(struct sink *s);

static void again(struct timer *t)
{
	struct sink *s = (struct sink *)((char *)t - offsetof(struct sink, retry));

	dial(s);
}

static void lost(struct sink *s)
{
	int fd = s->watch.fd;

	watch_del(&s->watch);
	if (fd >= 0)
		close(fd);
	s->sent = 0;
	s->connecting = false;
	sink_stalls(s);
	s->delay = s->delay ? s->delay * 2 : RETRY_FIRST_MS;
	if (s->delay > RETRY_MAX_MS)
		s->delay = RETRY_MAX_MS;
	timer_set(&s->retry, loop_now() + s->delay, again);
}

static uint32_t len_at(const struct sink *s, size_t at)
{
	uint32_t n;

	memcpy(&n, s->queue.p + at, PREFIX);
	return n;
}

/* 1: out; 0: later; -1: the connection is gone. */
static int send_at(struct sink *s, size_t at)
{
	size_t n = len_at(s, at);
	const char *p = s->queue.p + at + PREFIX;
	ssize_t out;

	out = send(s->watch.fd, p + s->sent, n - s->sent, MSG_NOSIGNAL);
	if (out < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == EINTR))
		return 0;
	/* a datagram too long for the way is nobody's fault and cannot wait */
	if (out < 0 && s->datagram && errno == EMSGSIZE)
		return 1;
	if (out < 0)
		return -1;
	s->sent += (size_t)out;
	return s->datagram || s->sent == n ? 1 : 0;
}

static void syslog_flush(struct sink *s)
{
	size_t at = 0;
	int done = 1;

	if (s->watch.fd < 0 || s->connecting)
		return;
	while (at < s->queue.len && (done = send_at(s, at)) > 0) {
		at += PREFIX + len_at(s, at);
		s->sent = 0;
	}
	buf_drop(&s->queue, at);
	if (at) {
		s->delay = 0;
		sink_moves(s);
	}
	if (done == 0)
		sink_stalls(s);
	if (done < 0)
		lost(s);
}

static void syslog_ready(struct watch *w, unsigned ready)
{
	struct sink *s = (struct sink *)((char *)w - offsetof(struct sink, watch));
	int err = 0;
	socklen_t len = sizeof err;

	getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err || (ready & READY_END && !s->datagram)) {
		lost(s);
		return;
	}
	if (!(ready & READY_OUT))
		return;
	s->connecting = s->waits = false;
	syslog_flush(s);
}

static void dial(struct sink *s)
{
	int fd = rfc5424_connect(&s->addr, &s->datagram);

	if (fd < 0 || watch_add(&s->watch, fd, syslog_ready) < 0) {
		if (fd >= 0)
			close(fd);
		lost(s);
		return;
	}
	s->connecting = true;	/* until it is writable */
}

static int syslog_put(struct sink *s, const char *name, enum stream st, const char *p, size_t n)
{
	static const int severity[] = { SEV_INFO, SEV_WARNING, SEV_NOTICE };
	static const char *const ids[] = { "stdout", "stderr", "lmc" };
	struct buf text = BUF(SINK_LINE * 4), msg = BUF(SINK_LINE * 5);
	uint32_t len;
	int bad;

	sink_escape(&text, p, n);
	rfc5424_put(&msg, severity[st], clock_wall_ms(), name, "", ids[st],
		    text.p ? text.p : "", text.len);
	if (!s->datagram && s->addr.kind == ADDR_UNIX)
		buf_putc(&msg, '\n');
	if (!s->datagram && s->addr.kind == ADDR_TCP) {
		buf_reset(&text);
		buf_printf(&text, "%zu ", msg.len);
		buf_add(&text, msg.p, msg.len);
		buf_reset(&msg);
		buf_add(&msg, text.p, text.len);
	}
	len = (uint32_t)msg.len;
	bad = msg.bad || text.bad || s->queue.len + PREFIX + len > s->queue.max;
	if (!bad) {
		buf_add(&s->queue, &len, PREFIX);
		bad = buf_add(&s->queue, msg.p, msg.len);
	}
	buf_free(&text);
	buf_free(&msg);
	return bad ? -1 : 0;
}

int sink_syslog(struct sink *s, const char *where, const char **why)
{
	if (rfc5424_addr(where, &s->addr, &s->datagram, why) < 0)
		return -1;
	s->flush = syslog_flush;
	s->put = syslog_put;
	s->waits = true;
	dial(s);
	return 0;
}
