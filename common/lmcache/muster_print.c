/* muster_print.c - one tree out of what everybody said
 * SPDX-License-Identifier: Apache-2.0
 *
 * A frontend is known by the last id of the way to it. Of the ways that lead
 * to one, the shortest that works is taken: so a frontend that is asked itself
 * has the last word about its nodes, and what others remember of it is no ghost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "die.h"
#include "muster_make.h"
#include "out.h"

enum { WAY_TEXT = (MUSTER_ID + 1) * (MUSTER_WAY + 3) };

struct way {
	const struct member *m;
	const struct branch *b;
	int  length;
	bool stale;
	char text[WAY_TEXT];	/* ids, blanks between */
	size_t home;		/* where the last of them begins */
};

struct tree {
	struct muster *f;
	struct way  *way;
	int n;
	struct buf  *out;
	int leaves, frontends;
};

/* ---- ways ---- */

static const char *id_of(const struct member *m)
{
	return m->id ? m->id : m->at;
}

/* An address stands for the id of who was met there. */
static const char *known_as(const struct muster *f, const char *id, size_t n)
{
	for (int i = 0; i < f->n; i++)
		if (f->member[i]->id && !strncmp(f->member[i]->at, id, n) &&
		    !f->member[i]->at[n])
			return f->member[i]->id;
	return NULL;
}

/* One more step of the way: false if it leads back to the reader. */
static bool step(const struct muster *f, struct way *w, const char *id, size_t n)
{
	const char *other = memchr(id, ':', n) ? known_as(f, id, n) : NULL;
	size_t at = strlen(w->text);

	if (other) {
		id = other;
		n = strlen(other);
	}
	if (at + n + 2 > sizeof w->text || n == 0)
		return false;
	if (f->conf.self && strlen(f->conf.self) == n && !memcmp(f->conf.self, id, n))
		return false;
	if (at)
		w->text[at++] = ' ';
	w->home = at;
	memcpy(w->text + at, id, n);
	w->text[at + n] = '\0';
	w->length++;
	return true;
}

static bool trace(const struct muster *f, struct way *w)
{
	const char *p = w->b ? w->b->way : "";
	size_t n;

	w->stale = w->m->fails || (w->b && w->b->since);
	if (!step(f, w, id_of(w->m), strlen(id_of(w->m))))
		return false;
	for (; *p; p += n + !!p[n]) {
		n = strcspn(p, " ");
		if (!step(f, w, p, n))
			return false;
	}
	return true;
}

static int by_home(const void *one, const void *two)
{
	const struct way *a = one, *b = two;
	int d = strcmp(a->text + a->home, b->text + b->home);

	if (!d)
		d = a->stale - b->stale;
	if (!d)
		d = a->length - b->length;
	return d ? d : strcmp(a->text, b->text);
}

static int by_place(const void *one, const void *two)
{
	const struct way *a = one, *b = two;
	int d = strcmp(a->m->at, b->m->at);

	return d ? d : strcmp(a->b ? a->b->name : "", b->b ? b->b->name : "");
}

static void add_way(struct tree *t, const struct member *m, const struct branch *b)
{
	struct way *w = &t->way[t->n];

	*w = (struct way){ .m = m, .b = b };
	if (!trace(t->f, w))
		return;
	/* a reader that is no frontend is no hop either */
	if (w->length > MUSTER_WAY + !t->f->conf.self)
		t->f->left_out += b->n;
	else
		t->n++;
}

static void find_ways(struct tree *t)
{
	const struct muster *f = t->f;
	int most = 1, n = 0;

	for (int i = 0; i < f->n; i++)
		most += f->member[i]->n ? f->member[i]->n : 1;
	t->way = xcalloc((size_t)most, sizeof *t->way);
	for (int i = 0; i < f->n; i++) {
		const struct member *m = f->member[i];

		if (m->leaf || !m->asked)
			continue;
		if (!m->n)
			add_way(t, m, NULL);
		for (int k = 0; k < m->n; k++)
			add_way(t, m, &m->branch[k]);
	}
	if (t->n)
		qsort(t->way, (size_t)t->n, sizeof *t->way, by_home);
	for (int i = 0; i < t->n; i++) {
		const struct way *w = &t->way[i], *last = &t->way[n ? n - 1 : 0];

		if (!n || strcmp(last->text + last->home, w->text + w->home))
			t->way[n++] = *w;
	}
	t->n = n;
	if (n)
		qsort(t->way, (size_t)n, sizeof *t->way, by_place);
}

/* ---- names ---- */

/* What was told twice, and what we call ourselves, is told apart by address. */
static bool taken(const struct muster *f, const struct member *m)
{
	if (!strcmp(m->name, LOCAL_PROXY))
		return true;
	for (int i = 0; i < f->n; i++)
		if (f->member[i] != m && f->member[i]->name &&
		    f->member[i]->leaf == m->leaf && !strcmp(f->member[i]->name, m->name))
			return true;
	return false;
}

/* lmcache_frontend's own name for a frontend that has none (protocol.md 7.2). */
static void put_name(struct buf *b, const struct muster *f, const struct member *m)
{
	if (!m->name && m->leaf)
		buf_puts(b, m->at);
	else if (!m->name)
		buf_printf(b, "proxy_%s_%d", m->addr.host, m->addr.port);
	else if (taken(f, m))
		buf_printf(b, "%s@%s", m->name, m->at);
	else
		buf_puts(b, m->name);
	if (b->p && m->addr.kind == ADDR_UNIX)
		slashes_out(b->p);
}

void muster_place(struct buf *b, const char *name, const struct addr *a)
{
	js_str(b, "name", name);
	js_str(b, "host", a->kind == ADDR_UNIX ? "localhost" : a->host);
	if (a->kind == ADDR_UNIX)
		js_str(b, "port", a->host);
	else
		js_int(b, "port", a->port);
}

/* ---- the tree ---- */

static void put_own(struct tree *t)
{
	struct buf name = BUF(2 * ADDR_HOST + NODE_NAME);

	js_open(t->out, NULL, '{');
	js_str(t->out, "name", LOCAL_PROXY);
	js_bool(t->out, "is_proxy", true);
	js_open(t->out, "children", '[');
	for (int i = 0; i < t->f->n; i++) {
		const struct member *m = t->f->member[i];

		if (!m->leaf)
			continue;
		buf_reset(&name);
		put_name(&name, t->f, m);
		if (name.bad || node_name_wrong(name.p) || t->leaves == NODES_MAX) {
			t->f->left_out++;
			continue;
		}
		t->leaves++;
		js_open(t->out, NULL, '{');
		muster_place(t->out, name.p, &m->addr);
		js_close(t->out, '}');
	}
	js_close(t->out, ']');
	js_close(t->out, '}');
	buf_free(&name);
}

static void put_stale(struct buf *b, const struct way *w)
{
	char when[CLOCK_TEXT];

	if (w->m->fails)
		js_str(b, "stale_since", clock_iso(w->m->since, when));
	else if (w->b && w->b->since)
		js_str(b, "stale_since", w->b->since);
	if (w->m->fails || w->m->bad)
		js_str(b, "why", w->m->why);
	else if (w->b && w->b->why)
		js_str(b, "why", w->b->why);
}

static void put_frontend(struct tree *t, const struct way *w)
{
	struct buf name = BUF(4 * NODE_NAME);
	int n = w->b ? w->b->n : 0;

	put_name(&name, t->f, w->m);
	if (w->b && *w->b->name)
		buf_printf(&name, "/%s", w->b->name);
	if (name.bad || node_name_wrong(name.p) || t->frontends == PROXIES_MAX - 1 ||
	    t->leaves + n > NODES_MAX) {
		t->f->left_out += n + !n;
		buf_free(&name);
		return;
	}
	t->leaves += n;
	t->frontends++;
	js_open(t->out, NULL, '{');
	muster_place(t->out, name.p, &w->m->addr);
	js_bool(t->out, "is_proxy", true);
	js_str(t->out, "prefix", w->b ? w->b->prefix : "");
	js_str(t->out, "way", w->text);
	js_str(t->out, "source", w->m->source);
	put_stale(t->out, w);
	js_open(t->out, "children", '[');
	if (n)
		buf_puts(t->out, w->b->nodes);
	js_close(t->out, ']');
	js_close(t->out, '}');
	buf_free(&name);
}

static void put_sources(struct tree *t)
{
	js_open(t->out, "sources", '[');
	for (int i = 0; i < t->f->supplies; i++) {
		const struct supply *s = t->f->supply[i];

		js_open(t->out, NULL, '{');
		js_str(t->out, "source", s->spec);
		js_int(t->out, "entries", s->n);
		js_int(t->out, "bad", s->bad);
		js_bool(t->out, "stale", s->stale);
		js_str(t->out, "why", *s->why ? s->why : NULL);
		js_close(t->out, '}');
	}
	js_close(t->out, ']');
}

int muster_print(struct muster *f, struct buf *out)
{
	struct tree t = { .f = f, .out = out };

	f->left_out = 0;
	find_ways(&t);
	js_open(out, NULL, '{');
	js_open(out, "nodes", '[');
	put_own(&t);
	for (int i = 0; i < t.n; i++)
		put_frontend(&t, &t.way[i]);
	js_close(out, ']');
	put_sources(&t);
	js_int(out, "left_out", muster_left_out(f));
	js_close(out, '}');
	free(t.way);
	f->dirty = f->refresh = false;
	return out->bad ? -1 : 0;
}
