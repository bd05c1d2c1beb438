/* multipart.c - fuzzes the multipart reader
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first line of the input is the Content-Type's value, the rest the body.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(const struct span s, const char *p, size_t n)
{
	if (s.n && (s.p < p || s.p + s.n > p + n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *end = memchr(text, '\n', size);
	char boundary[MULTIPART_BOUNDARY + 1];
	struct multipart m;
	struct part part;
	size_t type = end ? (size_t)(end - text) : size, n;
	int r, parts = 0;
	char *body;

	if (multipart_boundary(text, type, boundary) <= 0 || !end)
		return 0;
	n = size - type - 1;
	body = malloc(n ? n : 1);
	memcpy(body, end + 1, n);
	multipart_begin(&m, body, n, boundary);
	while ((r = multipart_next(&m, &part)) == MULTIPART_PART) {
		inside(part.name, body, n);
		inside(part.filename, body, n);
		inside(part.type, body, n);
		inside(part.body, body, n);
		if (++parts > MULTIPART_PARTS)
			abort();
	}
	if (multipart_next(&m, &part) != r)
		abort();
	free(body);
	return 0;
}
