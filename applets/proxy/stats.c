/* stats.c - the frontend's own metrics, in exposition format
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "about.h"
#include "log.h"
#include "proxy.h"

enum { ROUTES_MAX = 64, OUT_MAX = 8 << 20 };

static unsigned long by_route[ROUTES_MAX][6];

void stats_done(struct exchange *x, int route)
{
	if (route >= 0 && route < ROUTES_MAX)
		by_route[route][x->status / 100 % 6]++;
}

static void family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void label(struct buf *b, const char *name, const char *p)
{
	buf_printf(b, "%s=\"", name);
	for (; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_putc(b, '\\');
		buf_putc(b, *p);
	}
	buf_putc(b, '"');
}

/* Of nodes behind another frontend there is one figure, the frontend's. */
static bool counted(const struct leaf *l)
{
	return l->origin && (l->is_proxy ||
	       strcmp(table_nodes()->proxies[l->proxy].self.name, LOCAL_PROXY) == 0);
}

static void who(struct buf *b, const struct leaf *l)
{
	const char *of = table_nodes()->proxies[l->proxy].self.name;

	label(b, "node", l->node->name);
	if (l->is_proxy || strcmp(of, LOCAL_PROXY) == 0)
		return;
	buf_putc(b, ',');
	label(b, "frontend", of);
}

/* Of one behind another frontend, what that one says. */
static bool healthy(const struct leaf *l)
{
	struct origin_view v;

	if (l->node->state && !l->is_proxy)
		return l->node->state == 1 + ORIGIN_HEALTHY &&
		       !table_nodes()->proxies[l->proxy].text[PROXY_STALE];
	origin_look(l->origin, &v);
	return v.state == ORIGIN_HEALTHY;
}

static void all_healthy(struct buf *b)
{
	const struct leaf *l;

	family(b, "lmc_node_healthy", "gauge", "1 if the node answered last time it was asked.");
	for (int i = 0; (l = table_any(i)); i++) {
		if (!l->origin)
			continue;
		buf_puts(b, "lmc_node_healthy{");
		who(b, l);
		buf_printf(b, "} %d\n", healthy(l));
	}
}

void stats_sample(struct buf *b, const char *name, const char *key, const char *value,
		  int n)
{
	buf_printf(b, "%s{", name);
	label(b, key, value);
	buf_printf(b, "} %d\n", n);
}

static void one(struct buf *b, const char *name, const char *type,
		const char *help, long long value)
{
	family(b, name, type, help);
	buf_printf(b, "%s %lld\n", name, value);
}

static void routes(struct buf *b)
{
	const char *path;

	family(b, "lmc_http_requests_total", "counter", "Requests answered, by route and class of status.");
	for (int i = 0; i < ROUTES_MAX; i++) {
		path = i ? routes_path(i) : "none";
		if (!path)
			return;
		for (int c = 1; c < 6; c++)
			if (by_route[i][c])
				buf_printf(b, "lmc_http_requests_total{route=\"%s\",code=\"%dxx\"} %lu\n",
					   path, c, by_route[i][c]);
	}
}

/* One line per node: value picks the number out of its view. */
static void per_node(struct buf *b, const char *name, const char *type, const char *help,
		     double (*value)(const struct origin_view *v))
{
	const struct leaf *l;
	struct origin_view v;

	family(b, name, type, help);
	for (int i = 0; (l = table_any(i)); i++) {
		if (!counted(l))
			continue;
		origin_look(l->origin, &v);
		buf_printf(b, "%s{", name);
		who(b, l);
		buf_printf(b, "} %.15g\n", value(&v));
	}
}

static double v_requests(const struct origin_view *v) { return (double)v->requests; }
static double v_failures(const struct origin_view *v) { return (double)v->failures; }
static double v_reused(const struct origin_view *v) { return (double)v->reused; }
static double v_retried(const struct origin_view *v) { return (double)v->retried; }
static double v_open(const struct origin_view *v) { return (double)v->open; }
static double v_waiting(const struct origin_view *v) { return (double)v->waiting; }
static double v_in(const struct origin_view *v) { return (double)v->bytes_in; }
static double v_out(const struct origin_view *v) { return (double)v->bytes_out; }

static void node_answers(struct buf *b)
{
	const struct leaf *l;
	struct origin_view v;

	family(b, "lmc_node_answers_total", "counter", "Answers passed on, by node and class of status.");
	for (int i = 0; (l = table_any(i)); i++) {
		if (!counted(l))
			continue;
		origin_look(l->origin, &v);
		for (int c = 1; c < 6; c++) {
			if (!v.by_class[c])
				continue;
			buf_puts(b, "lmc_node_answers_total{");
			who(b, l);
			buf_printf(b, ",code=\"%dxx\"} %lu\n", c, v.by_class[c]);
		}
	}
}

static void node_latency(struct buf *b)
{
	static const char name[] = "lmc_node_request_duration_seconds";
	const struct leaf *l;
	struct origin_view v;

	family(b, name, "histogram", "From a request's head to the end of its answer.");
	for (int i = 0; (l = table_any(i)); i++) {
		unsigned long n = 0;

		if (!counted(l))
			continue;
		origin_look(l->origin, &v);
		for (int k = 0; k <= ORIGIN_BUCKETS; k++) {
			n += v.buckets[k];
			buf_printf(b, "%s_bucket{", name);
			who(b, l);
			if (k < ORIGIN_BUCKETS)
				buf_printf(b, ",le=\"%g\"} %lu\n",
					   origin_bounds_ms[k] / 1000.0, n);
			else
				buf_printf(b, ",le=\"+Inf\"} %lu\n", n);
		}
		buf_printf(b, "%s_sum{", name);
		who(b, l);
		buf_printf(b, "} %.6f\n%s_count{", (double)v.total_us / 1e6, name);
		who(b, l);
		buf_printf(b, "} %lu\n", n);
	}
}

void stats_print(struct buf *b, const struct server *s)
{
	family(b, "lmc_build_info", "gauge", "1, with what this binary is made of.");
	buf_printf(b, "lmc_build_info{version=\"%s\",commit=\"%s\"} 1\n",
		   about_version, about_commit);
	one(b, "lmc_connections", "gauge", "Client connections open now.", s->open);
	one(b, "lmc_exchanges_active", "gauge", "Requests being answered now.", s->active);
	one(b, "lmc_connections_accepted_total", "counter", "Client connections accepted.",
	    (long long)s->accepted);
	one(b, "lmc_connections_refused_total", "counter", "Client connections refused: a limit was reached.",
	    (long long)s->refused);
	one(b, "lmc_access_lines_dropped_total", "counter", "Access log lines lost to a slow reader.",
	    (long long)access_dropped());
	one(b, "lmc_log_lines_dropped_total", "counter", "Log lines lost to a slow reader.",
	    (long long)log_dropped);
	routes(b);
	all_healthy(b);
	per_node(b, "lmc_node_requests_total", "counter", "Requests for the node.", v_requests);
	per_node(b, "lmc_node_failures_total", "counter", "Times the node could not be reached or broke off.", v_failures);
	per_node(b, "lmc_node_connections_reused_total", "counter", "Requests sent over a kept connection.", v_reused);
	per_node(b, "lmc_node_retries_total", "counter", "Requests sent again after a kept connection was closed.", v_retried);
	per_node(b, "lmc_node_connections", "gauge", "Connections to the node.", v_open);
	per_node(b, "lmc_node_queue", "gauge", "Requests that wait for a connection.", v_waiting);
	per_node(b, "lmc_node_received_bytes_total", "counter", "Bytes received from the node.", v_in);
	per_node(b, "lmc_node_sent_bytes_total", "counter", "Bytes sent to the node.", v_out);
	node_answers(b);
	node_latency(b);
	united_stats(b);
}

void stats_get(struct exchange *x)
{
	struct buf b = BUF(OUT_MAX);

	stats_print(&b, x->server);
	if (b.bad)
		reply_detail(x, 503, "the answer is too large");
	else
		reply(x, 200, "text/plain; version=0.0.4; charset=utf-8", b.p, b.len);
	buf_free(&b);
}
