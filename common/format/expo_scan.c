/* expo_scan.c - one input, read once: records and runs
 * SPDX-License-Identifier: Apache-2.0
 *
 * Most lines are like the line before: the same name, the same labels but
 * one. So each label of the line before is kept with its hash, and a label
 * that is byte for byte the same is neither read nor hashed again. A line
 * that is in any way unusual (blanks, quotes, exemplars, errors) is left to
 * expo_line. Measured: see docs/metrics-engine.md.
 */
#include <stdio.h>
#include <string.h>

#include "expo_hash.h"
#include "expo_merge.h"

enum {			/* struct slot.what, beside a bit per extra label */
	WHAT_LE       = 1 << 8,		/* le that is no number */
	WHAT_QUANTILE = 1 << 9,		/* quantile that is no number */
	WHAT_CLASH    = 1 << 10		/* an extra label's name: renamed */
};

struct slot {
	const char *p;		/* name="value" */
	uint32_t    n, name_n;
	uint64_t    hash;
	unsigned    what;
};

struct scan {
	struct expo       *m;
	struct input      *in;
	struct expo_error *e;
	const char *base, *end;
	/* the last sample's name */
	const char *name;
	size_t   name_n;
	uint64_t name_hash;
	uint32_t family;
	uint8_t  part;
	bool     keep, colon;
	/* labels of the lines before, by place */
	struct slot slot[EXPO_LABELS - EXPO_EXTRAS];
	unsigned slots, distinct;	/* so many at the front differ in name */
	/* what extra labels add to a hash, for the last mask */
	unsigned mask;
	uint64_t mask_hash;
	struct meta meta;	/* not yet declared; name.p is NULL: none */
	struct run  open;	/* the run being extended; count 0: none */
	bool     eof;		/* # EOF was there */
};

static const unsigned char name_char[256] = {	/* 1: may begin, 2: may follow */
	[':'] = 3, ['_'] = 3,
	['0'] = 2, ['1'] = 2, ['2'] = 2, ['3'] = 2, ['4'] = 2, ['5'] = 2,
	['6'] = 2, ['7'] = 2, ['8'] = 2, ['9'] = 2,
	['A'] = 3, ['B'] = 3, ['C'] = 3, ['D'] = 3, ['E'] = 3, ['F'] = 3,
	['G'] = 3, ['H'] = 3, ['I'] = 3, ['J'] = 3, ['K'] = 3, ['L'] = 3,
	['M'] = 3, ['N'] = 3, ['O'] = 3, ['P'] = 3, ['Q'] = 3, ['R'] = 3,
	['S'] = 3, ['T'] = 3, ['U'] = 3, ['V'] = 3, ['W'] = 3, ['X'] = 3,
	['Y'] = 3, ['Z'] = 3,
	['a'] = 3, ['b'] = 3, ['c'] = 3, ['d'] = 3, ['e'] = 3, ['f'] = 3,
	['g'] = 3, ['h'] = 3, ['i'] = 3, ['j'] = 3, ['k'] = 3, ['l'] = 3,
	['m'] = 3, ['n'] = 3, ['o'] = 3, ['p'] = 3, ['q'] = 3, ['r'] = 3,
	['s'] = 3, ['t'] = 3, ['u'] = 3, ['v'] = 3, ['w'] = 3, ['x'] = 3,
	['y'] = 3, ['z'] = 3,
};

static inline bool in_name(char c)
{
	return name_char[(unsigned char)c] & 2;
}

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
static inline int push(struct scan *s, const char *p, const char *to,
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
static int new_name(struct scan *s, struct expo_span name)
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

/* --- the fast way ------------------------------------------------------- */

/* NULL anywhere below: not a line for the fast way. All of it relies on a
 * newline before s->end, which stops every loop. */

static unsigned what_extra(const struct scan *s, struct expo_span name,
		size_t value_n)
{
	const struct extra *x = s->in->extra;
	unsigned i;

	for (i = 0; i < s->in->extras; i++)
		if (span_is(x[i].name, name))
			return x[i].keep && value_n ? 1u << i : WHAT_CLASH;
	return 0;
}

static unsigned what_label(const struct scan *s, struct expo_span name,
		struct expo_span value)
{
	unsigned what = s->in->extras ? what_extra(s, name, value.n) : 0;
	unsigned bad = span_is(name, SPAN("le")) ? WHAT_LE :
		span_is(name, SPAN("quantile")) ? WHAT_QUANTILE : 0;

	if (bad && expo_number_end(value.p, value.p + value.n) !=
			value.p + value.n)
		what |= bad;
	return what;
}

/* The closing quote of a value. */
static const char *value_end(const struct scan *s, const char *p, bool *ascii)
{
	unsigned high = 0, stops;

	for (;;) {
		if (s->end - p >= 16) {
			stops = value_stops(p, &high);
			if (!stops) {
				p += 16;
				continue;
			}
			p += __builtin_ctz(stops);
		} else {
			high = 1;
			while (*p != '"' && *p != '\\' && *p != '\n' && *p)
				p++;
		}
		if (*p != '\\')
			break;
		if (p[1] != '\\' && p[1] != '"' && p[1] != 'n')
			return NULL;
		p += 2;
	}
	*ascii = !high;
	return *p == '"' ? p : NULL;
}

static const char *read_label(struct scan *s, unsigned i, const char *p)
{
	struct slot *slot = &s->slot[i];
	struct expo_span name = { p, 0 }, value;
	const char *q = p, *end;
	bool ascii;

	while (in_name(*q))
		q++;
	if (q == p || q[0] != '=' || q[1] != '"' || *p == ':' ||
			!(name_char[(unsigned char)*p] & 1))
		return NULL;
	name.n = (size_t)(q - p);
	end = value_end(s, q + 2, &ascii);
	if (!end)
		return NULL;
	value = (struct expo_span){ q + 2, (size_t)(end - q - 2) };
	if (!ascii && !expo_utf8(value.p, value.n))
		return NULL;
	if (i >= s->slots || slot->name_n != name.n ||
			memcmp(slot->p, name.p, name.n)) {
		if (memchr(name.p, ':', name.n) ||
				span_is(name, SPAN("__name__")))
			return NULL;
		if (s->distinct > i)
			s->distinct = i;
	}
	*slot = (struct slot){ .p = p, .n = (uint32_t)(end + 1 - p),
		.name_n = (uint32_t)name.n,
		.hash = hash_label(name.p, name.n, value.p, value.n,
				s->m->o.seed),
		.what = what_label(s, name, value) };
	if (i >= s->slots)
		s->slots = i + 1;
	return end + 1;
}

static bool distinct(struct scan *s, unsigned n)
{
	unsigned i, j;

	for (i = s->distinct; i < n; i++)
		for (j = 0; j < i; j++)
			if (s->slot[i].name_n == s->slot[j].name_n &&
					!memcmp(s->slot[i].p, s->slot[j].p,
						s->slot[i].name_n))
				return false;
	s->distinct = n;
	return true;
}

/* From '{' to behind '}'. */
static inline const char *read_labels(struct scan *s, const char *p,
		uint64_t *sum, unsigned *what)
{
	const struct slot *slot = s->slot;
	unsigned i = 0;

	do {
		p++;
		if (i < s->slots && (size_t)(s->end - p) > slot->n &&
				same_bytes(p, slot->p, slot->n)) {
			p += slot->n;
		} else {
			if (i == EXPO_LABELS - EXPO_EXTRAS)
				return NULL;
			p = read_label(s, i, p);
			if (!p)
				return NULL;
		}
		*sum += slot->hash;
		*what |= slot->what;
		slot++;
		i++;
	} while (*p == ',');
	if (i > s->distinct && !distinct(s, i))
		return NULL;
	return *p == '}' ? p + 1 : NULL;
}

static inline bool digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

/* Most numbers; the others are the slow way's. */
static inline const char *read_number(const char *p)
{
	const char *from, *q = p;
	size_t digits;

	if (*q == '-' || *q == '+')
		q++;
	for (from = q; digit(*q);)
		q++;
	digits = (size_t)(q - from);
	if (*q == '.') {
		for (from = ++q; digit(*q);)
			q++;
		digits += (size_t)(q - from);
	}
	if (!digits)
		return *q == 'N' || *q == 'I' ? expo_number_end(p, p + 4) : NULL;
	if ((*q | 32) == 'e') {
		q++;
		if (*q == '-' || *q == '+')
			q++;
		if (!digit(*q++))
			return NULL;
		q += digit(*q);
	}
	return q - p < 64 ? q : NULL;
}

static const char *read_time(const char *p)
{
	const char *q = p + (*p == '-');
	const char *from = q;

	while (digit(*q))
		q++;
	return q == from || q - from > 18 ? NULL : q;
}

static uint64_t extra_hash(struct scan *s, unsigned mask)
{
	unsigned i;

	if (mask == s->mask)
		return s->mask_hash;
	s->mask = mask;
	s->mask_hash = 0;
	for (i = 0; i < s->in->extras; i++)
		if (!(mask >> i & 1))
			s->mask_hash += s->in->extra[i].hash;
	return s->mask_hash;
}

/* The name at p, made the current one; its length, or 0. */
static size_t read_name(struct scan *s, const char *p)
{
	const char *q = p;

	while (in_name(*q))
		q++;
	if ((*q != '{' && *q != ' ') || q - p > UINT16_MAX)
		return 0;
	return new_name(s, (struct expo_span){ p, (size_t)(q - p) }) < 0 ? 0 :
		(size_t)(q - p);
}

static inline bool same_name(const struct scan *s, const char *p)
{
	return s->name_n && (size_t)(s->end - p) > s->name_n &&
		same_bytes(p, s->name, s->name_n) && !in_name(p[s->name_n]);
}

/* A line in the plainest form. NULL: not one, and nothing was kept of it;
 * otherwise behind its newline. */
static const char *fast_sample(struct scan *s, const char *line)
{
	const char *p = line;
	uint64_t sum = 0;
	unsigned what = 0, flags = 0;

	if (!same_name(s, p) && !read_name(s, p))
		return NULL;
	p += s->name_n;
	if (*p == '{') {
		p = read_labels(s, p, &sum, &what);
		if (!p)
			return NULL;
		flags = RUN_BRACES;
	}
	if (what >> 8 || *p != ' ')
		return NULL;
	p = read_number(p + 1);
	if (!p)
		return NULL;
	if (*p == ' ' && s->in->format == EXPO_TEXT) {
		flags |= RUN_TIME;
		p = read_time(p + 1);
	}
	if (!p || *p != '\n' || p - line >= EXPO_LINE)
		return NULL;
	s->in->samples++;
	if (!s->keep)
		return p + 1;
	if (s->colon)
		flags |= RUN_COLON;
	sum += s->name_hash + extra_hash(s, what);
	return push(s, line, p + 1, hash_finish(sum), flags, what) < 0 ?
		NULL : p + 1;
}

/* --- the slow way ------------------------------------------------------- */

static bool is_bound(const struct expo_label *x, enum expo_type t)
{
	return (t != EXPO_SUMMARY && span_is(x->name, SPAN("le"))) ||
		(t != EXPO_HISTOGRAM && span_is(x->name, SPAN("quantile")));
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
		if (f->type != EXPO_HISTOGRAM && f->type != EXPO_SUMMARY)
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
	if (new_name(s, l->name) < 0 || check_bound(s, l) < 0)
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
	return push(s, line, to, expo_line_hash(s->m,
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
				name_char[(unsigned char)*p] & 1)
			next = fast_sample(s, p);
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
