/* table.c - the frontend's nodes as they are now, and their state file
 * SPDX-License-Identifier: Apache-2.0
 *
 * The state file holds only what was changed through the API, as a list of
 * what to put and what to remove, laid over the configured list at start: a
 * changed configuration still counts, and so do the changes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "proxy.h"

enum { STATE_MAX = 8 << 20 };

static struct nodes base, now, stale;
static struct leaf *leaves;
static int leaves_n;
static int *slots, slots_n;	/* name -> leaf + 1; open addressing */
static const char *state_file;
static const struct relay_limits *limits;
static void (*on_change)(void);

/* ---- copies ---- */

static char *dup_or_null(const char *s)
{
	return s ? strdup(s) : NULL;
}

static int node_copy(struct node *to, const struct node *from)
{
	*to = *from;
	to->name = dup_or_null(from->name);
	to->host = dup_or_null(from->host);
	to->port = dup_or_null(from->port);
	to->proxy_id = dup_or_null(from->proxy_id);
	if (to->name && (to->host || !from->host) && (to->port || !from->port))
		return 0;
	node_free(to);
	return -1;
}

static int append(struct proxy *p, const struct node *nd)
{
	struct node *more = realloc(p->nodes, (size_t)(p->n + 1) * sizeof *more);

	if (!more)
		return -1;
	p->nodes = more;
	p->nodes[p->n++] = *nd;
	return 0;
}

static int append_proxy(struct nodes *ns, const struct proxy *p)
{
	struct proxy *more = realloc(ns->proxies, (size_t)(ns->n + 1) * sizeof *more);

	if (!more)
		return -1;
	ns->proxies = more;
	ns->proxies[ns->n++] = *p;
	return 0;
}

static int proxy_copy(struct proxy *to, const struct proxy *from)
{
	struct node nd;

	*to = (struct proxy){ 0 };
	if (node_copy(&to->self, &from->self) < 0)
		return -1;
	for (int i = 0; i < PROXY_TEXTS; i++) {
		to->text[i] = dup_or_null(from->text[i]);
		if (!to->text[i] && from->text[i]) {
			proxy_free(to);
			return -1;
		}
	}
	for (int i = 0; i < from->n; i++) {
		if (node_copy(&nd, &from->nodes[i]) < 0 || append(to, &nd) < 0) {
			proxy_free(to);
			return -1;
		}
	}
	return 0;
}

static int nodes_copy(struct nodes *to, const struct nodes *from)
{
	struct proxy p;

	*to = (struct nodes){ 0 };
	for (int i = 0; i < from->n; i++) {
		if (proxy_copy(&p, &from->proxies[i]) < 0 ||
		    append_proxy(to, &p) < 0) {
			nodes_free(to);
			return -1;
		}
	}
	return 0;
}

/* ---- the index ---- */

static uint32_t hash(const char *p, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 16777619u;
	return h;
}

static bool is(const struct leaf *l, const char *name, size_t n)
{
	return strlen(l->node->name) == n && memcmp(l->node->name, name, n) == 0;
}

static void index_leaf(int i)
{
	const char *name = leaves[i].node->name;
	uint32_t at = hash(name, strlen(name)) & (uint32_t)(slots_n - 1);

	while (slots[at])
		at = (at + 1) & (uint32_t)(slots_n - 1);
	slots[at] = i + 1;
}

static struct origin *origin_of(const struct leaf *old, int old_n,
				const struct addr *a)
{
	for (int i = 0; i < old_n; i++)
		if (old[i].origin && addr_equal(origin_addr(old[i].origin), a))
			return origin_ref(old[i].origin);
	return origin_new(a, limits);
}

static bool local(const struct proxy *p)
{
	return strcmp(p->self.name, LOCAL_PROXY) == 0;
}

/* Leaves first, those of local_proxy before all, as lookups prefer them. */
static int fill(struct leaf *to, int at, const struct leaf *old, int old_n,
		bool locals)
{
	for (int i = 0; i < now.n; i++) {
		struct proxy *p = &now.proxies[i];

		if (local(p) != locals)
			continue;
		for (int k = 0; k < p->n; k++) {
			/* a node behind another frontend is reached through it */
			const struct addr *a = locals ? &p->nodes[k].addr
						      : &p->self.addr;

			to[at++] = (struct leaf){
				&p->nodes[k], origin_of(old, old_n, a), i, false
			};
		}
	}
	return at;
}

/* Rebuilds what is derived from `now`; old origins are used again. */
static int reindex(void)
{
	struct leaf *old = leaves, *fresh;
	int old_n = leaves_n, n = now.n, *table, cap = 16;

	for (int i = 0; i < now.n; i++)
		n += now.proxies[i].n;
	while (cap < n * 2)
		cap *= 2;
	fresh = calloc((size_t)n + 1, sizeof *fresh);
	table = calloc((size_t)cap, sizeof *table);
	if (!fresh || !table) {
		free(fresh);
		free(table);
		return -1;
	}
	n = fill(fresh, 0, old, old_n, true);
	n = fill(fresh, n, old, old_n, false);
	for (int i = 0; i < now.n; i++) {
		struct proxy *p = &now.proxies[i];

		fresh[n++] = (struct leaf){
			&p->self,
			local(p) ? NULL : origin_of(old, old_n, &p->self.addr),
			i, true
		};
	}
	free(slots);
	slots = table;
	slots_n = cap;
	leaves = fresh;
	leaves_n = n;
	for (int i = 0; i < n; i++)
		index_leaf(i);
	for (int i = 0; i < old_n; i++)
		origin_drop(old[i].origin);
	free(old);
	if (on_change)
		on_change();
	return 0;
}

const struct leaf *table_find(const char *name, size_t n)
{
	uint32_t at;

	if (!slots_n)
		return NULL;
	at = hash(name, n) & (uint32_t)(slots_n - 1);
	for (; slots[at]; at = (at + 1) & (uint32_t)(slots_n - 1))
		if (is(&leaves[slots[at] - 1], name, n))
			return &leaves[slots[at] - 1];
	return NULL;
}

const struct leaf *table_in(const char *proxy, size_t pn, const char *name, size_t n)
{
	for (int i = 0; i < leaves_n; i++) {
		const struct leaf *l = &leaves[i];
		const char *of = now.proxies[l->proxy].self.name;

		if (!l->is_proxy && strlen(of) == pn &&
		    memcmp(of, proxy, pn) == 0 && is(l, name, n))
			return l;
	}
	return NULL;
}

const struct leaf *table_proxy(const char *name, size_t n)
{
	for (int i = 0; i < leaves_n; i++)
		if (leaves[i].is_proxy && is(&leaves[i], name, n))
			return &leaves[i];
	return NULL;
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

const struct leaf *table_leaf(const char *proxy, int i)
{
	for (int k = 0; k < leaves_n; k++)
		if (!leaves[k].is_proxy &&
		    strcmp(now.proxies[leaves[k].proxy].self.name, proxy) == 0 &&
		    i-- == 0)
			return &leaves[k];
	return NULL;
}

/* ---- the state file ---- */

static int find_proxy(const struct nodes *ns, const char *name)
{
	for (int i = 0; i < ns->n; i++)
		if (strcmp(ns->proxies[i].self.name, name) == 0)
			return i;
	return -1;
}

static int find_node(const struct proxy *p, const char *name)
{
	for (int i = 0; i < p->n; i++)
		if (strcmp(p->nodes[i].name, name) == 0)
			return i;
	return -1;
}

static bool same(const struct node *a, const struct node *b)
{
	return strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0 &&
	       a->port_number == b->port_number;
}

static void remove_node(struct proxy *p, int at)
{
	node_free(&p->nodes[at]);
	memmove(p->nodes + at, p->nodes + at + 1,
		(size_t)(--p->n - at) * sizeof *p->nodes);
}

static void remove_proxy(struct nodes *ns, int at)
{
	proxy_free(&ns->proxies[at]);
	memmove(ns->proxies + at, ns->proxies + at + 1,
		(size_t)(--ns->n - at) * sizeof *ns->proxies);
}

static void row(struct buf *b, bool *first)
{
	buf_puts(b, *first ? "\n  " : ",\n  ");
	*first = false;
}

static void put_removed(struct buf *b, const char *proxy, const char *node,
			bool *first)
{
	row(b, first);
	buf_puts(b, "{\"proxy\": ");
	json_puts(b, proxy);
	buf_puts(b, ", \"name\": ");
	json_puts(b, node);
	buf_puts(b, "}");
}

static void put_put(struct buf *b, const char *proxy, const struct node *nd,
		    bool *first)
{
	row(b, first);
	buf_puts(b, "{\"proxy\": ");
	json_puts(b, proxy);
	buf_puts(b, ", \"node\": ");
	node_print(nd, b);
	buf_puts(b, "}");
}

static void print_puts(struct buf *b)
{
	bool first = true;

	for (int i = 0; i < now.n; i++) {
		const struct proxy *p = &now.proxies[i];
		int was = find_proxy(&base, p->self.name);

		if (was < 0 || !same(&p->self, &base.proxies[was].self))
			put_put(b, NULL, &p->self, &first);
		for (int k = 0; k < p->n; k++) {
			int old = was < 0 ? -1 : find_node(&base.proxies[was],
							   p->nodes[k].name);

			if (old < 0 || !same(&p->nodes[k],
					     &base.proxies[was].nodes[old]))
				put_put(b, p->self.name, &p->nodes[k], &first);
		}
	}
}

static void print_removed(struct buf *b)
{
	bool first = true;

	for (int i = 0; i < base.n; i++) {
		const struct proxy *p = &base.proxies[i];
		int is_now = find_proxy(&now, p->self.name);

		if (is_now < 0) {
			put_removed(b, NULL, p->self.name, &first);
			continue;
		}
		for (int k = 0; k < p->n; k++)
			if (find_node(&now.proxies[is_now], p->nodes[k].name) < 0)
				put_removed(b, p->self.name, p->nodes[k].name,
					    &first);
	}
}

static void print_state(struct buf *b)
{
	buf_puts(b, "{\"lmc_state\": 1, \"put\": [");
	print_puts(b);
	buf_puts(b, "\n], \"removed\": [");
	print_removed(b);
	buf_puts(b, "\n]}\n");
}

static int save(void)
{
	struct buf b = BUF(STATE_MAX);
	int rc;

	if (!state_file)
		return 0;
	print_state(&b);
	rc = b.bad ? -1 : write_file(state_file, b.p, b.len, 0600);
	if (rc < 0)
		log_event(LOG_ERROR, "state not saved", "file", state_file,
			  "reason", strerror(errno), NULL);
	buf_free(&b);
	return rc;
}

static int upsert(struct nodes *ns, const char *proxy, const struct node *nd)
{
	struct proxy made = { .self = *nd };
	struct proxy *p;
	int at, old;

	at = find_proxy(ns, proxy ? proxy : nd->name);
	if (!proxy) {
		if (at < 0)
			return append_proxy(ns, &made);
		node_free(&ns->proxies[at].self);
		ns->proxies[at].self = *nd;
		return 0;
	}
	if (at < 0)
		return -1;
	p = &ns->proxies[at];
	old = find_node(p, nd->name);
	if (old < 0)
		return append(p, nd);
	node_free(&p->nodes[old]);
	p->nodes[old] = *nd;
	return 0;
}

static int lay_put(struct nodes *ns, const struct json *j, jv v,
		   struct node_error *e)
{
	jv of = json_get(j, v, "proxy"), what = json_get(j, v, "node");
	char *proxy = json_dup(j, of);
	struct proxy p = { 0 };
	int rc;

	if (what < 0) {
		free(proxy);
		return -1;
	}
	rc = proxy ? node_parse(&p.self, j, what, e) : proxy_parse(&p, j, what, e);
	if (rc == 0 && proxy && find_proxy(ns, proxy) < 0) {
		/* the configuration of today has no such frontend */
		log_event(LOG_WARN, "node not kept, its frontend is gone",
			  "node", p.self.name, "frontend", proxy, NULL);
		node_free(&p.self);
	} else if (rc == 0 && upsert(ns, proxy, &p.self) < 0) {
		node_free(&p.self);
		rc = -1;
	}
	free(proxy);
	return rc;
}

static void lay_removed(struct nodes *ns, const struct json *j, jv v)
{
	char *proxy = json_dup(j, json_get(j, v, "proxy"));
	char *name = json_dup(j, json_get(j, v, "name"));
	int at = name ? find_proxy(ns, proxy ? proxy : name) : -1, k;

	if (at >= 0 && !proxy) {
		remove_proxy(ns, at);
	} else if (at >= 0) {
		k = find_node(&ns->proxies[at], name);
		if (k >= 0)
			remove_node(&ns->proxies[at], k);
	}
	free(proxy);
	free(name);
}

static int lay_state(struct nodes *ns, const char *text, size_t n,
		     struct node_error *e)
{
	struct json_error je;
	struct json j;
	jv list, v;
	int rc = 0;

	if (json_parse(&j, text, n, STATE_MAX, 0, &je) < 0) {
		e->line = je.line;
		e->column = je.column;
		snprintf(e->what, sizeof e->what, "%s", je.what);
		return -1;
	}
	if (json_get(&j, 0, "lmc_state") < 0) {
		snprintf(e->what, sizeof e->what, "not a state file of lmc proxy");
		rc = -1;
	}
	list = rc < 0 ? -1 : json_get(&j, 0, "removed");
	for (v = json_first(&j, list); v >= 0; v = json_next(&j, list, v))
		lay_removed(ns, &j, v);
	list = rc < 0 ? -1 : json_get(&j, 0, "put");
	for (v = json_first(&j, list); rc == 0 && v >= 0; v = json_next(&j, list, v))
		rc = lay_put(ns, &j, v, e);
	json_free(&j);
	return rc;
}

/* A damaged state file is kept under another name, and said. */
static void set_aside(const struct node_error *e)
{
	char to[4096], where[64];

	snprintf(to, sizeof to, "%s.damaged-%lld", state_file,
		 (long long)(clock_wall_ms() / 1000));
	snprintf(where, sizeof where, "%d:%d", e->line, e->column);
	if (rename(state_file, to) < 0)
		snprintf(to, sizeof to, "(%s)", strerror(errno));
	log_event(LOG_ERROR, "state file damaged, set aside", "file", state_file,
		  "kept", to, "at", where, "reason", e->what, NULL);
}

/* An empty device is no damaged file, and a pipe would be waited for. */
static char *read_state(size_t *n)
{
	struct stat st;

	if (stat(state_file, &st) == 0 && !S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : ENODEV;
		return NULL;
	}
	return read_file(state_file, STATE_MAX, n);
}

/* 0, or -1 with *why. A file that cannot be read is not ours to move. */
static int load(struct node_error *why)
{
	struct node_error e = { 0 };
	struct nodes laid;
	size_t n;
	char *text;

	if (!state_file)
		return 0;
	text = read_state(&n);
	if (!text) {
		if (errno == ENOENT)
			return 0;
		if (errno != EFBIG) {
			snprintf(why->what, sizeof why->what,
				 "unable to read the state file %s: %s",
				 state_file, strerror(errno));
			return -1;
		}
		snprintf(e.what, sizeof e.what, "%s", strerror(errno));
		set_aside(&e);
		return 0;
	}
	if (nodes_copy(&laid, &now) < 0) {
		free(text);
		return -1;
	}
	if (lay_state(&laid, text, n, &e) < 0) {
		nodes_free(&laid);
		set_aside(&e);
	} else {
		nodes_free(&now);
		now = laid;
	}
	free(text);
	return 0;
}

/* There is always a local_proxy. 0 or -1. */
static int with_local(struct nodes *ns)
{
	struct proxy p = { 0 };

	if (find_proxy(ns, LOCAL_PROXY) >= 0)
		return 0;
	p.self.name = strdup(LOCAL_PROXY);
	p.self.host = strdup("127.0.0.1");
	p.self.port = strdup("0");
	p.self.port_number = true;
	if (p.self.name && p.self.host && p.self.port && append_proxy(ns, &p) == 0)
		return 0;
	proxy_free(&p);
	return -1;
}

int table_open(struct nodes *from, const char *file,
	       const struct relay_limits *l, struct node_error *e)
{
	state_file = file;
	limits = l;
	base = *from;
	*from = (struct nodes){ 0 };
	snprintf(e->what, sizeof e->what, "out of memory");
	return with_local(&base) < 0 || nodes_copy(&now, &base) < 0 ||
	       load(e) < 0 || reindex() < 0 ? -1 : 0;
}

/* What the API changed is told from the old base as save() would, and laid
 * over the new one. */
int table_rebase(struct nodes *from, struct node_error *e)
{
	struct buf b = BUF(STATE_MAX);
	struct nodes laid = { 0 };
	int rc = -1;

	snprintf(e->what, sizeof e->what, "out of memory");
	print_state(&b);
	if (!b.bad && with_local(from) == 0 && nodes_copy(&laid, from) == 0)
		rc = lay_state(&laid, b.p, b.len, e);
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
	rc = reindex();
	nodes_free(&stale);
	return rc;
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
	struct node *self = &now.proxies[find_proxy(&now, LOCAL_PROXY)].self;
	char port[12], *host = strdup(a->host), *text;

	snprintf(port, sizeof port, "%d", a->port);
	text = strdup(a->kind == ADDR_UNIX ? a->host : port);
	if (!host || !text) {
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
	if (reindex() < 0)
		return refuse(status, why, 503, "out of memory");
	if (save() < 0)
		return refuse(status, why, 500,
			      "changed, but the state file could not be written");
	return 0;
}

int table_add_node(const char *proxy, struct node *nd, int *status, const char **why)
{
	int at = find_proxy(&now, proxy);

	if (at < 0)
		return refuse(status, why, 404, "Proxy not found");
	if (find_node(&now.proxies[at], nd->name) >= 0)
		return refuse(status, why, 409, "Node with this name already exists");
	if (table_leaves() >= NODES_MAX)
		return refuse(status, why, 409, "too many nodes");
	if (append(&now.proxies[at], nd) < 0)
		return refuse(status, why, 503, "out of memory");
	*nd = (struct node){ 0 };
	return changed(status, why);
}

int table_add_proxy(struct proxy *p, int *status, const char **why)
{
	if (find_proxy(&now, p->self.name) >= 0)
		return refuse(status, why, 409, "Proxy with this name already exists");
	if (now.n >= PROXIES_MAX || table_leaves() + p->n > NODES_MAX)
		return refuse(status, why, 409, "too many nodes");
	if (append_proxy(&now, p) < 0)
		return refuse(status, why, 503, "out of memory");
	*p = (struct proxy){ 0 };
	return changed(status, why);
}

/* The node of this name: its frontend's index, and its own or -1 when it is
 * the frontend itself. */
static int locate(const char *name, int *proxy, int *node)
{
	const struct leaf *l = table_find(name, strlen(name));

	if (!l)
		return -1;
	*proxy = l->proxy;
	*node = l->is_proxy ? -1 : (int)(l->node - now.proxies[l->proxy].nodes);
	return 0;
}

int table_replace(const char *name, struct node *nd, int *status, const char **why)
{
	struct node *old;
	int proxy, node, taken;

	if (locate(name, &proxy, &node) < 0)
		return refuse(status, why, 404, "Node not found");
	taken = node < 0 ? find_proxy(&now, nd->name)
			 : find_node(&now.proxies[proxy], nd->name);
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

	if (locate(name, &proxy, &node) < 0)
		return refuse(status, why, 404, "Node not found");
	if (node >= 0)
		remove_node(&now.proxies[proxy], node);
	else if (local(&now.proxies[proxy]))
		return refuse(status, why, 409, "local_proxy is this frontend itself");
	else
		remove_proxy(&now, proxy);
	return changed(status, why);
}
