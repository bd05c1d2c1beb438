/* http_response.c - fuzz: response heads; the first byte picks what was asked
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

static void inside(const struct http_head *h, const char *p, size_t used)
{
	must(h->target.p >= p && h->target.p + h->target.n <= p + used);
	must(h->target.n >= 3 && h->status >= 100 && h->status <= 599);
	must(!memchr(h->target.p, '\r', h->target.n));
	for (int i = 0; i < h->n; i++) {
		const struct http_field *f = &h->f[i];

		must(f->name.p >= p && f->name.n > 0);
		must(f->value.p + f->value.n <= p + used);
		must(!f->value.n || !memchr(f->value.p, '\r', f->value.n));
		must(!f->value.n || !memchr(f->value.p, '\n', f->value.n));
	}
}

/* RFC 9112 6.3, and the frontend's own: one framing or none. */
static void framing(const struct http_head *h, enum http_method asked)
{
	bool none = asked == M_HEAD || h->status < 200 || h->status == 204 ||
		    h->status == 304;
	int fields = 0;

	for (int i = 0; i < h->n; i++)
		fields += h->f[i].id == F_CONTENT_LENGTH ||
			  h->f[i].id == F_TRANSFER_ENCODING;
	must(fields <= 1);
	must(none == (h->body == BODY_NONE));
	must(h->body != BODY_CLOSE || (!h->keep && fields == 0));
	must(h->body != BODY_CHUNKED || h->minor == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct http_head h, part;
	enum http_method asked;
	char *p, *copy;
	long used, got;

	if (!n)
		return 0;
	asked = (enum http_method)(data[0] % M_OTHER);
	data++;
	n--;
	p = malloc(n + 1);
	must(p != NULL);
	memcpy(p + 1, data, n);
	used = http_response(&h, p + 1, n, asked);
	if (used > 0) {
		must((size_t)used <= n && used <= HTTP_HEAD_MAX);
		inside(&h, p + 1, (size_t)used);
		framing(&h, asked);
	}
	must(used >= 0 || (h.status == 502 && h.why));
	for (size_t k = n; k > 0; k /= 2) {
		copy = malloc(k);
		must(copy != NULL);
		memcpy(copy + 1, p + 1, k - 1);
		got = http_response(&part, copy + 1, k - 1, asked);
		must(used > 0 ? got == ((long)k - 1 < used ? HTTP_MORE : used)
			      : got == HTTP_MORE || got == used);
		free(copy);
	}
	free(p);
	return 0;
}
