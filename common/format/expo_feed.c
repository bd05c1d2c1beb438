/* expo_feed.c - lines out of pieces of a text
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "expo_feed.h"

static void keep(struct expo_feed *f, const char *p, size_t n)
{
	if (f->long_line || f->part.len + n > EXPO_LINE ||
			buf_add(&f->part, p, n) < 0) {
		f->long_line = true;
		buf_free(&f->part);
		f->part.bad = false;
	}
}

static int end_line(struct expo_feed *f, const char *p, size_t n,
		int (*line)(void *ctx, const char *p, size_t n), void *ctx)
{
	bool gone;
	int r;

	f->line++;
	if (!f->part.len && !f->long_line)
		return line(ctx, n > EXPO_LINE ? NULL : p, n);
	keep(f, p, n);
	gone = f->long_line;
	r = line(ctx, gone ? NULL : f->part.p, gone ? 0 : f->part.len);
	f->long_line = false;
	buf_reset(&f->part);
	return r;
}

int expo_feed(struct expo_feed *f, const char *p, size_t n,
		int (*line)(void *ctx, const char *p, size_t n), void *ctx)
{
	const char *end = p + n, *nl;
	int r;

	while (p < end && (nl = memchr(p, '\n', (size_t)(end - p)))) {
		r = end_line(f, p, (size_t)(nl - p), line, ctx);
		if (r)
			return r;
		p = nl + 1;
	}
	if (p < end)
		keep(f, p, (size_t)(end - p));
	return 0;
}

bool expo_feed_open(const struct expo_feed *f)
{
	return f->part.len || f->long_line;
}
