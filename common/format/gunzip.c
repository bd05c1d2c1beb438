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

char *gunzip(const void *p, size_t n, size_t max, size_t *out)
{
	z_stream z = { .next_in = (void *)(uintptr_t)p, .avail_in = (uInt)n };
	size_t len = n < 18 ? 0 : length_of(p, n);
	char *text = n < 18 || len > max ? NULL : malloc(len + 1);
	int rc;

	if (!text || inflateInit2(&z, MAX_WBITS + GZIP_WRAPPER) != Z_OK) {
		free(text);
		return NULL;
	}
	z.next_out = (Bytef *)text;
	z.avail_out = (uInt)len + 1;
	rc = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	if (rc != Z_STREAM_END || z.total_out != len) {
		free(text);
		return NULL;
	}
	*out = len;
	return text;
}
