/* buf.c - bytes that grow up to a ceiling
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

enum { FIRST_CAP = 128 };

static int fail(struct buf *b, int err)
{
	b->bad = true;
	errno = err;
	return -1;
}

/* cap counts the NUL as well, so it may reach max + 1. */
static int grow(struct buf *b, size_t need)
{
	size_t cap = b->cap ? b->cap : FIRST_CAP;
	char *p;

	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (cap - 1 > b->max)
		cap = b->max + 1;
	p = realloc(b->p, cap);
	if (!p)
		return fail(b, ENOMEM);
	b->p = p;
	b->cap = cap;
	return 0;
}

int buf_room(struct buf *b, size_t n)
{
	if (b->bad)
		return -1;
	if (n > b->max || b->len > b->max - n)
		return fail(b, EFBIG);
	if (b->len + n + 1 > b->cap)
		return grow(b, b->len + n + 1);
	return 0;
}

int buf_add(struct buf *b, const void *p, size_t n)
{
	if (buf_room(b, n) < 0)
		return -1;
	if (n)
		memcpy(b->p + b->len, p, n);
	b->len += n;
	b->p[b->len] = '\0';
	return 0;
}

int buf_puts(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_putc(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	size_t left = b->p && !b->bad ? b->cap - b->len : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(left ? b->p + b->len : NULL, left, fmt, ap);
	va_end(ap);
	if (n < 0 || buf_room(b, (size_t)n) < 0) {
		if (left)
			b->p[b->len] = '\0';
		return n < 0 ? fail(b, errno) : -1;
	}
	if ((size_t)n >= left) {
		va_start(ap, fmt);
		vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
	return 0;
}

void buf_drop(struct buf *b, size_t n)
{
	if (n >= b->len) {
		buf_reset(b);
		return;
	}
	memmove(b->p, b->p + n, b->len - n);
	b->len -= n;
	b->p[b->len] = '\0';
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->bad = false;
	if (b->p)
		b->p[0] = '\0';
}

void buf_free(struct buf *b)
{
	free(b->p);
	b->p = NULL;
	b->len = b->cap = 0;
	b->bad = false;
}
