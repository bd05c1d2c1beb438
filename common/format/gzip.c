/* gzip.c - compressing a stream for a peer that asked for it
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#include "gzip.h"

/* Exposition is so repetitive that the fastest level already saves nine bytes
 * of ten, at a third of the default level's time. */
enum { LEVEL = 1, WINDOW = 15, GZIP_HEAD = 16, MEMORY = 8 };

struct gzip {
	z_stream z;
	bool     last, done;
};

struct gzip *gzip_new(bool head)
{
	struct gzip *g = calloc(1, sizeof *g);

	if (g && deflateInit2(&g->z, LEVEL, Z_DEFLATED,
			      head ? WINDOW + GZIP_HEAD : -WINDOW, MEMORY,
			      Z_DEFAULT_STRATEGY) != Z_OK) {
		free(g);
		g = NULL;
	}
	return g;
}

void gzip_again(struct gzip *g, const char *like, size_t n)
{
	deflateReset(&g->z);
	deflateSetDictionary(&g->z, (const Bytef *)like, (uInt)n);
	g->last = g->done = false;
}

void gzip_feed(struct gzip *g, const char *p, size_t n, bool last)
{
	g->z.next_in = (unsigned char *)(uintptr_t)p;
	g->z.avail_in = (unsigned)n;
	g->last = last;
}

size_t gzip_read(struct gzip *g, char *out, size_t cap)
{
	if (g->done || (!g->last && !g->z.avail_in))
		return 0;
	g->z.next_out = (unsigned char *)out;
	g->z.avail_out = (unsigned)cap;
	if (deflate(&g->z, g->last ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_END)
		g->done = true;
	return cap - g->z.avail_out;
}

void gzip_free(struct gzip *g)
{
	if (g)
		deflateEnd(&g->z);
	free(g);
}
