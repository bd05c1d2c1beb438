/* json_stream.c - fuzzes the splitter of JSON streams
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte is how many bytes come at a time. Whole or in pieces, the
 * same objects have to come of it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CEILING = 256 };

/* The objects one after the other, each followed by a NUL. */
static int split(const char *p, size_t n, size_t step, struct buf *out)
{
	struct json_stream s = JSON_STREAM(CEILING);
	size_t left;
	int r = 0;

	for (; n && r >= 0; n -= left) {
		const char *piece = p;
		size_t rest = left = n < step ? n : step;

		while ((r = json_stream(&s, &piece, &rest)) > 0) {
			if (s.text.len > CEILING || s.text.p[0] != '{')
				abort();
			buf_add(out, s.text.p, s.text.len + 1);
		}
		if (r == 0 && rest)
			abort();
		p += left;
	}
	json_stream_free(&s);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF(1 << 24), pieces = BUF(1 << 24);
	int a, b;

	if (size < 2)
		return 0;
	a = split((const char *)data + 1, size - 1, size, &whole);
	b = split((const char *)data + 1, size - 1, data[0] ? data[0] : 1, &pieces);
	if (a != b || whole.len != pieces.len ||
	    (whole.len && memcmp(whole.p, pieces.p, whole.len)))
		abort();
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
