/* jsonl.c - a stream of JSON texts, one per line, that comes in any pieces
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "jsonl.h"

enum { KEPT = 64 << 10 };	/* memory kept for the next one */

static int whole(struct buf *part, const char *p, size_t n,
		 int (*line)(void *ctx, const char *p, size_t n), void *ctx)
{
	size_t i;

	for (i = 0; i < n && strchr(" \t\r", p[i]) && p[i]; i++)
		;
	if (n > part->max) {
		part->bad = true;
		return -1;
	}
	return i < n ? line(ctx, p, n) : 0;
}

int jsonl_feed(struct buf *part, const char *p, size_t n,
	       int (*line)(void *ctx, const char *p, size_t n), void *ctx)
{
	const char *end;
	size_t len;
	int rc;

	while (n) {
		end = memchr(p, '\n', n);
		len = end ? (size_t)(end - p) : n;
		if ((!end || part->len) && buf_add(part, p, len) < 0)
			return -1;
		if (!end)
			return 0;
		rc = part->len ? whole(part, part->p, part->len, line, ctx) :
		     whole(part, p, len, line, ctx);
		if (part->cap > KEPT)
			buf_free(part);
		buf_reset(part);
		if (rc < 0)
			return -1;
		p = end + 1;
		n -= len + 1;
	}
	return 0;
}
