/* expo_strain.c - a filter for a stream of exposition, in constant memory
 * SPDX-License-Identifier: Apache-2.0
 *
 * What passes, passes as the bytes it was. A family's HELP, TYPE and UNIT
 * wait until it is known whether something of it passes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expo_feed.h"
#include "expo_merge.h"

struct expo_strain {
	enum expo_format  f;
	struct expo_filter filter;
	int   (*sink)(void *ctx, const char *p, size_t n);
	void   *ctx;
	struct expo_feed  feed;
	struct expo_error *e;
	struct expo_line  l;
	struct buf meta;	/* lines that wait */
	struct buf name;	/* of the family they are for */
	enum expo_type type;
	bool eof;
};

struct expo_strain *expo_strain_new(enum expo_format f,
		const struct expo_filter *filter,
		int (*sink)(void *ctx, const char *p, size_t n), void *ctx)
{
	struct expo_strain *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->f = f;
	s->filter = *filter;
	s->sink = sink;
	s->ctx = ctx;
	s->feed.part.max = EXPO_LINE;
	s->meta.max = 4 * EXPO_LINE;
	s->name.max = EXPO_LINE;
	return s;
}

void expo_strain_free(struct expo_strain *s)
{
	if (!s)
		return;
	buf_free(&s->feed.part);
	buf_free(&s->meta);
	buf_free(&s->name);
	free(s);
}

static int fail(struct expo_strain *s, size_t column, const char *what)
{
	s->e->line = column ? s->feed.line : 0;
	s->e->column = column;
	snprintf(s->e->what, sizeof s->e->what, "%s", what);
	return -1;
}

static int pass(struct expo_strain *s, const char *p, size_t n)
{
	return n && s->sink(s->ctx, p, n) ?
		fail(s, 0, "unable to write") : 0;
}

static bool named(const struct expo_filter *f, struct expo_span name)
{
	unsigned i;

	for (i = 0; i < f->names; i++)
		if (strlen(f->name[i]) == name.n &&
				!memcmp(f->name[i], name.p, name.n))
			return true;
	return !f->names;
}

static struct expo_span current(const struct expo_strain *s)
{
	return (struct expo_span){ s->name.p, s->name.len };
}

static bool family_named(const struct expo_strain *s)
{
	struct expo_span name = current(s), base = expo_base(name, s->type);
	char total[128];
	int n;

	if (named(&s->filter, name) || named(&s->filter, base))
		return true;
	if (s->f != EXPO_OPENMETRICS || s->type != EXPO_COUNTER)
		return false;
	n = snprintf(total, sizeof total, "%.*s_total", (int)name.n, name.p);
	return n < (int)sizeof total && named(&s->filter,
			(struct expo_span){ total, (size_t)n });
}

/* The sample is of the family whose metadata came last. */
static bool is_current(const struct expo_strain *s, struct expo_span name)
{
	struct expo_span fam = current(s), end;
	const struct ending *x;

	if (!fam.n || name.n < fam.n || memcmp(name.p, fam.p, fam.n))
		return false;
	end = (struct expo_span){ name.p + fam.n, name.n - fam.n };
	if (!end.n)
		return true;
	for (x = expo_endings; x->end.p; x++)
		if (span_is(end, x->end) && ((s->f == EXPO_TEXT ? x->text :
				x->om) >> s->type & 1))
			return true;
	return false;
}

static void forget(struct expo_strain *s)
{
	buf_reset(&s->meta);
	buf_reset(&s->name);
	s->type = EXPO_UNTYPED;
}

static int wait(struct expo_strain *s, const char *p, size_t n)
{
	const struct expo_line *l = &s->l;

	if (!span_is(current(s), l->name) || s->meta.len > 3 * EXPO_LINE) {
		forget(s);
		buf_add(&s->name, l->name.p, l->name.n);
	}
	if (l->kind == LINE_TYPE)
		s->type = l->type;
	buf_add(&s->meta, p, n);
	buf_putc(&s->meta, '\n');
	if (s->meta.bad || s->name.bad)
		return fail(s, 0, "out of memory");
	if (s->filter.selects || !family_named(s))
		return 0;
	n = s->meta.len;
	s->meta.len = 0;
	return pass(s, s->meta.p, n);
}

static bool selected(const struct expo_strain *s)
{
	struct expo_sample x = { .name = s->l.name, .label = s->l.label,
		.labels = s->l.labels };
	unsigned i;

	if (!named(&s->filter, s->l.name) && !(s->name.len && family_named(s)))
		return false;
	for (i = 0; i < s->filter.selects; i++)
		if (expo_selects(s->filter.select[i], &x))
			return true;
	return !s->filter.selects;
}

static int sample(struct expo_strain *s, const char *p, size_t n)
{
	size_t wait_n;

	if (!is_current(s, s->l.name))
		forget(s);
	if (!selected(s))
		return 0;
	wait_n = s->meta.len;
	s->meta.len = 0;
	if (pass(s, s->meta.p, wait_n) < 0 || pass(s, p, n) < 0)
		return -1;
	return pass(s, "\n", 1);
}

static int line(void *ctx, const char *p, size_t n)
{
	struct expo_strain *s = ctx;

	if (!p)
		return fail(s, 1, "this line is longer than lmc takes");
	if (s->eof)
		return fail(s, 1, "expected nothing after # EOF");
	if (expo_line(&s->l, p, n, s->f, s->e) < 0) {
		s->e->line = s->feed.line;
		return -1;
	}
	switch (s->l.kind) {
	case LINE_SAMPLE:
		return sample(s, p, n);
	case LINE_HELP:
	case LINE_TYPE:
	case LINE_UNIT:
		return wait(s, p, n);
	case LINE_EOF:
		s->eof = true;
		return pass(s, "# EOF\n", 6);
	default:
		return 0;
	}
}

int expo_strain_feed(struct expo_strain *s, const char *p, size_t n,
		struct expo_error *e)
{
	s->e = e;
	return expo_feed(&s->feed, p, n, line, s);
}

int expo_strain_end(struct expo_strain *s, struct expo_error *e)
{
	s->e = e;
	if (s->f == EXPO_OPENMETRICS && !s->eof &&
			expo_feed_open(&s->feed) &&
			expo_feed(&s->feed, "\n", 1, line, s) < 0)
		return -1;
	s->feed.line++;
	if (expo_feed_open(&s->feed))
		return fail(s, s->feed.part.len + 1,
				"expected a newline at the end of the text");
	if (s->f == EXPO_OPENMETRICS && !s->eof)
		return fail(s, 1, "expected # EOF");
	return 0;
}
