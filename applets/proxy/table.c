/* table.c - the frontend's nodes as they are now
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "proxy.h"
#include "table.h"

static struct nodes base, now, stale;
static struct addr listening;	/* local_proxy's address */
static bool edited;		/* through the API, now or before this start */
static struct leaf *leaves;
static int leaves_n;
/* Open addressing, slots_n of each: leaf + 1 by its name, and by its frontend's
 * name and its own; of origins used once already, the leaf + 1 by address. */
static int *slots, *pairs, *places, slots_n;
static const char *state_file;
static const struct relay_limits *limits;
static void (*on_change)(void);

/* ---- the index ---- */

static uint32_t hash(const char *p, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 16777619u;
	return h;
}

static bool is(const char *text, const char *name, size_t n)
{
	return strlen(text) == n && memcmp(text, name, n) == 0;
}

static const char *frontend(const struct leaf *l)
{
	return l->is_proxy ? "" : now.proxies[l->proxy].self.name;
}

static uint32_t slot_after(uint32_t at)
{
	return (at + 1) & (uint32_t)(slots_n - 1);
}

static uint32_t slot_of(uint32_t hash)
{
	return (hash ^ hash >> 16) & (uint32_t)(slots_n - 1);
}

static uint32_t pair_hash(const char *proxy, size_t pn, const char *name, size_t n)
{
	return hash(proxy, pn) * 31 + hash(name, n);
}

/* The first of a name stays first, as lookups prefer it; all of them know. */
static void index_leaf(int i)
{
	const char *name = leaves[i].node->name, *of = frontend(&leaves[i]);
	size_t n = strlen(name);
	uint32_t at = slot_of(hash(name, n));

	for (; slots[at]; at = slot_after(at))
		if (is(leaves[slots[at] - 1].node->name, name, n))
			break;
	if (slots[at])
		leaves[i].doubled = leaves[slots[at] - 1].doubled = true;
	else
		slots[at] = i + 1;
	at = slot_of(pair_hash(of, strlen(of), name, n));
	while (pairs[at])
		at = slot_after(at);
	pairs[at] = i + 1;
}

/* Leaf i gets the origin of its address: what was in use stays in use. */
static void place_leaf(struct leaf *in, int i, const struct addr *a)
{
	uint32_t at = slot_of(hash(a->host, strlen(a->host)) + (uint32_t)a->port);

	while (places[at] && !addr_equal(origin_addr(in[places[at] - 1].origin), a))
		at = slot_after(at);
	if (!places[at]) {
		if (!in[i].origin)
			in[i].origin = origin_new(a, limits);
		places[at] = i + 1;
	} else if (!in[i].origin) {
		in[i].origin = origin_ref(in[places[at] - 1].origin);
	}
}

static bool local(const struct proxy *p)
{
	return strcmp(p->self.name, LOCAL_PROXY) == 0;
}

/* Leaves first, those of local_proxy before all; then the frontends. */
static int fill(struct leaf *to, int at, bool locals)
{
	for (int i = 0; i < now.n; i++) {
		struct proxy *p = &now.proxies[i];

		if (local(p) != locals)
			continue;
		for (int k = 0; k < p->n; k++)
			to[at++] = (struct leaf){ .node = &p->nodes[k], .proxy = i };
	}
	return at;
}

/* The old ones have their places first, so that they are used again. */
static void give_origins(struct leaf *old, int old_n)
{
	struct leaf *all = xcalloc((size_t)(old_n + leaves_n) + 1, sizeof *all);

	if (old_n)
		memcpy(all, old, (size_t)old_n * sizeof *all);
	for (int i = 0; i < old_n; i++)
		if (all[i].origin)
			place_leaf(all, i, origin_addr(all[i].origin));
	for (int i = 0; i < leaves_n; i++) {
		const struct proxy *p = &now.proxies[leaves[i].proxy];

		/* a node behind another frontend is reached through it */
		if (!local(p))
			place_leaf(all, old_n + i, &p->self.addr);
		else if (!leaves[i].is_proxy)
			place_leaf(all, old_n + i, &leaves[i].node->addr);
		leaves[i].origin = all[old_n + i].origin;
	}
	free(all);
}

/* Rebuilds what is derived from `now`; old origins are used again. */
static void reindex(void)
{
	struct leaf *old = leaves, *fresh;
	int old_n = leaves_n, n = now.n, *table, cap = 16;

	for (int i = 0; i < now.n; i++)
		n += now.proxies[i].n;
	while (cap < (n + old_n) * 2)
		cap *= 2;
	fresh = xcalloc((size_t)n + 1, sizeof *fresh);
	table = xcalloc((size_t)cap, 3 * sizeof *table);
	n = fill(fresh, fill(fresh, 0, true), false);
	for (int i = 0; i < now.n; i++)
		fresh[n++] = (struct leaf){ .node = &now.proxies[i].self, .proxy = i,
					    .is_proxy = true };
	free(slots);
	slots = table;
	pairs = table + cap;
	places = table + 2 * cap;
	slots_n = cap;
	leaves = fresh;
	leaves_n = n;
	for (int i = 0; i < n; i++)
		index_leaf(i);
	give_origins(old, old_n);
	for (int i = 0; i < old_n; i++)
		origin_drop(old[i].origin);
	free(old);
	if (on_change)
		on_change();
}

const struct leaf *table_find(const char *name, size_t n)
{
	uint32_t at;

	if (!slots_n)
		return NULL;
	for (at = slot_of(hash(name, n)); slots[at]; at = slot_after(at))
		if (is(leaves[slots[at] - 1].node->name, name, n))
			return &leaves[slots[at] - 1];
	return NULL;
}

const struct leaf *table_in(const char *proxy, size_t pn, const char *name, size_t n)
{
	uint32_t at;

	if (!slots_n)
		return NULL;
	for (at = slot_of(pair_hash(proxy, pn, name, n)); pairs[at]; at = slot_after(at)) {
		const struct leaf *l = &leaves[pairs[at] - 1];

		if (is(l->node->name, name, n) && is(frontend(l), proxy, pn))
			return l;
	}
	return NULL;
}

const struct leaf *table_proxy(const char *name, size_t n)
{
	return table_in("", 0, name, n);
}

void table_who(const struct leaf *l, struct buf *b)
{
	if (!l->is_proxy)
		buf_printf(b, "%s/", frontend(l));
	buf_puts(b, l->node->name);
}

void table_path(const struct leaf *l, struct buf *b)
{
	const struct proxy *p = &now.proxies[l->proxy];
	const char *prefix = p->text[PROXY_PREFIX];

	if (local(p))
		return;
	/* its own nodes stand behind local_proxy there, itself does not */
	if (prefix && !(l->is_proxy && strcmp(prefix, "/proxy2/" LOCAL_PROXY) == 0))
		buf_puts(b, prefix);
	if (l->is_proxy)
		return;
	buf_puts(b, "/proxy2/");
	url_encode(b, l->node->name, strlen(l->node->name));
}

const struct leaf *table_at(const char *host, const char *port)
{
	bool path = strchr(port, '/') != NULL;

	for (int i = 0; i < leaves_n; i++) {
		const struct node *nd = leaves[i].node;

		if (leaves[i].origin && strcmp(nd->port, port) == 0 &&
		    (path || strcmp(nd->host, host) == 0) &&
		    (leaves[i].is_proxy || local(&now.proxies[leaves[i].proxy])))
			return &leaves[i];
	}
	return NULL;
}

const struct nodes *table_nodes(void)
{
	return &now;
}

int table_leaves(void)
{
	int n = 0;

	for (int i = 0; i < leaves_n; i++)
		n += !leaves[i].is_proxy;
	return n;
}

/* There is always a local_proxy. 0 or -1. */
static int with_local(struct nodes *ns, struct node_error *e)
{
	struct proxy p = { 0 };

	if (nodes_find(ns, LOCAL_PROXY) >= 0)
		return 0;
	if (nodes_self(&p.self, e) == 0 && list_add_proxy(ns, &p) == 0)
		return 0;
	proxy_free(&p);
	return -1;
}

int table_open(struct nodes *from, const char *file,
	       const struct relay_limits *l, struct node_error *e)
{
	state_file = file;
	edited = file != NULL;
	limits = l;
	base = *from;
	*from = (struct nodes){ 0 };
	snprintf(e->what, sizeof e->what, "out of memory");
	if (with_local(&base, e) < 0 || nodes_copy(&now, &base) < 0 ||
	    state_load(file, &now, e) < 0)
		return -1;
	reindex();
	return 0;
}

/* What the API changed is told from the old base as it is saved, and laid
 * over the new one. */
int table_rebase(struct nodes *from, struct node_error *e)
{
	struct buf b = BUF(TABLE_STATE);
	struct nodes laid = { 0 };
	int rc = -1;

	snprintf(e->what, sizeof e->what, "out of memory");
	if (edited)
		state_print(&b, &base, &now);
	if (!b.bad && with_local(from, e) == 0 && nodes_copy(&laid, from) == 0)
		rc = edited ? state_lay(&laid, b.p, b.len, e) : 0;
	buf_free(&b);
	if (rc < 0) {
		nodes_free(&laid);
		return -1;
	}
	nodes_free(&base);
	base = *from;
	*from = (struct nodes){ 0 };
	stale = now;
	now = laid;
	reindex();
	nodes_free(&stale);
	table_self(&listening);
	return 0;
}

void table_on_change(void (*on)(void))
{
	on_change = on;
}

const struct leaf *table_any(int i)
{
	return i < leaves_n ? &leaves[i] : NULL;
}

void table_self(const struct addr *a)
{
	struct node *self = &now.proxies[nodes_find(&now, LOCAL_PROXY)].self;
	char port[12], *host = strdup(a->host), *text;

	listening = *a;
	snprintf(port, sizeof port, "%d", a->port);
	text = strdup(a->kind == ADDR_UNIX ? a->host : port);
	if (!host || !text || a->kind == ADDR_NONE) {
		free(host);
		free(text);
		return;
	}
	free(self->host);
	free(self->port);
	self->host = host;
	self->port = text;
	self->port_number = a->kind == ADDR_TCP;
}

/* ---- changes ---- */

static int refuse(int *status, const char **why, int code, const char *text)
{
	*status = code;
	*why = text;
	return -1;
}

static int changed(int *status, const char **why)
{
	edited = true;
	reindex();
	if (state_save(state_file, &base, &now) < 0)
		return refuse(status, why, 500,
			      "changed, but the state file could not be written");
	return 0;
}

int table_add_node(const char *proxy, struct node *nd, int *status, const char **why)
{
	int at = nodes_find(&now, proxy);

	if (at < 0)
		return refuse(status, why, 404, "Proxy not found");
	if (list_node(&now.proxies[at], nd->name) >= 0)
		return refuse(status, why, 409, "Node with this name already exists");
	if (table_leaves() >= NODES_MAX)
		return refuse(status, why, 409, "too many nodes");
	if (list_add(&now.proxies[at], nd) < 0)
		return refuse(status, why, 503, "out of memory");
	*nd = (struct node){ 0 };
	return changed(status, why);
}

int table_add_proxy(struct proxy *p, int *status, const char **why)
{
	if (nodes_find(&now, p->self.name) >= 0)
		return refuse(status, why, 409, "Proxy with this name already exists");
	if (now.n >= PROXIES_MAX || table_leaves() + p->n > NODES_MAX)
		return refuse(status, why, 409, "too many nodes");
	if (list_add_proxy(&now, p) < 0)
		return refuse(status, why, 503, "out of memory");
	*p = (struct proxy){ 0 };
	return changed(status, why);
}

/* The node of this name: its frontend's index, and its own or -1 when it is
 * the frontend itself. */
static int locate(const char *name, int *proxy, int *node, int *status, const char **why)
{
	const struct leaf *l = table_find(name, strlen(name));

	if (!l)
		return refuse(status, why, 404, "Node not found");
	if (l->doubled)
		return refuse(status, why, 409, "more than one node has this name");
	*proxy = l->proxy;
	*node = l->is_proxy ? -1 : (int)(l->node - now.proxies[l->proxy].nodes);
	return 0;
}

int table_replace(const char *name, struct node *nd, int *status, const char **why)
{
	struct node *old;
	int proxy, node, taken;

	if (locate(name, &proxy, &node, status, why) < 0)
		return -1;
	taken = node < 0 ? nodes_find(&now, nd->name)
			 : list_node(&now.proxies[proxy], nd->name);
	if (taken >= 0 && taken != (node < 0 ? proxy : node))
		return refuse(status, why, 409, "Node with this name already exists");
	if (node < 0 && local(&now.proxies[proxy]))
		return refuse(status, why, 409, "local_proxy is this frontend itself");
	old = node < 0 ? &now.proxies[proxy].self : &now.proxies[proxy].nodes[node];
	node_free(old);
	*old = *nd;
	*nd = (struct node){ 0 };
	return changed(status, why);
}

int table_delete(const char *name, int *status, const char **why)
{
	int proxy, node;

	if (locate(name, &proxy, &node, status, why) < 0)
		return -1;
	if (node >= 0)
		list_remove(&now.proxies[proxy], node);
	else if (local(&now.proxies[proxy]))
		return refuse(status, why, 409, "local_proxy is this frontend itself");
	else
		list_remove_proxy(&now, proxy);
	return changed(status, why);
}
