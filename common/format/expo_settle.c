/* expo_settle.c - after the last input: who owns which samples
 * SPDX-License-Identifier: Apache-2.0
 *
 * What can only be known when all inputs were seen: whether a nameless
 * foo_bucket is part of another input's histogram foo, whether two families
 * would use the same sample names, and what the other format calls things.
 * Everything is worked out anew each time, so that inputs can follow.
 */
#include <stdlib.h>

#include "expo_hash.h"
#include "expo_merge.h"

static uint32_t first_of(struct expo *m, struct expo_span name)
{
	struct entry *e = expo_entry(m, name, false);

	return e ? e->first : NONE;
}

/* The types whose families have samples of such names, as bits. */
static unsigned types_with(const struct expo *m, const struct ending *end)
{
	static const unsigned gh = 1u << EXPO_GAUGEHISTOGRAM;
	static const unsigned named = 1u << EXPO_COUNTER | 1u << EXPO_INFO;

	if (m->o.out == EXPO_OPENMETRICS)	/* not what ends _total, _info */
		return (end->text | end->om) & ~named;
	/* text calls a gaugehistogram a histogram */
	return end->text >> EXPO_HISTOGRAM & 1 ? end->text | gh : end->text;
}

/* The histogram or the like that f's name looks like a sample of. */
static uint32_t looks_like(struct expo *m, const struct family *f)
{
	const struct ending *end;
	struct expo_span base;
	uint32_t id;

	for (end = expo_endings; end->end.p; end++) {
		if (!expo_ends(f->name, end->end))
			continue;
		base = (struct expo_span){ f->name.p, f->name.n - end->end.n };
		id = first_of(m, base);
		if (id != NONE && m->family[id].declared &&
				(types_with(m, end) >> m->family[id].type & 1))
			return id;
	}
	return NONE;
}

/* OpenMetrics would call f and another family by the same short name. */
static bool short_name_taken(struct expo *m, uint32_t id)
{
	struct family *f = &m->family[id];
	struct expo_span base = expo_base(f->name, f->type), name;
	uint32_t other = first_of(m, base);

	if (base.n == f->name.n)
		return false;
	if (other != NONE && other != id && m->family[other].into == other)
		return true;
	name = expo_make_name(m, base, f->type == EXPO_INFO ?
			SPAN("_total") : SPAN("_info"), SPAN(""));
	other = name.p ? first_of(m, name) : NONE;
	return other != NONE && other < id && m->family[other].type ==
		(f->type == EXPO_INFO ? EXPO_COUNTER : EXPO_INFO);
}

/* OpenMetrics: the family whose _created samples f's are. */
static uint32_t created_of(struct expo *m, const struct family *f)
{
	struct expo_span base = f->name, total;
	const struct family *y;
	uint32_t id;

	if (!expo_ends(base, SPAN("_created")) || (f->declared &&
			f->type != EXPO_GAUGE && f->type != EXPO_UNTYPED))
		return NONE;
	base.n -= 8;
	id = first_of(m, base);
	y = &m->family[id == NONE ? 0 : id];
	if (id != NONE && y->declared && (y->type == EXPO_HISTOGRAM ||
			y->type == EXPO_SUMMARY))
		return id;
	total = expo_make_name(m, base, SPAN("_total"), SPAN(""));
	id = total.p ? first_of(m, total) : NONE;
	return id != NONE && m->family[id].declared &&
		m->family[id].type == EXPO_COUNTER &&
		!short_name_taken(m, id) ? id : NONE;
}

static bool bare(const struct family *f)
{
	return !f->declared && !f->help.p;
}

/* A declared family whose name is one of another family's samples: promtool
 * refuses it behind that family, OpenMetrics anywhere. */
static int set_apart(struct expo *m, uint32_t id, uint32_t other)
{
	struct family *f = &m->family[id];
	struct expo_note n = { .event = EXPO_TYPE_CONFLICT, .family = f->name,
		.first = m->family[other].type, .second = f->type };
	struct expo_span from, to;
	struct entry *e;

	e = expo_conflict_name(m, f->name, f->type, &from, &to);
	if (!e)
		return -1;
	e->first = id;
	n.input = f->input;
	f->name = e->name;
	f->from = from;
	f->to = to;
	expo_note(m, &n);
	return 0;
}

static int place(struct expo *m, uint32_t id)
{
	struct family *f = &m->family[id];
	bool om = m->o.out == EXPO_OPENMETRICS;
	uint32_t other;

	if (om && (other = created_of(m, f)) != NONE) {
		f->into = other;
		m->family[other].regroup = true;
		return 0;
	}
	other = looks_like(m, f);
	if (other == NONE || f->from.n)
		return 0;
	if (bare(f) && !f->odd)
		f->into = other;
	else if (om || other < id || f->odd)
		return set_apart(m, id, other);
	return 0;
}

/* --- the other format's families ---------------------------------------- */

static const struct expo_span part_ends[] = {
	SPAN_INIT("_created"), SPAN_INIT("_gsum"), SPAN_INIT("_gcount"),
};

/* Text 0.0.4 has no _created inside a counter, nor has a counter that must be
 * called unknown: a gauge of its own, behind. */
static uint32_t part_family(struct expo *m, uint32_t id, unsigned part)
{
	struct family *f = &m->family[id], *g;
	struct expo_span name, base = expo_base(f->name, f->type);
	struct entry *e;
	uint32_t made, tail = m->order_tail;

	if (f->parts[part - 1] != NONE)
		return f->parts[part - 1];
	name = expo_make_name(m, base, part_ends[part - 1], SPAN(""));
	e = name.p ? expo_entry(m, name, true) : NULL;
	if (!e)
		return NONE;
	made = e->first;
	if (made == NONE) {
		made = expo_new_family(m, e, EXPO_GAUGE);
		if (made == NONE)
			return NONE;
		f = &m->family[id];
		g = &m->family[made];
		g->declared = true;
		g->help = f->help;
		g->help_format = f->help_format;
		g->from = f->from;
		g->to = f->to;
		if (tail != id) {	/* move it from the end to behind f */
			m->family[tail].next = NONE;
			m->order_tail = tail;
			g->next = f->next;
			f->next = made;
		}
	}
	m->family[id].parts[part - 1] = made;
	return made;
}

/* --- runs --------------------------------------------------------------- */

static void append(struct expo *m, uint32_t owner, uint32_t run)
{
	struct family *f = &m->family[owner];
	struct run *r = &m->run[run];

	r->owner = owner;
	r->next = NONE;
	if (f->tail == NONE)
		f->head = run;
	else
		m->run[f->tail].next = run;
	f->tail = run;
	f->samples += r->count;
}

static void unlink_runs(struct expo *m)
{
	size_t i;

	for (i = 0; i < m->families; i++) {
		m->family[i].head = m->family[i].tail = NONE;
		m->family[i].samples = 0;
	}
}

/* Its samples' names may have changed, and with them what they hash to. */
static void rehash(struct expo *m, const struct run *r)
{
	struct expo_line l;
	uint32_t k;

	for (k = 0; k < r->count; k++) {
		expo_reread(m, r, k, &l);
		m->rec[r->first + k].hash = expo_line_hash(m,
				&m->family[r->owner], &l);
	}
}

static int link_runs(struct expo *m)
{
	uint32_t owner, i;

	unlink_runs(m);
	for (i = 0; i < m->runs; i++) {
		owner = m->family[m->run[i].family].into;
		if (m->run[i].part != PART_PLAIN && (m->o.out == EXPO_TEXT ||
				m->family[owner].whole_name))
			owner = part_family(m, owner, m->run[i].part);
		if (owner == NONE)
			return -1;
		append(m, m->family[owner].into, i);
		if (m->family[m->run[i].family].from.n ||
				m->family[m->run[i].owner].from.n)
			rehash(m, &m->run[i]);
	}
	return 0;
}

struct run *expo_run_of(const struct expo *m, uint32_t rec)
{
	size_t lo = 0, hi = m->runs, mid;

	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (m->run[mid].first <= rec)
			lo = mid;
		else
			hi = mid;
	}
	return &m->run[lo];
}

/* --- who has the same names --------------------------------------------- */

/* Families that may hold samples of the same name are searched for
 * duplicates together. */
static int mark_shared(struct expo *m, uint32_t id)
{
	struct family *f = &m->family[id];
	struct expo_span base = expo_base(f->name, f->type), name;
	const struct ending *end;
	uint32_t other;

	if (f->type == EXPO_UNTYPED || f->type == EXPO_GAUGE)
		return 0;
	for (end = expo_endings; end->end.p; end++) {
		if (!((end->om | end->text) >> f->type & 1))
			continue;
		name = expo_make_name(m, base, end->end, SPAN(""));
		if (!name.p)
			return -1;
		other = first_of(m, name);
		if (other == NONE || other == id || m->family[other].into == id)
			continue;
		m->family[other].shared = m->family[id].shared = true;
	}
	return 0;
}

static void finish_family(struct expo *m, uint32_t id)
{
	struct family *f = &m->family[id];

	f->hidden = f->into != id || (bare(f) && f->head == NONE);
}

int expo_settle(struct expo *m)
{
	uint32_t i;

	for (i = 0; i < m->families; i++) {
		m->family[i].into = i;
		m->family[i].regroup = m->family[i].shared = false;
		memset(m->family[i].parts, 0xff, sizeof m->family[i].parts);
	}
	for (i = 0; i < m->families; i++)
		if (place(m, i) < 0)
			return -1;
	for (i = 0; i < m->families; i++)
		m->family[i].whole_name = m->o.out == EXPO_OPENMETRICS &&
			short_name_taken(m, i);
	if (link_runs(m) < 0)
		return -1;
	for (i = 0; i < m->families; i++) {
		if (mark_shared(m, i) < 0)
			return -1;
		finish_family(m, i);
	}
	return 0;
}
