/* die.c - exit codes, messages for people, and allocation that cannot fail
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "die.h"

enum {
	MESSAGE_MAX = 2048,	/* bytes of one message; longer ones are cut */
	SAFE_MAX    = 200,	/* bytes safe() shows before its "..." */
	SAFE_RING   = 4
};

const char *prog = "lmc";
bool die_plugin;

/* One write for the whole line, so that messages of processes that share a
 * terminal do not mix. */
static void say(const char *head, FILE *to, const char *fmt, va_list ap, int err)
{
	char line[MESSAGE_MAX + 2], *bar;
	size_t n = strlen(fmt);
	int at, more = 0;

	at = snprintf(line, MESSAGE_MAX, "%s%s", head, to == stderr ? ": " : " - ");
	if (at >= 0 && at < MESSAGE_MAX)
		more = vsnprintf(line + at, MESSAGE_MAX - (size_t)at, fmt, ap);
	at = more < 0 || at + more >= MESSAGE_MAX ? MESSAGE_MAX - 1 : at + more;
	if (n && fmt[n - 1] == ':' && at < MESSAGE_MAX - 1) {
		more = snprintf(line + at, MESSAGE_MAX - (size_t)at, " %s",
				strerror(err));
		at = at + more >= MESSAGE_MAX ? MESSAGE_MAX - 1 : at + more;
	}
	/* A bar would begin a monitoring plugin's performance data. */
	while (to == stdout && (bar = memchr(line, '|', (size_t)at)))
		*bar = '/';
	line[at++] = '\n';
	fwrite(line, 1, (size_t)at, to);
}

void warn(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	say(prog, stderr, fmt, ap, err);
	va_end(ap);
	errno = err;
}

void die(int status, const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	if (die_plugin)
		say("LMCACHE UNKNOWN", stdout, fmt, ap, err);
	else
		say(prog, stderr, fmt, ap, err);
	va_end(ap);
	exit(die_plugin ? 3 : status);
}

int wrong_text(char *why, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, size, fmt, ap);
	va_end(ap);
	return -1;
}

/* After an earlier write failed, fflush() may well succeed and errno be about
 * something else: it is told only if it can have come from a write. */
int finish(int status)
{
	static const int of_a_write[] = {
		ENOSPC, EPIPE, EBADF, EIO, EDQUOT, EFBIG
	};
	size_t i;

	if (!fflush(stdout) && !ferror(stdout))
		return status;
	for (i = 0; i < sizeof of_a_write / sizeof *of_a_write; i++)
		if (errno == of_a_write[i]) {
			warn("unable to write the output:");
			return EXIT_SYS;
		}
	warn("unable to write the output");
	return EXIT_SYS;
}

/* Length of the UTF-8 sequence at p that is fit for a terminal, or 0: ASCII
 * and C1 controls, and the marks that reorder text, are not. */
static size_t printable(const unsigned char *p, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len, i;
	uint32_t c;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || len > n)
		return 0;
	c = p[0] & (0x7fu >> len);
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	if (c < 0xa0 || (c >= 0x200e && c <= 0x200f) ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return 0;
	return len;
}

/* "http://user:*@host": a message is no place for a password. */
static void hide_password(char *s)
{
	char *from = strstr(s, "://"), *at, *colon;

	if (!from)
		return;
	from += 3;
	at = memrchr(from, '@', strcspn(from, "/?#"));
	colon = at ? memchr(from, ':', (size_t)(at - from)) : NULL;
	if (colon && at > colon + 1) {
		colon[1] = '*';
		memmove(colon + 2, at, strlen(at) + 1);
	}
}

const char *safe(const char *p, size_t n)
{
	static char ring[SAFE_RING][SAFE_MAX + sizeof "..."];
	static int next;
	char *out = ring[next++ % SAFE_RING];
	size_t at = 0, i = 0, len;

	while (i < n) {
		len = printable((const unsigned char *)p + i, n - i);
		if (at + (len ? len : 4) > SAFE_MAX) {
			memcpy(out + at, "...", 3);
			at += 3;
			break;
		}
		if (len)
			memcpy(out + at, p + i, len);
		else
			snprintf(out + at, 5, "\\x%02x", (unsigned char)p[i]);
		at += len ? len : 4;
		i += len ? len : 1;
	}
	out[at] = '\0';
	hide_password(out);
	return out;
}

/* What is not in the ranking, such as a child's own status, counts as "no". */
static int rank(int status)
{
	static const int ranking[] = {
		EXIT_TIMEOUT, EXIT_REACH, EXIT_USAGE, EXIT_DENIED, EXIT_SYS
	};
	size_t i;

	for (i = 0; i < sizeof ranking / sizeof *ranking; i++)
		if (ranking[i] == status)
			return (int)i + 2;
	return status != EXIT_OK;
}

int worse(int a, int b)
{
	return rank(b) > rank(a) ? b : a;
}

static void *need(void *p)
{
	if (!p)
		die(EXIT_SYS, "out of memory");
	return p;
}

void *xmalloc(size_t n)
{
	return need(malloc(n ? n : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return need(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t n)
{
	return need(realloc(p, n ? n : 1));
}

char *xstrdup(const char *s)
{
	return need(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return need(strndup(s, n));
}
