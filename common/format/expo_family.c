/* expo_family.c - which family a name means, in this input and in the merge
 * SPDX-License-Identifier: Apache-2.0
 *
 * Families are known by the name that text 0.0.4 gives them: OpenMetrics'
 * counter foo is foo_total here, its info foo is foo_info. An input's own
 * TYPE lines decide what its samples belong to; only when it has none does a
 * name join what other inputs said.
 */
#include <stdio.h>
#include <string.h>

#include "expo_hash.h"
#include "expo_merge.h"

#define BIT(t) (1u << EXPO_##t)

const struct ending expo_endings[] = {
	{ SPAN_INIT("_bucket"), BIT(HISTOGRAM),
		BIT(HISTOGRAM) | BIT(GAUGEHISTOGRAM), PART_PLAIN },
	{ SPAN_INIT("_count"), BIT(HISTOGRAM) | BIT(SUMMARY),
		BIT(HISTOGRAM) | BIT(SUMMARY), PART_PLAIN },
	{ SPAN_INIT("_sum"), BIT(HISTOGRAM) | BIT(SUMMARY),
		BIT(HISTOGRAM) | BIT(SUMMARY), PART_PLAIN },
	{ SPAN_INIT("_created"), 0,
		BIT(COUNTER) | BIT(HISTOGRAM) | BIT(SUMMARY), PART_CREATED },
	{ SPAN_INIT("_gsum"), 0, BIT(GAUGEHISTOGRAM), PART_GSUM },
	{ SPAN_INIT("_gcount"), 0, BIT(GAUGEHISTOGRAM), PART_GCOUNT },
	{ SPAN_INIT("_total"), 0, BIT(COUNTER), PART_PLAIN },
	{ SPAN_INIT("_info"), 0, BIT(INFO), PART_PLAIN },
	{ .end = { NULL, 0 } }
};

struct expo_span expo_base(struct expo_span name, enum expo_type t)
{
	if (t == EXPO_COUNTER && expo_ends(name, SPAN("_total")))
		name.n -= 6;
	else if (t == EXPO_INFO && expo_ends(name, SPAN("_info")))
		name.n -= 5;
	return name;
}

/* Three pieces, colons replaced when asked for, in scratch memory. */
struct expo_span expo_make_name(struct expo *m, struct expo_span a,
		struct expo_span b, struct expo_span c)
{
	size_t n = a.n + b.n + c.n, i;
	char *p = expo_grow(m, m->scratch, &m->scratch_cap, n + 1, 1);

	if (!p)
		return (struct expo_span){ NULL, 0 };
	m->scratch = p;
	memcpy(p, a.p, a.n);
	memcpy(p + a.n, b.p, b.n);
	memcpy(p + a.n + b.n, c.p, c.n);
	for (i = 0; m->o.underscore && i < n; i++)
		if (p[i] == ':')
			p[i] = '_';
	return (struct expo_span){ p, n };
}

static struct expo_span mapped(struct expo *m, struct expo_span name)
{
	if (!m->o.underscore || !memchr(name.p, ':', name.n))
		return name;
	return expo_make_name(m, name, SPAN(""), SPAN(""));
}

struct expo_span expo_out_name(struct expo *m, const struct family *f,
		struct expo_span raw)
{
	struct expo_span name = mapped(m, raw);

	if (!f->from.n || !name.p || name.n < f->from.n ||
			memcmp(name.p, f->from.p, f->from.n))
		return name;
	/* another merge below this one has renamed it already */
	if (name.n >= f->to.n && !memcmp(name.p, f->to.p, f->to.n))
		return name;
	raw.p += f->from.n;
	raw.n -= f->from.n;
	return expo_make_name(m, f->to, raw, SPAN(""));
}

/* --- conflicts ---------------------------------------------------------- */

static int conflict(struct expo *m, struct expo_span name, enum expo_type a,
		enum expo_type b, enum expo_event ev)
{
	struct expo_note *n = expo_grow(m, m->pending, &m->pending_cap,
			m->pendings + 1, sizeof *n);

	if (!n)
		return -1;
	m->pending = n;
	n[m->pendings++] = (struct expo_note){ .event = ev, .family = name,
		.input = (unsigned)m->inputs, .first = a, .second = b };
	return 0;
}

/* The same in text 0.0.4, which has fewer types. */
static bool agree(enum expo_type a, enum expo_type b)
{
	static const unsigned gauges = BIT(GAUGE) | BIT(INFO) | BIT(STATESET);

	return a == b || ((gauges >> a & 1) && (gauges >> b & 1));
}

struct entry *expo_conflict_name(struct expo *m, struct expo_span name,
		enum expo_type t, struct expo_span *from, struct expo_span *to)
{
	struct expo_span base = expo_base(name, t), made;
	struct expo_span tail = { name.p + base.n, name.n - base.n };
	struct entry *e;
	char word[48];
	unsigned i;
	int n;

	for (i = 1;; i++) {
		n = snprintf(word, sizeof word, i > 1 ? "_conflict_%s_%u" :
				"_conflict_%s", expo_type_name(t), i);
		made = expo_make_name(m, base, (struct expo_span){ word, (size_t)n },
				tail);
		e = made.p ? expo_entry(m, made, true) : NULL;
		if (!e)
			return NULL;
		if (e->first == NONE)
			break;
	}
	*from = base;
	*to = (struct expo_span){ e->name.p, e->name.n - tail.n };
	return e;
}

static uint32_t new_variant(struct expo *m, struct expo_span name,
		enum expo_type t)
{
	struct expo_span from, to;
	struct entry *e = expo_conflict_name(m, name, t, &from, &to);
	uint32_t id = e ? expo_new_family(m, e, t) : NONE;

	if (id != NONE) {
		m->family[id].from = from;
		m->family[id].to = to;
	}
	return id;
}

/* Among the families of one name, the one of this type. */
static uint32_t family_typed(struct expo *m, struct entry *e, enum expo_type t)
{
	size_t which = (size_t)(e - m->entry);
	struct expo_span name = e->name;
	uint32_t id = e->first, last = NONE;
	unsigned bounded = BIT(HISTOGRAM) | BIT(SUMMARY) | BIT(GAUGEHISTOGRAM);

	for (; id != NONE; last = id, id = m->family[id].variant)
		if (m->family[id].declared ? agree(m->family[id].type, t) :
				!m->family[id].odd || !(bounded >> t & 1))
			break;
	if (last != NONE && conflict(m, name, m->family[e->first].type, t,
			EXPO_TYPE_CONFLICT) < 0)
		return NONE;
	if (id == NONE) {
		id = last == NONE ? expo_new_family(m, e, t) :
			new_variant(m, name, t);
		if (id != NONE && last != NONE)
			m->family[last].variant = id;
	}
	if (id == NONE)
		return NONE;
	m->entry[which].cur = id;
	m->entry[which].stamp = m->seq;
	m->entry[which].alias = false;
	return id;
}

/* --- declarations ------------------------------------------------------- */

static uint32_t family_used(struct expo *m, struct entry *e)
{
	if (e->stamp != m->seq) {
		e->cur = e->first != NONE ? e->first :
			expo_new_family(m, e, EXPO_UNTYPED);
		e->stamp = m->seq;
		e->alias = false;
	}
	return e->cur;
}

/* OpenMetrics names a counter without _total: an alias for this input. */
static uint32_t declare_om(struct expo *m, struct expo_span name,
		enum expo_type t)
{
	struct expo_span end = t == EXPO_COUNTER ? SPAN("_total") : SPAN("_info");
	struct entry *e;
	size_t at;
	uint32_t id;

	name = expo_make_name(m, name, end, SPAN(""));
	e = name.p ? expo_entry(m, name, true) : NULL;
	if (!e)
		return NONE;
	at = (size_t)(e - m->entry);
	id = family_typed(m, e, t);
	if (id == NONE)
		return NONE;
	name = m->entry[at].name;
	name.n -= end.n;
	e = expo_entry(m, name, true);
	if (!e)
		return NONE;
	e->cur = id;
	e->stamp = m->seq;
	e->alias = true;
	return id;
}

static uint32_t declared_family(struct expo *m, const struct meta *d)
{
	struct expo_span name = d->name;
	struct entry *e;

	if (m->input[m->inputs].format == EXPO_OPENMETRICS && d->typed &&
			(d->type == EXPO_COUNTER || d->type == EXPO_INFO))
		return declare_om(m, name, d->type);
	name = mapped(m, name);
	e = name.p ? expo_entry(m, name, true) : NULL;
	if (!e)
		return NONE;
	return d->typed ? family_typed(m, e, d->type) : family_used(m, e);
}

int expo_declare(struct expo *m, const struct meta *d)
{
	uint32_t id = declared_family(m, d);
	struct family *f;

	if (id == NONE)
		return -1;
	f = &m->family[id];
	if (d->typed && !f->declared) {
		f->declared = true;
		f->type = d->type;
		f->type_by = m->seq;
		f->input = (uint32_t)m->inputs;
		f->type_first = d->type_first;
	}
	if (d->unit.p && !f->unit.p) {
		f->unit = d->unit;
		f->unit_by = m->seq;
	}
	if (!d->help.p)
		return 0;
	if (!f->help.p) {
		f->help = d->help;
		f->help_by = m->seq;
		f->help_format = m->input[m->inputs].format;
	} else if (!span_is(f->help, d->help)) {
		return conflict(m, f->name, f->type, f->type,
				EXPO_HELP_CONFLICT);
	}
	return 0;
}

/* --- samples ------------------------------------------------------------ */

/* Of counters and infos only what OpenMetrics declared has such samples. */
static bool has_such(const struct expo *m, const struct entry *e,
		const struct ending *end)
{
	enum expo_type t = m->family[e->cur].type;
	bool om = m->input[m->inputs].format == EXPO_OPENMETRICS;

	if ((t == EXPO_COUNTER || t == EXPO_INFO) && !e->alias)
		return false;
	return (om ? end->om : end->text) >> t & 1;
}

static uint32_t by_ending(struct expo *m, struct expo_span name, uint8_t *part)
{
	const struct ending *end;
	struct expo_span base;
	const struct entry *e;

	for (end = expo_endings; end->end.p; end++) {
		if (!expo_ends(name, end->end))
			continue;
		base = (struct expo_span){ name.p, name.n - end->end.n };
		e = expo_entry(m, base, false);
		if (!e || e->stamp != m->seq || !has_such(m, e, end))
			continue;
		*part = end->part;
		return e->cur;
	}
	return NONE;
}

uint32_t expo_resolve(struct expo *m, struct expo_span name, uint8_t *part)
{
	struct entry *e;
	uint32_t id;

	*part = PART_PLAIN;
	name = mapped(m, name);
	if (!name.p)
		return NONE;
	e = expo_entry(m, name, false);
	if (!e || e->stamp != m->seq) {
		id = by_ending(m, name, part);
		if (id != NONE)
			return id;
		e = expo_entry(m, name, true);
	}
	if (!e || !e->alias || e->stamp != m->seq)
		return e ? family_used(m, e) : NONE;
	/* a counter's sample without _total is no sample of that counter */
	return e->first != NONE ? e->first :
		expo_new_family(m, e, EXPO_UNTYPED);
}
