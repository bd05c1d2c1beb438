/* series.c - samples by name and labels, and how fast they grow
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "metrics.h"

/* ---- keys ---- */

static uint64_t mix(uint64_t h, const char *p, size_t n)
{
	while (n--)
		h = (h ^ (unsigned char)*p++) * 0x100000001b3u;
	return h;
}

static uint64_t key_hash(const struct series *x)
{
	uint64_t h = mix(0xcbf29ce484222325u, x->name, strlen(x->name));

	for (unsigned i = 0; i < x->labels; i++) {
		h = mix(mix(h, ",", 1), x->label[i].name.p, x->label[i].name.n);
		h = mix(mix(h, "=", 1), x->label[i].value.p, x->label[i].value.n);
	}
	return h ^ h >> 29;
}

static bool same_span(struct expo_span a, struct expo_span b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static bool same(const struct series *a, const struct series *b)
{
	if (a->hash != b->hash || a->labels != b->labels || strcmp(a->name, b->name))
		return false;
	for (unsigned i = 0; i < a->labels; i++)
		if (!same_span(a->label[i].name, b->label[i].name) ||
		    !same_span(a->label[i].value, b->label[i].value))
			return false;
	return true;
}

static int by_name(const void *a, const void *b)
{
	const struct expo_label *x = a, *y = b;
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int c = memcmp(x->name.p, y->name.p, n);

	return c ? c : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

/* ---- taking a merge in ---- */

struct taking {
	struct series_set    *set;
	const struct answers *a;
	int                  *of;	/* the answer of each input */
};

static bool ends(struct expo_span s, const char *end)
{
	size_t n = strlen(end);

	return s.n > n && memcmp(s.p + s.n - n, end, n) == 0;
}

static bool may_grow(enum expo_type t, struct expo_span name)
{
	if (ends(name, "_created"))
		return false;
	if (t == EXPO_COUNTER)
		return true;
	if (t == EXPO_HISTOGRAM || t == EXPO_SUMMARY)
		return ends(name, "_bucket") || ends(name, "_count") ||
		       ends(name, "_sum");
	return t == EXPO_UNTYPED && ends(name, "_total");
}

static struct expo_span keep(char **at, struct expo_span s)
{
	struct expo_span kept = { *at, s.n };

	memcpy(*at, s.p, s.n);
	*at += s.n;
	return kept;
}

/* Name, labels and their array in one piece of memory. */
static void copy(struct series *x, const struct expo_sample *s)
{
	size_t n = s->name.n + 1;
	struct expo_label *label;
	char *at;

	for (unsigned i = 0; i < s->labels; i++)
		n += s->label[i].name.n + s->label[i].value.n;
	label = xmalloc(s->labels * sizeof *label + n);
	at = (char *)(label + s->labels);
	x->name = keep(&at, s->name).p;
	*at++ = '\0';
	for (unsigned i = 0; i < s->labels; i++) {
		label[i].name = keep(&at, s->label[i].name);
		label[i].value = keep(&at, s->label[i].value);
	}
	if (s->labels)
		qsort(label, s->labels, sizeof *label, by_name);
	x->label = label;
	x->labels = s->labels;
}

static int take(void *ctx, const struct expo_family *f, const struct expo_sample *s)
{
	struct taking *t = ctx;
	struct series_set *set = t->set;
	struct series *x;

	if (set->n == set->cap) {
		set->cap = set->cap ? set->cap * 2 : 1024;
		set->v = xrealloc(set->v, set->cap * sizeof *set->v);
	}
	x = &set->v[set->n];
	*x = (struct series){ .type = f->type };
	if (expo_number(s->value, &x->value) < 0)
		return 0;
	copy(x, s);
	x->grows = may_grow(f->type, s->name);
	x->at_us = t->of[s->input] < 0 ? 0 : t->a->v[t->of[s->input]].at_us;
	x->hash = key_hash(x);
	set->n++;
	return 0;
}

static void make_index(struct series_set *s)
{
	s->index_n = 64;
	while (s->index_n < s->n * 2)
		s->index_n *= 2;
	s->index = xcalloc(s->index_n, sizeof *s->index);
	for (size_t i = 0; i < s->n; i++) {
		size_t at = s->v[i].hash & (s->index_n - 1);

		while (s->index[at])
			at = (at + 1) & (s->index_n - 1);
		s->index[at] = (uint32_t)i + 1;
	}
}

void series_add(struct series_set *s, struct expo *m, const struct answers *a)
{
	struct taking t = { s, a, xcalloc((size_t)a->n + 1, sizeof *t.of) };
	int input = 0;

	/* merge_answers gives those that are up to the merge in order, and
	 * ends with what lmc says itself */
	for (int i = 0; i < a->n; i++)
		if (a->v[i].up)
			t.of[input++] = i;
	t.of[input] = -1;
	if (expo_each(m, NULL, take, &t) < 0)
		die(EXIT_SYS, "out of memory");
	free(t.of);
	make_index(s);
}

void series_free(struct series_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		free((void *)(uintptr_t)s->v[i].label);
	free(s->v);
	free(s->index);
	*s = (struct series_set){ 0 };
}

struct expo_span series_label(const struct series *x, const char *name)
{
	size_t n = strlen(name);

	for (unsigned i = 0; i < x->labels; i++)
		if (x->label[i].name.n == n && !memcmp(x->label[i].name.p, name, n))
			return x->label[i].value;
	return (struct expo_span){ "", 0 };
}

/* ---- rates ---- */

static const struct series *find(const struct series_set *s, const struct series *x)
{
	size_t at = x->hash & (s->index_n - 1);

	for (; s->index[at]; at = (at + 1) & (s->index_n - 1))
		if (same(&s->v[s->index[at] - 1], x))
			return &s->v[s->index[at] - 1];
	return NULL;
}

void series_rate(struct series_set *now, const struct series_set *before)
{
	const struct series *was;

	for (struct series *x = now->v; x < now->v + now->n; x++) {
		if (!x->grows || !(was = find(before, x)) || x->at_us <= was->at_us)
			continue;
		x->rate = x->value < was->value ? x->value : x->value - was->value;
		x->rate /= (double)(x->at_us - was->at_us) / 1e6;
		x->rated = true;
	}
}

static int by_series_name(const void *a, const void *b)
{
	const struct series *x = *(const struct series *const *)a;
	const struct series *y = *(const struct series *const *)b;
	int c = strcmp(x->name, y->name);

	return c ? c : (x > y) - (x < y);
}

static void print_rate(const struct series *x, const char *suffix, struct buf *b)
{
	char value[32];
	const char *sep = "{";

	buf_printf(b, "%s%s", x->name, suffix);
	for (unsigned i = 0; i < x->labels; i++) {
		buf_puts(b, sep);
		buf_add(b, x->label[i].name.p, x->label[i].name.n);
		buf_puts(b, "=\"");
		buf_add(b, x->label[i].value.p, x->label[i].value.n);
		buf_putc(b, '"');
		sep = ",";
	}
	buf_puts(b, x->labels ? "} " : " ");
	buf_add(b, value, expo_format_number(value, x->rate));
	buf_putc(b, '\n');
}

void series_print_rates(const struct series_set *s, bool underscore,
			struct buf *out)
{
	const struct series **row = xcalloc(s->n + 1, sizeof *row);
	const char *suffix = underscore ? "_per_second" : ":per_second";
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].rated)
			row[n++] = &s->v[i];
	qsort(row, n, sizeof *row, by_series_name);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(row[i]->name, row[i - 1]->name))
			buf_printf(out, "# TYPE %s%s gauge\n", row[i]->name, suffix);
		print_rate(row[i], suffix, out);
	}
	free(row);
}
