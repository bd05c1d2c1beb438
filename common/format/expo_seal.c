/* expo_seal.c - finds the samples that are there twice
 * SPDX-License-Identifier: Apache-2.0
 *
 * Twice means: the same name and the same labels, whatever their order, once
 * the extra labels are there. Where an extra label tells every input apart
 * (node), only samples of one input can be the same: the table then is as
 * small as one input's share of one family, and stays in the cache.
 */
#include <stdlib.h>

#include "expo_hash.h"
#include "expo_merge.h"

struct seen {
	struct expo *m;
	uint32_t *slot;	/* records, by hash; at most three of four are taken */
	size_t    cap, slots;
	uint64_t *told;	/* the duplicates of the last seal */
	size_t    told_words;
};

/* No power of two: the table costs memory as it costs time. */
static inline size_t home(const struct seen *s, uint32_t hash)
{
	return (size_t)((uint64_t)hash * s->slots >> 32);
}

static int seen_reset(struct seen *s, size_t n)
{
	uint32_t *p = s->slot;

	s->slots = n + n / 3 + 8;
	if (s->slots > s->cap) {
		free(s->slot);
		s->m->stats.memory += (s->slots - s->cap) * sizeof *p;
		s->cap = s->slots;
		s->slot = p = malloc(s->slots * sizeof *p);
	}
	if (!p)
		return -1;
	memset(p, 0xff, s->slots * sizeof *p);
	return 0;
}

static bool bit(const uint64_t *map, size_t words, size_t i)
{
	return i / 64 < words && map[i / 64] >> (i % 64) & 1;
}

/* What the last seal has told is not told again. */
static int mark_dup(struct seen *s, const struct run *r, uint32_t k)
{
	struct expo *m = s->m;
	size_t rec = r->first + k, words = m->recs / 64 + 1;
	struct expo_note n = { .event = EXPO_DUPLICATE,
		.family = m->family[r->owner].name, .input = r->input,
		.line = expo_run_line(m, r, k) };

	if (!m->dup) {
		m->dup = calloc(words, sizeof *m->dup);
		if (!m->dup)
			return -1;
		m->stats.memory += words * sizeof *m->dup;
		m->dup_words = words;
	}
	m->dup[rec / 64] |= UINT64_C(1) << (rec % 64);
	if (bit(s->told, s->told_words, rec))
		m->stats.duplicates++;
	else
		expo_note(m, &n);
	return 0;
}

/* The record that is the same series, or NONE and *at the free slot. */
static uint32_t look_up(const struct seen *s, const struct run *r, uint32_t k,
		size_t *at)
{
	struct expo *m = s->m;
	uint32_t hash = m->rec[r->first + k].hash, j;
	const struct run *o;

	for (*at = home(s, hash); (j = s->slot[*at]) != NONE;) {
		if (m->rec[j].hash == hash) {
			o = expo_run_of(m, j);
			if (expo_same_series(m, o, j - o->first, r, k))
				break;
		}
		*at = *at + 1 < s->slots ? *at + 1 : 0;
	}
	return j;
}

static int see_run(struct seen *s, const struct run *r)
{
	const struct rec *rec = s->m->rec + r->first;
	uint32_t k;
	size_t at;

	for (k = 0; k < r->count; k++) {
		if (k + 8 < r->count)
			__builtin_prefetch(&s->slot[home(s, rec[k + 8].hash)]);
		if (look_up(s, r, k, &at) == NONE)
			s->slot[at] = r->first + k;
		else if (mark_dup(s, r, k) < 0)
			return -1;
	}
	return 0;
}

/* --- scopes ------------------------------------------------------------- */

static bool all_lone(const struct expo *m, const struct family *f)
{
	uint32_t i;

	for (i = f->head; i != NONE; i = m->run[i].next)
		if (!m->input[m->run[i].input].lone)
			return false;
	return true;
}

/* The samples of the run's input, in this family: its runs follow. */
static size_t input_share(const struct expo *m, uint32_t run)
{
	uint32_t input = m->run[run].input;
	size_t n = 0;

	for (; run != NONE && m->run[run].input == input; run = m->run[run].next)
		n += m->run[run].count;
	return n;
}

static int see_family(struct seen *s, const struct family *f)
{
	struct expo *m = s->m;
	bool lone = all_lone(m, f);
	uint32_t i, input = NONE;
	size_t n = f->samples;

	if (n < 2)
		return 0;
	if (!lone && seen_reset(s, n) < 0)
		return -1;
	for (i = f->head; i != NONE; i = m->run[i].next) {
		if (lone && m->run[i].input != input) {
			input = m->run[i].input;
			n = input_share(m, i);
			if (n > 1 && seen_reset(s, n) < 0)
				return -1;
		}
		if (n > 1 && see_run(s, &m->run[i]) < 0)
			return -1;
	}
	return 0;
}

static int see_shared(struct seen *s)
{
	struct expo *m = s->m;
	size_t n = 0;
	uint32_t i, r;

	for (i = 0; i < m->families; i++)
		n += m->family[i].shared ? m->family[i].samples : 0;
	if (!n)
		return 0;
	if (seen_reset(s, n) < 0)
		return -1;
	for (i = m->order_head; i != NONE; i = m->family[i].next)
		if (m->family[i].shared)
			for (r = m->family[i].head; r != NONE; r = m->run[r].next)
				if (see_run(s, &m->run[r]) < 0)
					return -1;
	return 0;
}

/* --- inputs ------------------------------------------------------------- */

struct mark {
	uint64_t hash;
	uint32_t input;
};

static int by_hash(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* The label that every sample of the input has for certain. */
static const struct extra *forced(const struct input *in)
{
	unsigned i;

	for (i = 0; i < in->extras; i++)
		if (!in->extra[i].keep)
			return &in->extra[i];
	return NULL;
}

static int find_lone(struct expo *m)
{
	struct mark *t = malloc((m->inputs + 1) * sizeof *t);
	const struct extra *x, *first = NULL;
	size_t i, n = 0;

	if (!t)
		return -1;
	for (i = 0; i < m->inputs; i++) {
		m->input[i].lone = false;
		x = forced(&m->input[i]);
		if (!first)
			first = x;
		if (x && span_is(x->name, first->name))
			t[n++] = (struct mark){ x->hash, (uint32_t)i };
	}
	qsort(t, n, sizeof *t, by_hash);
	for (i = 0; i < n; i++)
		m->input[t[i].input].lone =
			(i == 0 || t[i - 1].hash != t[i].hash) &&
			(i + 1 == n || t[i + 1].hash != t[i].hash);
	free(t);
	return 0;
}

static int find_dups(struct expo *m)
{
	struct seen s = { .m = m, .told = m->dup, .told_words = m->dup_words };
	uint32_t i;
	int r = 0;

	m->stats.duplicates = 0;
	m->dup = NULL;
	m->dup_words = 0;
	for (i = m->order_head; i != NONE && !r; i = m->family[i].next)
		if (!m->family[i].shared)
			r = see_family(&s, &m->family[i]);
	if (!r)
		r = see_shared(&s);
	m->stats.memory -= s.cap * sizeof *s.slot +
		s.told_words * sizeof *s.told;
	free(s.slot);
	free(s.told);
	return r;
}

int expo_seal(struct expo *m)
{
	if (m->sealed)
		return 0;
	if (expo_settle(m) < 0 || find_lone(m) < 0 || find_dups(m) < 0 ||
			expo_regroup(m) < 0)
		return -1;
	m->sealed = true;
	expo_rewind(m);
	return 0;
}
