/* expo_relabel.c - a line's labels with the extra ones, and what they are
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "expo_hash.h"
#include "expo_merge.h"

static unsigned find_label(const struct expo_line *l, struct expo_span name)
{
	unsigned i;

	for (i = 0; i < l->labels; i++)
		if (span_is(l->label[i].name, name))
			break;
	return i;
}

/* Prometheus puts "exported_" before the name until it is free. */
static int rename_label(struct expo_line *l, unsigned at, const struct extra *x)
{
	struct expo_span name = x->name;

	while (find_label(l, name) < l->labels) {
		if (name.n + sizeof "exported_" - 1 > x->ladder.n)
			return -1;
		name.p -= sizeof "exported_" - 1;
		name.n += sizeof "exported_" - 1;
	}
	l->label[at].name = name;
	return 0;
}

int expo_relabel(struct expo_line *l, const struct input *in)
{
	struct expo_label add[EXPO_EXTRAS] = { { .name = { NULL, 0 } } };
	const struct extra *x;
	unsigned n = 0, at;

	for (x = in->extra; x < in->extra + in->extras; x++) {
		at = find_label(l, x->name);
		if (at < l->labels && x->keep && l->label[at].value.n)
			continue;
		if (at < l->labels && !x->keep && rename_label(l, at, x) < 0)
			return -1;
		if (at < l->labels && x->keep)	/* "" is as good as absent */
			memmove(&l->label[at], &l->label[at + 1],
				(--l->labels - at) * sizeof *l->label);
		add[n++] = (struct expo_label){ x->name, x->value };
	}
	memmove(l->label + n, l->label, l->labels * sizeof *l->label);
	memcpy(l->label, add, n * sizeof *add);
	l->labels += n;
	return 0;
}

/* --- equality ----------------------------------------------------------- */

/* The byte at i of a value whose superfluous backslashes are doubled, which
 * OpenMetrics allows to be left single; *i moves on. */
struct walk {
	struct expo_span s;
	size_t i;
	bool   slash;	/* the second half of a doubled one is due */
	bool   pair;	/* the next byte is an escaped one */
};

static int walk_next(struct walk *w)
{
	char c;

	if (w->slash) {
		w->slash = false;
		return '\\';
	}
	if (w->i == w->s.n)
		return -1;
	c = w->s.p[w->i++];
	if (w->pair || c != '\\' || w->i == w->s.n) {
		w->pair = false;
		return (unsigned char)c;
	}
	c = w->s.p[w->i];
	if (c == 'n' || c == '"' || c == '\\')
		w->pair = true;
	else
		w->slash = true;
	return '\\';
}

static bool same_value(struct expo_span a, struct expo_span b)
{
	struct walk x = { .s = a }, y = { .s = b };
	int c;

	if (span_is(a, b))
		return true;
	if (!memchr(a.p, '\\', a.n) || !memchr(b.p, '\\', b.n))
		return false;
	while ((c = walk_next(&x)) == walk_next(&y))
		if (c < 0)
			return true;
	return false;
}

static uint64_t value_hash(struct expo_span name, struct expo_span v,
		uint64_t seed)
{
	struct walk w = { .s = v };
	uint64_t h;
	size_t n = 0;
	char *p = NULL;
	int c;

	if (memchr(v.p, '\\', v.n))
		p = malloc(2 * v.n);
	if (!p)
		return hash_label(name.p, name.n, v.p, v.n, seed);
	while ((c = walk_next(&w)) >= 0)
		p[n++] = (char)c;
	h = hash_label(name.p, name.n, p, n, seed);
	free(p);
	return h;
}

uint64_t expo_series_hash(struct expo_span name, const struct expo_line *l,
		uint64_t seed)
{
	uint64_t sum = hash_bytes(name.p, name.n, seed);
	unsigned i;

	for (i = 0; i < l->labels; i++)
		sum += value_hash(l->label[i].name, l->label[i].value, seed);
	return sum;
}

uint32_t expo_line_hash(struct expo *m, const struct family *f,
		const struct expo_line *l)
{
	struct expo_span name = expo_out_name(m, f, l->name);

	return hash_finish(expo_series_hash(name.p ? name : l->name, l,
			m->o.seed));
}

/* Every label of a that has a value is in b too. */
static unsigned labels_in(const struct expo_line *a, const struct expo_line *b)
{
	unsigned i, j, n = 0;

	for (i = 0; i < a->labels; i++) {
		if (!a->label[i].value.n)
			continue;
		j = find_label(b, a->label[i].name);
		if (j == b->labels || !same_value(a->label[i].value,
				b->label[j].value))
			return EXPO_LABELS + 1;
		n++;
	}
	return n;
}

static bool same_name(struct expo *m, const struct run *a, struct expo_span x,
		const struct run *b, struct expo_span y)
{
	const struct family *f = &m->family[a->owner], *g = &m->family[b->owner];
	struct expo_span s;
	char *copy;
	bool same;

	if (f == g && span_is(x, y))
		return true;
	s = expo_out_name(m, f, x);
	copy = s.p ? malloc(s.n) : NULL;
	if (!copy)
		return false;
	s.p = memcpy(copy, s.p, s.n);
	y = expo_out_name(m, g, y);
	same = y.p && span_is(s, y);
	free(copy);
	return same;
}

/* Byte for byte the same up to the value: no need to read them. */
static bool same_bytes_too(const struct expo *m, const struct run *a,
		uint32_t ka, const struct run *b, uint32_t kb)
{
	struct expo_span x = expo_run_line(m, a, ka), y = expo_run_line(m, b, kb);
	const char *end;

	if (a->family != b->family || a->flags & RUN_SLOW ||
			a->flags != b->flags || (a->input != b->input &&
			(m->input[a->input].extras || m->input[b->input].extras)))
		return false;
	end = a->flags & RUN_BRACES ? memrchr(x.p, '}', x.n) :
		x.p + a->name_len;
	return (size_t)(end + 1 - x.p) <= y.n &&
		!memcmp(x.p, y.p, (size_t)(end + 1 - x.p));
}

bool expo_same_series(struct expo *m, const struct run *a, uint32_t ka,
		const struct run *b, uint32_t kb)
{
	struct expo_line x, y;
	unsigned n;

	if (same_bytes_too(m, a, ka, b, kb))
		return true;
	expo_reread(m, a, ka, &x);
	expo_reread(m, b, kb, &y);
	if (!same_name(m, a, x.name, b, y.name))
		return false;
	n = labels_in(&x, &y);
	return n <= EXPO_LABELS && n == labels_in(&y, &x);
}

/* --- again -------------------------------------------------------------- */

struct expo_span expo_run_line(const struct expo *m, const struct run *r,
		uint32_t k)
{
	uint32_t from = m->rec[r->first + k].off;
	uint32_t to = k + 1 < r->count ? m->rec[r->first + k + 1].off : r->end;

	return (struct expo_span){ m->input[r->input].p + from, to - from - 1 };
}

void expo_reread(const struct expo *m, const struct run *r, uint32_t k,
		struct expo_line *l)
{
	const struct input *in = &m->input[r->input];
	struct expo_span s = expo_run_line(m, r, k);
	struct expo_error e;

	/* both went well when the input was scanned */
	if (expo_line(l, s.p, s.n, in->format, &e) == 0)
		expo_relabel(l, in);
}
