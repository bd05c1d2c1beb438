/* expo_lint.c - what promtool check metrics finds, with line numbers
 * SPDX-License-Identifier: Apache-2.0
 *
 * A stream in constant memory: of the text only the current line is held, of
 * names and series a table of hashes of fixed size. A family is judged when
 * another begins. The rules about names are in expo_lint_name.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expo_feed.h"
#include "expo_hash.h"
#include "expo_lint.h"
#include "expo_merge.h"

enum { SEEN = 1 << 16, SEEN_MAX = SEEN / 4 * 3 };	/* 512 KiB a table */

struct seen {
	uint64_t slot[SEEN];	/* hashes, 0: free */
	size_t   n;
};

struct expo_lint {
	enum expo_format f;
	uint64_t seed;
	void   (*found)(void *ctx, const struct expo_finding *x);
	void    *ctx;
	size_t   findings;
	struct expo_feed feed;
	struct expo_line l;
	/* the current family */
	struct buf name;
	size_t   first;		/* its first line */
	enum expo_type type;
	bool     help, typed, samples;
	bool     le, quantile, camel;	/* labels that its samples have */
	bool     eof, names_full, series_full;
	struct seen names, series;
};

struct expo_lint *expo_lint_new(enum expo_format f, uint64_t seed,
		void (*found)(void *ctx, const struct expo_finding *x),
		void *ctx)
{
	struct expo_lint *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->f = f;
	l->seed = seed;
	l->found = found;
	l->ctx = ctx;
	l->feed.part.max = EXPO_LINE;
	l->name.max = EXPO_LINE;
	return l;
}

static void tell(struct expo_lint *l, size_t line, struct expo_span family,
		bool error, const char *text)
{
	struct expo_finding x = { line, family, text, error };

	l->findings++;
	if (l->found)
		l->found(l->ctx, &x);
}

static void tell_here(struct expo_lint *l, bool error, const char *text)
{
	tell(l, l->feed.line, l->l.name, error, text);
}

static struct expo_span current(const struct expo_lint *l)
{
	return (struct expo_span){ l->name.p, l->name.len };
}

/* --- seen before? ------------------------------------------------------- */

/* True: it was there. A full table answers false and says so once. */
static bool see(struct seen *s, uint64_t hash, bool *full)
{
	size_t at;

	hash |= hash == 0;
	for (at = hash & (SEEN - 1); s->slot[at]; at = (at + 1) & (SEEN - 1))
		if (s->slot[at] == hash)
			return true;
	if (s->n >= SEEN_MAX) {
		*full = true;
		return false;
	}
	s->slot[at] = hash;
	s->n++;
	return false;
}

static void forget(struct seen *s)
{
	if (s->n)
		memset(s, 0, sizeof *s);
}

/* --- families ----------------------------------------------------------- */

static void end_family(struct expo_lint *l)
{
	struct expo_lint_family f = {
		.name = current(l), .type = l->type,
		.help = l->help, .le = l->le, .quantile = l->quantile,
		.camel = l->camel, .om = l->f == EXPO_OPENMETRICS,
	};
	const char *text;
	char room[160];
	unsigned i;

	/* promtool looks at what has samples only */
	for (i = 0; l->name.len && l->samples &&
			i < EXPO_LINT_RULES; i++) {
		text = expo_lint_rule(i, &f, room, sizeof room);
		if (text)
			tell(l, l->first, f.name, false, text);
	}
}

static void begin_family(struct expo_lint *l, struct expo_span name)
{
	uint64_t hash = hash_bytes(name.p, name.n, l->seed);
	bool full = l->names_full;

	end_family(l);
	forget(&l->series);
	buf_reset(&l->name);
	buf_add(&l->name, name.p, name.n);
	l->first = l->feed.line;
	l->type = EXPO_UNTYPED;
	l->help = l->typed = l->samples = false;
	l->le = l->quantile = l->camel = l->series_full = false;
	if (see(&l->names, hash, &l->names_full))
		tell_here(l, false, "this family was there before: its lines "
				"should be together");
	if (l->names_full && !full)
		tell_here(l, false, "too many families: repeated ones are no "
				"longer found");
}

static bool is_current(const struct expo_lint *l, struct expo_span name)
{
	struct expo_span fam = current(l), end;
	const struct ending *x;

	if (!fam.n || name.n < fam.n || memcmp(name.p, fam.p, fam.n))
		return false;
	end = (struct expo_span){ name.p + fam.n, name.n - fam.n };
	for (x = expo_endings; end.n && x->end.p; x++)
		if (span_is(end, x->end) && ((l->f == EXPO_TEXT ? x->text :
				x->om) >> l->type & 1))
			return true;
	return !end.n;
}

/* --- lines -------------------------------------------------------------- */

/* promtool knows two escapes in HELP; OpenMetrics takes any. */
static bool odd_help(const struct expo_lint *l, struct expo_span s)
{
	const char *p = s.p, *end = s.p + s.n;

	for (; p < end && l->f == EXPO_TEXT; p++)
		if (*p == '\\' && (++p == end || (*p != '\\' && *p != 'n')))
			return true;
	return false;
}

static void meta(struct expo_lint *l)
{
	const struct expo_line *x = &l->l;

	if (!span_is(current(l), x->name))
		begin_family(l, x->name);
	if (x->kind == LINE_HELP) {
		if (l->help)
			tell_here(l, true, "second HELP line");
		if (odd_help(l, x->text))
			tell_here(l, true, "invalid escape sequence in HELP");
		l->help = true;
	} else if (x->kind == LINE_TYPE) {
		if (l->typed || l->samples)
			tell_here(l, true, "second TYPE line, or TYPE after "
					"samples");
		l->typed = true;
		l->type = x->type;
	}
}

static bool is_camel(struct expo_span s)
{
	size_t i;

	for (i = 1; i < s.n; i++)
		if (s.p[i - 1] >= 'a' && s.p[i - 1] <= 'z' &&
				s.p[i] >= 'A' && s.p[i] <= 'Z')
			return true;
	return false;
}

static void look_at_label(struct expo_lint *l, const struct expo_label *x)
{
	bool le = span_is(x->name, SPAN("le"));
	bool quantile = span_is(x->name, SPAN("quantile"));
	double v;

	l->le |= le;
	l->quantile |= quantile;
	l->camel |= is_camel(x->name);
	if (((le && l->type == EXPO_HISTOGRAM) ||
			(quantile && l->type == EXPO_SUMMARY)) &&
			expo_number(x->value, &v) < 0)
		tell_here(l, true, le ? "expected a number as value of le" :
				"expected a number as value of quantile");
}

static void sample(struct expo_lint *l)
{
	const struct expo_line *x = &l->l;
	bool full = l->series_full;
	unsigned i;

	if (!is_current(l, x->name))
		begin_family(l, x->name);
	l->samples = true;
	for (i = 0; i < x->labels; i++)
		look_at_label(l, &x->label[i]);
	if (see(&l->series, expo_series_hash(x->name, x, l->seed),
			&l->series_full))
		tell_here(l, true, "this sample was there before: the same "
				"name and labels");
	if (l->series_full && !full)
		tell_here(l, false, "too many samples: repeated ones are no "
				"longer found");
}

static int line(void *ctx, const char *p, size_t n)
{
	struct expo_lint *l = ctx;
	struct expo_error e;
	char text[160];

	if (!p || expo_line(&l->l, p, n, l->f, &e) < 0) {
		if (p)
			snprintf(text, sizeof text, "column %zu: %s", e.column,
					e.what);
		tell(l, l->feed.line, SPAN(""), true, p ? text :
				"this line is longer than lmc takes");
		return 0;
	}
	if (l->eof)
		tell_here(l, true, "expected nothing after # EOF");
	l->eof |= l->l.kind == LINE_EOF;
	if (l->l.kind == LINE_SAMPLE)
		sample(l);
	else if (l->l.kind == LINE_HELP || l->l.kind == LINE_TYPE ||
			l->l.kind == LINE_UNIT)
		meta(l);
	return 0;
}

void expo_lint_feed(struct expo_lint *l, const char *p, size_t n)
{
	expo_feed(&l->feed, p, n, line, l);
}

size_t expo_lint_end(struct expo_lint *l)
{
	size_t n;
	bool open = expo_feed_open(&l->feed);

	if (open)
		expo_feed(&l->feed, "\n", 1, line, l);
	end_family(l);
	if (open && !l->eof)
		tell(l, l->feed.line, SPAN(""), true,
				"expected a newline at the end of the text");
	if (l->f == EXPO_OPENMETRICS && !l->eof)
		tell(l, l->feed.line, SPAN(""), true, "expected # EOF");
	n = l->findings;
	buf_free(&l->feed.part);
	buf_free(&l->name);
	free(l);
	return n;
}
