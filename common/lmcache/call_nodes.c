/* call_nodes.c - which nodes the options mean
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "call_token.h"
#include "die.h"
#include "file.h"
#include "muster.h"
#include "source.h"

enum { WHERE = 400 };

static char *token_line;
static const char *token_from;	/* the file it was read from */

const char *call_token(void)
{
	return token_line;
}

static int wrong(struct call_error *e, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int wrong(struct call_error *e, int status, const char *fmt, ...)
{
	va_list ap;

	e->exit = status;
	va_start(ap, fmt);
	vsnprintf(e->what, sizeof e->what, fmt, ap);
	va_end(ap);
	return -1;
}

char *call_bearer(const char *path, struct call_error *e)
{
	size_t n, i;
	char *text = read_file(path, CALL_TOKEN, &n), *line = NULL;

	if (!text) {
		wrong(e, EXIT_USAGE, "unable to read the token %s: %s",
		      safe(path, strlen(path)), strerror(errno));
		return NULL;
	}
	while (n && isspace((unsigned char)text[n - 1]))
		text[--n] = '\0';
	for (i = 0; i < n && text[i] > ' ' && text[i] < 0x7f; i++)
		;
	if (n && i == n) {
		line = xmalloc(n + sizeof "Authorization: Bearer ");
		snprintf(line, n + sizeof "Authorization: Bearer ",
			 "Authorization: Bearer %s", text);
	} else {
		wrong(e, EXIT_USAGE, "%s has no token: one word of "
		      "printable characters", safe(path, strlen(path)));
	}
	free(text);
	return line;
}

int call_read_token(struct call_error *e)
{
	const char *path = call_o.token_file;

	if (path == token_from)
		return 0;
	free(token_line);
	token_line = path ? call_bearer(path, e) : NULL;
	token_from = path;
	return path && !token_line ? -1 : 0;
}

/* --- making nodes ---------------------------------------------------------------- */

static char *where_of(const struct addr *a)
{
	struct buf b = BUF(WHERE);

	if (a->kind == ADDR_UNIX)
		return xstrdup(a->host);
	if (a->tls)
		buf_puts(&b, "https://");
	addr_print(a, &b);
	return b.p ? b.p : xstrdup("");
}

static struct call_node *add(struct call_nodes *ns, const char *name,
			     const struct addr *a)
{
	struct call_node *n;

	ns->node = xrealloc(ns->node, (size_t)(ns->n + 1) * sizeof *ns->node);
	n = &ns->node[ns->n];
	*n = (struct call_node){
		.name = xstrdup(name), .addr = *a, .gens = GEN_ALL,
		.prefix = xstrdup(""), .index = ns->n++,
	};
	n->where = where_of(a);
	return n;
}

void call_nodes_free(struct call_nodes *ns)
{
	for (int i = 0; i < ns->n; i++) {
		free(ns->node[i].name);
		free(ns->node[i].where);
		free(ns->node[i].prefix);
		free(ns->node[i].frontend);
	}
	free(ns->node);
	free(ns->lacks);
	*ns = (struct call_nodes){ 0 };
}

static void put_step(struct buf *b, const char *name, size_t n)
{
	buf_puts(b, "/proxy2/");
	url_encode(b, name, n);
}

/* A node behind the frontend at `via`, on which prefix leads to its frontend. */
static void add_behind(struct call_nodes *ns, const char *before, const char *name,
		       const struct addr *via)
{
	struct buf prefix = BUF(CALL_PATH), where = BUF(WHERE);
	struct call_node *n = add(ns, name, via);

	buf_puts(&prefix, before);
	put_step(&prefix, name, strlen(name));
	buf_printf(&where, "via %s%s", via->kind == ADDR_TCP && !via->tls ?
		   "http://" : "", n->where);
	free(n->prefix);
	free(n->where);
	n->prefix = prefix.p;
	n->where = where.p;
	n->via = true;
}

/* Where two frontends have a node of one name, both are called PROXY/NAME. */
static bool is_double(const struct nodes *ns, int p, const char *name)
{
	int i, k;

	for (i = 0; i < ns->n; i++)
		for (k = 0; i != p && k < ns->proxies[i].n; k++)
			if (!strcmp(ns->proxies[i].nodes[k].name, name))
				return true;
	return false;
}

static void rename_double(struct call_node *n, const char *proxy)
{
	size_t len = strlen(proxy) + strlen(n->name) + 2;
	char *name = xmalloc(len);

	snprintf(name, len, "%s/%s", proxy, n->name);
	free(n->name);
	n->name = name;
}

/* By the name of its frontend, unless that is the one we go through. */
static void add_via_proxy(struct call_nodes *out, const char *proxy, const char *name,
			  const struct addr *via)
{
	struct buf step = BUF(CALL_PATH);

	if (proxy)
		put_step(&step, proxy, strlen(proxy));
	add_behind(out, step.p ? step.p : "", name, via);
	buf_free(&step);
}

/* via NULL: every node at its own address, or as a registry's list says. */
static void take(struct call_nodes *out, const struct nodes *ns,
		 const struct addr *via)
{
	const struct proxy *p;
	const struct node *nd;
	bool own, twice;
	int i, k;

	for (i = 0; i < ns->n; i++) {
		p = &ns->proxies[i];
		own = !strcmp(p->self.name, LOCAL_PROXY);
		for (k = 0; k < p->n; k++) {
			nd = &p->nodes[k];
			twice = is_double(ns, i, nd->name);
			if (via)
				add_via_proxy(out, own && !twice ? NULL : p->self.name,
					      nd->name, via);
			else if (p->text[PROXY_PREFIX])
				add_behind(out, p->text[PROXY_PREFIX], nd->name,
					   &p->self.addr);
			else if (nd->addr.kind != ADDR_NONE)
				add(out, nd->name, &nd->addr);
			else
				continue;
			out->node[out->n - 1].frontend = own ? NULL : xstrdup(p->self.name);
			if (twice)
				rename_double(&out->node[out->n - 1],
					      p->self.name);
		}
	}
}

/* --- lists from a URL ------------------------------------------------------------- */

struct place {
	struct addr addr;
	char       *path;	/* "" when the URL has none */
};

static bool is_url(const char *s)
{
	return !strncmp(s, "http://", 7) || !strncmp(s, "https://", 8) ||
	       !strncmp(s, "unix:", 5);
}

static int place_of(const char *url, const char *option, struct place *p,
		    struct call_error *e)
{
	const char *rest = strstr(url, "://"), *slash = NULL, *why;
	char *host;
	int rc;

	if (rest && strncmp(url, "unix:", 5))
		slash = strchr(rest + 3, '/');
	host = slash ? xstrndup(url, (size_t)(slash - url)) : xstrdup(url);
	rc = addr_parse(&p->addr, host, 80, &why);
	free(host);
	if (rc < 0)
		return wrong(e, EXIT_USAGE, "%s: %s: %s", option,
			     safe(url, strlen(url)), why);
	p->path = xstrdup(slash && slash[1] ? slash : "");
	return 0;
}

int call_via(struct addr *a, struct call_error *e)
{
	struct place p;

	if (place_of(call_o.via, "--via", &p, e) < 0)
		return -1;
	*a = p.addr;
	free(p.path);
	return 0;
}

static bool fetched;

/* Others' requests may be under way on the same client: nobody waits for them. */
static void kept(struct call *c)
{
	(void)c;
	fetched = true;
	client_break(call_client());
}

/* GET path: an answer, or -1 with *e; *status tells 404 from the rest. */
static int fetch(struct call *c, const struct place *p, const char *path,
		 struct call_error *e)
{
	static struct call_node at;
	static struct way way[2];

	at = (struct call_node){ .addr = p->addr, .gens = GEN_ALL,
				 .via = true, .prefix = (char *)"" };
	at.name = at.where = where_of(&p->addr);
	way[0] = (struct way){ GEN_ALL, "GET", path, WAY_ANY };
	*c = (struct call){ .node = &at, .ways = way, .done = kept,
			    .flags = CALL_JSON | CALL_PLAIN404,
			    .max = NODES_TEXT };
	fetched = false;
	call_start(c);
	while (!fetched)
		call_run(-1);
	free(at.where);
	return c->exit == EXIT_OK ? 0 : wrong(e, c->exit, "%s", c->error);
}

/* A registry's: infos, instances, or frontends without their nodes. */
static bool is_registry(const struct json *j)
{
	jv list = json_get(j, 0, "nodes"), v, c;

	for (v = json_first(j, list); v >= 0; v = json_next(j, list, v)) {
		c = json_get(j, v, "children");
		if (c < 0)
			c = json_get(j, v, "nodes");
		if (json_first(j, c) < 0 &&
		    (c >= 0 || json_true(j, json_get(j, v, "is_proxy"))) &&
		    !json_is(j, json_get(j, v, "name"), LOCAL_PROXY))
			return true;
	}
	return json_get(j, 0, "processInfos") >= 0 || json_get(j, 0, "instances") >= 0;
}

static int from_frontend(struct call_nodes *out, struct call *c,
			 const struct addr *via, struct call_error *e)
{
	struct node_error ne;
	struct nodes ns;

	if (nodes_parse(&ns, c->answer.p, c->answer.len, &ne) < 0)
		return wrong(e, EXIT_NO, "the list of nodes: %s", ne.what);
	take(out, &ns, via);
	nodes_free(&ns);
	return 0;
}

/* Nobody knows which nodes they have. */
static void note_silent(struct call_nodes *out, const struct nodes *ns)
{
	struct buf b = BUF(WHERE + SUPPLY_WHY);
	const struct proxy *p, *first = NULL;
	const char *why;
	int n = 0;

	for (int i = 0; i < ns->n; i++) {
		p = &ns->proxies[i];
		if (p->text[PROXY_STALE] && !n++)
			first = p;
	}
	if (!first)
		return;
	why = first->text[PROXY_WHY] ? first->text[PROXY_WHY] : "";
	if (n > 1)
		buf_printf(&b, "%d frontends do not answer, the first: ", n);
	buf_printf(&b, "%s: %s", safe(first->self.name, strlen(first->self.name)),
		   safe(why, strlen(why)));
	out->lacks = b.p;
}

/* Whatever muster.h knows to ask. */
static int from_registry(struct call_nodes *out, const char *spec, struct call_error *e)
{
	const char *headers[] = { call_token(), NULL }, *why;
	struct muster_conf conf = {
		.client = call_client(), .interval = call_o.timeout,
		.timeout = call_o.timeout, .headers = headers, .once = true
	};
	struct muster *m = muster_new(&conf);
	struct buf list = BUF(MUSTER_JSON);
	struct node_error ne;
	struct nodes ns;
	int rc;

	if (muster_add(m, spec, &why) < 0)
		rc = wrong(e, EXIT_USAGE, "%s: %s", safe(spec, strlen(spec)), why);
	else {
		while (!muster_left_out(m) && !muster_turn(m))
			;
		rc = muster_failed(m, &why) ? wrong(e, EXIT_REACH, "%s: %s",
						    safe(spec, strlen(spec)), why) :
		     muster_print(m, &list) < 0 || muster_left_out(m) ||
		     nodes_parse(&ns, list.p, list.len, &ne) < 0 ?
		     wrong(e, EXIT_NO, "%s: its list is too large: " MUSTER_LIMITS,
			   safe(spec, strlen(spec))) : 0;
	}
	if (!rc) {
		take(out, &ns, NULL);
		note_silent(out, &ns);
		nodes_free(&ns);
	}
	buf_free(&list);
	muster_free(m);
	return rc;
}

static int from_url(struct call_nodes *out, const char *url, bool through,
		    struct call_error *e)
{
	const char *option = through ? "--via" : call_o.list ? "--nodes" : "$LMC_NODES";
	struct place p;
	struct call c;
	int rc;

	if (call_read_token(e) < 0 || place_of(url, option, &p, e) < 0)
		return -1;
	rc = fetch(&c, &p, *p.path && !through ? p.path : "/api/nodes", e);
	if (rc)
		rc = !through && c.status == 404 && !*p.path ? 1 : -1;
	else if (!through && is_registry(&c.json))
		rc = 1;
	else
		rc = from_frontend(out, &c, through ? &p.addr : NULL, e);
	if (rc == 1)
		rc = from_registry(out, url, e);
	call_free(&c);
	free(p.path);
	return rc;
}

/* --- what the options mean ----------------------------------------------------------- */

static int from_source(struct call_nodes *out, struct call_error *e)
{
	struct source s = { .nodes = call_o.list };
	struct node_error ne;
	const char *from;
	struct nodes ns;

	if (source_nodes(&ns, &s, &from, &ne) < 0)
		return wrong(e, EXIT_USAGE, "%s", ne.what);
	take(out, &ns, NULL);
	nodes_free(&ns);
	return 0;
}

int call_known(struct call_nodes *out, struct call_error *e)
{
	const char *list = call_o.list ? call_o.list : getenv("LMC_NODES");

	*out = (struct call_nodes){ 0 };
	if (call_o.via)
		return from_url(out, call_o.via, true, e);
	if (list && is_url(list))
		return from_url(out, list, false, e);
	if (list && supply_is(list))
		return call_read_token(e) < 0 ? -1 : from_registry(out, list, e);
	return from_source(out, e);
}

/* "FRONTEND/NODE" is right whether or not it is needed. */
static bool is_named(const struct call_node *n, const char *name)
{
	size_t of = n->frontend ? strlen(n->frontend) : 0;

	return !strcmp(n->name, name) ||
	       (of && !strncmp(name, n->frontend, of) && name[of] == '/' &&
		!strcmp(name + of + 1, n->name));
}

/* The node of that name, or the only one whose name ends in "_NAME". */
static const struct call_node *find(const struct call_nodes *ns,
				    const char *name, bool *many)
{
	const struct call_node *found = NULL;
	size_t n = strlen(name), m;
	int i;

	*many = false;
	for (i = 0; i < ns->n; i++)
		if (is_named(&ns->node[i], name))
			return &ns->node[i];
	for (i = 0; i < ns->n; i++) {
		m = strlen(ns->node[i].name);
		if (m <= n || ns->node[i].name[m - n - 1] != '_' ||
		    strcmp(ns->node[i].name + m - n, name))
			continue;
		*many = found != NULL;
		found = &ns->node[i];
	}
	return *many ? NULL : found;
}

static int add_known(struct call_nodes *out, struct call_nodes *known,
		     const char *name, struct call_error *e)
{
	const struct call_node *n;
	bool many;

	if (!known->n && call_known(known, e) < 0)
		return -1;
	n = find(known, name, &many);
	if (!n)
		return wrong(e, EXIT_USAGE, "%s named %s; see lmc nodes",
			     many ? "more than one node is" : "no node is",
			     safe(name, strlen(name)));
	out->node = xrealloc(out->node, (size_t)(out->n + 1) * sizeof *n);
	out->node[out->n] = *n;
	out->node[out->n].index = out->n;
	out->n++;
	return 0;
}

/* "NAME", or "PROXY/NAME" where PROXY may stand behind another one, without
 * asking the frontend for its list. */
static int add_via(struct call_nodes *out, const char *name, struct call_error *e)
{
	const char *slash = strrchr(name, '/');
	char *proxy = slash ? xstrndup(name, (size_t)(slash - name)) : NULL;
	struct addr via;

	if (call_read_token(e) < 0 || call_via(&via, e) < 0)
		return -1;
	add_via_proxy(out, proxy, slash ? slash + 1 : name, &via);
	free(proxy);
	return 0;
}

static int add_named(struct call_nodes *out, struct call_nodes *known,
		     const char *name, struct call_error *e)
{
	const char *why;
	struct addr a;

	if (!*name)
		return wrong(e, EXIT_USAGE, "--node: an empty name");
	if (call_o.via)
		return add_via(out, name, e);
	if (addr_parse(&a, name, -1, &why) == 0) {
		add(out, name, &a);
		return 0;
	}
	if (*name == '/' || strstr(name, "://") || !strncmp(name, "unix:", 5))
		return wrong(e, EXIT_USAGE, "--node: %s: %s",
			     safe(name, strlen(name)), why);
	return add_known(out, known, name, e);
}

static int no_nodes(struct call_error *e, const char *lacks)
{
	if (lacks)
		return wrong(e, EXIT_REACH, "no node is known: %s", lacks);
	if (call_o.via || call_o.list || getenv("LMC_NODES"))
		return wrong(e, EXIT_USAGE, "no node is known: %s names none; name one with -n "
			     "(a socket's path or HOST:PORT)", call_o.via ? "the frontend" : "the list");
	return wrong(e, EXIT_USAGE, "no node is known: name one with -n "
		     "(a socket's path or HOST:PORT), or give a list with "
		     "--nodes or $LMC_NODES; nothing listens at %s*",
		     SOURCE_SOCKETS);
}

int call_resolve(struct call_nodes *out, bool changes, struct call_error *e)
{
	struct call_nodes known = { 0 };
	int i;

	*out = (struct call_nodes){ 0 };
	if (call_o.all && call_o.nodes.n)
		return wrong(e, EXIT_USAGE, "-a means all nodes: -n does not go with it");
	for (i = 0; i < call_o.nodes.n; i++)
		if (add_named(out, &known, call_o.nodes.v[i], e) < 0)
			return -1;
	if (out->n)
		return 0;
	if (call_known(out, e) < 0)
		return -1;
	if (!out->n)
		return no_nodes(e, out->lacks);
	if (changes && out->n > 1 && !call_o.all)
		return wrong(e, EXIT_USAGE, "%d nodes are known: name those to "
			     "change with -n, or take all with -a", out->n);
	return 0;
}
