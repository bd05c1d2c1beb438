/* merge.c - answers into one exposition
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "die.h"
#include "label.h"
#include "metrics.h"

struct merging {
	struct answers *a;
	int *of;		/* the answer of each input */
	size_t conflicts;
};

void merge_put_label(struct buf *b, const char *name, const char *p, size_t n)
{
	buf_printf(b, "%s=\"", name);
	for (; n; p++, n--) {
		if (*p == '"' || *p == '\\' || *p == '\n')
			buf_putc(b, '\\');
		buf_putc(b, *p == '\n' ? 'n' : *p);
	}
	buf_putc(b, '"');
}

/* ---- options ---- */

static struct expo_selector **selectors(const struct strs *matches)
{
	static struct expo_selector **v;	/* made once */
	struct expo_error e;

	if (v)
		return v;
	v = xcalloc((size_t)matches->n + 1, sizeof *v);
	if (matches->n > EXPO_SELECTORS)
		die(EXIT_USAGE, "more than %d times --match", EXPO_SELECTORS);
	for (int i = 0; i < matches->n; i++) {
		v[i] = expo_selector_new(matches->v[i], strlen(matches->v[i]), &e);
		if (!v[i])
			die(EXIT_USAGE, "--match: %s: column %zu: %s",
			    matches->v[i], e.column, e.what);
	}
	return v;
}

static struct expo *merge_new(const struct style *s, bool filtered,
			      void (*note)(void *, const struct expo_note *),
			      void *ctx)
{
	struct expo_opts o = {
		.out = s->openmetrics ? EXPO_OPENMETRICS : EXPO_TEXT,
		.underscore = s->underscore, .drop_created = s->drop_created,
		.note = note, .ctx = ctx,
	};
	struct expo *m;

	if (filtered) {
		o.filter.name = s->names.v;
		o.filter.names = (unsigned)s->names.n;
		o.filter.select = selectors(&s->matches);
		o.filter.selects = (unsigned)s->matches.n;
	}
	if (getrandom(&o.seed, sizeof o.seed, GRND_NONBLOCK) < 0)
		o.seed = 1;
	m = expo_new(&o);
	if (!m)
		die(EXIT_SYS, "out of memory");
	return m;
}

static unsigned extras_of(struct expo_extra extra[EXPO_EXTRAS],
			  const struct answer *x, const struct style *s)
{
	unsigned n = 0;

	if (*s->node_label) {
		extra[n++] = (struct expo_extra){ s->node_label, x->name, false };
		extra[n++] = (struct expo_extra){ "role", label_role(x->name), true };
		if (x->frontend)
			extra[n++] = (struct expo_extra){ "frontend", x->frontend, false };
	}
	for (unsigned i = 0; i < s->extras && n < EXPO_EXTRAS; i++)
		extra[n++] = s->extra[i];
	return n;
}

/* ---- what lmc says itself ---- */

static void per_node(struct buf *b, const struct answers *a, const struct style *s,
		     const char *name, const char *help,
		     double (*value)(const struct answer *x))
{
	char text[32];

	buf_printf(b, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
	for (int i = 0; i < a->n; i++) {
		if (!a->v[i].is_node)
			continue;
		buf_printf(b, "%s{", name);
		merge_put_label(b, *s->node_label ? s->node_label : "node",
				a->v[i].name, strlen(a->v[i].name));
		if (a->v[i].frontend) {
			buf_putc(b, ',');
			merge_put_label(b, "frontend", a->v[i].frontend,
					strlen(a->v[i].frontend));
		}
		buf_puts(b, "} ");
		buf_add(b, text, expo_format_number(text, value(&a->v[i])));
		buf_putc(b, '\n');
	}
}

static double is_up(const struct answer *x) { return x->up; }
static double took(const struct answer *x) { return (double)x->took_us / 1e6; }
static double samples(const struct answer *x) { return (double)x->samples; }

static void one(struct buf *b, const char *name, const char *help, size_t v)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s gauge\n%s %zu\n", name, help, name,
		   name, v);
}

static void make_own(struct buf *b, struct expo *m, const struct answers *a,
		     const struct style *s)
{
	struct expo_stats st;

	expo_stats(m, &st);
	per_node(b, a, s, "lmc_node_up", "1 if the node's metrics were read.", is_up);
	per_node(b, a, s, "lmc_node_scrape_duration_seconds",
		 "How long the node took to answer.", took);
	per_node(b, a, s, "lmc_node_scrape_samples", "Samples the node exposed.",
		 samples);
	one(b, "lmc_metrics_duplicates",
	    "Samples left out of this answer: their name and labels were there already.",
	    st.duplicates);
	one(b, "lmc_metrics_type_conflicts",
	    "Families of this answer kept apart: nodes do not agree on their type.",
	    st.type_conflicts);
	one(b, "lmc_metrics_help_conflicts",
	    "Other HELP texts than the first of a family's.", st.help_conflicts);
}

/* ---- the merge ---- */

static void noted(void *ctx, const struct expo_note *n)
{
	struct merging *g = ctx;
	struct answer *x = &g->a->v[g->of[n->input]];

	if (n->event == EXPO_DUPLICATE)
		x->duplicates++;
	if (n->event != EXPO_TYPE_CONFLICT || g->conflicts++ >= 10)
		return;
	warn("%s: %s is a %s here and a %s before: kept apart", x->said,
	     safe(n->family.p, n->family.n), expo_type_name(n->second),
	     expo_type_name(n->first));
}

static void refused(struct answer *x, struct answers *a, const struct expo_error *e)
{
	x->up = false;
	a->status = worse(a->status, EXIT_NO);
	if (e->line)
		warn("%s:%zu:%zu: %s", x->said, e->line, e->column,
		     safe(e->what, strlen(e->what)));
	else
		warn("%s: %s", x->said, e->what);
}

static void add_own(struct expo *m, struct answers *a, const struct style *s)
{
	struct expo_error e;

	buf_free(&a->own);
	a->own = (struct buf)BUF(TEXT_MAX);
	make_own(&a->own, m, a, s);
	if (a->own.bad || expo_add(m, a->own.p, a->own.len, EXPO_TEXT, s->extra,
				   s->extras, &e) < 0)
		die(EXIT_SYS, "own metrics: %s",
		    a->own.bad ? "out of memory" : e.what);
}

struct expo *merge_answers(struct answers *a, const struct style *s)
{
	struct merging g = { a, xcalloc((size_t)a->n + 1, sizeof *g.of), 0 };
	struct expo *m = merge_new(s, true, noted, &g);
	struct expo_extra extra[EXPO_EXTRAS];
	struct expo_error e;
	bool nodes = false;
	int input = 0;

	for (int i = 0; i < a->n; i++) {
		struct answer *x = &a->v[i];

		nodes |= x->is_node;
		x->duplicates = 0;
		g.of[input] = i;
		if (!x->up)
			continue;
		if (expo_add(m, x->p, x->n, x->format, extra,
			     extras_of(extra, x, s), &e) < 0)
			refused(x, a, &e);
		else
			x->samples = expo_input_samples(m, (unsigned)input++);
	}
	g.of[input] = 0;
	if (expo_seal(m) < 0)
		die(EXIT_SYS, "out of memory");
	for (int i = 0; i < a->n; i++)
		if (a->v[i].duplicates)
			warn("%s: %zu samples left out: their name and labels were "
			     "there already", a->v[i].said, a->v[i].duplicates);
	if (nodes)
		add_own(m, a, s);
	if (expo_seal(m) < 0)
		die(EXIT_SYS, "out of memory");
	return m;
}

struct expo *merge_text(const struct buf *text, const struct style *s)
{
	struct expo *m = merge_new(s, false, NULL, NULL);
	struct expo_error e;

	if (text->bad || expo_add(m, text->p ? text->p : "", text->len, EXPO_TEXT,
				  NULL, 0, &e) < 0)
		die(EXIT_SYS, "%s", text->bad ? "out of memory" : e.what);
	return m;
}

static int append(void *ctx, const char *p, size_t n)
{
	return buf_add(ctx, p, n);
}

void merge_print(struct expo *m, struct buf *out)
{
	if (expo_write(m, append, out) < 0)
		die(EXIT_SYS, "out of memory");
}

struct expo *merge_rolled(struct expo *m, const char *op, const struct strs *by,
			  const struct style *s, struct buf *hold)
{
	static const char *const ops[] = { "auto", "sum", "max", "min", "avg" };
	struct expo_rollup r = { .by = by->v, .bys = (unsigned)by->n };
	size_t lost = 0;

	for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++)
		if (strcmp(op, ops[i]) == 0)
			r.op = (enum expo_op)i;
	hold->max = TEXT_MAX;
	if (expo_roll(m, &r, EXPO_TEXT, append, hold, &lost) < 0)
		die(EXIT_SYS, "out of memory");
	if (lost)
		warn("%zu samples cannot be rolled up and were left out", lost);
	return merge_text(hold, s);
}
