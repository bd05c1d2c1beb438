/* figure.c - sums of families, and why one may be missing
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "figure.h"
#include "label.h"

const struct figure figures[] = {
#define F(dialect, kind, id, title, unit, family, other, who) \
	{ dialect, kind, #id, title, unit, family, other, who },
#include "summary.def"
#undef F
	{ 0 }
};

static bool same_name(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && (*a != '_' || *b != ':'))
			return false;
	return *a == *b;
}

bool figure_is(const struct series *x, const char *name)
{
	return same_name(x->name, name);
}

struct sum figure_sum(const struct series_set *s, const char *name)
{
	struct sum sum = { 0 };

	for (const struct series *x = s->v; x < s->v + s->n; x++) {
		if (!figure_is(x, name))
			continue;
		if (!sum.series || x->value > sum.max)
			sum.max = x->value;
		if (!sum.series || x->value < sum.min)
			sum.min = x->value;
		sum.series++;
		sum.total += x->value;
		sum.rated += x->rated;
		sum.per_second += x->rate;
	}
	return sum;
}

bool figure_has(const struct series_set *s, const struct figure *f, const char *family)
{
	char name[128];

	snprintf(name, sizeof name, "%s%s", family, f->kind == TIMES ? "_bucket" : "");
	for (const struct series *x = s->v; x < s->v + s->n; x++)
		if (figure_is(x, name))
			return true;
	return false;
}

/* ---- the nodes ---- */

struct looking {
	char **v;
	size_t n, cap;
};

static int look(void *ctx, const struct expo_family *f)
{
	struct looking *l = ctx;

	if (f->samples)
		return 0;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->v = xrealloc(l->v, l->cap * sizeof *l->v);
	}
	l->v[l->n++] = xstrndup(f->name.p, f->name.n);
	return 0;
}

static bool begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static void hear(struct fleet *f, const struct series *x)
{
	struct expo_span role;

	if (begins(x->name, "lmcache_mp_")) {
		f->speaks[SERVER] = true;
	} else if (begins(x->name, "lmcache:") || begins(x->name, "lmcache_")) {
		f->speaks[EMBEDDED] = true;
		role = series_label(x, "role");
		f->schedulers |= role.n == 9 && !memcmp(role.p, "scheduler", 9);
		f->workers |= role.n == 6 && !memcmp(role.p, "worker", 6);
	}
}

void fleet_look(struct fleet *f, const struct series_set *now, struct expo *m,
		const struct answers *a)
{
	struct looking l = { 0 };

	*f = (struct fleet){ .now = now, .nodes = a->n };
	for (const struct series *x = now->v; x < now->v + now->n; x++)
		hear(f, x);
	for (int i = 0; i < a->n; i++) {
		f->up += a->v[i].up;
		if (!a->v[i].up)
			continue;
		f->schedulers |= *label_role(a->v[i].name) == 's';
		f->workers |= *label_role(a->v[i].name) == 'w';
	}
	if (expo_each(m, look, NULL, &l) < 0)
		die(EXIT_SYS, "out of memory");
	f->declared = l.v;
	f->declared_n = l.n;
}

void fleet_free(struct fleet *f)
{
	for (size_t i = 0; i < f->declared_n; i++)
		free(f->declared[i]);
	free(f->declared);
}

const char *figure_why(const struct fleet *l, const struct figure *f, const char *family)
{
	static const char *const why[] = {
		[WORKER] = "no worker has one: is its LMCache older, or observability off?",
		[SCHEDULER] = "no scheduler has one: is its LMCache older?",
		[REMOTE] = "no remote backend is configured, or nothing went to it yet",
		[NEWER] = "this LMCache is too old to have it",
		[L2] = "no L2 is configured, or nothing went to it yet",
		[LOOKED_UP] = "no engine has asked this server for anything yet",
		[HAPPENED] = "it appears when it happens for the first time",
	};

	if (!l->up)
		return "no node answered";
	if (f->who == SCHEDULER && !l->schedulers)
		return "the scheduler counts it, and no scheduler was among the nodes asked";
	if (f->who == WORKER && !l->workers && l->schedulers)
		return "workers count it, and no worker was among the nodes asked";
	for (size_t i = 0; i < l->declared_n; i++)
		if (same_name(l->declared[i], family))
			return f->kind == TIMES
				? "declared, but nothing has been measured yet"
				: "declared, but without a value yet: no request came so far";
	return why[f->who];
}
