/* access.c - one line per request, written without ever waiting
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lines gather in memory and leave once per turn. A reader that does not
 * keep up loses lines, which are counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "proxy.h"

enum {
	NOTE_MAX = 512,		/* bytes of a request target that are logged */
	WAIT_MAX = 256 << 10,	/* bytes that wait for the reader */
	PIPE_MAX = 4096		/* a pipe that is writable takes this at once */
};

struct note {
	size_t n;		/* bytes of text */
	bool   cut;
	const char *method;
	char   node[NODE_NAME + 1];
	char   text[];
};

static enum access_form form;
static const char *path;
static int fd = 2;
static bool file;		/* a regular file never makes us wait */
static struct buf waiting = BUF(WAIT_MAX);
static unsigned long dropped;

unsigned long access_dropped(void)
{
	return dropped;
}

static void flush(void)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	size_t n;
	ssize_t put;

	while (waiting.len) {
		if (!file && (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT)))
			return;
		n = file || waiting.len < PIPE_MAX ? waiting.len : PIPE_MAX;
		put = write(fd, waiting.p, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN)
			return;
		if (put < 0) {		/* a full disk, a closed pipe */
			for (size_t i = 0; i < waiting.len; i++)
				dropped += waiting.p[i] == '\n';
			buf_reset(&waiting);
			return;
		}
		buf_drop(&waiting, (size_t)put);
	}
}

int access_reopen(void)
{
	struct stat st;
	int other;

	if (form == ACCESS_OFF)
		return 0;
	if (path) {
		other = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
		if (other < 0)
			return -1;
		if (fd > 2)
			close(fd);
		fd = other;
	}
	file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	return 0;
}

int access_open(enum access_form f, const char *file_path)
{
	form = f;
	path = file_path;
	if (form != ACCESS_OFF)
		loop_each_turn(flush);
	return access_reopen();
}

void access_begin(struct exchange *x)
{
	static const char *const names[] = {
		"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "-"
	};
	struct span t = x->req->target;
	struct note *note;

	if (form == ACCESS_OFF)
		return;
	note = malloc(sizeof *note + NOTE_MAX);
	if (!note)
		return;
	note->cut = t.n > NOTE_MAX;
	note->n = note->cut ? NOTE_MAX : t.n;
	note->method = names[x->method];
	note->node[0] = '\0';
	memcpy(note->text, t.p, note->n);
	x->note = note;
}

void access_node(struct exchange *x, const char *node)
{
	struct note *note = x->note;
	size_t n = strlen(node);

	if (note && n < sizeof note->node)
		memcpy(note->node, node, n + 1);
}

/* Quotes, backslashes, controls and what is not ASCII as \xNN. */
static void escaped(struct buf *b, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
			buf_printf(b, "\\x%02x", c);
		else
			buf_putc(b, (char)c);
	}
}

static void text_line(struct buf *b, const struct exchange *x,
		      const struct note *note, const char *when, int64_t us)
{
	buf_printf(b, "%s %s \"%s ", when, exchange_peer(x),
		   note ? note->method : "-");
	escaped(b, note ? note->text : "-", note ? note->n : 1);
	buf_printf(b, "%s\" %d in=%llu out=%llu ms=%lld.%03lld node=",
		   note && note->cut ? "..." : "", x->status,
		   (unsigned long long)x->bytes_in, (unsigned long long)x->bytes_out,
		   (long long)us / 1000, (long long)us % 1000);
	if (note && note->node[0])
		escaped(b, note->node, strlen(note->node));
	else
		buf_putc(b, '-');
	buf_putc(b, '\n');
}

static void json_line(struct buf *b, const struct exchange *x,
		      const struct note *note, const char *when, int64_t us)
{
	buf_printf(b, "{\"time\":\"%s\",\"peer\":\"%s\",\"method\":\"%s\",\"target\":",
		   when, exchange_peer(x), note ? note->method : "-");
	json_put(b, note ? note->text : "-", note ? note->n : 1);
	buf_printf(b, ",\"cut\":%s,\"status\":%d,\"in\":%llu,\"out\":%llu,"
		   "\"ms\":%lld.%03lld,\"node\":",
		   note && note->cut ? "true" : "false", x->status,
		   (unsigned long long)x->bytes_in, (unsigned long long)x->bytes_out,
		   (long long)us / 1000, (long long)us % 1000);
	json_puts(b, note && note->node[0] ? note->node : NULL);
	buf_puts(b, "}\n");
}

void access_done(struct exchange *x)
{
	int64_t us = clock_us() - x->start_us;
	char when[CLOCK_TEXT];
	size_t before = waiting.len;

	if (form == ACCESS_OFF)
		return;
	clock_iso(clock_wall_ms(), when);
	(form == ACCESS_TEXT ? text_line : json_line)(&waiting, x, x->note, when, us);
	if (waiting.bad) {
		waiting.bad = false;
		waiting.len = before;
		dropped++;
	}
	free(x->note);
	x->note = NULL;
}
