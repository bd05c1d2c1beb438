/* summary.c - LMCache's derived figures, with formula and raw inputs
 * SPDX-License-Identifier: Apache-2.0
 *
 * The formulas are PromQL: what is printed here is what Prometheus answers to
 * them for the same samples.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "figure.h"

enum { TEXT = 640 };

/* One line of the summary. */
struct line {
	const struct figure *f;
	double q;		/* TIMES: which quantile */
	double life, recent;	/* NAN: not to be had */
	char   id[64], title[96], formula[TEXT], recent_formula[TEXT];
	struct sum a, b;
	struct expo_bucket *bucket, *rate;	/* TIMES: by le */
	size_t buckets;
};

struct summing {
	const struct series_set *now;
	double secs;		/* between two rounds; 0: one only */
};

static const double quantiles[] = { 0.5, 0.9, 0.99 };

/* ---- buckets ---- */

static int by_le(const void *a, const void *b)
{
	const struct expo_bucket *x = a, *y = b;

	return (x->le > y->le) - (x->le < y->le);
}

/* The buckets of all series together, equal bounds added up. */
static size_t add_up(struct expo_bucket *b, size_t n)
{
	size_t kept = 0;

	qsort(b, n, sizeof *b, by_le);
	for (size_t i = 0; i < n; i++) {
		if (kept && b[kept - 1].le == b[i].le)
			b[kept - 1].count += b[i].count;
		else
			b[kept++] = b[i];
	}
	return kept;
}

static void take_buckets(struct line *l, const struct series_set *s)
{
	char name[128];
	size_t n = 0, rated = 0;
	double le;

	snprintf(name, sizeof name, "%s_bucket", l->f->family);
	l->bucket = xcalloc(s->n + 1, sizeof *l->bucket);
	l->rate = xcalloc(s->n + 1, sizeof *l->rate);
	for (const struct series *x = s->v; x < s->v + s->n; x++) {
		if (!figure_is(x, name) || expo_number(series_label(x, "le"), &le) < 0)
			continue;
		l->bucket[n++] = (struct expo_bucket){ le, x->value };
		if (x->rated)
			l->rate[rated++] = (struct expo_bucket){ le, x->rate };
	}
	l->buckets = add_up(l->bucket, n);
	l->a.series = n;
	l->a.rated = add_up(l->rate, rated);
}

/* ---- formulas ---- */

static void quantile_line(struct line *l, const struct summing *s)
{
	const char *f = l->f->family;

	take_buckets(l, s->now);
	l->life = expo_quantile(l->q, l->bucket, l->buckets);
	l->recent = l->a.rated ? expo_quantile(l->q, l->rate, l->a.rated) : NAN;
	snprintf(l->id, sizeof l->id, "%s_p%g", l->f->id, l->q * 100);
	snprintf(l->title, sizeof l->title, "%s, p%g", l->f->title, l->q * 100);
	snprintf(l->formula, TEXT, "histogram_quantile(%g, sum by (le) (%s_bucket))",
		 l->q, f);
	snprintf(l->recent_formula, TEXT,
		 "histogram_quantile(%g, sum by (le) (rate(%s_bucket[%gs])))", l->q, f,
		 s->secs);
}

static void ratio_line(struct line *l, const struct summing *s)
{
	const struct figure *f = l->f;

	l->b = figure_sum(s->now, f->other);
	l->life = l->a.series && l->b.series ? l->a.total / l->b.total : NAN;
	if (l->a.rated && l->b.rated)
		l->recent = l->a.per_second / l->b.per_second;
	snprintf(l->formula, TEXT, "sum(%s) / sum(%s)", f->family, f->other);
	snprintf(l->recent_formula, TEXT, "sum(rate(%s[%gs])) / sum(rate(%s[%gs]))",
		 f->family, s->secs, f->other, s->secs);
}

static void gauge_line(struct line *l)
{
	static const char *const op[] = {
		[SUM] = "sum", [MAX] = "max", [MIN] = "min", [AVG] = "avg"
	};
	const struct figure *f = l->f;

	if (l->a.series)
		l->life = f->kind == SUM ? l->a.total : f->kind == MAX ? l->a.max :
			f->kind == MIN ? l->a.min : l->a.total / (double)l->a.series;
	snprintf(l->formula, TEXT, "%s(%s)", op[f->kind], f->family);
}

static void make_line(struct line *l, const struct summing *s)
{
	const struct figure *f = l->f;

	l->life = l->recent = NAN;
	snprintf(l->id, sizeof l->id, "%s", f->id);
	snprintf(l->title, sizeof l->title, "%s", f->title);
	if (f->kind == TIMES) {
		quantile_line(l, s);
		return;
	}
	l->a = figure_sum(s->now, f->family);
	if (f->kind == RATIO) {
		ratio_line(l, s);
	} else if (f->kind != TOTAL) {
		gauge_line(l);
	} else {
		l->life = l->a.series ? l->a.total : NAN;
		l->recent = l->a.rated ? l->a.per_second : NAN;
		snprintf(l->formula, TEXT, "sum(%s)", f->family);
		snprintf(l->recent_formula, TEXT, "sum(rate(%s[%gs]))", f->family,
			 s->secs);
	}
}

/* ---- table ---- */

static void human_bytes(char *out, size_t cap, double v)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	size_t i = 0;

	for (; i < 5 && fabs(v) >= 1024; i++)
		v /= 1024;
	snprintf(out, cap, i ? "%.1f %s" : "%.0f %s", v, unit[i]);
}

static void human_time(char *out, size_t cap, double s)
{
	if (s >= 1 || s == 0)
		snprintf(out, cap, "%.4g s", s);
	else if (s >= 1e-3)
		snprintf(out, cap, "%.4g ms", s * 1e3);
	else
		snprintf(out, cap, "%.4g us", s * 1e6);
}

static void human(char *out, size_t cap, double v, enum unit u)
{
	static const char *const after[] = {
		[COUNT] = "", [TOKENS] = " tok/s", [GB] = " GB/s",
	};

	if (isnan(v))
		snprintf(out, cap, "-");
	else if (u == RATE)
		snprintf(out, cap, "%.2f %%", v * 100);
	else if (u == BYTES)
		human_bytes(out, cap, v);
	else if (u == SECONDS || u == MILLIS)
		human_time(out, cap, u == SECONDS ? v : v / 1e3);
	else if (u == FLAG_)
		snprintf(out, cap, "%s", v > 0 ? "yes" : "no");
	else if (u == COUNT && v == floor(v) && fabs(v) < 1e15)
		snprintf(out, cap, "%.0f", v);
	else
		snprintf(out, cap, "%.4g%s", v, after[u]);
}

static void put_title(struct table *t, const char *title, const struct figure *f)
{
	table_printf(t, "%s%s", f->dialect == SERVER ? "MP: " : "", title);
}

static void put_row(struct table *t, const struct line *l, const struct summing *s)
{
	char text[32];

	put_title(t, l->title, l->f);
	human(text, sizeof text, l->life, l->f->unit);
	table_puts(t, text);
	if (s->secs > 0) {
		human(text, sizeof text, l->recent, l->f->unit);
		table_printf(t, "%s%s", text, l->f->kind == TOTAL &&
			     !isnan(l->recent) ? "/s" : "");
	}
	if (l->f->kind == RATIO)
		table_printf(t, "%s = %.15g / %.15g", l->formula, l->a.total,
			     l->b.total);
	else if (l->f->kind == TIMES)
		table_printf(t, "%s, %.15g measured", l->formula,
			     l->buckets ? l->bucket[l->buckets - 1].count : 0);
	else
		table_printf(t, "%s of %zu", l->formula, l->a.series);
}

static void put_missing_row(struct table *t, const struct figure *f,
			    const char *family, const char *why,
			    const struct summing *s)
{
	put_title(t, f->title, f);
	table_puts(t, NULL);
	if (s->secs > 0)
		table_puts(t, NULL);
	table_printf(t, "%s is missing: %s", family, why);
}

/* ---- json ---- */

static void put_number(struct buf *b, const char *key, double v)
{
	if (isnan(v))
		js_null(b, key);
	else
		js_num(b, key, v);
}

static void put_input(struct buf *b, const char *family, const struct sum *s)
{
	js_open(b, NULL, '{');
	js_str(b, "name", family);
	js_int(b, "series", (long long)s->series);
	js_num(b, "sum", s->total);
	put_number(b, "per_second", s->rated ? s->per_second : NAN);
	js_close(b, '}');
}

static void put_buckets(struct buf *b, const struct line *l)
{
	js_open(b, NULL, '{');
	js_str(b, "name", l->f->family);
	js_int(b, "series", (long long)l->a.series);
	js_open(b, "buckets", '[');
	for (size_t i = 0; i < l->buckets; i++) {
		js_open(b, NULL, '{');
		js_num(b, "le", l->bucket[i].le);
		js_num(b, "count", l->bucket[i].count);
		js_close(b, '}');
	}
	js_close(b, ']');
	js_close(b, '}');
}

static void put_head(struct buf *b, const char *id, const char *title,
		     const struct figure *f)
{
	static const char *const unit[] = {
		[RATE] = "ratio", [COUNT] = "", [BYTES] = "bytes", [SECONDS] = "s",
		[MILLIS] = "ms", [TOKENS] = "tokens/s", [GB] = "GB/s", [FLAG_] = "bool",
	};

	js_open(b, NULL, '{');
	js_str(b, "id", id);
	js_str(b, "title", title);
	js_str(b, "dialect", f->dialect == SERVER ? "mp" : "embedded");
	js_str(b, "unit", unit[f->unit]);
}

static void put_item(struct buf *b, const struct line *l, const struct summing *s)
{
	bool rated = s->secs > 0 && l->recent_formula[0];

	put_head(b, l->id, l->title, l->f);
	put_number(b, "value", l->life);
	put_number(b, "recent", l->recent);
	js_str(b, "formula", l->formula);
	js_str(b, "recent_formula", rated ? l->recent_formula : NULL);
	js_open(b, "inputs", '[');
	if (l->f->kind == TIMES)
		put_buckets(b, l);
	else
		put_input(b, l->f->family, &l->a);
	if (l->f->other)
		put_input(b, l->f->other, &l->b);
	js_close(b, ']');
	js_close(b, '}');
}

static void put_missing_item(struct buf *b, const struct figure *f,
			     const char *family, const char *why)
{
	put_head(b, f->id, f->title, f);
	js_null(b, "value");
	js_str(b, "missing", family);
	js_str(b, "why", why);
	js_close(b, '}');
}

/* ---- all of it ---- */

struct printing {
	bool         json;
	struct items items;
	struct table table;
};

static const char *absent(const struct summing *s, const struct figure *f)
{
	if (!figure_has(s->now, f, f->family))
		return f->family;
	return f->other && !figure_has(s->now, f, f->other) ? f->other : NULL;
}

static void print_figure(struct printing *p, const struct figure *f,
			 const struct summing *s)
{
	size_t n = f->kind == TIMES ? sizeof quantiles / sizeof *quantiles : 1;

	for (size_t i = 0; i < n; i++) {
		struct line l = { .f = f, .q = quantiles[i] };

		make_line(&l, s);
		if (p->json) {
			put_item(&p->items.b, &l, s);
			items_next(&p->items);
		} else {
			put_row(&p->table, &l, s);
		}
		free(l.bucket);
		free(l.rate);
	}
}

static void print_missing(struct printing *p, const struct fleet *fleet,
			  const struct figure *f, const struct summing *s)
{
	const char *family = absent(s, f), *why = figure_why(fleet, f, family);

	if (p->json) {
		put_missing_item(&p->items.b, f, family, why);
		items_next(&p->items);
	} else {
		put_missing_row(&p->table, f, family, why, s);
	}
}

static void print_all(struct printing *p, const struct fleet *fleet,
		      const struct summing *s)
{
	const struct figure *f;

	for (f = figures; f->id; f++)
		if (fleet->speaks[f->dialect] && !absent(s, f))
			print_figure(p, f, s);
	for (f = figures; f->id; f++)
		if (fleet->speaks[f->dialect] && absent(s, f))
			print_missing(p, fleet, f, s);
}

int summary(const struct series_set *now, struct expo *m, const struct answers *a,
	    double secs, enum out_form form)
{
	static const char *const heads[] = { "FIGURE", ">VALUE", "FORMULA", NULL };
	static char span[32];
	static const char *const rated[] = { "FIGURE", ">VALUE", span, "FORMULA", NULL };
	struct summing s = { now, secs };
	struct printing p;
	struct fleet fleet;
	bool any;

	fleet_look(&fleet, now, m, a);
	any = fleet.speaks[EMBEDDED] || fleet.speaks[SERVER];
	if (!any)
		warn("no metric of LMCache is there%s", fleet.up
		     ? ": see lmc metrics --doctor" : "");
	snprintf(span, sizeof span, ">LAST %gs", secs);
	p.json = form == OUT_JSON || form == OUT_JSONL;
	items_begin(&p.items, form);
	table_init(&p.table, secs > 0 ? rated : heads);
	print_all(&p, &fleet, &s);
	items_end(&p.items);
	if (!p.json && any)
		show_table(&p.table);
	fleet_free(&fleet);
	return any ? EXIT_OK : EXIT_NO;
}
