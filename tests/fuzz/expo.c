/* expo.c - fuzz: expositions read, merged, written, read again
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte chooses; the rest is up to four inputs, 0xff between them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "expo.h"

enum { INPUTS = 4, OUT_MAX = 1 << 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct input {
	char  *p;
	size_t n;
};

static void must(int holds)
{
	if (!holds)
		abort();
}

static int to_buf(void *ctx, const char *p, size_t n)
{
	return buf_add(ctx, p, n);
}

/* Copies of exactly the right size: ASan sees a byte too many. */
static unsigned split(const char *p, size_t n, struct input in[INPUTS])
{
	const char *end = p + n, *at;
	unsigned k = 0;

	for (; k < INPUTS; p = at + 1) {
		at = k < INPUTS - 1 ? memchr(p, 0xff, (size_t)(end - p)) : NULL;
		if (!at)
			at = end;
		in[k].n = (size_t)(at - p);
		in[k].p = malloc(in[k].n + 1);
		must(in[k].p != NULL);
		in[k].p = realloc(in[k].p, in[k].n ? in[k].n : 1);
		memcpy(in[k].p, p, in[k].n);
		k++;
		if (at == end)
			break;
	}
	return k;
}

static void adds_up(struct expo *m)
{
	struct expo_stats s;

	expo_stats(m, &s);
	must(s.samples == s.written + s.duplicates + s.filtered);
}

static struct expo *merge(const struct input *in, unsigned n, unsigned mode,
		bool slow, struct buf *out)
{
	static const char *const node[INPUTS] = { "n1", "n2", "n3", "" };
	struct expo_opts o = { .out = mode & 1 ? EXPO_OPENMETRICS : EXPO_TEXT,
		.underscore = mode & 2, .no_fast = slow };
	struct expo_extra extra[2] = { { .name = "node" },
		{ "role", "worker", true } };
	struct expo *m = expo_new(&o);
	struct expo_error e;
	unsigned i;

	must(m != NULL);
	for (i = 0; i < n; i++) {
		extra[0].value = node[i];
		if (expo_add(m, in[i].p, in[i].n, mode >> (4 + i) & 1 ?
				EXPO_OPENMETRICS : EXPO_TEXT, extra, 2, &e) < 0)
			must(*e.what && (!e.line || e.column));
		if (mode & 8)
			must(expo_seal(m) == 0);
	}
	must(expo_write(m, to_buf, out) == 0);
	adds_up(m);
	return m;
}

static int on_sample(void *ctx, const struct expo_family *f,
		const struct expo_sample *s)
{
	char text[64];
	double v;

	(void)f;
	++*(size_t *)ctx;
	must(expo_number(s->value, &v) == 0);
	must(expo_format_number(text, v) < sizeof text);
	return 0;
}

/* What was written is an exposition, with as many samples, none twice. */
static void read_again(struct expo *m, const struct buf *out,
		enum expo_format f)
{
	struct expo *again = expo_new(&(struct expo_opts){ .out = f });
	struct expo_stats a, b;
	struct expo_error e;
	size_t n = 0;

	must(again && expo_add(again, out->p ? out->p : "", out->len, f, NULL,
			0, &e) == 0);
	must(expo_seal(again) == 0);
	expo_stats(m, &a);
	expo_stats(again, &b);
	must(a.written == b.samples);
	must(expo_each(m, NULL, on_sample, &n) == 0 && n == a.written);
	expo_free(again);
}

static void streams(const struct input *in, enum expo_format f)
{
	struct expo_lint *l = expo_lint_new(f, 1, NULL, NULL);
	const char *name = "a";
	struct expo_filter filter = { .name = &name, .names = 1 };
	struct buf out = BUF(OUT_MAX);
	struct expo_strain *s = expo_strain_new(f, &filter, to_buf, &out);
	struct expo_error e;
	size_t i, step = 13;
	int r = 0;

	must(l && s);
	for (i = 0; i < in->n; i += step) {
		size_t k = in->n - i < step ? in->n - i : step;

		expo_lint_feed(l, in->p + i, k);
		if (!r)
			r = expo_strain_feed(s, in->p + i, k, &e);
	}
	if (!r)
		expo_strain_end(s, &e);
	expo_lint_end(l);
	expo_strain_free(s);
	buf_free(&out);
}

static void selectors(const char *p, size_t n, struct expo *m)
{
	struct expo_error e;
	struct expo_selector *s = expo_selector_new(p, n, &e);
	double v;

	if (s)
		must(expo_find(m, s, &v) >= 0);
	else
		must(e.column > 0 && *e.what);
	expo_selector_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf fast_out = BUF(OUT_MAX), slow_out = BUF(OUT_MAX);
	struct buf rolled = BUF(OUT_MAX);
	struct expo_rollup r = { .op = EXPO_AUTO };
	struct expo *fast, *slow;
	struct input in[INPUTS];
	unsigned mode, k, i;

	if (!n || n > 1 << 17)
		return 0;
	mode = data[0];
	k = split((const char *)data + 1, n - 1, in);
	fast = merge(in, k, mode, false, &fast_out);
	slow = merge(in, k, mode, true, &slow_out);
	must(fast_out.len == slow_out.len && (!fast_out.len ||
			!memcmp(fast_out.p, slow_out.p, fast_out.len)));
	read_again(fast, &fast_out, mode & 1 ? EXPO_OPENMETRICS : EXPO_TEXT);
	if (!(mode & 1))
		must(expo_roll(fast, &r, EXPO_TEXT, to_buf, &rolled, NULL) == 0);
	selectors(in[0].p, in[0].n < 200 ? in[0].n : 200, fast);
	expo_free(fast);
	expo_free(slow);
	for (i = 0; i < k; i++) {
		streams(&in[i], mode >> (4 + i) & 1);
		free(in[i].p);
	}
	buf_free(&fast_out);
	buf_free(&slow_out);
	buf_free(&rolled);
	return 0;
}
