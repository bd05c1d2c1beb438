/* sink.c - the queue in front of a log, and stderr as the log
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "pytext.h"
#include "sink.h"

static const char *const stream_names[] = { "stdout", "stderr", "lmc" };

static bool plain(unsigned char c)
{
	return (c >= 0x20 && c < 0x7f) || c == '\t';
}

void sink_escape(struct buf *out, const char *p, size_t n)
{
	size_t from = 0, i = 0, used, k;
	uint32_t c;

	while (i < n) {
		if (plain((unsigned char)p[i])) {
			i++;
			continue;
		}
		used = py_char(p + i, n - i, &c);
		if (used > 1 && c >= 0xa0) {
			i += used;
			continue;
		}
		buf_add(out, p + from, i - from);
		for (k = 0; k < used; k++)
			buf_printf(out, "\\x%02x", (unsigned char)p[i + k]);
		i += used;
		from = i;
	}
	buf_add(out, p + from, n - from);
}

static void put_json(struct sink *s, const char *name, enum stream st, const char *p, size_t n)
{
	struct buf text = BUF(SINK_LINE * 4);
	char now[CLOCK_TEXT];

	sink_escape(&text, p, n);
	buf_printf(&s->queue, "{\"time\":\"%s\",\"plugin\":", clock_iso(clock_wall_ms(), now));
	json_puts(&s->queue, name);
	buf_printf(&s->queue, ",\"stream\":\"%s\",\"line\":", stream_names[st]);
	json_put(&s->queue, text.p ? text.p : "", text.len);
	buf_puts(&s->queue, "}\n");
	buf_free(&text);
}

int sink_format(struct sink *s, bool stamp, const char *name, enum stream st,
		const char *p, size_t n)
{
	static const char *const marks[] = { "", "!", "*" };
	size_t from = s->queue.len;
	char now[CLOCK_TEXT];

	if (s->json) {
		put_json(s, name, st, p, n);
	} else {
		if (stamp)
			buf_printf(&s->queue, "%s ", clock_iso(clock_wall_ms(), now));
		buf_putc(&s->queue, '[');
		sink_escape(&s->queue, name, strlen(name));
		buf_printf(&s->queue, "]%s ", marks[st]);
		sink_escape(&s->queue, p, n);
		buf_putc(&s->queue, '\n');
	}
	if (!s->queue.bad)
		return 0;
	s->queue.bad = false;
	s->queue.len = from;
	return -1;
}

static void room(struct sink *s)
{
	if (s->on_room && s->queue.len <= SINK_LOW)
		s->on_room(s);
}

static void no_more_patience(struct timer *t)
{
	struct sink *s = (struct sink *)((char *)t - offsetof(struct sink, patience));

	s->given_up = true;
	if (s->on_room)
		s->on_room(s);
}

void sink_moves(struct sink *s)
{
	s->waits = s->given_up = false;
	timer_stop(&s->patience);
	room(s);
}

void sink_stalls(struct sink *s)
{
	s->waits = true;
}

bool sink_full(struct sink *s)
{
	if (s->queue.len <= SINK_QUEUE / 2 || s->given_up)
		return false;
	if (!s->waits) {
		s->flush(s);
		if (s->queue.len <= SINK_QUEUE / 2)
			return false;
	}
	if (!s->patience.due)
		timer_set(&s->patience, loop_now() + SINK_PATIENCE_MS, no_more_patience);
	return true;
}

static void flush_task(struct task *t)
{
	struct sink *s = (struct sink *)((char *)t - offsetof(struct sink, task));

	if (!s->waits)
		s->flush(s);
}

int sink_line(struct sink *s, const char *name, enum stream st, const char *p, size_t n)
{
	if (s->put(s, name, st, p, n) < 0)
		return -1;
	s->lines++;
	s->bytes += n;
	if (!s->waits)
		task_later(&s->task, flush_task);
	return 0;
}

void sink_init(struct sink *s)
{
	memset(s, 0, sizeof *s);
	s->queue.max = SINK_QUEUE;
	s->watch.fd = -1;
}

static ssize_t put_out(int fd, const char *p, size_t n)
{
	ssize_t out = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	return out < 0 && errno == ENOTSOCK ? write(fd, p, n) : out;
}

static void stderr_flush(struct sink *s)
{
	ssize_t n;

	while (s->queue.len) {
		n = put_out(s->watch.fd < 0 ? 2 : s->watch.fd, s->queue.p, s->queue.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			sink_stalls(s);
			return;
		}
		/* nobody will ever read it: as good as read */
		buf_drop(&s->queue, n < 0 ? s->queue.len : (size_t)n);
		sink_moves(s);
	}
}

static void stderr_ready(struct watch *w, unsigned ready)
{
	struct sink *s = (struct sink *)((char *)w - offsetof(struct sink, watch));

	if (!(ready & READY_OUT) || !s->waits)
		return;
	s->waits = false;
	stderr_flush(s);
}

static int stderr_put(struct sink *s, const char *name, enum stream st, const char *p, size_t n)
{
	return sink_format(s, false, name, st, p, n);
}

/* Our own open file, so that O_NONBLOCK is not forced upon the others who
 * have this terminal or pipe. A regular file never makes one wait. */
int sink_stderr(struct sink *s)
{
	struct stat st;
	int fd = -1;

	s->flush = stderr_flush;
	s->put = stderr_put;
	if (fstat(2, &st) < 0)
		return -1;
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	else if (S_ISSOCK(st.st_mode))
		fd = fcntl(2, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0 && watch_add(&s->watch, fd, stderr_ready) < 0) {
		close(fd);
		s->watch.fd = -1;
	}
	return 0;
}

void sink_drain(struct sink *s, int64_t ms)
{
	int64_t end = clock_ms() + ms, left;
	struct pollfd p;

	s->waits = false;
	s->flush(s);
	while (s->queue.len && s->waits && s->watch.fd >= 0) {
		left = end - clock_ms();
		p = (struct pollfd){ .fd = s->watch.fd, .events = POLLOUT };
		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return;
		s->waits = false;
		s->flush(s);
	}
}
