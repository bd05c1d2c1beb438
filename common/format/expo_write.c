/* expo_write.c - a merge as text, in pieces
 * SPDX-License-Identifier: Apache-2.0
 *
 * A run whose lines are plain is copied: name, extra labels, the rest. All
 * other lines are read again and written in the one canonical form.
 */
#include <stdlib.h>

#include "expo_hash.h"
#include "expo_merge.h"
#include "expo_rule.h"

enum {
	PIECE = 64 << 10,	/* bytes of output at once */
	SLACK = 32		/* copies may write so many bytes too far */
};

enum stage { AT_FAMILY, AT_SAMPLES, AT_END, DONE };

/* --- bytes -------------------------------------------------------------- */

/* Up to 15 bytes more than n are read and written; from has them before
 * end, or they are copied exactly. */
static inline char *copy(char *to, const char *from, size_t n, const char *end)
{
	size_t i;

	if ((size_t)(end - from) < n + 16) {
		memcpy(to, from, n);
		return to + n;
	}
	for (i = 0; i < n; i += 16)
		copy16(to + i, from + i);
	return to + n;
}

static char *put(char *to, struct expo_span s)
{
	memcpy(to, s.p, s.n);
	return to + s.n;
}

/* OpenMetrics takes a value as any input wrote it. */
static char *put_quoted(char *to, struct expo_span s, enum expo_format out)
{
	*to++ = '"';
	if (out == EXPO_OPENMETRICS)
		to = put(to, s);
	else
		to += expo_put_value(to, s);
	*to++ = '"';
	return to;
}

/* --- headers ------------------------------------------------------------ */

static char *put_name(char *to, struct expo_span s, enum expo_format out)
{
	return expo_plain_name(s, true) ? put(to, s) : put_quoted(to, s, out);
}

static struct expo_span header_name(const struct expo *m, const struct family *f)
{
	if (m->o.out == EXPO_TEXT || f->whole_name)
		return f->name;
	return expo_base(f->name, f->type);
}

/* A counter without _total cannot be one in OpenMetrics without its samples
 * changing their name: it is written as unknown. */
static const char *header_type(const struct expo *m, const struct family *f)
{
	enum expo_type t = f->type;
	bool whole = f->whole_name || expo_base(f->name, t).n == f->name.n;

	if (m->o.out == EXPO_TEXT)
		return expo_text_type(t);
	if (t == EXPO_UNTYPED || (whole && (t == EXPO_COUNTER || t == EXPO_INFO)))
		return "unknown";
	return expo_type_name(t);
}

static char *put_meta(const struct expo *m, const struct family *f, char *p,
		const char *word)
{
	memcpy(p, word, 7);	/* "# HELP " */
	p = put_name(p + 7, header_name(m, f), m->o.out);
	*p++ = ' ';
	return p;
}

static char *put_type(const struct expo *m, const struct family *f, char *p)
{
	const char *type = header_type(m, f);

	if (!f->declared)
		return p;
	p = put_meta(m, f, p, "# TYPE ");
	p = put(p, (struct expo_span){ type, strlen(type) });
	*p++ = '\n';
	return p;
}

static char *put_help(const struct expo *m, const struct family *f, char *p)
{
	if (!f->help.p)
		return p;
	p = put_meta(m, f, p, "# HELP ");
	p += expo_put_help(p, f->help, f->help_format, m->o.out);
	*p++ = '\n';
	return p;
}

static char *put_unit(const struct expo *m, const struct family *f, char *p)
{
	if (!f->unit.p || m->o.out == EXPO_TEXT)
		return p;
	p = put_meta(m, f, p, "# UNIT ");
	p = put(p, f->unit);
	*p++ = '\n';
	return p;
}

static bool header_wanted(const struct expo *m, const struct family *f)
{
	const struct expo_filter *x = &m->o.filter;

	if (f->hidden)
		return false;
	if (!f->samples && m->o.drop_created && f->name.n > 8 &&
			!memcmp(f->name.p + f->name.n - 8, "_created", 8))
		return false;
	return f->samples || !(x->names || x->selects);
}

static char *put_header(const struct expo *m, const struct family *f, char *p)
{
	if (f->type_first) {
		p = put_type(m, f, p);
		p = put_unit(m, f, p);
		return put_help(m, f, p);
	}
	p = put_help(m, f, p);
	p = put_type(m, f, p);
	return put_unit(m, f, p);
}

/* --- lines read again --------------------------------------------------- */

static char *put_labels(const struct expo_line *l, bool bare, char *p,
		enum expo_format out)
{
	const struct expo_label *x;
	char *from = p;

	*p++ = '{';
	if (!bare)
		p = put_quoted(p, l->name, out);
	for (x = l->label; x < l->label + l->labels; x++) {
		if (p > from + 1)
			*p++ = ',';
		p = expo_plain_name(x->name, false) ? put(p, x->name) :
			put_quoted(p, x->name, out);
		*p++ = '=';
		p = put_quoted(p, x->value, out);
	}
	*p++ = '}';
	return p;
}

static char *put_slow(struct expo *m, const struct run *r, uint32_t k, char *p)
{
	const struct family *f = &m->family[r->owner];
	enum expo_format from = m->input[r->input].format;
	struct expo_line l;
	bool bare;

	expo_reread(m, r, k, &l);
	l.name = expo_out_name(m, f, l.name);
	bare = expo_plain_name(l.name, true);
	if (bare)
		p = put(p, l.name);
	if (l.labels || !bare)
		p = put_labels(&l, bare, p, m->o.out);
	*p++ = ' ';
	p = put(p, l.value);
	if (l.time.n) {
		*p++ = ' ';
		p += expo_put_time(p, l.time, from, m->o.out);
	}
	if (l.exemplar.n && m->o.out == EXPO_OPENMETRICS) {
		*p++ = ' ';
		p = put(p, l.exemplar);
	}
	*p++ = '\n';
	return p;
}

/* --- lines copied ------------------------------------------------------- */

/* The text that goes between the name and the line's rest. */
static void make_inject(struct expo *m, const struct run *r)
{
	const struct input *in = &m->input[r->input];
	uint64_t key = (uint64_t)r->input << 9 | (uint64_t)r->mask << 1 |
		(r->flags & RUN_BRACES ? 1 : 0);
	char *p = m->w.inject;
	unsigned i;

	if (key == m->w.inject_key)
		return;
	m->w.inject_key = key;
	if (!(r->flags & RUN_BRACES))
		*p++ = '{';
	for (i = 0; i < in->extras; i++) {
		if (r->mask >> i & 1)
			continue;
		p = put(p, in->extra[i].name);
		*p++ = '=';
		*p++ = '"';
		p = put(p, in->extra[i].value);
		*p++ = '"';
		*p++ = ',';
	}
	if (!(r->flags & RUN_BRACES)) {
		if (p == m->w.inject + 1)
			p--;
		else
			p[-1] = '}';
	}
	m->w.inject_len = (uint32_t)(p - m->w.inject);
}

static char *put_colonless(char *p, const char *from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = from[i] == ':' ? '_' : from[i];
	return p + n;
}

static inline char *put_fast(const struct expo *m, const struct run *r,
		const char *line, const char *to, const char *end, char *p)
{
	size_t n = r->name_len;

	if (r->flags & RUN_COLON)
		p = put_colonless(p, line, n);
	else
		p = copy(p, line, n, end);
	if (r->flags & RUN_BRACES) {
		*p++ = '{';
		n++;
	}
	p = copy(p, m->w.inject, m->w.inject_len, m->w.inject + m->extra_max);
	return copy(p, line + n, (size_t)(to - line) - n, end);
}

static bool is_fast(const struct expo *m, const struct run *r)
{
	if (r->flags & RUN_SLOW || m->family[r->owner].from.n)
		return false;
	return !(r->flags & RUN_TIME) ||
		m->input[r->input].format == m->o.out;
}

/* --- pieces ------------------------------------------------------------- */

static bool has_room(const struct expo *m)
{
	return m->w.len < PIECE;
}

static void copy_run(struct expo *m, const struct run *r)
{
	const struct rec *rec = m->rec + r->first;
	const char *base = m->input[r->input].p;
	const char *end = base + m->input[r->input].n;
	uint32_t k = m->w.k, n = r->count, to;
	char *p = m->w.out + m->w.len, *full = m->w.out + PIECE;

	make_inject(m, r);
	for (; k < n && p < full; k++) {
		if (expo_is_dup(m, r->first + k))
			continue;
		to = k + 1 < n ? rec[k + 1].off : r->end;
		p = put_fast(m, r, base + rec[k].off, base + to, end, p);
	}
	m->w.k = k;
	m->w.len = (size_t)(p - m->w.out);
}

static void write_line(struct expo *m, const struct run *r, uint32_t k)
{
	char *p = m->w.out + m->w.len;

	if (!expo_is_dup(m, r->first + k))
		m->w.len = (size_t)(put_slow(m, r, k, p) - m->w.out);
}

/* Lines of one run, or of a regrouped family, while there is room. */
static void write_samples(struct expo *m)
{
	struct writer *w = &m->w;
	const struct family *f = &m->family[w->family];
	const struct run *r;

	if (f->regroup) {
		for (; w->k < f->samples && has_room(m); w->k++) {
			r = expo_run_of(m, m->perm[f->perm + w->k]);
			write_line(m, r, m->perm[f->perm + w->k] - r->first);
		}
		if (w->k == f->samples)
			w->run = NONE;
		return;
	}
	r = &m->run[w->run];
	if (is_fast(m, r))
		copy_run(m, r);
	else
		for (; w->k < r->count && has_room(m); w->k++)
			write_line(m, r, w->k);
	if (w->k == r->count) {
		w->run = r->next;
		w->k = 0;
	}
}

static void begin_family(struct expo *m)
{
	struct writer *w = &m->w;
	const struct family *f;

	if (w->family == NONE) {
		w->stage = AT_END;
		return;
	}
	f = &m->family[w->family];
	if (!header_wanted(m, f)) {
		w->family = f->next;
		return;
	}
	w->len = (size_t)(put_header(m, f, w->out + w->len) - w->out);
	w->stage = AT_SAMPLES;
	w->run = f->head;
	w->k = 0;
}

static void step(struct expo *m)
{
	struct writer *w = &m->w;

	if (w->stage == AT_FAMILY) {
		begin_family(m);
	} else if (w->stage == AT_SAMPLES && w->run != NONE) {
		write_samples(m);
	} else if (w->stage == AT_SAMPLES) {
		w->family = m->family[w->family].next;
		w->stage = AT_FAMILY;
	} else {
		if (m->o.out == EXPO_OPENMETRICS) {
			memcpy(w->out + w->len, "# EOF\n", 6);
			w->len += 6;
		}
		w->stage = DONE;
	}
}

/* A header is at most three lines of a name and a text, both at most as long
 * as the longest line, escapes doubled. */
static int writer_room(struct expo *m)
{
	size_t need = PIECE + 10 * m->longest + 2 * m->extra_max + 512;
	char *out, *inject;

	if (need <= m->w.cap)
		return 0;
	out = realloc(m->w.out, need + SLACK);
	if (out)
		m->w.out = out;
	inject = realloc(m->w.inject, m->extra_max + SLACK);
	if (inject)
		m->w.inject = inject;
	if (!out || !inject)
		return -1;
	m->stats.memory += need - m->w.cap;
	m->w.cap = need;
	return 0;
}

void expo_rewind(struct expo *m)
{
	m->w.stage = AT_FAMILY;
	m->w.family = m->order_head;
	m->w.len = 0;
	m->w.inject_key = UINT64_MAX;
}

int expo_read(struct expo *m, const char **p, size_t *n)
{
	if (expo_seal(m) < 0 || writer_room(m) < 0)
		return -1;
	m->w.len = 0;
	while (m->w.stage != DONE && has_room(m))
		step(m);
	*p = m->w.out;
	*n = m->w.len;
	return 0;
}

int expo_write(struct expo *m,
		int (*sink)(void *ctx, const char *p, size_t n), void *ctx)
{
	const char *p;
	size_t n;

	if (expo_seal(m) < 0)
		return -1;
	for (expo_rewind(m);;) {
		if (expo_read(m, &p, &n) < 0 || (n && sink(ctx, p, n)))
			return -1;
		if (!n)
			return 0;
	}
}

/* --- values ------------------------------------------------------------- */

static int each_sample(struct expo *m, const struct expo_family *f,
		const struct run *r, uint32_t k, int (*sample)(void *ctx,
			const struct expo_family *f,
			const struct expo_sample *s), void *ctx)
{
	struct expo_line l;
	struct expo_sample s;

	if (expo_is_dup(m, r->first + k))
		return 0;
	expo_reread(m, r, k, &l);
	s = (struct expo_sample){
		.name = expo_out_name(m, &m->family[r->owner], l.name),
		.label = l.label, .labels = l.labels, .value = l.value,
		.time = l.time, .exemplar = l.exemplar, .input = r->input,
		.format = m->input[r->input].format,
	};
	return sample(ctx, f, &s);
}

int expo_each(struct expo *m,
		int (*family)(void *ctx, const struct expo_family *f),
		int (*sample)(void *ctx, const struct expo_family *f,
			const struct expo_sample *s), void *ctx)
{
	struct expo_family pub;
	const struct family *f;
	uint32_t i, r, k;
	int stop;

	if (expo_seal(m) < 0)
		return -1;
	for (i = m->order_head; i != NONE; i = m->family[i].next) {
		f = &m->family[i];
		if (!header_wanted(m, f))
			continue;
		pub = (struct expo_family){ .name = f->name, .type = f->type,
			.help = f->help, .help_format = f->help_format, .unit = f->unit,
			.samples = f->samples };
		if (family && (stop = family(ctx, &pub)))
			return stop;
		for (r = f->head; sample && r != NONE; r = m->run[r].next)
			for (k = 0; k < m->run[r].count; k++)
				if ((stop = each_sample(m, &pub, &m->run[r], k,
						sample, ctx)))
					return stop;
	}
	return 0;
}
