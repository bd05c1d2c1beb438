/* log.c - one line per event of a server, on stderr
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

/* A line is never longer than what a pipe takes whole or not at all. */
enum { LINE_CAP = 4096, TAIL = 24 };
_Static_assert(LINE_CAP <= PIPE_BUF, "a line must be atomic on a pipe");

enum log_level log_level = LOG_INFO;
bool           log_json;
unsigned long  log_dropped;

struct line {
	char   text[LINE_CAP];
	size_t len;
	bool   full;	/* what was added last did not fit */
};

static const char *const level_names[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warn",
	[LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};

int log_level_named(const char *name)
{
	static const struct {
		const char    *name;
		enum log_level level;
	} names[] = {
		{ "critical", LOG_ERROR }, { "error", LOG_ERROR },
		{ "warning",  LOG_WARN  }, { "warn",  LOG_WARN  },
		{ "info",     LOG_INFO  }, { "debug", LOG_DEBUG },
		{ "trace",    LOG_DEBUG },
	};
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcasecmp(name, names[i].name)) {
			log_level = names[i].level;
			return 0;
		}
	return -1;
}

/* The last TAIL bytes are kept for the line's end. */
static void add(struct line *l, const char *p, size_t n)
{
	if (l->full || n > LINE_CAP - TAIL - l->len) {
		l->full = true;
		return;
	}
	memcpy(l->text + l->len, p, n);
	l->len += n;
}

static void add_str(struct line *l, const char *s)
{
	add(l, s, strlen(s));
}

static size_t utf8_len(const unsigned char *p)
{
	size_t len = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2, i;

	if (*p < 0xc2 || *p > 0xf4)
		return 0;
	for (i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

/* Inside double quotes. JSON has no byte escapes: there an invalid byte
 * becomes U+FFFD. */
static void add_escaped(struct line *l, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	char esc[8];
	size_t len;

	while (*p) {
		len = 1;
		if (*p == '"' || *p == '\\') {
			snprintf(esc, sizeof esc, "\\%c", *p);
			add_str(l, esc);
		} else if (*p >= 0x20 && *p < 0x7f) {
			add(l, (const char *)p, 1);
		} else if (*p == '\n') {
			add_str(l, "\\n");
		} else if (*p >= 0x80 && (len = utf8_len(p)) > 1 &&
			   !(*p == 0xc2 && p[1] < 0xa0)) {
			add(l, (const char *)p, len);
		} else if (log_json) {
			snprintf(esc, sizeof esc, "\\u%04x",
				 *p < 0x80 ? *p : 0xfffdu);
			add_str(l, esc);
			len = len ? len : 1;
		} else {
			snprintf(esc, sizeof esc, "\\x%02x", *p);
			add_str(l, esc);
			len = 1;
		}
		p += len;
	}
}

static bool plain(const char *s)
{
	const char *p = s;

	while (*p > ' ' && *p < 0x7f && *p != '"' && *p != '\\' && *p != '=')
		p++;
	return p > s && !*p;
}

static void add_quoted(struct line *l, const char *s)
{
	add(l, "\"", 1);
	add_escaped(l, s);
	add(l, "\"", 1);
}

static void add_pair(struct line *l, const char *key, const char *value)
{
	if (log_json) {
		add(l, ",", 1);
		add_quoted(l, key);
		add(l, ":", 1);
	} else {
		add(l, " ", 1);
		add_str(l, key);
		add(l, "=", 1);
	}
	if (!log_json && plain(value))
		add_str(l, value);
	else
		add_quoted(l, value);
}

/* A pair that does not fit is left out whole and the line says so, which
 * keeps every line parsable. */
static void add_pairs(struct line *l, va_list ap)
{
	const char *key, *value;
	bool cut = false;
	size_t mark;

	while ((key = va_arg(ap, const char *))) {
		value = va_arg(ap, const char *);
		mark = l->len;
		add_pair(l, key, value ? value : "");
		if (l->full) {
			l->len = mark;
			l->full = false;
			cut = true;
		}
	}
	if (cut) {
		const char *s = log_json ? ",\"cut\":true" : " cut=true";

		memcpy(l->text + l->len, s, strlen(s));
		l->len += strlen(s);
	}
}

static void add_head(struct line *l, enum log_level level, const char *event)
{
	char when[CLOCK_TEXT];

	clock_iso(clock_wall_ms(), when);
	if (!log_json) {
		add_str(l, when);
		add(l, " ", 1);
		add_str(l, level_names[level]);
		add(l, " ", 1);
		add_str(l, event);
		return;
	}
	add_str(l, "{\"time\":");
	add_quoted(l, when);
	add_pair(l, "level", level_names[level]);
	add_pair(l, "event", event);
}

/* A descriptor of our own on the pipe or terminal that stderr is, so that
 * O_NONBLOCK does not reach the shell and the other writers that share it.
 * Anything else, or no /proc: stderr itself. */
static int log_fd(void)
{
	static dev_t dev;
	static ino_t ino;
	static int own = -1;
	struct stat st;

	if (fstat(STDERR_FILENO, &st) < 0)
		return STDERR_FILENO;
	if (!S_ISFIFO(st.st_mode) && !isatty(STDERR_FILENO))
		return STDERR_FILENO;
	if (st.st_dev == dev && st.st_ino == ino)
		return own < 0 ? STDERR_FILENO : own;
	if (own >= 0)
		close(own);
	dev = st.st_dev;
	ino = st.st_ino;
	own = open("/proc/self/fd/2",
		   O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return own < 0 ? STDERR_FILENO : own;
}

static void put(const struct line *l)
{
	static bool torn;	/* the last line lost its end */
	int fd = log_fd();
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	ssize_t n = -1;

	if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT)) {
		if (torn && write(fd, "\n", 1) == 1)
			torn = false;
		if (!torn)
			n = write(fd, l->text, l->len);
	}
	if (n == (ssize_t)l->len)
		return;
	log_dropped++;
	torn = torn || n > 0;
}

void log_event(enum log_level level, const char *event, ...)
{
	struct line l = { .len = 0 };
	int err = errno;
	va_list ap;

	if (level > log_level)
		return;
	add_head(&l, level, event);
	va_start(ap, event);
	add_pairs(&l, ap);
	va_end(ap);
	if (log_json)
		l.text[l.len++] = '}';
	l.text[l.len++] = '\n';
	put(&l);
	errno = err;
}
