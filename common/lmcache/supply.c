/* supply.c - a registry followed: its list, and whether it is another one
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "die.h"
#include "supply.h"

static const struct supply_kind *const kinds[] = {
	&supply_http, &supply_dns, &supply_file, &supply_etcd, &supply_k8s
};

static const struct supply_kind *kind_of(const char *spec)
{
	size_t n = strcspn(spec, ":") + 1;
	const char *p;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		for (p = kinds[i]->schemes; p; p = strchr(p, ' ')) {
			p += *p == ' ';
			if (!strncmp(p, spec, n))
				return kinds[i];
		}
	return NULL;
}

bool supply_is(const char *spec)
{
	return kind_of(spec) != NULL;
}

int supply_open(struct supply *s, const char *spec, struct client *c)
{
	s->spec = spec;
	s->client = c;
	s->kind = kind_of(spec);
	if (!s->interval)
		s->interval = SUPPLY_INTERVAL;
	if (!s->timeout)
		s->timeout = SUPPLY_TIMEOUT;
	if (!s->kind)
		return WRONG(s, "not a kind of registry that is known");
	return s->kind->open(s);
}

void supply_tick(struct supply *s, int64_t now)
{
	if (s->due && s->due <= now)
		s->kind->tick(s);
}

/* ---- lists ---- */

static void forget(struct supply_entry *e, int n)
{
	while (n)
		free(e[--n].name);
	free(e);
}

void supply_close(struct supply *s)
{
	if (s->kind)
		s->kind->close(s);
	forget(s->entry, s->n);
	forget(s->next, s->next_n);
	s->entry = s->next = NULL;
	s->n = s->next_n = 0;
}

void supply_begin(struct supply *s)
{
	forget(s->next, s->next_n);
	s->next = NULL;
	s->next_n = s->next_bad = s->next_over = 0;
	s->next_why[0] = '\0';
}

void supply_bad(struct supply *s, const char *fmt, ...)
{
	va_list ap;

	if (s->next_bad++)
		return;
	va_start(ap, fmt);
	vsnprintf(s->next_why, sizeof s->next_why, fmt, ap);
	va_end(ap);
}

void supply_full(struct supply *s)
{
	s->next_over++;
	supply_bad(s, "more than %d entries", SUPPLY_MAX);
}

void supply_add(struct supply *s, const char *name, const struct addr *a,
		enum supply_what what)
{
	const char *wrong = name ? node_name_wrong(name) : NULL;

	if (wrong) {
		supply_bad(s, "the name %s %s", safe(name, strlen(name)), wrong);
		return;
	}
	if (a->tls) {
		supply_bad(s, "%s: what a registry names is asked by plain HTTP", a->host);
		return;
	}
	if (s->next_n == SUPPLY_MAX) {
		supply_full(s);
		return;
	}
	if (!(s->next_n & (s->next_n - 1)))
		s->next = xrealloc(s->next, (size_t)(s->next_n ? 2 * s->next_n : 1) *
				   sizeof *s->next);
	s->next[s->next_n++] = (struct supply_entry){
		name ? xstrdup(name) : NULL, *a, what
	};
}

static int in_order(const void *one, const void *two)
{
	const struct supply_entry *a = one, *b = two;
	int d = strcmp(a->addr.host, b->addr.host);

	if (!d)
		d = a->addr.port - b->addr.port;
	if (!d)
		d = a->addr.tls - b->addr.tls;
	if (!d)
		d = strcmp(a->name ? a->name : "", b->name ? b->name : "");
	return d ? d : (int)a->what - (int)b->what;
}

/* One address is one entry, by the first of its names. */
static void sort(struct supply *s)
{
	int n = 0;

	if (s->next_n)
		qsort(s->next, (size_t)s->next_n, sizeof *s->next, in_order);
	for (int i = 0; i < s->next_n; i++) {
		if (n && addr_equal(&s->next[n - 1].addr, &s->next[i].addr))
			free(s->next[i].name);
		else
			s->next[n++] = s->next[i];
	}
	s->next_n = n;
}

static bool same(const struct supply *s)
{
	if (!s->told || s->stale || s->n != s->next_n || s->bad != s->next_bad ||
	    strcmp(s->why, s->next_why))
		return false;
	for (int i = 0; i < s->n; i++)
		if (in_order(&s->entry[i], &s->next[i]))
			return false;
	return true;
}

void supply_end(struct supply *s)
{
	bool as_before;

	sort(s);
	as_before = same(s);
	forget(s->entry, s->n);
	s->entry = s->next;
	s->n = s->next_n;
	s->bad = s->next_bad;
	s->over = s->next_over;
	s->next = NULL;
	s->next_n = 0;
	memcpy(s->why, s->next_why, sizeof s->why);
	s->told = true;
	s->stale = false;
	if (!as_before && s->changed)
		s->changed(s);
}

/* ---- trouble ---- */

void supply_fail(struct supply *s, const char *fmt, ...)
{
	char why[SUPPLY_WHY];
	bool as_before;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	as_before = s->stale && !strcmp(s->why, why);
	memcpy(s->why, why, sizeof why);
	s->stale = true;
	if (!as_before && s->changed)
		s->changed(s);
}
