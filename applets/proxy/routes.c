/* routes.c - the front door: who may come in, and what answers
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every request passes here: its Host, where it came from, its row in the
 * table, the row's role. Tokens will decide in routes_role() alone.
 */
#include <stdio.h>
#include <string.h>

#include "assets.h"
#include "guard.h"
#include "proxy.h"

struct door door;

static void health(struct exchange *x);
static void alive(struct exchange *x);
static void ready(struct exchange *x);
static void asset(struct exchange *x);

enum {
	GET = 1 << M_GET | 1 << M_HEAD,
	POST = 1 << M_POST, PUT = 1 << M_PUT, DELETE = 1 << M_DELETE,
	ANY = GET | POST | PUT | DELETE | 1 << M_PATCH | 1 << M_OPTIONS
};

/* First match wins. "*" is one segment, "**" is the rest. A row that forwards
 * asks for VIEWER here; the node's path decides what else it takes. */
static const struct route {
	unsigned    methods;
	const char *path;
	enum role   role;
	void      (*serve)(struct exchange *x);
	const char *help;
} routes[] = {
	{ ANY,    "/proxy2/**",           VIEWER,   forward_proxy2,      "to a node by name" },
	{ ANY,    "/proxy/**",            VIEWER,   forward_proxy,       "to a registered node by address" },
	{ GET,    "/",                    VIEWER,   asset,               "the page" },
	{ GET,    "/static/**",           VIEWER,   asset,               "its files" },
	{ GET,    "/health",              VIEWER,   health,              "as lmcache_frontend answers it" },
	{ GET,    "/healthz",             VIEWER,   alive,               "this process answers" },
	{ GET,    "/livez",               VIEWER,   alive,               "this process answers" },
	{ GET,    "/readyz",              VIEWER,   ready,               "503 while it is ending" },
	{ GET,    "/api/nodes",           VIEWER,   api_nodes_get,       "the nodes with their state, as a tree" },
	{ POST,   "/api/nodes",           OPERATOR, api_nodes_post,      "add a node" },
	{ PUT,    "/api/nodes/*",         OPERATOR, api_node_put,        "replace a node" },
	{ DELETE, "/api/nodes/*",         OPERATOR, api_node_delete,     "remove a node" },
	{ GET,    "/api/proxies",         VIEWER,   api_proxies_get,     "the frontends" },
	{ POST,   "/api/proxies",         OPERATOR, api_proxies_post,    "add a frontend with its nodes" },
	{ GET,    "/api/proxies/*/nodes", VIEWER,   api_proxy_nodes_get, "the nodes of a frontend" },
	{ POST,   "/api/proxies/*/nodes", OPERATOR, api_proxy_nodes_post, "add a node to a frontend" },
	{ GET,    "/api/proxies/*/refresh", VIEWER, api_proxy_refresh,   "its nodes, read again" },
	{ GET,    "/api/heartbeat/status", VIEWER,  heartbeat_get,       "is this frontend announced" },
	{ POST,   "/api/heartbeat/start", OPERATOR, heartbeat_start_post, "announce it to a registry" },
	{ POST,   "/api/heartbeat/stop",  OPERATOR, heartbeat_stop_post, "announce it no more" },
	{ GET,    "/metrics/self",        VIEWER,   stats_get,           "the frontend's own metrics" },
	{ GET,    "/metrics",             VIEWER,   scrape_get,          "the nodes' metrics, merged" },
	{ GET,    "/sd/prometheus",       VIEWER,   sd_get,              "the nodes as targets, for http_sd_configs" },
};

enum { ROUTES = sizeof routes / sizeof *routes };

/* ---- who ---- */

enum role routes_role(const struct exchange *x)
{
	return x->listener->trusted || door.insecure ? ADMIN : VIEWER;
}

bool routes_unlimited(const struct exchange *x)
{
	return routes_role(x) == ADMIN && !guard_cross_site(x);
}

bool routes_allow(struct exchange *x, enum role least)
{
	bool reads = least == VIEWER && (x->method == M_GET || x->method == M_HEAD ||
					 x->method == M_OPTIONS);

	if (!reads && guard_cross_site(x)) {
		reply_detail(x, 403, "refused: a page of another site sent this request");
		return false;
	}
	if (routes_role(x) >= least)
		return true;
	reply_detail(x, 403, "this needs the %s role, and this address serves "
		     "viewers only: use a loopback address or a UNIX socket",
		     role_names[least]);
	return false;
}

/* ---- answers of our own ---- */

static const char JSON_TEXT[] = "application/json";

static void health(struct exchange *x)
{
	static const char text[] =
		"{\"status\":\"healthy\",\"service\":\"lmcache-monitor\"}";

	reply(x, 200, JSON_TEXT, text, sizeof text - 1);
}

static void alive(struct exchange *x)
{
	reply(x, 200, "text/plain; charset=utf-8", "ok\n", 3);
}

static void ready(struct exchange *x)
{
	if (x->server->draining)
		reply(x, 503, "text/plain; charset=utf-8", "ending\n", 7);
	else
		alive(x);
}

/* Is one of a list's items this word, without q=0? */
static bool lists(struct span list, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= list.n; i++) {
		struct span at = { list.p + i, n };

		if ((i == 0 || list.p[i - 1] == ' ' || list.p[i - 1] == ',') &&
		    span_is_nocase(at, word)) {
			at = (struct span){ list.p + i + n, list.n - i - n };
			return at.n < 4 || memcmp(at.p, ";q=0", 4) != 0 ||
			       (at.n > 5 && at.p[4] == '.');
		}
	}
	return false;
}

bool routes_gzip(const struct exchange *x)
{
	const struct http_field *want = http_find(x->req, F_ACCEPT_ENCODING);

	return want && lists(want->value, "gzip");
}

static bool has_tag(struct span list, const char *tag)
{
	size_t n = strlen(tag);

	for (size_t i = 0; i + n <= list.n; i++)
		if (memcmp(list.p + i, tag, n) == 0)
			return true;
	return span_is(list, "*");
}

static void asset(struct exchange *x)
{
	const struct asset *a = asset_find(x->req->path.p, x->req->path.n);
	const struct http_field *have = http_find(x->req, F_IF_NONE_MATCH);
	bool gz;

	if (!a) {
		reply_detail(x, 404, "Not Found");
		return;
	}
	gz = a->gz_len && routes_gzip(x);
	reply_header(x, "ETag: %s", gz ? a->gz_etag : a->etag);
	reply_header(x, "Vary: Accept-Encoding");
	reply_header(x, "Cache-Control: no-cache");
	reply_header(x, "X-Content-Type-Options: nosniff");
	reply_header(x, "Referrer-Policy: no-referrer");
	reply_header(x, "Content-Security-Policy: default-src 'none'; "
		     "script-src 'self'; style-src 'self'; connect-src 'self'; "
		     "img-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
		     "form-action 'none'");
	if (have && (has_tag(have->value, a->etag) || has_tag(have->value, a->gz_etag))) {
		reply(x, 304, NULL, "", 0);
		return;
	}
	if (gz)
		reply_header(x, "Content-Encoding: gzip");
	reply_static(x, 200, a->type, gz ? (const void *)a->gz : a->raw, gz ? a->gz_len : a->raw_len);
}

/* ---- the door ---- */

const char *routes_path(int route)
{
	return route > 0 && route <= ROUTES ? routes[route - 1].path : NULL;
}

void routes_done(struct exchange *x)
{
	api_done(x);
	stats_done(x, x->tag);
	access_done(x);
}

void routes_serve(struct exchange *x)
{
	unsigned others = 0;

	access_begin(x);
	if (!guard_host(x, &door.public_hosts)) {
		reply_detail(x, 421, "Host %.*s is not known here: name it with "
			     "--public-host", (int)x->req->host.n, x->req->host.p);
		return;
	}
	for (int i = 0; i < ROUTES; i++) {
		const struct route *r = &routes[i];

		if (!route_fits(r->path, x->req->path))
			continue;
		if (!(r->methods & 1u << x->method)) {
			others |= r->methods;
			continue;
		}
		x->tag = i + 1;
		if (routes_allow(x, r->role))
			r->serve(x);
		return;
	}
	if (others)
		route_other_method(x, others);
	else
		reply_detail(x, 404, "Not Found");
}
