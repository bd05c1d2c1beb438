/* expo.c - a merge of expositions: its tables, and one input more
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>

#include "expo_hash.h"
#include "expo_merge.h"

enum {
	BYTES_MAX    = 1 << 30,
	SAMPLES_MAX  = 16 << 20,
	FAMILIES_MAX = 1 << 20,
	ARENA_BLOCK  = 16 << 10,
	EXPORTED     = 16	/* times "exported_" before a clashing label */
};

/* --- memory ------------------------------------------------------------- */

void *expo_grow(struct expo *m, void *p, size_t *cap, size_t need, size_t size)
{
	size_t n = *cap ? *cap : 64;
	void *q;

	if (need <= *cap)
		return p;
	while (n < need)
		n *= 2;
	q = n <= SIZE_MAX / size ? realloc(p, n * size) : NULL;
	if (!q)
		return NULL;
	m->stats.memory += (n - *cap) * size;
	*cap = n;
	return q;
}

char *expo_arena(struct expo *m, size_t n)
{
	struct block *b = m->arena;
	size_t size = n > ARENA_BLOCK ? n : ARENA_BLOCK;

	if (!b || b->size - b->used < n) {
		b = malloc(sizeof *b + size);
		if (!b)
			return NULL;
		*b = (struct block){ .next = m->arena, .size = size };
		m->arena = b;
		m->stats.memory += size;
	}
	b->used += n;
	return b->data + b->used - n;
}

/* --- names -------------------------------------------------------------- */

static int index_grow(struct expo *m)
{
	size_t n = m->index_cap ? m->index_cap * 2 : 256, i, at;
	uint32_t *t = malloc(n * sizeof *t);

	if (!t)
		return -1;
	memset(t, 0xff, n * sizeof *t);
	for (i = 0; i < m->entries; i++) {
		for (at = m->entry[i].hash & (n - 1); t[at] != NONE;)
			at = (at + 1) & (n - 1);
		t[at] = (uint32_t)i;
	}
	m->stats.memory += (n - m->index_cap) * sizeof *t;
	free(m->index);
	m->index = t;
	m->index_cap = n;
	return 0;
}

static struct entry *entry_new(struct expo *m, struct expo_span name,
		uint32_t hash, size_t at)
{
	struct entry *e = expo_grow(m, m->entry, &m->entry_cap,
			m->entries + 1, sizeof *e);

	if (!e)
		return NULL;
	m->entry = e;
	m->index[at] = (uint32_t)m->entries;
	e += m->entries++;
	*e = (struct entry){ .name = name, .hash = hash, .first = NONE,
		.cur = NONE, .stamp = 0 };
	return e;
}

/* A name in scratch memory is copied; one in an input's bytes is not. */
struct entry *expo_entry(struct expo *m, struct expo_span name, bool make)
{
	uint32_t hash = hash_finish(hash_bytes(name.p, name.n, m->o.seed));
	size_t at;
	struct entry *e;
	char *copy;

	if (make && (m->entries + 1) * 2 > m->index_cap && index_grow(m) < 0)
		return NULL;
	if (!m->index_cap)
		return NULL;
	for (at = hash & (m->index_cap - 1); m->index[at] != NONE;
			at = (at + 1) & (m->index_cap - 1)) {
		e = &m->entry[m->index[at]];
		if (e->hash == hash && span_is(e->name, name))
			return e;
	}
	if (!make)
		return NULL;
	if ((uintptr_t)name.p - (uintptr_t)m->scratch < m->scratch_cap) {
		copy = expo_arena(m, name.n);
		if (!copy)
			return NULL;
		name.p = memcpy(copy, name.p, name.n);
	}
	return entry_new(m, name, hash, at);
}

uint32_t expo_new_family(struct expo *m, struct entry *e, enum expo_type t)
{
	struct family *f;
	uint32_t id = (uint32_t)m->families;

	if (m->families >= m->o.max.families)
		return NONE;
	f = expo_grow(m, m->family, &m->family_cap, m->families + 1, sizeof *f);
	if (!f)
		return NONE;
	m->family = f;
	f += m->families++;
	*f = (struct family){ .name = e->name, .type = t, .variant = NONE,
		.next = NONE, .head = NONE, .tail = NONE, .into = id,
		.parts = { NONE, NONE, NONE } };
	if (m->order_tail == NONE)
		m->order_head = id;
	else
		m->family[m->order_tail].next = id;
	m->order_tail = id;
	if (e->first == NONE)
		e->first = id;
	return id;
}

/* --- life --------------------------------------------------------------- */

struct expo *expo_new(const struct expo_opts *o)
{
	struct expo *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->o = *o;
	m->order_head = m->order_tail = NONE;
	m->stats.memory = sizeof *m;
	if (!m->o.max.bytes)
		m->o.max.bytes = BYTES_MAX;
	if (m->o.max.bytes > UINT32_MAX - 1)
		m->o.max.bytes = UINT32_MAX - 1;
	if (!m->o.max.samples)
		m->o.max.samples = SAMPLES_MAX;
	if (!m->o.max.families)
		m->o.max.families = FAMILIES_MAX;
	return m;
}

void expo_free(struct expo *m)
{
	struct block *b, *next;

	if (!m)
		return;
	for (b = m->arena; b; b = next) {
		next = b->next;
		free(b);
	}
	free(m->input);
	free(m->run);
	free(m->rec);
	free(m->family);
	free(m->entry);
	free(m->index);
	free(m->dup);
	free(m->perm);
	free(m->pending);
	free(m->scratch);
	free(m->w.out);
	free(m->w.inject);
	free(m);
}

void expo_stats(const struct expo *m, struct expo_stats *s)
{
	size_t i;

	*s = m->stats;
	s->inputs = m->inputs;
	s->families = 0;
	for (i = 0; i < m->families; i++)
		s->families += !m->family[i].hidden;
	s->written = s->samples - s->duplicates - s->filtered;
}

size_t expo_input_samples(const struct expo *m, unsigned input)
{
	return input < m->inputs ? m->input[input].samples : 0;
}

void expo_note(struct expo *m, const struct expo_note *n)
{
	m->stats.type_conflicts += n->event == EXPO_TYPE_CONFLICT;
	m->stats.help_conflicts += n->event == EXPO_HELP_CONFLICT;
	m->stats.duplicates += n->event == EXPO_DUPLICATE;
	if (m->o.note)
		m->o.note(m->o.ctx, n);
}

/* --- one input more ----------------------------------------------------- */

static int refuse(struct expo_error *e, const char *what)
{
	e->line = e->column = 0;
	snprintf(e->what, sizeof e->what, "%s", what);
	return -1;
}

static size_t escape(char *to, const char *from)
{
	char *p = to;

	for (; *from; from++) {
		if (*from == '\\' || *from == '"' || *from == '\n')
			*p++ = '\\';
		*p++ = *from == '\n' ? 'n' : *from;
	}
	return (size_t)(p - to);
}

/* name, value and the ladder of exported_ names, in one piece of memory */
static int extra_make(struct expo *m, struct extra *x, const struct expo_extra *l)
{
	size_t name_n = strlen(l->name), value_n = strlen(l->value), i;
	size_t ladder = EXPORTED * (sizeof "exported_" - 1);
	char *p = expo_arena(m, ladder + name_n + 2 * value_n);

	if (!p)
		return -1;
	for (i = 0; i < ladder; i++)
		p[i] = "exported_"[i % (sizeof "exported_" - 1)];
	x->ladder = (struct expo_span){ p, ladder + name_n };
	x->name = (struct expo_span){ p + ladder, name_n };
	memcpy(p + ladder, l->name, name_n);
	p += ladder + name_n;
	x->value = (struct expo_span){ p, escape(p, l->value) };
	x->keep = l->keep;
	x->hash = hash_label(x->name.p, x->name.n, x->value.p, x->value.n,
			m->o.seed);
	return 0;
}

static int extras_make(struct expo *m, struct input *in,
		const struct expo_extra *l, unsigned n, struct expo_error *e)
{
	struct extra *x;
	size_t bytes = 0;
	unsigned i, j;

	for (i = 0; i < n; i++) {
		if (!*l[i].value)
			continue;
		if (in->extras == EXPO_EXTRAS)
			return refuse(e, "too many extra labels");
		x = &in->extra[in->extras];
		if (!expo_plain_name((struct expo_span){ l[i].name,
				strlen(l[i].name) }, false) ||
				!expo_utf8(l[i].value, strlen(l[i].value)))
			return refuse(e, "an extra label is not one");
		if (extra_make(m, x, &l[i]) < 0)
			return refuse(e, "out of memory");
		for (j = 0; j < in->extras; j++)
			if (span_is(x->name, in->extra[j].name))
				return refuse(e, "an extra label is there twice");
		bytes += x->ladder.n + x->name.n + x->value.n + 4;
		in->extras++;
	}
	if (bytes > m->extra_max)
		m->extra_max = bytes;
	return 0;
}

static void forget_families(struct expo *m, size_t keep, uint32_t by)
{
	struct family *f;
	uint32_t *link = &m->order_head, id;
	size_t i;

	m->order_tail = NONE;
	while ((id = *link) != NONE) {
		if (id >= keep) {
			*link = m->family[id].next;
			continue;
		}
		m->order_tail = id;
		link = &m->family[id].next;
	}
	m->families = keep;
	for (i = 0; i < keep; i++) {
		f = &m->family[i];
		if (f->help_by == by)
			f->help.p = NULL, f->help.n = 0, f->help_by = 0;
		if (f->unit_by == by)
			f->unit.p = NULL, f->unit.n = 0, f->unit_by = 0;
		if (f->type_by == by)
			f->declared = false, f->type = EXPO_UNTYPED, f->type_by = 0;
		if (f->variant != NONE && f->variant >= keep)
			f->variant = NONE;
	}
}

static void forget_entries(struct expo *m, size_t keep)
{
	size_t i, at;

	if (!m->index_cap)
		return;
	m->entries = keep;
	memset(m->index, 0xff, m->index_cap * sizeof *m->index);
	for (i = 0; i < keep; i++) {
		if (m->entry[i].first != NONE && m->entry[i].first >= m->families)
			m->entry[i].first = NONE;
		for (at = m->entry[i].hash & (m->index_cap - 1);
				m->index[at] != NONE;)
			at = (at + 1) & (m->index_cap - 1);
		m->index[at] = (uint32_t)i;
	}
}

/* Line and column of where the scan stopped: counted only now. */
static void locate(struct expo_error *e, const char *p, const char *at)
{
	const char *nl;

	for (e->line = 1; (nl = memchr(p, '\n', (size_t)(at - p))); p = nl + 1)
		e->line++;
}

static int add_input(struct expo *m, struct expo_error *e)
{
	struct expo keep = *m;
	struct input *in = &m->input[m->inputs];
	const char *at = NULL;
	size_t i;

	m->seq++;
	m->pendings = 0;
	if (expo_scan(m, e, &at) == 0) {
		m->inputs++;
		m->sealed = false;
		for (i = 0; i < m->pendings; i++)
			expo_note(m, &m->pending[i]);
		return (int)m->inputs - 1;
	}
	if (at)
		locate(e, in->p, at);
	m->runs = keep.runs;
	m->recs = keep.recs;
	m->stats.samples = keep.stats.samples;
	m->stats.filtered = keep.stats.filtered;
	forget_families(m, keep.families, m->seq);
	forget_entries(m, keep.entries);
	return -1;
}

int expo_add(struct expo *m, const char *p, size_t n, enum expo_format f,
		const struct expo_extra *extra, unsigned extras,
		struct expo_error *e)
{
	struct input *in;

	if (n > m->o.max.bytes)
		return refuse(e, "larger than allowed");
	in = expo_grow(m, m->input, &m->input_cap, m->inputs + 1, sizeof *in);
	if (!in)
		return refuse(e, "out of memory");
	m->input = in;
	in += m->inputs;
	*in = (struct input){ .p = n ? p : "", .n = n, .format = f };
	if (extras_make(m, in, extra, extras, e) < 0)
		return -1;
	return add_input(m, e);
}
