/* http_request.c - fuzz: request heads, in pieces and written again
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void within(struct span s, const char *p, size_t n)
{
	must(s.n == 0 || (s.p >= p && s.p + s.n <= p + n));
}

static void clean(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		must(s.p[i] != '\r' && s.p[i] != '\n' && s.p[i]);
}

static void spans(const struct http_head *h, const char *p, size_t used)
{
	within(h->method_text, p, used);
	within(h->target, p, used);
	within(h->path, p, used);
	within(h->query, p, used);
	within(h->host, p, used);
	must(h->target.n == h->path.n + (h->query.p ? h->query.n + 1 : 0));
	for (size_t i = 0; i < h->target.n; i++)
		must(h->target.p[i] > ' ' && h->target.p[i] != '#' &&
		     (unsigned char)h->target.p[i] < 0x7f);
	must(h->n >= 0 && h->n <= HTTP_FIELDS_MAX);
	for (int i = 0; i < h->n; i++) {
		within(h->f[i].name, p, used);
		within(h->f[i].value, p, used);
		must(h->f[i].name.n > 0);
		clean(h->f[i].name);
		clean(h->f[i].value);
	}
}

static int count(const struct http_head *h, enum http_field_id id)
{
	int n = 0;

	for (int i = 0; i < h->n; i++)
		n += h->f[i].id == id;
	return n;
}

/* One reading of the body's length, by the fields alone. */
static void framing(const struct http_head *h)
{
	int lengths = count(h, F_CONTENT_LENGTH);
	int codings = count(h, F_TRANSFER_ENCODING);

	must(lengths + codings <= 1);
	must((h->body == BODY_LENGTH) == (lengths == 1));
	must((h->body == BODY_CHUNKED) == (codings == 1));
	must(h->body != BODY_CHUNKED || h->minor == 1);
	must(h->length <= INT64_MAX);
	must(count(h, F_HOST) <= 1 && (h->minor == 0 || h->host.n > 0));
}

/* Written field by field it is the same head again. */
static void again(const struct http_head *h)
{
	static char text[HTTP_HEAD_MAX * 2];
	static struct http_head back;
	int n = snprintf(text, sizeof text, "%.*s %.*s HTTP/1.%d\r\n",
			 (int)h->method_text.n, h->method_text.p,
			 (int)h->target.n, h->target.p, h->minor);

	for (int i = 0; i < h->n; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "%.*s:%.*s\r\n",
			      (int)h->f[i].name.n, h->f[i].name.p,
			      (int)h->f[i].value.n, h->f[i].value.p);
	n += snprintf(text + n, sizeof text - (size_t)n, "\r\n");
	must(http_request(&back, text, (size_t)n) == n);
	must(back.n == h->n && back.body == h->body && back.length == h->length &&
	     back.keep == h->keep && back.method == h->method);
}

/* The same verdict on a piece: more until it falls, then always the same. */
static void piece(const char *p, size_t k, long used, int status)
{
	static struct http_head h;
	char *copy = malloc(k + 1);
	long got;

	must(copy != NULL);
	memcpy(copy + 1, p, k);
	got = http_request(&h, copy + 1, k);
	if (used > 0)
		must(got == ((long)k < used ? HTTP_MORE : used));
	else
		must(got == HTTP_MORE || (got == used && h.status == status));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct http_head h;
	char *p = malloc(n + 1);
	long used;

	must(p != NULL);
	memcpy(p + 1, data, n);
	used = http_request(&h, p + 1, n);
	if (used > 0) {
		must((size_t)used <= n && used <= HTTP_HEAD_MAX + 4);
		spans(&h, p + 1, (size_t)used);
		framing(&h);
		again(&h);
	} else if (used == HTTP_BAD) {
		must(h.status >= 400 && h.status < 600 && h.why && h.why[0]);
	}
	for (size_t k = n; k > 0; k /= 2) {
		piece(p + 1, k - 1, used, h.status);
		piece(p + 1, n - k, used, h.status);
	}
	free(p);
	return 0;
}
