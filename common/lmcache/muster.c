/* muster.c - registries followed, and everybody they name asked for its nodes
 * SPDX-License-Identifier: Apache-2.0
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "die.h"
#include "muster_make.h"

enum {
	SETTLE_MS = 50,		/* changes that come together make one tree */
	PATIENCE_MS = 500,	/* for those of whom nothing is known yet */
	RARELY    = 30,		/* intervals between looks at a node that is no frontend */
	PEERS     = 5,		/* the same for lmcache_frontend: an answer costs it 25 ms */
	TIRED     = 4		/* the same, at most, for one that does not answer */
};

static void done(struct client_req *r);

static void touch(struct muster *f)
{
	if (!f->dirty)
		f->since = clock_ms();
	f->dirty = true;
	client_break(f->conf.client);
}

/* ---- members ---- */

static void member_free(struct member *m)
{
	client_stop(m->of->conf.client, &m->req);
	m->of->waiting -= !m->asked;
	branches_free(m);
	free(m->name);
	free(m->at);
	free(m->id);
	free(m);
}

static void member_new(struct muster *f, const struct supply_entry *e)
{
	struct member *m = xcalloc(1, sizeof *m);
	struct buf at = BUF(ADDR_HOST + 16);

	addr_print(&e->addr, &at);
	m->at = at.p;
	m->of = f;
	m->addr = m->req.addr = e->addr;
	m->req.method = "GET";
	m->req.target = "/api/nodes";
	m->req.headers = f->conf.headers;
	m->req.max = NODES_TEXT;
	m->req.timeout_ms = f->conf.timeout;
	m->req.done = done;
	m->req.ctx = m;
	m->due = 1;
	f->waiting++;
	if (!(f->n & (f->n - 1)))
		f->member = xrealloc(f->member, (size_t)(f->n ? 2 * f->n : 1) *
				     sizeof *f->member);
	f->member[f->n++] = m;
}

static struct member *member_at(const struct muster *f, const struct addr *a)
{
	for (int i = 0; i < f->n; i++)
		if (addr_equal(&f->member[i]->addr, a))
			return f->member[i];
	return NULL;
}

void slashes_out(char *p)
{
	for (; *p; p++)
		if (*p == '/')
			*p = '_';
}

/* The first source that names it gives the name. */
static void name_it(struct muster *f, const struct supply *s, const struct supply_entry *e)
{
	struct member *m = member_at(f, &e->addr);

	if (!m) {
		member_new(f, e);
		m = f->member[f->n - 1];
	}
	if (m->named && (m->name || !e->name))
		return;
	free(m->name);
	m->name = e->name ? xstrdup(e->name) : NULL;
	if (m->name && e->what != SUPPLY_NODE)
		slashes_out(m->name);
	if (!m->named) {
		m->source = s->spec;
		m->what = e->what;
		if (e->what == SUPPLY_NODE && !m->asked) {
			m->leaf = m->asked = true;
			f->waiting--;
		}
	}
	m->named = true;
}

/* Maybe from within a callback of libcurl's, where no request can be ended. */
static void listed(struct supply *changed)
{
	struct muster *f = changed->ctx;

	f->relist = true;
	touch(f);
}

static void list_members(struct muster *f)
{
	int n = 0;

	for (int i = 0; i < f->n; i++)
		f->member[i]->named = false;
	for (int i = 0; i < f->supplies; i++)
		for (int k = 0; k < f->supply[i]->n; k++)
			name_it(f, f->supply[i], &f->supply[i]->entry[k]);
	for (int i = 0; i < f->n; i++) {
		if (f->member[i]->named)
			f->member[n++] = f->member[i];
		else
			member_free(f->member[i]);
	}
	f->n = n;
}

/* ---- asking ---- */

static void is_stale(struct member *m, const char *why)
{
	bool first = !m->fails++;

	if (first)
		m->since = clock_wall_ms();
	if (!first && !strcmp(why, m->why))
		return;
	snprintf(m->why, sizeof m->why, "%s", why);
	touch(m->of);
}

static void is_leaf(struct member *m)
{
	m->due = clock_ms() + RARELY * m->of->conf.interval;
	if (m->leaf && !m->fails)
		return;
	m->leaf = true;
	m->fails = 0;
	m->why[0] = '\0';
	branches_free(m);
	m->told = 0;
	touch(m->of);
}

static void is_frontend(struct member *m, int another)
{
	m->due = clock_ms() + (m->id ? 1 : PEERS) * m->of->conf.interval;
	if (!another && !m->fails && !m->leaf)
		return;
	m->leaf = false;
	m->fails = 0;
	touch(m->of);
}

static void done(struct client_req *r)
{
	struct member *m = r->ctx;
	const char *why = r->why;
	char said[64];
	int rc = -1;

	m->busy = false;
	m->of->waiting -= !m->asked;
	m->asked = true;
	if (!m->of->waiting)
		client_break(m->of->conf.client);
	if (r->end == CLIENT_ANSWER && r->status == 200) {
		rc = muster_take(m, r->answer.p ? r->answer.p : "", r->answer.len, &why);
	} else if (r->end == CLIENT_ANSWER) {
		snprintf(said, sizeof said, "its /api/nodes answers %d", r->status);
		why = said;
	}
	buf_free(&r->answer);
	if (rc >= 0) {
		is_frontend(m, rc);
	} else if (r->end == CLIENT_ANSWER && r->status == 404 && m->what == SUPPLY_ANY) {
		is_leaf(m);
	} else {
		is_stale(m, why);
		m->due = clock_ms() + m->of->conf.interval *
			(m->fails < TIRED ? m->fails : TIRED);
	}
}

static int64_t sooner(int64_t a, int64_t b)
{
	return !b || (a && a < b) ? a : b;
}

static int64_t muster_tick(struct muster *f)
{
	int64_t now = clock_ms(), next = 0;

	for (int i = 0; i < f->supplies; i++) {
		supply_tick(f->supply[i], now);
		next = sooner(next, f->supply[i]->due);
	}
	if (f->relist)
		list_members(f);
	f->relist = false;
	for (int i = 0; i < f->n; i++) {
		struct member *m = f->member[i];

		if (m->what == SUPPLY_NODE || m->busy)
			continue;
		if (m->due <= now) {
			m->busy = true;
			client_add(f->conf.client, &m->req);
		} else {
			next = sooner(next, m->due);
		}
	}
	if (f->dirty)
		next = sooner(next, f->since + (f->waiting ? PATIENCE_MS : SETTLE_MS));
	return next ? next : now + 1000;
}

void muster_refresh(struct muster *f)
{
	for (int i = 0; i < f->supplies; i++)
		if (f->supply[i]->due)
			f->supply[i]->due = 1;
	for (int i = 0; i < f->n; i++)
		f->member[i]->due = f->member[i]->what != SUPPLY_NODE;
	f->refresh = true;
	touch(f);
}

static bool all_told(const struct muster *f)
{
	for (int i = 0; i < f->supplies; i++)
		if (!f->supply[i]->told && !f->supply[i]->stale)
			return false;
	return !f->waiting && !f->relist;
}

/* After a refresh: everybody has been asked, and nobody is waited for. */
static bool refreshed(const struct muster *f)
{
	for (int i = 0; i < f->supplies; i++)
		if (f->supply[i]->due == 1)
			return false;
	for (int i = 0; i < f->n; i++)
		if (f->member[i]->busy || f->member[i]->due == 1)
			return false;
	return true;
}

static bool muster_ready(const struct muster *f)
{
	int64_t age = clock_ms() - f->since;

	if (!f->dirty || (f->refresh && !refreshed(f) && age < f->conf.timeout))
		return false;
	if (f->conf.once || f->refresh)
		return f->refresh || all_told(f);
	return age >= (all_told(f) ? SETTLE_MS : PATIENCE_MS);
}

bool muster_turn(struct muster *f)
{
	int64_t ms = muster_tick(f) - clock_ms();

	if (muster_ready(f))
		return true;
	if (ms < 1)
		ms = 1;
	if (client_left(f->conf.client))
		client_run(f->conf.client, ms);
	else
		poll(NULL, 0, (int)(ms > 1000 ? 1000 : ms));
	return muster_ready(f);
}

/* ---- all of it ---- */

struct muster *muster_new(const struct muster_conf *c)
{
	struct muster *f = xcalloc(1, sizeof *f);

	f->conf = *c;
	return f;
}

int muster_add(struct muster *f, const char *spec, const char **why)
{
	static char text[SUPPLY_WHY];
	struct supply *s = xcalloc(1, sizeof *s);

	s->changed = listed;
	s->ctx = f;
	s->interval = f->conf.interval;
	s->timeout = f->conf.timeout;
	*why = text;
	if (f->supplies == SUPPLIES_MAX)
		WRONG(s, "more than %d sources", SUPPLIES_MAX);
	else if (supply_open(s, spec, f->conf.client) == 0) {
		f->supply[f->supplies++] = s;
		return 0;
	}
	memcpy(text, s->why, sizeof text);
	free(s);
	return -1;
}

int muster_left_out(const struct muster *f)
{
	int n = f->left_out;

	for (int i = 0; i < f->supplies; i++)
		n += f->supply[i]->over;
	return n;
}

const char *muster_failed(const struct muster *f, const char **why)
{
	for (int i = 0; i < f->supplies; i++) {
		*why = f->supply[i]->why;
		if (!f->supply[i]->told)
			return f->supply[i]->spec;
	}
	return NULL;
}

void muster_free(struct muster *f)
{
	for (int i = 0; i < f->supplies; i++) {
		supply_close(f->supply[i]);
		free(f->supply[i]);
	}
	while (f->n)
		member_free(f->member[--f->n]);
	free(f->member);
	free(f);
}
