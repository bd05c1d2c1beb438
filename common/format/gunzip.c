/* gunzip.c - what the build compressed, whole again
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#include "gunzip.h"

enum { GZIP_WRAPPER = 16 };

/* The last four bytes say how long it was. */
static size_t length_of(const unsigned char *p, size_t n)
{
	p += n - 4;
	return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 |
	       (size_t)p[3] << 24;
}

static int whole(z_stream *z, int window, const char *like, size_t like_n,
		 char *out, size_t len)
{
	int rc;

	if (inflateInit2(z, window) != Z_OK)
		return -1;
	if (like_n)
		inflateSetDictionary(z, (const Bytef *)like, (uInt)like_n);
	z->next_out = (Bytef *)out;
	z->avail_out = (uInt)len;
	rc = inflate(z, Z_FINISH);
	inflateEnd(z);
	return rc == Z_STREAM_END && z->total_out == len ? 0 : -1;
}

int gunzip_like(const char *p, size_t n, const char *like, size_t like_n,
		char *out, size_t len)
{
	z_stream z = { .next_in = (void *)(uintptr_t)p, .avail_in = (uInt)n };

	return whole(&z, -MAX_WBITS, like, like_n, out, len);
}

char *gunzip(const void *p, size_t n, size_t max, size_t *out)
{
	z_stream z = { .next_in = (void *)(uintptr_t)p, .avail_in = (uInt)n };
	size_t len = n < 18 ? 0 : length_of(p, n);
	char *text = n < 18 || len > max ? NULL : malloc(len + 1);

	if (!text || whole(&z, MAX_WBITS + GZIP_WRAPPER, NULL, 0, text, len) < 0) {
		free(text);
		return NULL;
	}
	*out = len;
	return text;
}
