/* muster_take.c - what one frontend says of its nodes, in all dialects
 * SPDX-License-Identifier: Apache-2.0
 *
 * lmcache_frontend's tree and flat list, and lmc's tree with ids. One
 * malformed entry costs only itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "muster_make.h"

struct taking {
	const struct json *j;
	struct member *m;
	struct branch *branch;
	int n, bad;
	char why[SUPPLY_WHY];
	/* names of the frontend at work, to find doubles */
	uint32_t *seen;
	int seen_n;
};

static uint64_t hash(uint64_t h, const char *s)
{
	do
		h = (h ^ (unsigned char)(s ? *s : 1)) * 1099511628211u;
	while (s && *s++);
	return h;
}

static void bad(struct taking *t, const char *what)
{
	if (!t->bad++)
		snprintf(t->why, sizeof t->why, "%s", what);
}

static bool is_id(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			  "0123456789._:-[]/ ");

	return n > 0 && !s[n] && n <= MUSTER_ID * (MUSTER_WAY + 2);
}

static char *text_of(const struct taking *t, jv v, const char *key)
{
	return json_dup(t->j, json_get(t->j, v, key));
}

static struct branch *branch_of(struct taking *t, const char *name)
{
	struct branch *b;

	for (int i = 0; i < t->n; i++)
		if (!strcmp(t->branch[i].name, name))
			return &t->branch[i];
	if (t->n == PROXIES_MAX)
		return NULL;
	t->branch = xrealloc(t->branch, (size_t)(t->n + 1) * sizeof *t->branch);
	b = &t->branch[t->n++];
	*b = (struct branch){ .name = xstrdup(name) };
	return b;
}

/* ---- nodes ---- */

/* Doubles are dropped: nobody could tell them apart behind that frontend. The
 * hash is enough, one in millions is a node less. */
static bool seen(struct taking *t, const char *name)
{
	uint32_t h = (uint32_t)hash(1469598103934665603u, name) | 1;
	uint32_t at = h & (2 * NODES_MAX - 1);

	while (t->seen[at] && t->seen[at] != h)
		at = (at + 1) & (2 * NODES_MAX - 1);
	if (t->seen[at] || t->seen_n == NODES_MAX)
		return true;
	t->seen[at] = h;
	t->seen_n++;
	return false;
}

static void forget_seen(struct taking *t)
{
	if (t->seen_n)
		memset(t->seen, 0, 2 * NODES_MAX * sizeof *t->seen);
	t->seen_n = 0;
}

static void put_node(struct taking *t, struct buf *b, int *n, jv v)
{
	static const char *const states[] = { "unknown", "healthy", "failing", "down" };
	jv state = json_get(t->j, v, "state");
	struct node_error e;
	struct node nd;

	if (node_parse(&nd, t->j, v, &e) < 0) {
		bad(t, e.what);
		return;
	}
	free(nd.proxy_id);
	nd.proxy_id = NULL;
	if (seen(t, nd.name)) {
		bad(t, "two nodes of one name, or too many");
	} else {
		buf_puts(b, *n ? "," : "");
		node_print(&nd, b);
		for (unsigned i = 0; i < sizeof states / sizeof *states; i++)
			if (json_is(t->j, state, states[i])) {
				b->len--;
				buf_printf(b, ",\"state\":\"%s\"}", states[i]);
			}
		(*n)++;
	}
	node_free(&nd);
}

static void put_nodes(struct taking *t, struct buf *b, int *n, jv list)
{
	jv v;

	for (v = json_first(t->j, list); v >= 0; v = json_next(t->j, list, v))
		put_node(t, b, n, v);
}

static void keep(struct taking *t, struct branch *br, struct buf *b, int n)
{
	br->n = b->bad ? 0 : n;
	br->nodes = xstrdup(br->n ? b->p : "");
	if (b->bad)
		bad(t, "too many bytes");
	buf_free(b);
}

/* ---- frontends ---- */

/* lmc resolves one name after the other; so does lmcache_frontend, which knows
 * no other way to its own nodes than their bare names. */
static char *prefix_of(const struct taking *t, const char *name)
{
	struct buf b = BUF(4 * NODE_NAME);
	size_t n;

	for (const char *p = *name || !t->m->id ? name : LOCAL_PROXY; *p; p += n + !!p[n]) {
		n = strcspn(p, "/");
		buf_puts(&b, "/proxy2/");
		url_encode(&b, p, n);
	}
	return b.p ? b.p : xstrdup("");
}

/* Names are steps of a path: none is empty, "." or "..". */
static bool has_steps(const char *name)
{
	char step[NODE_NAME + 1];
	size_t n;

	for (;; name += n + 1) {
		n = strcspn(name, "/");
		if (n > NODE_NAME)
			return false;
		memcpy(step, name, n);
		step[n] = '\0';
		if (node_name_wrong(step))
			return false;
		if (!name[n])
			return true;
	}
}

static char *way_of(struct taking *t, jv v, const struct addr *at)
{
	char *way = text_of(t, v, "way");
	struct buf b = BUF(ADDR_HOST + 16);

	if (way && is_id(way))
		return way;
	free(way);
	addr_print(at, &b);
	return b.p;
}

/* With its list of nodes, or -1. local_proxy is the answering one itself. */
static bool is_frontend(const struct taking *t, jv v, jv *list, bool *own)
{
	*list = json_get(t->j, v, "children");
	if (*list < 0)
		*list = json_get(t->j, v, "nodes");
	*own = json_is(t->j, json_get(t->j, v, "name"), LOCAL_PROXY);
	return *list >= 0 || json_true(t->j, json_get(t->j, v, "is_proxy"));
}

static void take_frontend(struct taking *t, jv v, jv list)
{
	struct buf nodes = BUF(NODES_TEXT);
	struct node_error e;
	struct node self;
	struct branch *b;
	int n = 0;

	if (node_parse(&self, t->j, v, &e) < 0) {
		bad(t, e.what);
		return;
	}
	b = has_steps(self.name) ? branch_of(t, self.name) : NULL;
	if (b && !b->nodes) {
		b->prefix = prefix_of(t, self.name);
		b->way = way_of(t, v, &self.addr);
		b->since = text_of(t, v, "stale_since");
		b->why = text_of(t, v, "why");
		forget_seen(t);
		put_nodes(t, &nodes, &n, list);
		keep(t, b, &nodes, n);
	} else {
		bad(t, b ? "two frontends of one name"
		       : "a frontend's name with an empty step, or too many frontends");
	}
	node_free(&self);
}

static void take_entries(struct taking *t, jv all)
{
	struct buf nodes = BUF(NODES_TEXT);
	struct branch *b = branch_of(t, "");
	int n = 0;
	bool own;
	jv v, list;

	b->prefix = prefix_of(t, "");
	b->way = xstrdup("");
	for (v = json_first(t->j, all); v >= 0; v = json_next(t->j, all, v))
		if (is_frontend(t, v, &list, &own) && !own)
			take_frontend(t, v, list);
	forget_seen(t);
	for (v = json_first(t->j, all); v >= 0; v = json_next(t->j, all, v)) {
		if (!is_frontend(t, v, &list, &own))
			put_node(t, &nodes, &n, v);
		else if (own)
			put_nodes(t, &nodes, &n, list);
	}
	keep(t, &t->branch[0], &nodes, n);
}

/* ---- all of it ---- */

void branches_free(struct member *m)
{
	for (int i = 0; i < m->n; i++) {
		free(m->branch[i].name);
		free(m->branch[i].prefix);
		free(m->branch[i].way);
		free(m->branch[i].nodes);
		free(m->branch[i].since);
		free(m->branch[i].why);
	}
	free(m->branch);
	m->branch = NULL;
	m->n = 0;
}

static uint64_t hash_of(const struct member *m)
{
	uint64_t h = hash(1469598103934665603u, m->id);

	for (int i = 0; i < m->n; i++) {
		const struct branch *b = &m->branch[i];

		h = hash(hash(hash(h, b->name), b->way), b->nodes);
		h = hash(hash(h, b->since), b->why);
	}
	return hash(h, m->bad ? m->why : NULL);
}

static void settle(struct taking *t)
{
	struct member *m = t->m;

	branches_free(m);
	m->branch = t->branch;
	m->n = t->n;
	m->bad = t->bad;
	memcpy(m->why, t->why, sizeof m->why);
}

int muster_take(struct member *m, const char *p, size_t n, const char **why)
{
	struct taking t = { .m = m };
	struct json_error e;
	struct json j;
	uint64_t before = m->told;
	jv list = 0;

	*why = "its /api/nodes is no list of nodes";
	if (json_parse(&j, p, n, NODES_TEXT, 0, &e) < 0)
		return -1;
	if (json_type(&j, 0) == JSON_OBJECT)
		list = json_get(&j, 0, "nodes");
	if (list < 0 || json_type(&j, list) != JSON_ARRAY) {
		json_free(&j);
		return -1;
	}
	t.j = &j;
	t.seen = xcalloc(2 * NODES_MAX, sizeof *t.seen);
	free(m->id);
	m->id = text_of(&t, 0, "id");
	if (m->id && (!is_id(m->id) || strchr(m->id, ' ') || strlen(m->id) > MUSTER_ID)) {
		free(m->id);
		m->id = NULL;
	}
	take_entries(&t, list);
	free(t.seen);
	json_free(&j);
	settle(&t);
	m->told = hash_of(m);
	return m->told != before;
}
