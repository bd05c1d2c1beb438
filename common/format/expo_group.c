/* expo_group.c - OpenMetrics: the samples of one metric stand together
 * SPDX-License-Identifier: Apache-2.0
 *
 * Text 0.0.4 has the _created samples of a counter or histogram in a gauge
 * family of their own. OpenMetrics has them in the family, each behind the
 * other samples of its label set. Only families to which that happens are
 * sorted: record by record, so that the writer follows m->perm.
 */
#include <stdlib.h>

#include "expo_hash.h"
#include "expo_merge.h"

struct place {
	uint64_t metric;	/* input and labels without le and quantile */
	uint32_t group, seq;	/* where the metric began; where this was */
	uint32_t rec;
};

static uint64_t metric_of(const struct expo *m, const struct run *r, uint32_t k)
{
	struct expo_line l;
	const struct expo_label *x;
	uint64_t sum = 0;

	expo_reread(m, r, k, &l);
	for (x = l.label; x < l.label + l.labels; x++)
		if (!span_is(x->name, SPAN("le")) &&
				!span_is(x->name, SPAN("quantile")))
			sum += hash_label(x->name.p, x->name.n, x->value.p,
					x->value.n, m->o.seed);
	return sum + hash_mix(r->input ^ HASH_K1, HASH_K0);
}

static int by_metric(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->metric != y->metric)
		return x->metric < y->metric ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int by_group(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* Runs of the family itself count before those that were moved into it. */
static size_t collect(const struct expo *m, uint32_t id, struct place *t)
{
	const struct run *r;
	uint32_t i, k, pass, n = 0;

	for (pass = 0; pass < 2; pass++)
		for (i = m->family[id].head; i != NONE; i = m->run[i].next) {
			r = &m->run[i];
			if ((r->family != id) != pass)
				continue;
			for (k = 0; k < r->count; k++, n++)
				t[n] = (struct place){ metric_of(m, r, k), 0,
					n, r->first + k };
		}
	return n;
}

static int regroup(struct expo *m, uint32_t id, size_t at)
{
	struct place *t = malloc((m->family[id].samples + 1) * sizeof *t);
	size_t n, i;

	if (!t)
		return -1;
	n = collect(m, id, t);
	qsort(t, n, sizeof *t, by_metric);
	for (i = 0; i < n; i++)
		t[i].group = i && t[i].metric == t[i - 1].metric ?
			t[i - 1].group : t[i].seq;
	qsort(t, n, sizeof *t, by_group);
	for (i = 0; i < n; i++)
		m->perm[at + i] = t[i].rec;
	m->family[id].perm = at;
	free(t);
	return 0;
}

int expo_regroup(struct expo *m)
{
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < m->families; i++)
		n += m->family[i].regroup ? m->family[i].samples : 0;
	free(m->perm);
	m->perm = NULL;
	if (!n)
		return 0;
	m->perm = malloc(n * sizeof *m->perm);
	if (!m->perm)
		return -1;
	for (n = i = 0; i < m->families; i++) {
		if (!m->family[i].regroup)
			continue;
		if (regroup(m, i, n) < 0)
			return -1;
		n += m->family[i].samples;
	}
	return 0;
}
