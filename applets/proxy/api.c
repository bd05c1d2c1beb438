/* api.c - the frontend's own JSON: nodes and frontends, read and changed
 * SPDX-License-Identifier: Apache-2.0
 *
 * Shapes as lmcache_frontend 0.1.11 answers them (protocol.md 7.3), statuses
 * as it meant them.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "guard.h"
#include "proxy.h"

enum { OUT_MAX = 4 << 20, BODY_MAX = 1 << 20 };

static const char type[] = "application/json";

void api_send(struct exchange *x, struct buf *b)
{
	if (b->bad)
		reply_detail(x, 503, "the answer is too large");
	else
		reply(x, 200, type, b->p, b->len);
	buf_free(b);
}

void api_say(struct exchange *x, const char *what)
{
	struct buf b = BUF(256);

	buf_printf(&b, "{\"status\":\"success\",\"message\":\"%s\"}", what);
	api_send(x, &b);
}

static void put_port(struct buf *b, const struct node *nd)
{
	if (nd->port_number)
		buf_puts(b, nd->port);
	else
		json_puts(b, nd->port);
}

static void put_place(struct buf *b, const struct node *nd)
{
	buf_puts(b, "\"name\":");
	json_puts(b, nd->name);
	buf_puts(b, ",\"host\":");
	json_puts(b, nd->host);
	buf_puts(b, ",\"port\":");
	put_port(b, nd);
}

static void put_id(struct buf *b, const char *kind, const char *name)
{
	struct buf id = BUF(512);

	buf_printf(&id, "%s_%s", kind, name);
	buf_puts(b, "{\"id\":");
	json_puts(b, id.p);
	buf_puts(b, ",");
	buf_free(&id);
}

static void put_state(struct buf *b, const struct origin *o)
{
	struct origin_view v;

	origin_look(o, &v);
	buf_printf(b, ",\"state\":\"%s\"", origin_state_names[v.state]);
	if (v.error[0]) {
		buf_puts(b, ",\"last_error\":");
		json_puts(b, v.error);
	}
	if (v.age_ms >= 0)
		buf_printf(b, ",\"latency_ms\":%.3f,\"age_ms\":%lld",
			   (double)v.latency_us / 1000, (long long)v.age_ms);
}

/* What its frontend says of a node; of our own ones we know more. */
static void put_child(struct buf *b, const struct proxy *p, const struct node *nd)
{
	const struct leaf *l = table_in(p->self.name, strlen(p->self.name), nd->name,
					strlen(nd->name));

	put_id(b, "node", nd->name);
	put_place(b, nd);
	buf_puts(b, ",\"is_proxy\":false,\"proxy_id\":");
	json_puts(b, p->self.name);
	if (p->text[PROXY_STALE])
		buf_printf(b, ",\"state\":\"%s\"", origin_state_names[ORIGIN_UNKNOWN]);
	else if (nd->state)
		buf_printf(b, ",\"state\":\"%s\"", origin_state_names[nd->state - 1]);
	else if (l && l->origin)
		put_state(b, l->origin);
	buf_puts(b, "}");
}

static void put_children(struct buf *b, const struct proxy *p)
{
	buf_puts(b, "[");
	for (int i = 0; i < p->n; i++) {
		if (i)
			buf_puts(b, ",");
		put_child(b, p, &p->nodes[i]);
	}
	buf_puts(b, "]");
}

static void put_frontend(struct buf *b, const struct proxy *p)
{
	const struct leaf *l = table_proxy(p->self.name, strlen(p->self.name));

	put_id(b, "proxy", p->self.name);
	put_place(b, &p->self);
	buf_puts(b, ",\"is_proxy\":true");
	if (l && l->origin)
		put_state(b, l->origin);
	proxy_print_texts(p, b);
	buf_puts(b, ",\"children\":");
	put_children(b, p);
	buf_puts(b, "}");
}

void api_nodes_get(struct exchange *x)
{
	const struct nodes *ns = table_nodes();
	struct buf b = BUF(OUT_MAX);

	buf_puts(&b, "{\"nodes\":[");
	for (int i = 0; i < ns->n; i++) {
		if (i)
			buf_puts(&b, ",");
		put_frontend(&b, &ns->proxies[i]);
	}
	buf_printf(&b, "],\"id\":\"%s\",\"sources\":", united_id());
	united_sources(&b);
	buf_printf(&b, ",\"left_out\":%d}", united_left_out());
	api_send(x, &b);
}

void api_proxies_get(struct exchange *x)
{
	const struct nodes *ns = table_nodes();
	struct buf b = BUF(OUT_MAX);

	buf_puts(&b, "{\"proxies\":[");
	for (int i = 0; i < ns->n; i++) {
		buf_puts(&b, i ? ",{" : "{");
		put_place(&b, &ns->proxies[i].self);
		buf_puts(&b, "}");
	}
	buf_puts(&b, "]}");
	api_send(x, &b);
}

/* The frontend named by segment 2, or NULL and answered. */
static const struct proxy *named_proxy(struct exchange *x)
{
	char name[NODE_NAME + 1];
	long n = route_segment(x, 2, name, sizeof name);
	const struct leaf *l = n > 0 ? table_proxy(name, (size_t)n) : NULL;

	if (n < 0)
		reply_detail(x, 400, "bad percent-encoding in the name");
	else if (!l)
		reply_detail(x, 404, "Proxy not found");
	return l ? &table_nodes()->proxies[l->proxy] : NULL;
}

void api_proxy_nodes_get(struct exchange *x)
{
	const struct proxy *p = named_proxy(x);
	struct buf b = BUF(OUT_MAX);

	if (!p)
		return;
	buf_puts(&b, "{\"nodes\":[");
	for (int i = 0; i < p->n; i++) {
		buf_puts(&b, i ? ",{" : "{");
		put_place(&b, &p->nodes[i]);
		buf_puts(&b, ",\"proxy_id\":");
		json_puts(&b, p->self.name);
		buf_puts(&b, "}");
	}
	buf_puts(&b, "]}");
	api_send(x, &b);
}

static void forget_name(struct exchange *x)
{
	free(x->data);
	x->data = NULL;
	x->on_abort = NULL;
}

/* Keeps a name from the path for later. */
static int keep_name(struct exchange *x, int segment)
{
	char name[NODE_NAME + 1];

	if (route_segment(x, segment, name, sizeof name) <= 0) {
		reply_detail(x, 400, "bad name in the path");
		return -1;
	}
	x->data = strdup(name);
	if (!x->data) {
		reply_detail(x, 503, "out of memory");
		return -1;
	}
	x->on_abort = forget_name;
	return 0;
}

static void refreshed(struct exchange *x)
{
	const struct leaf *l = x->data ? table_proxy(x->data, strlen(x->data)) : NULL;
	struct buf b = BUF(OUT_MAX);

	forget_name(x);
	if (!l) {
		reply_detail(x, 404, "Proxy not found");
		return;
	}
	buf_puts(&b, "{\"status\":\"success\",\"nodes\":");
	put_children(&b, &table_nodes()->proxies[l->proxy]);
	buf_puts(&b, "}");
	api_send(x, &b);
}

/* Our own nodes and configured ones are known; who learned is asked. */
void api_proxy_refresh(struct exchange *x)
{
	const struct proxy *p = named_proxy(x);

	if (!p || keep_name(x, 2) < 0)
		return;
	if (p->text[PROXY_SOURCE])
		united_refresh(x, refreshed);
	else
		refreshed(x);
}

/* ---- changes ---- */

int api_json(struct exchange *x, struct json *j, const char *p, size_t n)
{
	struct json_error e;

	if (json_parse(j, p, n, BODY_MAX, 0, &e) < 0) {
		reply_detail(x, 400, "the body is not JSON: line %d, column %d: %s",
			     e.line, e.column, e.what);
		return -1;
	}
	if (json_type(j, 0) == JSON_OBJECT)
		return 0;
	json_free(j);
	reply_detail(x, 400, "the body is not a JSON object");
	return -1;
}

static void audit(const struct exchange *x, const char *what, const char *name)
{
	log_event(LOG_INFO, what, "node", name, "peer", exchange_peer(x), NULL);
}

static void outcome(struct exchange *x, int rc, int status, const char *why,
		    const char *done, const char *name)
{
	if (rc < 0) {
		reply_detail(x, status, "%s", why);
		return;
	}
	audit(x, done, name);
	api_say(x, done);
}

static void add_node_to(struct exchange *x, const char *proxy, const char *done,
			char *p, size_t n)
{
	struct node_error e = { 0 };
	struct node nd = { 0 };
	struct json j;
	const char *why = "";
	char *name;
	int status = 0, rc;

	if (api_json(x, &j, p, n) < 0)
		return;
	if (node_parse(&nd, &j, 0, &e) < 0) {
		json_free(&j);
		reply_detail(x, 400, "%s", e.what);
		return;
	}
	json_free(&j);
	if (!proxy)
		proxy = nd.proxy_id && nd.proxy_id[0] ? nd.proxy_id : LOCAL_PROXY;
	name = strdup(nd.name);
	rc = table_add_node(proxy, &nd, &status, &why);
	outcome(x, rc, status, why, done, name ? name : "");
	free(name);
	node_free(&nd);
}

static void post_node(struct exchange *x, char *p, size_t n)
{
	add_node_to(x, NULL, "Node added", p, n);
}

void api_body(struct exchange *x, size_t max,
	      void (*on_body)(struct exchange *, char *, size_t))
{
	if (x->req->body == BODY_NONE) {
		reply_detail(x, 411, "a JSON body is needed");
		return;
	}
	exchange_body(x, max, on_body);
}

void api_nodes_post(struct exchange *x)
{
	api_body(x, BODY_MAX, post_node);
}

static void post_proxy_node(struct exchange *x, char *p, size_t n)
{
	char *proxy = x->data;

	x->data = NULL;
	x->on_abort = NULL;
	add_node_to(x, proxy, "Node added to proxy", p, n);
	free(proxy);
}

/* A request that was refused before its body was here. */
void api_done(struct exchange *x)
{
	if (x->on_abort == forget_name)
		forget_name(x);
}

void api_proxy_nodes_post(struct exchange *x)
{
	if (named_proxy(x) && keep_name(x, 2) == 0)
		api_body(x, BODY_MAX, post_proxy_node);
}

static void post_proxy(struct exchange *x, char *p, size_t n)
{
	struct node_error e = { 0 };
	struct proxy made = { 0 };
	struct json j;
	const char *why = "";
	char *name;
	int status = 0, rc;

	if (api_json(x, &j, p, n) < 0)
		return;
	rc = proxy_parse(&made, &j, 0, &e);
	json_free(&j);
	if (rc < 0) {
		reply_detail(x, 400, "%s", e.what);
		return;
	}
	name = strdup(made.self.name);
	rc = table_add_proxy(&made, &status, &why);
	outcome(x, rc, status, why, "Proxy added", name ? name : "");
	free(name);
	proxy_free(&made);
}

void api_proxies_post(struct exchange *x)
{
	api_body(x, BODY_MAX, post_proxy);
}

static void put_node(struct exchange *x, char *p, size_t n)
{
	struct node_error e = { 0 };
	struct node nd = { 0 };
	struct json j;
	const char *why = "";
	char *name = x->data;
	int status = 0, rc;

	x->data = NULL;
	x->on_abort = NULL;
	if (api_json(x, &j, p, n) < 0) {
		free(name);
		return;
	}
	rc = node_parse(&nd, &j, 0, &e);
	json_free(&j);
	if (rc < 0) {
		reply_detail(x, 400, "%s", e.what);
	} else {
		rc = table_replace(name, &nd, &status, &why);
		outcome(x, rc, status, why, "Node updated", name);
	}
	free(name);
	node_free(&nd);
}

void api_node_put(struct exchange *x)
{
	if (keep_name(x, 2) == 0)
		api_body(x, BODY_MAX, put_node);
}

void api_node_delete(struct exchange *x)
{
	char name[NODE_NAME + 1];
	const char *why = "";
	int status = 0, rc;

	if (route_segment(x, 2, name, sizeof name) <= 0) {
		reply_detail(x, 400, "bad name in the path");
		return;
	}
	rc = table_delete(name, &status, &why);
	outcome(x, rc, status, why, "Node deleted", name);
}
