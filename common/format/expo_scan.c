/* expo_scan.c - one input, read once: records and runs
 * SPDX-License-Identifier: Apache-2.0
 *
 * A plain sample's line is for expo_fast.c; any other line, and any error, is
 * for expo_line.
 */
#include <stdio.h>
#include <string.h>

#include "expo_hash.h"
#include "expo_scan.h"

static int no_room(struct scan *s)
{
	s->e->column = 1;
	snprintf(s->e->what, sizeof s->e->what,
			"out of memory, or more families than allowed");
	return -1;
}

/* --- runs --------------------------------------------------------------- */

static int close_run(struct scan *s)
{
	struct expo *m = s->m;
	struct run *r;

	if (!s->open.count)
		return 0;
	r = expo_grow(m, m->run, &m->run_cap, m->runs + 1, sizeof *r);
	if (!r)
		return no_room(s);
	m->run = r;
	r[m->runs++] = s->open;
	s->open.count = 0;
	return 0;
}

static int open_run(struct scan *s, uint32_t at, unsigned flags, unsigned mask)
{
	if (close_run(s) < 0)
		return -1;
	s->open = (struct run){
		.family = s->family, .input = (uint32_t)s->m->inputs,
		.first = (uint32_t)s->m->recs, .end = at,
		.name_len = (uint16_t)s->name_n, .flags = (uint8_t)flags,
		.part = s->part, .mask = (uint8_t)mask, .next = NONE,
	};
	return 0;
}

static int more_recs(struct scan *s)
{
	struct expo *m = s->m;
	size_t need = m->recs ? m->recs + 1 : s->in->n / 64 + 64;
	struct rec *p;

	if (m->recs < m->rec_cap)
		return 0;
	p = expo_grow(m, m->rec, &m->rec_cap, need, sizeof *p);
	if (!p || m->recs >= NONE - 1)
		return no_room(s);
	m->rec = p;
	return 0;
}

/* A sample's line from p to behind its newline. */
int expo_push(struct scan *s, const char *p, const char *to,
		uint32_t hash, unsigned flags, unsigned mask)
{
	struct expo *m = s->m;
	struct run *r = &s->open;
	uint32_t at = (uint32_t)(p - s->base);

	if (!r->count || r->end != at || r->family != s->family ||
			r->flags != flags || r->mask != mask ||
			r->name_len != s->name_n || r->part != s->part)
		if (open_run(s, at, flags, mask) < 0)
			return -1;
	if (m->recs >= m->rec_cap && more_recs(s) < 0)
		return -1;
	m->rec[m->recs++] = (struct rec){ at, hash };
	r->count++;
	r->end = (uint32_t)(to - s->base);
	if ((size_t)(to - p) > m->longest)
		m->longest = (size_t)(to - p);
	return 0;
}

/* --- families ----------------------------------------------------------- */

static int declare(struct scan *s)
{
	if (!s->meta.name.p)
		return 0;
	if (expo_declare(s->m, &s->meta) < 0)
		return no_room(s);
	s->meta.name.p = NULL;
	return 0;
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

static bool wanted(struct scan *s, struct expo_span out)
{
	struct expo *m = s->m;
	const struct family *f = &m->family[s->family];
	const struct expo_filter *filter = &m->o.filter;

	if (m->o.drop_created && (s->part == PART_CREATED || (out.n > 8 &&
			!memcmp(out.p + out.n - 8, "_created", 8))))
		return false;
	return named(filter, out) || named(filter, f->name) ||
		named(filter, expo_base(f->name, f->type));
}

/* The family of a name that is not the last line's. */
int expo_scan_name(struct scan *s, struct expo_span name)
{
	struct expo *m = s->m;
	struct expo_span out;

	if (declare(s) < 0)
		return -1;
	s->family = expo_resolve(m, name, &s->part);
	if (s->family == NONE)
		return no_room(s);
	out = expo_out_name(m, &m->family[s->family], name);
	if (!out.p)
		return no_room(s);
	s->name = name.p;
	s->name_n = name.n;
	s->name_hash = hash_bytes(out.p, out.n, m->o.seed);
	s->colon = m->o.underscore && memchr(name.p, ':', name.n);
	s->keep = wanted(s, out);
	return 0;
}

/* --- the slow way ------------------------------------------------------- */

static bool is_histogram(enum expo_type t)
{
	return t == EXPO_HISTOGRAM || t == EXPO_GAUGEHISTOGRAM;
}

static bool is_bound(const struct expo_label *x, enum expo_type t)
{
	return (t != EXPO_SUMMARY && span_is(x->name, SPAN("le"))) ||
		(!is_histogram(t) && span_is(x->name, SPAN("quantile")));
}

/* promtool reads le and quantile as numbers where the type has them. */
static int check_bound(struct scan *s, const struct expo_line *l)
{
	struct family *f = &s->m->family[s->family];
	const struct expo_label *x;
	struct expo_span v;

	for (x = l->label; x < l->label + l->labels; x++) {
		v = x->value;
		if (!is_bound(x, f->type) ||
				expo_number_end(v.p, v.p + v.n) == v.p + v.n)
			continue;
		f->odd = true;
		if (!is_histogram(f->type) && f->type != EXPO_SUMMARY)
			continue;
		s->e->column = (size_t)(v.p - l->start) + 1;
		snprintf(s->e->what, sizeof s->e->what,
			"expected a number as the value of %.*s",
			(int)x->name.n, x->name.p);
		return -1;
	}
	return 0;
}

static bool selected(struct scan *s, const struct expo_line *l)
{
	const struct expo_filter *f = &s->m->o.filter;
	struct expo_sample x = { .label = l->label, .labels = l->labels };
	unsigned i;

	if (!s->keep)
		return false;
	x.name = expo_out_name(s->m, &s->m->family[s->family], l->name);
	for (i = 0; i < f->selects; i++)
		if (expo_selects(f->select[i], &x))
			return true;
	return !f->selects;
}

static int slow_sample(struct scan *s, struct expo_line *l, const char *line,
		const char *to)
{
	if (expo_scan_name(s, l->name) < 0 || check_bound(s, l) < 0)
		return -1;
	s->name_n = 0;	/* its quotes may hide a name_len */
	if (expo_relabel(l, s->in) < 0) {
		s->e->column = 1;
		snprintf(s->e->what, sizeof s->e->what,
				"too many exported_ labels");
		return -1;
	}
	s->in->samples++;
	if (!selected(s, l))
		return 0;
	return expo_push(s, line, to, expo_line_hash(s->m,
			&s->m->family[s->family], l), RUN_SLOW, 0);
}

static int gather(struct scan *s, const struct expo_line *l)
{
	struct meta *d = &s->meta;
	bool again = (l->kind == LINE_HELP && d->help.p) ||
		(l->kind == LINE_TYPE && d->typed) ||
		(l->kind == LINE_UNIT && d->unit.p);

	if (close_run(s) < 0)
		return -1;
	s->name_n = 0;	/* may mean another family now */
	if (d->name.p && (again || !span_is(d->name, l->name)) &&
			declare(s) < 0)
		return -1;
	if (!d->name.p)
		*d = (struct meta){ .name = l->name };
	if (l->kind == LINE_HELP) {
		d->help = l->text;
	} else if (l->kind == LINE_UNIT) {
		d->unit = l->text;
	} else {
		d->typed = true;
		d->type = l->type;
		d->type_first = !d->help.p;
	}
	if (l->name.n + l->text.n > s->m->longest)
		s->m->longest = l->name.n + l->text.n;
	return 0;
}

/* Any line; NULL with *e filled. */
static const char *slow_line(struct scan *s, const char *line)
{
	const char *nl = memchr(line, '\n', (size_t)(s->end - line));
	const char *to = nl ? nl : s->end;
	struct expo_line l;

	if (s->eof) {
		s->e->column = 1;
		snprintf(s->e->what, sizeof s->e->what,
				"expected nothing after # EOF");
		return NULL;
	}
	if (expo_line(&l, line, (size_t)(to - line), s->in->format, s->e) < 0)
		return NULL;
	s->eof = l.kind == LINE_EOF;
	if (!nl && !s->eof) {
		s->e->column = (size_t)(to - line) + 1;
		snprintf(s->e->what, sizeof s->e->what,
				"expected a newline at the end of the text");
		return NULL;
	}
	if (l.kind == LINE_SAMPLE)
		return slow_sample(s, &l, line, nl + 1) < 0 ? NULL : nl + 1;
	if (l.kind == LINE_HELP || l.kind == LINE_TYPE || l.kind == LINE_UNIT)
		return gather(s, &l) < 0 ? NULL : to + 1;
	return nl ? nl + 1 : to;
}

/* --- all of it ---------------------------------------------------------- */

static const char *scan_lines(struct scan *s)
{
	bool fast = !s->m->o.no_fast && !s->m->o.filter.selects;
	const char *p = s->base, *next, *last;

	last = s->in->n ? memrchr(p, '\n', s->in->n) : NULL;
	while (p < s->end) {
		next = NULL;
		if (fast && last && p <= last && !s->eof &&
				expo_begins_name(*p))
			next = expo_fast_sample(s, p);
		if (!next)
			next = slow_line(s, p);
		if (!next)
			return p;
		p = next;
		if (s->in->samples > s->m->o.max.samples) {
			snprintf(s->e->what, sizeof s->e->what,
					"more samples than allowed");
			return p - 1;
		}
	}
	return NULL;
}

int expo_scan(struct expo *m, struct expo_error *e, const char **at)
{
	struct input *in = &m->input[m->inputs];
	struct scan s = { .m = m, .in = in, .e = e, .base = in->p,
		.end = in->p + in->n, .mask = ~0u };
	size_t recs = m->recs;

	e->line = e->column = 0;
	*at = scan_lines(&s);
	if (*at)
		return -1;
	if (in->format == EXPO_OPENMETRICS && !s.eof) {
		*at = s.end;
		e->column = 1;
		snprintf(e->what, sizeof e->what, "expected # EOF");
		return -1;
	}
	if (declare(&s) < 0 || close_run(&s) < 0)
		return -1;
	m->stats.samples += in->samples;
	m->stats.filtered += in->samples - (m->recs - recs);
	return 0;
}
