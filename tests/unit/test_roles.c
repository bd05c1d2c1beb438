/* test_roles.c - what a request to a node costs, and how it is not had cheaper
 * SPDX-License-Identifier: Apache-2.0
 *
 * The table below is written down a second time on purpose: what LMCache's
 * servers do with each of their paths, not what roles.c says.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../applets/proxy/proxy.h"
#include "test.h"

static const char *const methods[] = {
	[M_GET] = "GET", [M_HEAD] = "HEAD", [M_POST] = "POST", [M_PUT] = "PUT",
	[M_DELETE] = "DELETE", [M_PATCH] = "PATCH", [M_OPTIONS] = "OPTIONS",
};

/* One letter for each of GET POST PUT DELETE: v o a. What a server does not
 * know is an admin's. */
static const struct { const char *path, *roles; } paths[] = {
	/* reading */
	{ "/", "vaaa" }, { "/metrics", "vaaa" }, { "/threads", "vaaa" },
	{ "/loglevel", "vaaa" }, { "/meta", "vaaa" }, { "/version", "vaaa" },
	{ "/lmc_version", "vaaa" }, { "/commit_id", "vaaa" },
	{ "/inference_info", "vaaa" }, { "/inference_version", "vaaa" },
	{ "/openapi.json", "vaaa" }, { "/health", "vaaa" }, { "/healthz", "vaaa" },
	{ "/livez", "vaaa" }, { "/readyz", "vaaa" }, { "/healthcheck", "vaaa" },
	{ "/status", "vaaa" }, { "/api/healthcheck", "vaaa" },
	{ "/api/status", "vaaa" }, { "/api/nodes", "vaaa" },
	{ "/api/proxies", "vaaa" }, { "/config", "vaaa" },
	{ "/config/adapters", "vaaa" }, { "/periodic-threads", "vaaa" },
	{ "/periodic-threads/x", "vaaa" }, { "/periodic-threads-health", "vaaa" },
	{ "/controller/workers", "vaaa" }, { "/controller/key-stats", "vaaa" },
	{ "/bypass/list", "vaaa" }, { "/freeze/status", "vaaa" },
	{ "/hot_cache/status", "vaaa" }, { "/chunk_statistics/status", "vaaa" },
	{ "/lookup/info", "vaaa" }, { "/cache/kvcache/info", "vaaa" },
	{ "/quota", "vaaa" },
	/* reading and changing */
	{ "/conf", "voaa" }, { "/backends", "voaa" }, { "/backends/x", "aaao" },
	{ "/quota/x", "vaoo" },
	/* changing */
	{ "/metrics/reset", "aoaa" }, { "/bypass/add", "aaoa" },
	{ "/bypass/remove", "aaoa" }, { "/freeze/enable", "aaoa" },
	{ "/freeze/disable", "aaoa" }, { "/hot_cache/enable", "aaoa" },
	{ "/hot_cache/disable", "aaoa" }, { "/chunk_statistics/start", "aoaa" },
	{ "/chunk_statistics/stop", "aoaa" }, { "/chunk_statistics/reset", "aoaa" },
	{ "/lookup/close", "aoaa" }, { "/lookup/create", "aoaa" },
	{ "/lookup/recreate", "aoaa" }, { "/cache/clear", "aoao" },
	{ "/clear-cache", "aoaa" }, { "/api/clear-cache", "aoaa" },
	{ "/cache/store", "aoaa" }, { "/cache/retrieve", "aoaa" },
	{ "/cache/checksums", "aoaa" }, { "/cache/kvcache/record_slot", "aoaa" },
	/* what the cache holds */
	{ "/cache/kvcache/check", "oaaa" }, { "/kvcache/check", "oaaa" },
	/* code, secrets, the unknown */
	{ "/run_script", "aaaa" }, { "/env", "aaaa" }, { "/unknown", "aaaa" },
	{ "/static/app.js", "aaaa" }, { "/proxy/127.0.0.1/80/metrics", "aaaa" },
	{ "/cache/kvcache/load_fs", "aaaa" }, { "/api/nodes/x", "aaaa" },
	{ "/docs", "aaaa" },
};

static enum role role_of(char letter)
{
	return letter == 'v' ? VIEWER : letter == 'o' ? OPERATOR : ADMIN;
}

static enum role asked(enum http_method m, const char *path, const char *query)
{
	size_t n = strlen(path), qn = query ? strlen(query) : 0;
	char *p = malloc(n + 1), *q = malloc(qn + 1);
	struct span span = { query ? q + 1 : NULL, qn };
	enum role role;

	/* they end where their memory ends */
	memcpy(p + 1, path, n);
	memcpy(q + 1, query ? query : "", qn);
	role = node_role(m, p + 1, n, span);
	free(p);
	free(q);
	return role;
}

static enum role wanted(enum http_method m, const char *roles)
{
	switch (m) {
	case M_GET: case M_HEAD: case M_OPTIONS:
		return role_of(roles[0]);
	case M_POST:	return role_of(roles[1]);
	case M_PUT:	return role_of(roles[2]);
	case M_DELETE:	return role_of(roles[3]);
	default:	return ADMIN;
	}
}

static int wrong;

static void expect(enum http_method m, const char *path, const char *query,
		   enum role want)
{
	enum role got = asked(m, path, query);

	if (got == want)
		return;
	printf("# %s %s%s%s is %s, not %s\n", methods[m], path, query ? "?" : "",
	       query ? query : "", role_names[got], role_names[want]);
	wrong++;
}

static void whole_table(const char *prefix)
{
	char path[512];

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		snprintf(path, sizeof path, "%s%s", prefix, paths[i].path);
		for (int m = M_GET; m < M_OTHER; m++)
			expect((enum http_method)m, path, NULL,
			       wanted((enum http_method)m, paths[i].roles));
	}
}

TEST(each_path_has_its_role_for_each_method)
{
	wrong = 0;
	whole_table("");
	CHECK_INT(wrong, 0);
}

TEST(behind_frontends_it_is_the_same)
{
	wrong = 0;
	whole_table("/proxy2/w0");
	whole_table("/proxy2/a/proxy2/b");
	whole_table("/proxy2/proxy2/proxy2/proxy2");
	whole_table("/proxy2/a/proxy2/b/proxy2/c");
	CHECK_INT(wrong, 0);
}

TEST(deeper_than_anybody_goes_is_an_admins)
{
	char path[256] = "";

	for (int depth = 1; depth < 8; depth++) {
		strcat(path, "/proxy2/a");
		if (depth < 4)
			continue;
		strcat(path, "/metrics");
		CHECK_INT(asked(M_GET, path, NULL), ADMIN);
		path[strlen(path) - 8] = '\0';
	}
}

/* Ways to write a costly path so that it reads like a cheap one, or like
 * nothing known: they are all an admin's. As they are after one decoding. */
static const char *const tricks[] = {
	"", "metrics", "//metrics", "/metrics/", "/metrics//", "/./metrics",
	"/../metrics", "/metrics/..", "/metrics/../env", "/metrics/.", "/.",
	"/..", "/...", "/metrics/..%2fenv", "/metrics%2f..%2fenv", "/%6detrics",
	"/metrics%00", "/metrics%", "/metrics;x", "/metrics;/../env",
	"/;x/metrics", "/metrics\\..\\env", "/metrics\\", "/metrics?x=y",
	"/metrics?", "/metrics#", "/metrics#/env", "/METRICS", "/Metrics",
	"/metrics ", " /metrics", "/ metrics", "/metrics\t", "/metrics\n",
	"/metrics\r\nX: y", "/metrics\x7f", "/metrics\x80", "/m\xc3\xa9trics",
	"/metrics\xef\xbc\x8f..", "/env/../metrics", "/env//", "//env",
	"/run_script/../metrics", "/run_script;/metrics", "/RUN_SCRIPT",
	"/metricsx", "/metric", "/metrics/x", "/xmetrics", "/confx", "/conf/",
	"/periodic-threads/a/b", "/periodic-threads//", "/backends/a/b",
	"/quota/a/b", "/quota/../env", "/quota/./x", "/quota/%2e%2e",
	"/periodic-threads/..", "/periodic-threads/.x",
	"/proxy2", "/proxy2/", "/proxy2//", "/proxy2/w0", "/proxy2//metrics",
	"/proxy2/w0//metrics", "/proxy2/w0/../env", "/proxy2/../env",
	"/proxy2/./metrics", "/proxy2/w0/./metrics", "/proxy2/w0/metrics/",
	"/proxy2/w0/proxy2", "/proxy2/w0/proxy2/", "/proxy2/w0/proxy2/b",
	"/proxy2/w0/proxy2//metrics", "/proxy2/w%2f/metrics",
	"/proxy2/w;x/metrics", "/proxy2/w\\/metrics", "/Proxy2/w0/metrics",
	"/proxy2x/w0/metrics", "/proxy/w0/metrics", "/proxy/h/1/metrics",
	"/proxy2/w0/proxy/h/1/metrics", "/proxy2/w0/api/nodes/x",
};

TEST(what_two_readers_could_read_in_two_ways_is_an_admins)
{
	wrong = 0;
	for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++)
		for (int m = M_GET; m < M_OTHER; m++)
			expect((enum http_method)m, tricks[i], NULL, ADMIN);
	CHECK_INT(wrong, 0);
}

TEST(one_odd_byte_anywhere_makes_a_path_an_admins)
{
	char path[] = "/proxy2/w0/periodic-threads/x";

	CHECK_INT(asked(M_GET, path, NULL), VIEWER);
	wrong = 0;
	for (size_t i = 0; i < sizeof path - 1; i++) {
		char was = path[i];

		for (int c = 1; c < 256; c++) {
			path[i] = (char)c;
			if (c <= ' ' || c >= 0x7f || strchr("%\\;?#", c))
				expect(M_GET, path, NULL, ADMIN);
		}
		path[i] = was;
	}
	CHECK_INT(wrong, 0);
}

static const struct { const char *query; enum role role; } queries[] = {
	{ "", VIEWER }, { "logger_name=x", VIEWER }, { "a=level", VIEWER },
	{ "logger_name=level", VIEWER }, { "levels=x", VIEWER },
	{ "xlevel=x", VIEWER }, { "Level=x", VIEWER },
	{ "level=DEBUG", OPERATOR }, { "level", OPERATOR }, { "level=", OPERATOR },
	{ "logger_name=x&level=DEBUG", OPERATOR },
	{ "level=DEBUG&logger_name=x", OPERATOR }, { "&&level=x", OPERATOR },
	{ "a;level=x", OPERATOR }, { "a&level", OPERATOR },
	{ "%6cevel=x", OPERATOR }, { "leve%6C=x", OPERATOR },
	{ "%6C%65%76%65%6C=x", OPERATOR },
	/* what cannot be read might be it */
	{ "%zz=x", OPERATOR }, { "level%00=x", OPERATOR }, { "a=b&%=x", OPERATOR },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=x",
	  OPERATOR },
};

TEST(a_log_level_that_is_set_is_an_operators)
{
	wrong = 0;
	for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
		expect(M_GET, "/loglevel", queries[i].query, queries[i].role);
		expect(M_HEAD, "/loglevel", queries[i].query, queries[i].role);
		expect(M_GET, "/proxy2/w0/loglevel", queries[i].query,
		       queries[i].role);
		expect(M_GET, "/version", queries[i].query, VIEWER);
		expect(M_GET, "/env", queries[i].query, ADMIN);
	}
	CHECK_INT(wrong, 0);
}
