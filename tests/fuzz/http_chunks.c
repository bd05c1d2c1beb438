/* http_chunks.c - fuzz: chunked bodies; the first byte picks the pieces
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int holds)
{
	if (!holds)
		abort();
}

struct result {
	char  *p;
	size_t n, used;
	bool   bad, done;
};

/* Decodes in pieces of so many bytes, each in memory of its own. */
static struct result decode(const uint8_t *data, size_t n, size_t step)
{
	struct result r = { .p = malloc(n + 1) };
	struct chunks c = { 0 };
	size_t payload, take;
	char *piece;
	long used;

	must(r.p != NULL);
	while (r.used < n && !c.done && !r.bad) {
		take = n - r.used < step ? n - r.used : step;
		piece = malloc(take);
		must(piece != NULL);
		memcpy(piece, data + r.used, take);
		payload = SIZE_MAX;
		used = http_chunks(&c, piece, take, &payload);
		r.bad = used < 0;
		if (!r.bad) {
			must(used > 0 && (size_t)used <= take);
			must(payload <= (size_t)used);
			must(c.done || (size_t)used == take);
			memcpy(r.p + r.n, piece, payload);
			r.n += payload;
			r.used += (size_t)used;
		}
		free(piece);
	}
	r.done = c.done;
	return r;
}

/* A plain reading of a body that the decoder called good: sizes, payload and
 * line ends; nothing is shared with the decoder. */
static void plainly(const char *p, const struct result *r)
{
	unsigned long long size;
	size_t at = 0, out = 0;
	const char *lf;
	char *end;

	for (;;) {
		lf = memchr(p + at, '\n', r->used - at);
		must(lf && lf > p + at && lf[-1] == '\r');
		size = strtoull(p + at, &end, 16);
		must(end > p + at && *end && strchr("\r; \t", *end));
		at = (size_t)(lf - p) + 1;
		if (size == 0)
			break;
		must(size + 2 <= r->used - at);
		must(!memcmp(r->p + out, p + at, size));
		out += size;
		at += size + 2;
		must(p[at - 2] == '\r' && p[at - 1] == '\n');
	}
	must(out == r->n && r->used >= at + 2);
	must(!memcmp(p + r->used - 2, "\r\n", 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct result whole, parts;
	size_t step;

	if (n < 2)
		return 0;
	step = 1 + data[0] % 16u;
	data++;
	n--;
	whole = decode(data, n, n);
	parts = decode(data, n, step);
	must(whole.bad == parts.bad && whole.done == parts.done);
	if (!whole.bad) {
		must(whole.n == parts.n && whole.used == parts.used);
		must(!memcmp(whole.p, parts.p, whole.n));
		if (whole.done)
			plainly((const char *)data, &whole);
	}
	free(whole.p);
	free(parts.p);
	return 0;
}
