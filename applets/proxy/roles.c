/* roles.c - what a request to a node's own API costs
 * SPDX-License-Identifier: Apache-2.0
 *
 * The table knows protocol.md 2.3 and 3.1. What it does not know, and every
 * path that two readers could read in two ways, needs an admin: a request is
 * forwarded as it came, so what is authorised is what is forwarded.
 */
#include <string.h>

#include "proxy.h"

const char *const role_names[] = { "viewer", "operator", "admin", "nobody" };

enum {
	G = 1 << M_GET | 1 << M_HEAD | 1 << M_OPTIONS,
	P = 1 << M_POST, U = 1 << M_PUT, D = 1 << M_DELETE,
	DEPTH = 4		/* frontends named in one path */
};

/* A path ending in "/" stands for all one segment below it. */
static const struct rule {
	unsigned    methods;
	const char *path;
	enum role   role;
	const char *unless;	/* a query parameter that makes it OPERATOR */
} rules[] = {
	{ G, "/",                        VIEWER,   NULL },
	{ G, "/metrics",                 VIEWER,   NULL },
	{ P, "/metrics/reset",           OPERATOR, NULL },
	{ G, "/threads",                 VIEWER,   NULL },
	{ G, "/periodic-threads",        VIEWER,   NULL },
	{ G, "/periodic-threads/",       VIEWER,   NULL },
	{ G, "/periodic-threads-health", VIEWER,   NULL },
	{ G, "/loglevel",                VIEWER,   "level" },
	{ G, "/conf",                    VIEWER,   NULL },
	{ P, "/conf",                    OPERATOR, NULL },
	{ G, "/config",                  VIEWER,   NULL },
	{ G, "/config/adapters",         VIEWER,   NULL },
	{ G, "/meta",                    VIEWER,   NULL },
	{ G, "/version",                 VIEWER,   NULL },
	{ G, "/lmc_version",             VIEWER,   NULL },
	{ G, "/commit_id",               VIEWER,   NULL },
	{ G, "/inference_info",          VIEWER,   NULL },
	{ G, "/inference_version",       VIEWER,   NULL },
	{ G, "/openapi.json",            VIEWER,   NULL },
	{ G, "/health",                  VIEWER,   NULL },
	{ G, "/healthz",                 VIEWER,   NULL },
	{ G, "/livez",                   VIEWER,   NULL },
	{ G, "/readyz",                  VIEWER,   NULL },
	{ G, "/healthcheck",             VIEWER,   NULL },
	{ G, "/status",                  VIEWER,   NULL },
	{ G, "/api/healthcheck",         VIEWER,   NULL },
	{ G, "/api/status",              VIEWER,   NULL },
	{ G, "/api/nodes",               VIEWER,   NULL },
	{ G, "/api/proxies",             VIEWER,   NULL },
	{ G, "/backends",                VIEWER,   NULL },
	{ P, "/backends",                OPERATOR, NULL },
	{ D, "/backends/",               OPERATOR, NULL },
	{ G, "/bypass/list",             VIEWER,   NULL },
	{ U, "/bypass/add",              OPERATOR, NULL },
	{ U, "/bypass/remove",           OPERATOR, NULL },
	{ G, "/freeze/status",           VIEWER,   NULL },
	{ U, "/freeze/enable",           OPERATOR, NULL },
	{ U, "/freeze/disable",          OPERATOR, NULL },
	{ G, "/hot_cache/status",        VIEWER,   NULL },
	{ U, "/hot_cache/enable",        OPERATOR, NULL },
	{ U, "/hot_cache/disable",       OPERATOR, NULL },
	{ G, "/chunk_statistics/status", VIEWER,   NULL },
	{ P, "/chunk_statistics/start",  OPERATOR, NULL },
	{ P, "/chunk_statistics/stop",   OPERATOR, NULL },
	{ P, "/chunk_statistics/reset",  OPERATOR, NULL },
	{ G, "/lookup/info",             VIEWER,   NULL },
	{ P, "/lookup/close",            OPERATOR, NULL },
	{ P, "/lookup/create",           OPERATOR, NULL },
	{ P, "/lookup/recreate",         OPERATOR, NULL },
	{ G, "/cache/kvcache/info",      VIEWER,   NULL },
	{ G, "/cache/kvcache/check",     OPERATOR, NULL },
	{ G, "/kvcache/check",           OPERATOR, NULL },
	{ P, "/cache/kvcache/record_slot", OPERATOR, NULL },
	{ P, "/cache/checksums",         OPERATOR, NULL },
	{ P, "/cache/store",             OPERATOR, NULL },
	{ P, "/cache/retrieve",          OPERATOR, NULL },
	{ P | D, "/cache/clear",         OPERATOR, NULL },
	{ P, "/clear-cache",             OPERATOR, NULL },
	{ P, "/api/clear-cache",         OPERATOR, NULL },
	{ G, "/quota",                   VIEWER,   NULL },
	{ G, "/quota/",                  VIEWER,   NULL },
	{ U | D, "/quota/",              OPERATOR, NULL },
	{ G, "/controller/workers",      VIEWER,   NULL },
	{ G, "/controller/key-stats",    VIEWER,   NULL },
	/* code execution, secrets and cache contents: as everything unknown */
	{ P, "/run_script",              ADMIN,    NULL },
	{ G, "/env",                     ADMIN,    NULL },
};

/* Does the query carry this parameter? Percent-encoded names count. */
static bool has_param(struct span query, const char *name)
{
	char key[64];

	while (query.n) {
		size_t n = 0, k;
		long got;

		while (n < query.n && query.p[n] != '&' && query.p[n] != ';')
			n++;
		for (k = 0; k < n && query.p[k] != '='; )
			k++;
		got = k < sizeof key ? url_decode(query.p, k, key) : -1;
		/* what cannot be read might be it */
		if (got < 0 || span_is((struct span){ key, (size_t)got }, name))
			return true;
		n += n < query.n;
		query.p += n;
		query.n -= n;
	}
	return false;
}

static bool matches(const struct rule *r, const char *path, size_t n)
{
	const char *p = r->path;
	size_t i = 0;

	while (i < n && p[i] == path[i])
		i++;
	if (p[i])
		return false;
	return i == n || (i > 1 && p[i - 1] == '/' && !memchr(path + i, '/', n - i));
}

static enum role leaf_role(enum http_method m, const char *path, size_t n,
			   struct span query)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		const struct rule *r = &rules[i];

		if (!(r->methods & 1u << m) || !matches(r, path, n))
			continue;
		return r->unless && has_param(query, r->unless) ? OPERATOR : r->role;
	}
	return ADMIN;
}

/* Once more percent-encoded, dots, empty segments, backslashes, parameters,
 * anything not plain ASCII: two servers may read these in two ways. */
static bool plain(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c <= ' ' || c >= 0x7f || strchr("%\\;?#", c))
			return false;
		if (c == '/' && i + 1 < n && (p[i + 1] == '/' || p[i + 1] == '.'))
			return false;
	}
	return n > 0 && p[0] == '/';
}

enum role node_role(enum http_method m, const char *path, size_t n,
		    struct span query)
{
	static const char inner[] = "/proxy2/";
	const char *slash;

	if (!plain(path, n))
		return ADMIN;
	for (int depth = 0; depth < DEPTH; depth++) {
		if (n < sizeof inner || memcmp(path, inner, sizeof inner - 1) != 0)
			return leaf_role(m, path, n, query);
		path += sizeof inner - 1;
		n -= sizeof inner - 1;
		slash = memchr(path, '/', n);
		if (!slash)
			return ADMIN;
		n -= (size_t)(slash - path);
		path = slash;
	}
	return ADMIN;
}
