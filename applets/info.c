/* info.c - what LMCache is doing inside the nodes, one screen each
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "ask.h"
#include "die.h"

static const struct opt opts[] = { MORE(call_opts), { 0 } };

/* --- what a node's metrics say ------------------------------------------------------ */

enum unit { COUNT, BYTES, RATIO, MILLISECONDS };

/* Samples of one name are added, but for ratios: there the highest counts.
 * Every name begins with "lmcache", which is left out here. */
static const struct item {
	const char *topic, *name, *metric;
	enum unit   unit;
} items[] = {
	{ "requests", "unfinished",        ":scheduler_unfinished_requests_count", COUNT },
	{ "requests", "tracked",           ":connector_request_trackers_count", COUNT },
	{ "requests", "load_specs",        ":connector_load_specs_count", COUNT },
	{ "requests", "layerwise",         ":connector_layerwise_retrievers_count", COUNT },
	{ "requests", "invalid_blocks",    ":connector_invalid_block_ids_count", COUNT },
	{ "requests", "kv_messages",       ":kv_msg_queue_size", COUNT },
	{ "requests", "lookups",           ":num_lookup_requests_total", COUNT },
	{ "requests", "retrieves",         ":num_retrieve_requests_total", COUNT },
	{ "requests", "stores",            ":num_store_requests_total", COUNT },
	{ "requests", "retrieves",         "_mp_num_submitted_retrieves_total", COUNT },
	{ "requests", "retrieves_done",    "_mp_num_finished_retrieves_total", COUNT },
	{ "requests", "stores",            "_mp_num_submitted_stores_total", COUNT },
	{ "requests", "stores_done",       "_mp_num_finished_stores_total", COUNT },
	{ "memory",   "objects",           ":active_memory_objs_count", COUNT },
	{ "memory",   "pinned",            ":pinned_memory_objs_count", COUNT },
	{ "memory",   "pinned_watched",    ":pin_monitor_pinned_objects_count", COUNT },
	{ "memory",   "forced_unpins",     ":forced_unpin_count_total", COUNT },
	{ "memory",   "hot_cache",         ":local_cpu_hot_cache_count", COUNT },
	{ "memory",   "keys_in_request",   ":local_cpu_keys_in_request_count", COUNT },
	{ "memory",   "l1_used",           "_mp_l1_memory_usage_bytes", BYTES },
	{ "memory",   "l1_ratio",          "_mp_l1_usage_ratio", RATIO },
	{ "memory",   "loads_in_flight",   "_mp_inflight_load_memory_usage_bytes", BYTES },
	{ "memory",   "allocation_failures", "_mp_l1_allocation_failure_chunks_total", COUNT },
	{ "evictions", "times",            ":local_cpu_evict_count_total", COUNT },
	{ "evictions", "keys",             ":local_cpu_evict_keys_count_total", COUNT },
	{ "evictions", "failed",           ":local_cpu_evict_failed_count_total", COUNT },
	{ "evictions", "l1_chunks",        "_mp_l1_evicted_chunks_total", COUNT },
	{ "evictions", "l2_chunks",        "_mp_l2_evicted_chunks_total", COUNT },
	{ "storage",  "local_cpu",         ":local_cache_usage", BYTES },
	{ "storage",  "local_disk",        ":local_storage_usage", BYTES },
	{ "storage",  "remote",            ":remote_cache_usage", BYTES },
	{ "storage",  "remote_ping",       ":remote_ping_latency", MILLISECONDS },
	{ "storage",  "remote_errors",     ":remote_ping_errors_total", COUNT },
	{ "storage",  "remote_puts_waiting", ":remote_put_task_num", COUNT },
	{ "storage",  "l2_used",           "_mp_l2_usage_bytes", BYTES },
	{ "storage",  "l2_stores_in_flight", "_mp_num_inflight_l2_stores", COUNT },
	{ "storage",  "l2_loads_in_flight", "_mp_num_inflight_l2_loads", COUNT },
	{ "async_loads", "ongoing",        ":storage_events_ongoing_count", COUNT },
	{ "async_loads", "done",           ":storage_events_done_count", COUNT },
	{ "async_loads", "not_found",      ":storage_events_not_found_count", COUNT },
	{ "async_loads", "prefetch_jobs",  "_mp_active_prefetch_jobs", COUNT },
};
enum { ITEMS = sizeof items / sizeof *items };

struct value { double v; bool there; };

static void sample(struct value *out, const char *p, const char *eol)
{
	size_t n = (size_t)(eol - p);
	const char *value;
	char text[64];
	double v;
	int i;

	for (i = 0; i < ITEMS; i++) {
		size_t len = strlen(items[i].metric);

		if (len >= n || memcmp(p, items[i].metric, len) ||
		    (p[len] != '{' && p[len] != ' '))
			continue;
		/* A label's value may hold blanks and brackets: look from the end. */
		value = memrchr(p, p[len] == '{' ? '}' : ' ', n);
		n = value ? (size_t)(eol - value - 1) : 0;
		if (!n || n >= sizeof text)
			return;
		memcpy(text, value + 1, n);
		text[n] = '\0';
		v = strtod(text, NULL);
		if (items[i].unit == RATIO)
			out[i].v = out[i].there && out[i].v > v ? out[i].v : v;
		else
			out[i].v += v;
		out[i].there = true;
		return;
	}
}

static void read_metrics(struct value *out, const struct call *c)
{
	const char *p = c->answer.p ? c->answer.p : "", *end = p + c->answer.len, *eol;

	for (; p < end; p = eol + 1) {
		eol = memchr(p, '\n', (size_t)(end - p));
		eol = eol ? eol : end;
		if (eol - p > 7 && !memcmp(p, "lmcache", 7))
			sample(out, p + 7, eol);
	}
}

/* --- what other endpoints say --------------------------------------------------------- */

#define WAY(name, gens, path) static const struct way name[] = { { gens, "GET", path, WAY_ANY }, { 0 } }
WAY(version, GEN_ALL, "/version");
WAY(metrics, GEN_ALL, "/metrics");
WAY(bypass, GEN_ALL, "/bypass/list");
WAY(chunks, GEN_ALL, "/chunk_statistics/status");
WAY(lookup, GEN_ALL, "/lookup/info");
WAY(freeze, GEN_ALL, "/freeze/status");
WAY(quota, GEN_ALL, "/quota");
static const struct way backends[] = {
	{ GEN_ALL, "GET", "/backends", WAY_ANY },
	{ GEN_ALL, "GET", "/config/adapters", WAY_ANY },
	{ 0 }
};
static const struct way status[] = {
	{ GEN_ALL, "GET", "/status", WAY_ANY },
	{ GEN_ALL, "GET", "/api/status", WAY_ANY },
	{ 0 }
};

enum { VERSION, METRICS, LOOKS = 9 };

/* Of an answer these members are taken; a row without one takes all of it. */
static const struct look {
	const struct way *ways;
	const char       *topic;
	const char       *members[9];
} looks[LOOKS] = {
	[VERSION] = { version, "version", { NULL } },
	[METRICS] = { metrics, NULL, { NULL } },
	{ backends, "backends", { NULL } },
	{ bypass,   "bypass",   { "bypassed_backends", NULL } },
	{ freeze,   "freeze",   { "freeze", NULL } },
	{ chunks,   "chunk_statistics", { "enabled", "total_requests", "total_chunks",
		"unique_chunks", "duplicate_chunks", "reuse_rate", NULL } },
	{ lookup,   "lookup",   { "client", "server", NULL } },
	{ status,   "sessions", { "is_healthy", "engine_type", "chunk_size",
		"active_sessions", "registered_gpu_ids", "active_prefetch_jobs", NULL } },
	{ quota,    "quota",    { NULL } },
};

struct inside {
	struct call_node *node;
	struct call       look[LOOKS];
	struct value      value[ITEMS];
	int               exit, status, left;	/* left: looks under way */
	char             *error;
};

/* What a node does not have, or not just now (503), is left out; a node that
 * does not answer has failed. */
static void judge(struct inside *in)
{
	struct call *c;
	int i, good = 0;

	in->status = in->look[METRICS].status;
	for (i = 0; i < LOOKS; i++) {
		c = &in->look[i];
		good += !c->exit;
		if (!c->exit || c->missing || (c->exit == EXIT_NO && i != METRICS && c->status >= 400))
			continue;
		in->exit = worse(in->exit, c->exit);
		if (!in->error || in->exit == c->exit)
			in->error = c->error;
	}
	if (!in->look[METRICS].exit)
		read_metrics(in->value, &in->look[METRICS]);
	if (good || in->exit)
		return;
	in->exit = EXIT_NO;
	in->error = in->look[METRICS].error;
}

/* --- printing ------------------------------------------------------------------------------ */

static const char *const heads[] = { "NODE", "TOPIC", "ITEM", "VALUE", NULL };

static void put_amount(struct table *t, const struct item *it, double v)
{
	static const char units[] = "BKMGTPE";
	int u = 0;

	if (it->unit == BYTES) {
		for (; fabs(v) >= 1024 && u < 6; u++)
			v /= 1024;
		table_printf(t, u ? "%.1f %ciB" : "%.0f %c", v, units[u]);
	} else if (it->unit == RATIO) {
		table_printf(t, "%.1f%%", v * 100);
	} else if (it->unit == MILLISECONDS) {
		table_printf(t, "%.2f ms", v);
	} else {
		table_printf(t, "%.15g", v);
	}
}

static void row(struct table *t, const struct inside *in, const char *topic, const char *item)
{
	table_puts(t, in->node->name);
	table_puts(t, topic);
	table_puts(t, item);
}

static void look_rows(struct table *t, const struct inside *in, int i)
{
	const struct json *j = &in->look[i].json;
	const char *const *m = looks[i].members;
	struct buf name = BUF(CALL_PATH);
	jv v;

	if (!*m && json_type(j, 0) != JSON_OBJECT) {
		row(t, in, looks[i].topic, NULL);
		table_json(t, j, 0);
	} else if (!*m) {
		for (v = json_first(j, 0); v >= 0; v = json_next(j, 0, v)) {
			buf_reset(&name);
			json_str(j, json_key(j, v), &name);
			row(t, in, looks[i].topic, name.p);
			table_json(t, j, v);
		}
	}
	for (; *m; m++) {
		if (json_get(j, 0, *m) < 0)
			continue;
		row(t, in, looks[i].topic, *m);
		table_json(t, j, json_get(j, 0, *m));
	}
	buf_free(&name);
}

static void look_json(struct buf *b, const struct inside *in, int i)
{
	const struct json *j = &in->look[i].json;
	const char *const *m = looks[i].members;
	jv v;

	js_open(b, looks[i].topic, '{');
	if (!*m && json_type(j, 0) != JSON_OBJECT)
		js_value(b, looks[i].topic, j, 0);
	for (v = *m ? -1 : json_first(j, 0); v >= 0 && json_type(j, 0) == JSON_OBJECT;
	     v = json_next(j, 0, v)) {
		struct buf name = BUF(CALL_PATH);

		json_str(j, json_key(j, v), &name);
		buf_puts(&name, "");
		js_value(b, name.p, j, v);
		buf_free(&name);
	}
	for (; *m; m++)
		if (json_get(j, 0, *m) >= 0)
			js_value(b, *m, j, json_get(j, 0, *m));
	js_close(b, '}');
}

static void metric_rows(struct table *t, const struct inside *in)
{
	int i;

	for (i = 0; i < ITEMS; i++) {
		if (!in->value[i].there)
			continue;
		row(t, in, items[i].topic, items[i].name);
		put_amount(t, &items[i], in->value[i].v);
	}
}

static void metric_json(struct buf *b, const struct inside *in)
{
	const char *topic = NULL;
	int i;

	for (i = 0; i < ITEMS; i++) {
		if (!in->value[i].there)
			continue;
		if (topic && strcmp(topic, items[i].topic))
			js_close(b, '}');
		if (!topic || strcmp(topic, items[i].topic))
			js_open(b, topic = items[i].topic, '{');
		js_num(b, items[i].name, in->value[i].v);
	}
	if (topic)
		js_close(b, '}');
}

static void print(struct report *r, const struct inside *in)
{
	int i;

	report_node(r, in->node, in->status, in->exit, in->error);
	if (r->form != OUT_TABLE)
		js_open(&r->json, "info", '{');
	for (i = 0; i < LOOKS; i++) {
		if (in->look[i].exit)
			continue;
		if (i == METRICS && r->form == OUT_TABLE)
			metric_rows(&r->table, in);
		else if (i == METRICS)
			metric_json(&r->json, in);
		else if (r->form == OUT_TABLE)
			look_rows(&r->table, in, i);
		else
			look_json(&r->json, in, i);
	}
	if (r->form != OUT_TABLE)
		js_close(&r->json, '}');
	report_done(r);
}

static struct report report;

static void looked(struct call *c)
{
	struct inside *in = c->ctx;

	if (--in->left)
		return;
	judge(in);
	if (report.form == OUT_JSONL)
		print(&report, in);
}

static void start(struct inside *in, struct call_node *n)
{
	int i;

	in->node = n;
	in->left = LOOKS;
	for (i = 0; i < LOOKS; i++) {
		in->look[i] = (struct call){ .node = n, .ways = looks[i].ways, .ctx = in,
			.flags = i == METRICS ? 0 : CALL_JSON, .done = looked };
		call_start(&in->look[i]);
	}
}

static int info_run(int argc, char **argv)
{
	struct call_nodes ns;
	struct inside *all;
	int i;

	(void)argc;
	(void)argv;
	ask_not_raw();
	ns = ask_nodes(false);
	all = xcalloc((size_t)ns.n, sizeof *all);
	report_begin(&report, heads);
	for (i = 0; i < ns.n; i++)
		start(&all[i], &ns.node[i]);
	ask_wait(call_left());
	for (i = 0; report.form != OUT_JSONL && i < ns.n; i++)
		print(&report, &all[i]);
	return report_end(&report);
}

const struct applet info_applet = {
	.name  = "info",
	.brief = "what LMCache is doing inside the nodes, one screen each",
	.about =
		"Puts together what a node tells in its metrics, status, backends, "
		"bypasses, chunk statistics, lookup, freeze mode and quotas: requests in "
		"flight, memory objects, evictions, storage by backend, loads under way, "
		"sessions. What a node does not offer is left out.",
	.args  = "",
	.examples = "lmc info -n worker0\n  one node\nlmc info -o json\n  all, for a program\n",
	.opts  = opts,
	.run   = info_run,
};
