/* sim_mp.c - endpoints of the MP server (`lmcache server`), simulated
 * SPDX-License-Identifier: Apache-2.0
 *
 * The newest generation of paths. Shapes are from its documentation; no
 * recording of a real one was at hand.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "sim.h"

static const double gib = 1 << 30;

static double salt_use(const struct sim *s, const char *salt)
{
	if (strcmp(salt, "_default"))
		return 0;
	return (double)s->work.cpu * CHUNK_BYTES / gib;
}

static void ping(struct ask *a)
{
	say(a, 200, COMPACT, "{\"status\":\"ok\",\"service\":\"LMCache HTTP API\"}");
}

static void health(struct ask *a)
{
	say(a, 200, COMPACT, "{\"status\":\"healthy\"}");
}

static void status(struct ask *a)
{
	double now = sim_catch_up(a->sim);
	const struct work *w = &a->sim->work;
	int flight = work_in_flight(w, now);
	struct buf b = BUF(8192);

	buf_printf(&b, "{\"is_healthy\":true,\"engine_type\":\"simulated\",\"chunk_size\":%d,"
		   "\"hash_algorithm\":\"builtin\",\"active_sessions\":%d,\"registered_gpu_ids\":[0],"
		   "\"cache_context_meta\":{\"0\":{\"model_name\":\"%s\",\"world_size\":%d,"
		   "\"kv_cache_layout\":{\"kernel_groups\":[{\"num_layers\":%d,\"dtype\":\"torch.bfloat16\","
		   "\"block_size\":16}]}}},\"active_prefetch_jobs\":%d,", CHUNK, flight, SIM_MODEL,
		   a->sim->world, LAYERS, flight / 3);
	buf_printf(&b, "\"storage_manager\":{\"is_healthy\":true,\"l1_manager\":{\"capacity\":%lld,"
		   "\"used\":%lld,\"object_count\":%u,\"is_healthy\":true},\"num_l2_adapters\":1,",
		   (long long)CPU_CHUNKS * CHUNK_BYTES, (long long)w->cpu * CHUNK_BYTES, (unsigned)w->cpu);
	buf_printf(&b, "\"l2_adapters\":[{\"type_name\":\"fs\",\"is_healthy\":true,\"used\":%lld,"
		   "\"object_count\":%u}],\"store_controller\":{\"is_healthy\":true,\"in_flight\":%d},"
		   "\"prefetch_controller\":{\"is_healthy\":true,\"in_flight\":%d},"
		   "\"l1_eviction_controller\":{\"is_healthy\":true,\"policy\":\"LRU\"},"
		   "\"l2_eviction_controller\":{\"is_healthy\":true,\"policy\":\"LRU\"}}}",
		   (long long)w->disk * CHUNK_BYTES, (unsigned)w->disk, flight / 4, flight / 3);
	say_json(a, 200, COMPACT, &b);
}

static void config(struct ask *a)
{
	say(a, 200, INDENT, "{\"mp\":{\"host\":\"localhost\",\"port\":5555,\"chunk_size\":%d,"
	    "\"max_workers\":1,\"hash_algorithm\":\"builtin\",\"engine_type\":\"default\","
	    "\"instance_id\":\"%s\",\"run_script_api_enabled\":%s},"
	    "\"storage_manager\":{\"l1_manager_config\":{\"memory_config\":{\"size_in_bytes\":%lld,"
	    "\"use_lazy\":true},\"write_ttl_seconds\":600,\"read_ttl_seconds\":300},"
	    "\"eviction_config\":{\"eviction_policy\":\"LRU\",\"trigger_watermark\":0.8,"
	    "\"eviction_ratio\":0.2},\"l2_adapters\":[{\"type\":\"fs\",\"base_path\":\"/var/tmp/lmcache\"}]},"
	    "\"observability\":{\"enabled\":true,\"metrics_enabled\":true,\"logging_enabled\":true,"
	    "\"tracing_enabled\":false}}", CHUNK, a->sim->instance,
	    a->sim->run_script ? "true" : "false", (long long)CPU_CHUNKS * CHUNK_BYTES);
}

static void adapters(struct ask *a)
{
	say(a, 200, COMPACT, "{\"adapters\":[{\"index\":0,\"type_name\":\"fs\",\"tier\":\"l2\","
	    "\"primary\":true,\"reconfigurable\":false}]}");
}

/* --- bodies ---------------------------------------------------------------------- */

/* The body as a JSON object; an empty one counts as {}. Refused: the 422 is
 * sent, -1. */
static int object(struct ask *a, struct json *j)
{
	static const char nothing[] = "{}";
	struct json_error e;

	if (json_parse(j, a->n ? a->body : nothing, a->n ? a->n : 2, BODY_MAX, 0, &e) < 0) {
		say_field(a, "body", NULL, "invalid JSON", "value_error.jsondecode");
		return -1;
	}
	if (json_type(j, 0) == JSON_OBJECT)
		return 0;
	json_free(j);
	say_field(a, "body", NULL, "value is not a valid dict", "type_error.dict");
	return -1;
}

static void clear(struct ask *a)
{
	struct json j;
	jv tier;
	bool l1;

	if (object(a, &j) < 0)
		return;
	tier = json_get(&j, 0, "tier");
	l1 = tier < 0 || json_is(&j, tier, "l1");
	json_free(&j);
	if (!l1) {
		say(a, 400, COMPACT, "{\"detail\":\"only tier l1 can be cleared\"}");
		return;
	}
	sim_catch_up(a->sim);
	work_clear(&a->sim->work, true, false, false);
	say(a, 200, COMPACT, "{\"status\":\"ok\",\"cleared\":{\"tier\":\"l1\"}}");
}

static void checksums(struct ask *a)
{
	struct buf b = BUF(PAGE_MAX), ranges = BUF(PAGE_MAX);
	struct json j;
	jv ids, v;
	int64_t id, chunk = 16;
	int n = 0;

	if (object(a, &j) < 0)
		return;
	ids = json_get(&j, 0, "block_ids");
	json_int(&j, json_get(&j, 0, "chunk_size"), &chunk);
	buf_puts(&b, "{\"status\":\"success\",\"chunk_checksums\":[");
	for (v = ids < 0 || json_type(&j, ids) != JSON_ARRAY ? -1 : json_first(&j, ids);
	     v >= 0; v = json_next(&j, ids, v)) {
		uint64_t h;

		if (json_int(&j, v, &id) < 0 || id < 0)
			break;
		h = work_hash(a->sim->work.seed, (uint64_t)id);
		buf_printf(&b, "%s\"%016llx%016llx\"", n ? "," : "", (unsigned long long)h,
			   (unsigned long long)work_hash(h, 1));
		buf_printf(&ranges, "%s%lld", n++ ? "," : "", (long long)id);
	}
	json_free(&j);
	if (!n || v >= 0 || chunk < 1) {
		buf_free(&b);
		say(a, 400, COMPACT, "{\"detail\":\"block_ids must be a list of block numbers\"}");
	} else {
		buf_printf(&b, "],\"chunk_size\":%lld,\"num_chunks\":%d,\"layerwise\":false,"
			   "\"block_id_ranges\":[%s]}", (long long)chunk, n, ranges.p);
		say_json(a, 200, COMPACT, &b);
	}
	buf_free(&ranges);
}

/* --- quotas ---------------------------------------------------------------------------- */

static struct quota *quota_of(struct sim *s, const char *salt)
{
	int i;

	for (i = 0; i < s->nquota; i++)
		if (!strcmp(s->quota[i].salt, salt))
			return &s->quota[i];
	return NULL;
}

static void put_salt(struct buf *b, const char *salt)
{
	buf_puts(b, "{\"cache_salt\":");
	json_puts(b, salt);
}

static void quota_put(struct ask *a)
{
	struct sim *s = a->sim;
	struct quota *q = quota_of(s, a->arg[0]);
	struct buf b = BUF(PAGE_MAX);
	struct json j;
	double limit = -1;

	if (object(a, &j) < 0)
		return;
	json_num(&j, json_get(&j, 0, "limit_gb"), &limit);
	json_free(&j);
	if (!(limit >= 0)) {
		say_field(a, "body", "limit_gb", "field required", "value_error.missing");
		return;
	}
	if (!q && s->nquota == QUOTAS) {
		say(a, 400, COMPACT, "{\"detail\":\"a simulated server keeps %d quotas\"}", QUOTAS);
		return;
	}
	if (!q) {
		q = &s->quota[s->nquota++];
		q->salt = xstrdup(a->arg[0]);
	}
	q->limit = limit;
	put_salt(&b, q->salt);
	buf_puts(&b, ",\"limit_gb\":");
	py_put_json_float(&b, limit);
	buf_puts(&b, ",\"status\":\"ok\"}");
	say_json(a, 200, COMPACT, &b);
}

static void put_use(struct buf *b, const struct sim *s, const char *salt, double limit)
{
	buf_puts(b, "\"limit_gb\":");
	py_put_json_float(b, limit);
	buf_puts(b, ",\"current_usage_gb\":");
	py_put_json_float(b, salt_use(s, salt));
}

static void quota_get(struct ask *a)
{
	const struct quota *q = quota_of(a->sim, a->arg[0]);
	struct buf b = BUF(PAGE_MAX);

	sim_catch_up(a->sim);
	put_salt(&b, a->arg[0]);
	buf_putc(&b, ',');
	put_use(&b, a->sim, a->arg[0], q ? q->limit : 0);
	buf_printf(&b, ",\"exists\":%s}", q ? "true" : "false");
	say_json(a, 200, COMPACT, &b);
}

static void quota_delete(struct ask *a)
{
	struct sim *s = a->sim;
	struct quota *q = quota_of(s, a->arg[0]);
	struct buf b = BUF(PAGE_MAX);

	if (q) {
		free(q->salt);
		*q = s->quota[--s->nquota];
	}
	put_salt(&b, a->arg[0]);
	buf_printf(&b, ",\"status\":\"%s\"}", q ? "removed" : "not_found");
	say_json(a, 200, COMPACT, &b);
}

static void quota_list(struct ask *a)
{
	struct buf b = BUF(PAGE_MAX);
	struct sim *s = a->sim;
	int i;

	sim_catch_up(s);
	buf_puts(&b, "{\"users\":{");
	for (i = 0; i < s->nquota; i++) {
		if (i)
			buf_putc(&b, ',');
		json_puts(&b, s->quota[i].salt);
		buf_puts(&b, ":{");
		put_use(&b, s, s->quota[i].salt, s->quota[i].limit);
		buf_putc(&b, '}');
	}
	buf_puts(&b, "}}");
	say_json(a, 200, COMPACT, &b);
}

/* --- objects ------------------------------------------------------------------------------ */

/* Chunks of the simulated L2 in the order of conversations; page tokens are
 * the number of the next one. */
static void objects(struct ask *a)
{
	const struct work *w = &a->sim->work;
	const char *token = ask_param(a, "page_token");
	int64_t size = 100, from, at = 0, shown = 0;
	struct buf b = BUF(PAGE_MAX);
	int d, k;

	if (ask_int(a, "page_size", &size) < 0)
		return;
	if (size < 1 || size > 5000) {
		say_field(a, "query", "page_size", "ensure this value is between 1 and 5000",
			  "value_error.number");
		return;
	}
	sim_catch_up(a->sim);
	from = token ? strtoll(token, NULL, 10) : 0;
	buf_puts(&b, "{\"adapter\":\"fs\",\"entries\":[");
	for (d = 0; d < DOCS; d++) {
		for (k = 0; k < w->doc[d].disk; k++, at++) {
			if (at < from || shown == size)
				continue;
			buf_printf(&b, "%s{\"key\":{\"chunk_hash_hex\":\"%016llx\",\"model_name\":\"%s\","
				   "\"kv_rank\":0,\"object_group_id\":0,\"cache_salt\":\"\"},"
				   "\"size_bytes\":%d}", shown++ ? "," : "",
				   (unsigned long long)work_hash(w->seed + (uint64_t)d, (uint64_t)k),
				   SIM_MODEL, CHUNK_BYTES);
		}
	}
	buf_puts(&b, "],\"next_page_token\":");
	if (from + shown < at)
		buf_printf(&b, "\"%lld\"}", (long long)(from + shown));
	else
		buf_puts(&b, "null}");
	say_json(a, 200, COMPACT, &b);
}

static int keys_in(struct ask *a)
{
	struct json j;
	jv keys;
	int n;

	if (object(a, &j) < 0)
		return -1;
	keys = json_get(&j, 0, "keys");
	n = keys < 0 || json_type(&j, keys) != JSON_ARRAY ? -1 : json_count(&j, keys);
	json_free(&j);
	if (n < 0 || n > 10000) {
		say_field(a, "body", "keys", "field required", "value_error.missing");
		return -1;
	}
	return n;
}

static void objects_delete(struct ask *a)
{
	int n = keys_in(a);

	if (n >= 0)
		say(a, 200, COMPACT, "{\"deleted\":0,\"skipped\":%d,\"ok\":true}", n);
}

static void no_download(struct ask *a)
{
	say(a, 501, COMPACT, "{\"detail\":\"a simulated server holds no tensors\"}");
}

static void prefetch(struct ask *a)
{
	int n = keys_in(a);

	if (n == 0)
		say(a, 202, COMPACT, "{\"chunks\":0,\"status\":\"noop\"}");
	else if (n > 0)
		say(a, 202, COMPACT, "{\"request_id\":\"sim-%llu\",\"chunks\":%d,\"status\":\"submitted\"}",
		    (unsigned long long)++a->sim->prefetches, n);
}

/* The newest one is answered once; a second poll finds nothing, as in LMCache. */
static void prefetch_poll(struct ask *a)
{
	struct sim *s = a->sim;
	char id[32];

	snprintf(id, sizeof id, "sim-%llu", (unsigned long long)s->prefetches);
	if (strcmp(id, a->arg[0]) || s->prefetch_done == s->prefetches) {
		say(a, 404, COMPACT, "{\"detail\":\"unknown prefetch request\"}");
		return;
	}
	s->prefetch_done = s->prefetches;
	say(a, 200, COMPACT, "{\"status\":\"completed\",\"found_keys\":0,\"total_keys\":0}");
}

static void reconfigure(struct ask *a)
{
	say(a, 404, COMPACT, "{\"detail\":\"the simulated adapter cannot be reconfigured\"}");
}

const struct route mp_routes[] = {
	{ "GET",    "/",                           0, ping },
	{ "GET",    "/healthcheck",                0, health },
	{ "GET",    "/status",                     0, status },
	{ "POST",   "/cache/clear",                0, clear },
	{ "GET",    "/config",                     0, config },
	{ "GET",    "/config/adapters",            0, adapters },
	{ "POST",   "/cache/checksums",            0, checksums },
	{ "GET",    "/quota",                      0, quota_list },
	{ "PUT",    "/quota/{}",                   0, quota_put },
	{ "GET",    "/quota/{}",                   0, quota_get },
	{ "DELETE", "/quota/{}",                   0, quota_delete },
	{ "GET",    "/cache/objects",              0, objects },
	{ "DELETE", "/cache/objects",              0, objects_delete },
	{ "POST",   "/cache/objects/download",     0, no_download },
	{ "POST",   "/cache/prefetches",           0, prefetch },
	{ "GET",    "/cache/prefetches/{}",        0, prefetch_poll },
	{ "GET",    "/reconfigure/{}/status",      0, reconfigure },
	{ "POST",   "/reconfigure/{}/{}",          0, reconfigure },
	{ NULL, NULL, 0, NULL }
};
