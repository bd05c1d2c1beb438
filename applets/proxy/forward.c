/* forward.c - from /proxy2/NAME/PATH and /proxy/HOST/PORT/PATH to a node
 * SPDX-License-Identifier: Apache-2.0
 *
 * The name is decoded once; the path behind it goes on byte for byte. The
 * role is judged on that path, decoded once.
 */
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "proxy.h"

enum {
	PATH_MAX_BYTES = HTTP_HEAD_MAX,
	LOCATION_MAX   = 900		/* reply_header takes 1 KiB in all */
};

/* The target behind the first n segments, from its '/': what is sent on. p is
 * NULL when there is no '/' behind them. */
static struct span rest_of(const struct exchange *x, int n)
{
	struct span t = x->req->target;
	const char *end = t.p + x->req->path.n, *p = t.p;

	for (int seen = 0; p < end; p++)
		if (*p == '/' && seen++ == n)
			return (struct span){ p, (size_t)(t.p + t.n - p) };
	return (struct span){ 0 };
}

/* "/proxy2/name" without a path: the client is sent to "/proxy2/name/". */
static void add_slash(struct exchange *x)
{
	const struct span *path = &x->req->path, *q = &x->req->query;

	if (x->req->target.n > LOCATION_MAX) {
		reply_detail(x, 414, "the path lacks a / behind the name, and is "
			     "too long to be sent there");
		return;
	}
	reply_header(x, "Location: %.*s/%s%.*s", (int)path->n, path->p,
		     q->p ? "?" : "", (int)q->n, q->p ? q->p : "");
	reply(x, 307, NULL, "", 0);
}

/* Some servers decode it before they split the path, some behind that. */
static bool encoded_slash(const char *p, size_t n)
{
	for (size_t i = 0; i + 2 < n; i++)
		if (p[i] == '%' && p[i + 1] == '2' && (p[i + 2] | 32) == 'f')
			return true;
	return false;
}

/* Judges and sends. rest begins with '/'. */
static void send_to(struct exchange *x, struct origin *o, struct span rest)
{
	static char decoded[PATH_MAX_BYTES];
	size_t path_n = rest.n - (x->req->query.p ? x->req->query.n + 1 : 0);
	long n = path_n <= sizeof decoded ? url_decode(rest.p, path_n, decoded) : -1;

	if (n < 0) {
		reply_detail(x, 400, "bad percent-encoding in the path");
		return;
	}
	/* who may do everything need not be judged by the path */
	if (routes_unlimited(x) ||
	    routes_allow(x, encoded_slash(rest.p, path_n) ? ADMIN :
			 node_role(x->method, decoded, (size_t)n, x->req->query)))
		relay(x, o, rest);
}

/* A node that stands behind another frontend: its path there + rest. */
static void send_through(struct exchange *x, const struct leaf *l, struct span rest)
{
	static char target[HTTP_HEAD_MAX];
	struct buf b = BUF(HTTP_HEAD_MAX);

	table_path(l, &b);
	buf_add(&b, rest.p, rest.n);
	if (b.bad) {
		reply_detail(x, 414, "the target is too long");
		buf_free(&b);
		return;
	}
	memcpy(target, b.p, b.len);
	rest = (struct span){ target, b.len };
	buf_free(&b);
	send_to(x, l->origin, rest);
}

static void send_leaf(struct exchange *x, const struct leaf *l, struct span rest)
{
	access_node(x, l->node->name);
	if (!rest.p)
		add_slash(x);
	else if (strcmp(table_nodes()->proxies[l->proxy].self.name, LOCAL_PROXY) == 0)
		send_to(x, l->origin, rest);
	else
		send_through(x, l, rest);
}

static void unknown(struct exchange *x, const char *name)
{
	reply_detail(x, 404, "Node with name '%s' not found", name);
}

/* Not one of them in silence: it may be the wrong one that is changed. */
static void which(struct exchange *x, const char *name, size_t n)
{
	struct buf b = BUF(1 << 10);
	const struct leaf *l;
	size_t whole = 0;

	for (int i = 0; (l = table_any(i)); i++) {
		if (strlen(l->node->name) != n || memcmp(l->node->name, name, n) != 0)
			continue;
		buf_puts(&b, b.len ? ", " : "");
		table_who(l, &b);
		if (!b.bad)
			whole = b.len;
	}
	reply_detail(x, 409, "more than one node is named '%s': %.*s%s; name one by "
		     "/proxy2/FRONTEND/proxy2/NODE", name, (int)whole, b.p,
		     b.bad ? ", ..." : "");
	buf_free(&b);
}

void forward_proxy2(struct exchange *x)
{
	char name[NODE_NAME + 1], inner[NODE_NAME + 1], word[16];
	long n = route_segment(x, 1, name, sizeof name), m = 0;
	const struct leaf *l = NULL;

	if (n <= 0) {
		reply_detail(x, n < 0 ? 400 : 404, "%s", n < 0
			     ? "bad percent-encoding in the node's name"
			     : "no node is named");
		return;
	}
	/* /proxy2/FRONTEND/proxy2/NODE/…: ours to resolve when we know it */
	if (route_segment(x, 2, word, sizeof word) == 6 &&
	    memcmp(word, "proxy2", 6) == 0) {
		m = route_segment(x, 3, inner, sizeof inner);
		l = m > 0 ? table_in(name, (size_t)n, inner, (size_t)m) : NULL;
		if (l) {
			send_leaf(x, l, rest_of(x, 4));
			return;
		}
		l = table_proxy(name, (size_t)n);
	}
	if (!l)
		l = table_find(name, (size_t)n);
	if (l && l->doubled && !(l->is_proxy && m > 0))
		which(x, name, (size_t)n);
	else if (l && l->origin)
		send_leaf(x, l, rest_of(x, 2));
	else if (l && m > 0 && rest_of(x, 4).p)
		unknown(x, inner);
	else
		unknown(x, name);
}

/* The socket path arrives encoded twice: the web server of the peer decodes
 * once, and its application once more (protocol.md 7.4). */
void forward_proxy(struct exchange *x)
{
	char host[ADDR_HOST], port[ADDR_HOST];
	long n = route_segment(x, 1, host, sizeof host);
	long m = route_segment(x, 2, port, sizeof port);
	struct span rest = rest_of(x, 3);
	const struct leaf *l;

	if (n > 0 && m > 0 && memchr(port, '/', (size_t)m)) {
		/* once encoded: the peer splits it into segments */
		reply_detail(x, 404, "Not Found");
		return;
	}
	if (m > 0)
		m = url_decode(port, (size_t)m, port);
	if (n <= 0 || m <= 0 || !rest.p) {
		reply_detail(x, n < 0 || m < 0 ? 400 : 404, "%s", n < 0 || m < 0
			     ? "bad percent-encoding in the path" : "Not Found");
		return;
	}
	port[m] = '\0';
	l = table_at(host, port);
	if (l)
		access_node(x, l->node->name);
	if (l)
		send_to(x, l->origin, rest);
	else
		reply_detail(x, 403, "Target %s:%s is not a registered node",
			     host, port);
}
