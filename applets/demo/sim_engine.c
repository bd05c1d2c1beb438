/* sim_engine.c - what the API server inside vLLM tells of itself, simulated
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "sim.h"

const char no_engine[] = "LMCache engine not configured.";

bool need_engine(struct ask *a, const char *what)
{
	char error[96];

	if (a->sim->role & WORKER)
		return true;
	snprintf(error, sizeof error, "%s is unavailable", what);
	say_error(a, 503, error, no_engine);
	return false;
}

/* --- metadata ----------------------------------------------------------------- */

static void put_meta(struct buf *b, bool *comma, const char *key, const char *value)
{
	if (*comma)
		buf_putc(b, ',');
	*comma = true;
	json_puts(b, key);
	buf_putc(b, ':');
	buf_puts(b, value);
}

enum { META = 16 };

struct meta { const char *key; char value[256]; };

static void fill_meta(const struct sim *s, struct meta *m)
{
	static const char *const keys[META] = {
		"chunk_size", "engine_id", "first_rank", "kv_connector_extra_config",
		"kv_dtype", "kv_layer_groups_manager", "kv_shape", "local_worker_id",
		"local_world_size", "model_name", "role", "served_model_name",
		"use_mla", "worker_id", "world_size"
	};
	int i, id = s->worker_id < 0 ? 0 : s->worker_id;
	bool worker = s->role == WORKER;

	for (i = 0; i < META; i++)
		m[i].key = keys[i];
	snprintf(m[0].value, 256, "%d", CHUNK);
	snprintf(m[1].value, 256, "\"00000000-5171-4ead-8000-%012d\"", worker ? id + 1 : 0);
	snprintf(m[2].value, 256, "0");
	snprintf(m[3].value, 256, "{\"lmcache_rpc_port\":\"lmcache_rpc_0\"}");
	snprintf(m[4].value, 256, "\"torch.bfloat16\"");
	snprintf(m[5].value, 256, "\"KVLayerGroupsManager(kv_layer_groups=[%s])\"", worker ?
		 "KVLayerGroupInfo(layers=28, indices=0-27, shape=torch.Size([2, 32, 16, 2, 128]), "
		 "dtype=torch.bfloat16)" : "");
	snprintf(m[6].value, 256, "[%d,2,%d,2,128]", LAYERS, CHUNK);
	snprintf(m[7].value, 256, "%d", id);
	snprintf(m[8].value, 256, "%d", s->world);
	snprintf(m[9].value, 256, "\"%s\"", SIM_MODEL);
	snprintf(m[10].value, 256, "\"%s\"", worker ? "worker" : "scheduler");
	snprintf(m[11].value, 256, "\"%s\"", SIM_SERVED);
	snprintf(m[12].value, 256, "false");
	snprintf(m[13].value, 256, "%d", id);
	snprintf(m[14].value, 256, "%d", s->world);
}

/* In the order asked for, each once; unknown names are left out. */
static void chosen_meta(struct buf *b, const struct meta *m, const char *names)
{
	bool used[META] = { false }, comma = false;
	const char *p = names;
	size_t n;
	int i;

	for (;;) {
		n = strcspn(p, ",");
		for (i = 0; m[i].key; i++) {
			if (used[i] || strlen(m[i].key) != n || memcmp(m[i].key, p, n))
				continue;
			used[i] = true;
			put_meta(b, &comma, m[i].key, m[i].value);
		}
		if (!p[n])
			return;
		p += n + 1;
	}
}

static void get_meta(struct ask *a)
{
	const char *names = ask_param(a, "names");
	struct buf b = BUF(PAGE_MAX);
	struct meta m[META];
	bool comma = false;
	int i;

	fill_meta(a->sim, m);
	buf_putc(&b, '{');
	if (names && *names)
		chosen_meta(&b, m, names);
	else
		for (i = 0; m[i].key; i++)
			put_meta(&b, &comma, m[i].key, m[i].value);
	buf_putc(&b, '}');
	say_json(a, 200, INDENT_TEXT, &b);
}

static void get_inference_info(struct ask *a)
{
	say(a, 200, INDENT, "{\"vllm_version\":\"0.11.0\",\"lmcache_version\":\"%s-%s\","
	    "\"vllm_config\":\"model='%s', speculative_config=None, tokenizer='%s', "
	    "tokenizer_mode=auto, dtype=torch.bfloat16, max_seq_len=32768, "
	    "load_format=simulated, tensor_parallel_size=%d, pipeline_parallel_size=1, "
	    "data_parallel_size=1, quantization=None, kv_cache_dtype=auto, "
	    "device_config=cuda, seed=0, served_model_name=%s, "
	    "enable_prefix_caching=True, chunked_prefill_enabled=True, "
	    "compilation_config={\\\"level\\\":0}\","
	    "\"model_config\":{\"model\":\"%s\",\"dtype\":\"torch.bfloat16\","
	    "\"max_model_len\":32768,\"vocab_size\":152064,\"num_layers\":%d,"
	    "\"num_attention_heads\":14,\"num_kv_heads\":2,\"head_size\":128},"
	    "\"cache_config\":{\"block_size\":16,\"cache_dtype\":\"auto\","
	    "\"gpu_memory_utilization\":0.9,\"swap_space\":4,\"enable_prefix_caching\":true}}",
	    SIM_RELEASE, SIM_COMMIT, SIM_MODEL, SIM_MODEL, a->sim->world, SIM_SERVED,
	    SIM_MODEL, LAYERS);
}

static void get_inference_version(struct ask *a)
{
	say(a, 200, INDENT, "{\"vllm_version\":\"0.11.0\"}");
}

/* --- chunk statistics, lookup ---------------------------------------------------------------------- */

static bool statistics(struct ask *a)
{
	if (a->sim->role & SCHEDULER)
		return true;
	say_error(a, 503, "Chunk statistics API unavailable", "Lookup client not configured.");
	return false;
}

static void say_done(struct ask *a, const char *message)
{
	say(a, 200, INDENT, "{\"status\":\"success\",\"message\":\"%s\"}", message);
}

static void statistics_start(struct ask *a)
{
	if (!statistics(a))
		return;
	sim_catch_up(a->sim);
	a->sim->statistics = true;
	say_done(a, "Chunk statistics collection started");
}

static void statistics_stop(struct ask *a)
{
	if (!statistics(a))
		return;
	sim_catch_up(a->sim);
	a->sim->statistics = false;
	say_done(a, "Chunk statistics collection stopped");
}

static void statistics_reset(struct ask *a)
{
	uint64_t *c = a->sim->work.count;

	if (!statistics(a))
		return;
	sim_catch_up(a->sim);
	c[C_stat_requests] = c[C_stat_chunks] = c[C_stat_unique] = 0;
	say_done(a, "Chunk statistics reset");
}

static void key_float(struct buf *b, const char *key, double v)
{
	buf_printf(b, "%s\"%s\":", b->p[b->len - 1] == '{' ? "" : ",", key);
	py_put_json_float(b, v);
}

static void put_bloom(struct buf *b, uint64_t unique)
{
	enum { BITS = 191702, HASHES = 6 };	/* 20000 elements, 1 % false positives */
	uint64_t set = unique * HASHES < BITS / 2 ? unique * HASHES : BITS / 2;

	buf_puts(b, ",\"bloom_filter\":{");
	key_float(b, "size_mb", BITS / 8.0 / (1 << 20));
	buf_printf(b, ",\"hash_count\":%d,\"item_count\":%llu,\"bits_set\":%llu", HASHES,
		   (unsigned long long)unique, (unsigned long long)set);
	key_float(b, "fill_rate", (double)set / BITS);
	buf_puts(b, ",\"expected_elements\":20000,\"false_positive_rate\":0.01}");
}

static void put_timing(struct buf *b, uint64_t requests)
{
	double lookup = (double)requests * 0.00041, overhead = (double)requests * 0.00006;

	buf_puts(b, ",\"timing\":{");
	key_float(b, "lookup_time_seconds", lookup);
	key_float(b, "record_statistics_time_seconds", overhead * 0.7);
	key_float(b, "check_exit_conditions_time_seconds", overhead * 0.3);
	key_float(b, "total_time_seconds", lookup + overhead);
	key_float(b, "overhead_time_seconds", overhead);
	key_float(b, "overhead_percentage", requests ? 100 * overhead / (lookup + overhead) : 0);
	buf_putc(b, '}');
}

static void statistics_status(struct ask *a)
{
	const uint64_t *c = a->sim->work.count;
	struct buf b = BUF(8192);
	double now;

	if (!statistics(a))
		return;
	now = sim_catch_up(a->sim);
	buf_printf(&b, "{\"enabled\":%s,\"total_requests\":%llu", a->sim->statistics ? "true" : "false",
		   (unsigned long long)c[C_stat_requests]);
	put_timing(&b, c[C_stat_requests]);
	buf_printf(&b, ",\"total_chunks\":%llu,\"unique_chunks\":%llu,\"duplicate_chunks\":%llu",
		   (unsigned long long)c[C_stat_chunks], (unsigned long long)c[C_stat_unique],
		   (unsigned long long)(c[C_stat_chunks] - c[C_stat_unique]));
	key_float(&b, "reuse_rate", c[C_stat_chunks] ?
		  1 - (double)c[C_stat_unique] / (double)c[C_stat_chunks] : 0);
	buf_puts(&b, ",\"async_queue\":{\"enabled\":false,\"capacity\":10000,\"current_size\":0,"
		 "\"max_size_reached\":0,\"full_blocks\":0,\"utilization\":0.0}");
	put_bloom(&b, c[C_stat_unique]);
	key_float(&b, "timestamp", now);
	buf_puts(&b, ",\"auto_exit_enabled\":true,\"auto_exit_timeout_hours\":0.0,"
		 "\"auto_exit_target_unique_chunks\":0}");
	say_json(a, 200, INDENT, &b);
}

static const char *mode(const struct sim *s)
{
	return s->role & SCHEDULER ? "client" : "server";
}

static void lookup_info(struct ask *a)
{
	const struct sim *s = a->sim;
	const char *now = s->lookup_open ? s->lookup : "None";

	say(a, 200, INDENT, "{\"client\":\"%s\",\"server\":\"%s\"}",
	    s->role & SCHEDULER ? now : "None", s->role & SCHEDULER ? "None" : now);
}

static bool lookup_there(struct ask *a)
{
	if (!a->sim->lookup_open)
		say_error(a, 400, "No active lookup component", NULL);
	return a->sim->lookup_open;
}

/* The class that the configuration of this moment asks for. */
static const char *wanted_lookup(const struct sim *s)
{
	bool direct = !strcmp(conf_text(s, "enable_scheduler_bypass_lookup"), "true");

	if (!(s->role & SCHEDULER))
		return "LMCacheLookupServer";
	if (!strcmp(conf_text(s, "enable_chunk_statistics"), "true"))
		return direct ? "ChunkStatisticsLookupClient(LMCacheBypassLookupClient)" :
				"ChunkStatisticsLookupClient(LMCacheLookupClient)";
	return direct ? "LMCacheBypassLookupClient" : "LMCacheLookupClient";
}

static void lookup_close(struct ask *a)
{
	if (!lookup_there(a))
		return;
	a->sim->lookup_open = false;
	say(a, 200, INDENT, "{\"old\":\"%s\",\"mode\":\"%s\"}", a->sim->lookup, mode(a->sim));
}

static void take_lookup(struct sim *s)
{
	const char *wanted = wanted_lookup(s);

	free(s->lookup);
	s->lookup = xstrdup(wanted);
}

static void lookup_create(struct ask *a)
{
	bool dry = false;

	if (ask_bool(a, "dryrun", &dry) < 0 || !lookup_there(a))
		return;
	if (!dry)
		take_lookup(a->sim);
	say(a, 200, INDENT, "{\"new\":\"%s\",\"dryrun\":%s,\"mode\":\"%s\"}",
	    wanted_lookup(a->sim), dry ? "true" : "false", mode(a->sim));
}

static void lookup_recreate(struct ask *a)
{
	char *old;

	if (!lookup_there(a))
		return;
	old = xstrdup(a->sim->lookup);
	take_lookup(a->sim);
	say(a, 200, INDENT, "{\"old\":\"%s\",\"new\":\"%s\",\"mode\":\"%s\"}",
	    old, a->sim->lookup, mode(a->sim));
	free(old);
}

/* --- controller ---------------------------------------------------------------------------------------- */

static void controller(struct ask *a)
{
	int64_t id;

	if (ask_int(a, "worker_id", &id) >= 0)
		say(a, 503, COMPACT, "{\"detail\":\"Controller manager not available\"}");
}

const struct route engine_routes[] = {
	{ "GET",  "/conf",                    0, conf_get },
	{ "POST", "/conf",                    0, conf_post },
	{ "GET",  "/meta",                    0, get_meta },
	{ "GET",  "/inference_info",          0, get_inference_info },
	{ "GET",  "/inference_version",       0, get_inference_version },
	{ "POST", "/chunk_statistics/start",  0, statistics_start },
	{ "POST", "/chunk_statistics/stop",   0, statistics_stop },
	{ "POST", "/chunk_statistics/reset",  0, statistics_reset },
	{ "GET",  "/chunk_statistics/status", 0, statistics_status },
	{ "GET",  "/lookup/info",             0, lookup_info },
	{ "POST", "/lookup/close",            0, lookup_close },
	{ "POST", "/lookup/create",           0, lookup_create },
	{ "POST", "/lookup/recreate",         0, lookup_recreate },
	{ "GET",  "/controller/key-stats",    0, controller },
	{ "GET",  "/controller/workers",      0, controller },
	{ NULL, NULL, 0, NULL }
};
