/* sim_engine.c - endpoints of the API server inside vLLM, simulated
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "die.h"
#include "sim.h"

static const char no_engine[] = "LMCache engine not configured.";

/* A scheduler has no engine: 503, and what is asked of it is named. */
static bool engine(struct ask *a, const char *what)
{
	char error[96];

	if (a->sim->role & WORKER)
		return true;
	snprintf(error, sizeof error, "%s is unavailable", what);
	say_error(a, 503, error, no_engine);
	return false;
}

/* --- metadata ----------------------------------------------------------------- */

static void put_meta(struct buf *b, bool *comma, const char *names,
		     const char *key, const char *value)
{
	(void)names;
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
			put_meta(b, &comma, names, m[i].key, m[i].value);
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
			put_meta(&b, &comma, NULL, m[i].key, m[i].value);
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

/* --- the cache ------------------------------------------------------------------- */

static bool located(const struct ask *a, const char *name)
{
	bool any = false;
	int i;

	for (i = 0; i < a->params; i++) {
		if (strcmp(a->param[i].name, "locations"))
			continue;
		any = true;
		if (!strcmp(a->param[i].value, name))
			return true;
	}
	return !any;
}

static void clear(struct ask *a)
{
	struct sim *s = a->sim;
	bool at[BACKENDS];
	long n;
	int i;

	if (!engine(a, "LMCache API"))
		return;
	sim_catch_up(s);
	for (i = 0; i < BACKENDS; i++)
		at[i] = backend_there(s, i) && located(a, backend_names[i]);
	n = work_clear(&s->work, at[LOCAL_CPU], at[LOCAL_DISK], at[REMOTE]);
	/* what /cache/store put there is kept in the local CPU backend */
	for (i = 0; at[LOCAL_CPU] && i < s->nstored; i++)
		n += (long)(s->stored[i].n / CHUNK);
	if (at[LOCAL_CPU])
		s->nstored = 0;
	say(a, 200, INDENT, "{\"status\":\"success\",\"num_removed\":%ld}", n);
}

/* tokens_mock=FROM,TO as int() reads it. 1, or 0: the answer is sent. */
static int mock_tokens(struct ask *a, int64_t *from, int64_t *n)
{
	const char *text = ask_param(a, "tokens_mock"), *why = NULL;
	struct buf message = BUF(70 << 10);
	char *end;
	long long lo = 0, hi = 0;

	if (!text || !*text) {
		say_error(a, 400, "Missing parameters", "Must specify either tokens_input or tokens_mock");
		return 0;
	}
	errno = 0;
	lo = strtoll(text, &end, 10);
	if (end == text || (*end && *end != ','))
		why = "not a number";
	else if (!*end || strchr(end + 1, ','))
		why = "tokens_mock must contain exactly 2 numbers";
	else {
		const char *second = end + 1;

		hi = strtoll(second, &end, 10);
		if (end == second || *end || errno)
			why = "not a number";
		else if (lo >= hi)
			why = "start must be less than end";
		else if (hi - lo > 10000000)
			why = "too many tokens for a simulated node";
	}
	if (why) {
		buf_printf(&message, "tokens_mock must be 'start,end': %s", why);
		say_error(a, 400, "Invalid tokens_mock format", message.p);
		buf_free(&message);
		return 0;
	}
	*from = lo;
	*n = hi - lo;
	return 1;
}

static void remember(struct sim *s, int64_t from, int64_t n)
{
	if (s->nstored == RANGES)
		memmove(s->stored, s->stored + 1, sizeof s->stored[0] * (size_t)--s->nstored);
	s->stored[s->nstored].from = from;
	s->stored[s->nstored++].n = n;
}

/* Whole chunks of a range of tokens that were stored from its start on. */
static int64_t stored_tokens(const struct sim *s, int64_t from, int64_t n)
{
	int64_t best = 0, m;
	int i;

	for (i = 0; i < s->nstored; i++) {
		m = s->stored[i].n < n ? s->stored[i].n : n;
		if (s->stored[i].from == from && m / CHUNK * CHUNK > best)
			best = m / CHUNK * CHUNK;
	}
	return best;
}

static void store(struct ask *a)
{
	struct sim *s = a->sim;
	int64_t from, n;

	if (!engine(a, "LMCache API") || !mock_tokens(a, &from, &n))
		return;
	sim_catch_up(s);
	if (!s->freeze && n >= CHUNK && stored_tokens(s, from, n) < n / CHUNK * CHUNK) {
		s->work.count[C_num_store_requests]++;
		s->work.count[C_num_stored_tokens] +=
			(uint64_t)(n / CHUNK * CHUNK - stored_tokens(s, from, n));
		remember(s, from, n);
	}
	say(a, 200, INDENT, "{\"status\":\"success\",\"num_tokens\":%lld}", (long long)n);
}

static void retrieve(struct ask *a)
{
	struct sim *s = a->sim;
	int64_t from, n, hit;

	if (!engine(a, "LMCache API") || !mock_tokens(a, &from, &n))
		return;
	sim_catch_up(s);
	hit = backend_there(s, LOCAL_CPU) ? stored_tokens(s, from, n) : 0;
	s->work.count[C_num_retrieve_requests]++;
	s->work.count[C_num_requested_tokens] += (uint64_t)n;
	s->work.count[C_num_hit_tokens] += (uint64_t)hit;
	say(a, 200, INDENT, "{\"status\":\"success\",\"num_tokens\":%lld,\"num_retrieved\":%lld}",
	    (long long)n, (long long)hit);
}

/* --- the paged memory ---------------------------------------------------------------- */

enum { SLOTS_ASKED = 65536 };

struct slots {
	int64_t v[SLOTS_ASKED];
	int n;
};

/* "0,1,[4,9]" into *out; NULL, or why not. */
static const char *read_slots(const char *text, struct slots *out)
{
	static char why[160];
	const char *p = text;
	char *end;
	int64_t lo, hi;

	while (*p) {
		bool range = *p == '[';

		lo = strtoll(p + range, &end, 10);
		hi = lo;
		if (range && !strchr(p, ']'))
			return "Unclosed bracket";
		if (end == p + range || (range && *end != ',') || (!range && *end && *end != ',')) {
			size_t n = strcspn(p + range, ",]");

			snprintf(why, sizeof why, "invalid literal for int() with base 10: '%.*s'",
				 (int)(n < 80 ? n : 80), p + range);
			return why;
		}
		if (range) {
			const char *second = end + 1;

			hi = strtoll(second, &end, 10);
			if (end == second || *end != ']')
				return "Range must contain exactly 2 numbers";
			end++;
		}
		for (; lo <= hi; lo++) {
			if (out->n == SLOTS_ASKED)
				return "too many slots for a simulated node";
			out->v[out->n++] = lo;
		}
		p = *end == ',' ? end + 1 : end;
	}
	return NULL;
}

static bool in_bounds(struct ask *a, const struct slots *s)
{
	struct buf b = BUF(PAGE_MAX);
	int i, bad = 0;

	buf_puts(&b, "Slot indices out of bounds: [");
	for (i = 0; i < s->n; i++)
		if (s->v[i] < 0 || s->v[i] >= SLOTS)
			buf_printf(&b, "%s%lld", bad++ ? ", " : "", (long long)s->v[i]);
	buf_printf(&b, "]. Valid range: 0 to %d", SLOTS - 1);
	if (bad)
		say_error(a, 400, "Invalid slot indices", b.p);
	buf_free(&b);
	return !bad;
}

static void put_ranges(struct buf *b, const struct slots *s)
{
	int i, k;

	for (i = 0; i < s->n; i = k) {
		for (k = i + 1; k < s->n && s->v[k] == s->v[k - 1] + 1; k++)
			;
		if (k - i < 3)
			k = i + 1;
		if (i)
			buf_putc(b, ',');
		if (k - i > 1)
			buf_printf(b, "[%lld,%lld]", (long long)s->v[i], (long long)s->v[k - 1]);
		else
			buf_printf(b, "%lld", (long long)s->v[i]);
	}
}

/* Two nodes with the same workload show the same sums, so a comparison of
 * workers finds no difference. */
static void put_sums(struct buf *b, const struct sim *sim, const struct slots *s,
		     int64_t chunk, uint64_t layer)
{
	int i;
	int64_t k;

	buf_putc(b, '[');
	for (i = 0; i < s->n; i += (int)chunk) {
		uint64_t h = work_hash(sim->work.seed, layer);

		for (k = i; k < s->n && k < i + chunk; k++)
			h = work_hash(h, (uint64_t)s->v[k]);
		buf_printf(b, "%s\"%016llx%016llx\"", i ? "," : "", (unsigned long long)h,
			   (unsigned long long)work_hash(h, 1));
	}
	buf_putc(b, ']');
}

static void say_sums(struct ask *a, const struct slots *s, int64_t chunk, bool layerwise)
{
	struct buf b = BUF(PAGE_MAX);
	int layer;

	buf_puts(&b, "{\"status\":\"success\",\"slot_mapping_ranges\":[");
	put_ranges(&b, s);
	if (chunk)
		buf_printf(&b, "],\"chunk_size\":%lld,\"num_chunks\":%lld,\"chunk_checksums\":",
			   (long long)chunk, (long long)((s->n + chunk - 1) / chunk));
	else
		buf_puts(&b, "],\"chunk_size\":null,\"num_chunks\":0,\"chunk_checksums\":");
	if (!chunk) {
		buf_puts(&b, "[]");
	} else if (!layerwise) {
		put_sums(&b, a->sim, s, chunk, LAYERS);
	} else {
		for (layer = 0; layer < LAYERS; layer++) {
			buf_printf(&b, "%c\"model.layers.%d.self_attn.attn\":",
				   layer ? ',' : '{', layer);
			put_sums(&b, a->sim, s, chunk, (uint64_t)layer);
		}
		buf_putc(&b, '}');
	}
	buf_printf(&b, ",\"layerwise\":%s}", layerwise ? "true" : "false");
	say_json(a, 200, INDENT, &b);
}

static void no_kv_caches(struct ask *a)
{
	say_error(a, 404, "kv_caches not available", "kv_caches is empty or not initialized");
}

static void kv_check(struct ask *a)
{
	const char *text = ask_param(a, "slot_mapping"), *why;
	struct slots *s;
	int64_t chunk = 0;
	bool layerwise = false;
	char message[256];

	if (ask_int(a, "chunk_size", &chunk) < 0 || ask_bool(a, "layerwise", &layerwise) < 0)
		return;
	if (!(a->sim->role & WORKER)) {
		no_kv_caches(a);
		return;
	}
	if (!text || !*text) {
		say_error(a, 400, "Missing parameters", "slot_mapping parameter is required");
		return;
	}
	s = xcalloc(1, sizeof *s);
	why = read_slots(text, s);
	if (why) {
		snprintf(message, sizeof message, "slot_mapping must be comma-separated integers "
			 "or ranges like [start,end]: %s", why);
		say_error(a, 400, "Invalid slot_mapping format", message);
	} else if (chunk < 0) {
		say_error(a, 400, "Invalid chunk_size", "chunk_size must be positive");
	} else if (in_bounds(a, s)) {
		say_sums(a, s, chunk, layerwise);
	}
	free(s);
}

static void record_slot(struct ask *a)
{
	const char *on = ask_param(a, "enabled");

	if (!engine(a, "LMCache API"))
		return;
	if (on && *on && strcasecmp(on, "true") && strcasecmp(on, "false")) {
		say_error(a, 400, "Invalid parameter", "enabled must be 'true' or 'false'");
		return;
	}
	if (on && *on)
		a->sim->slot_log = !strcasecmp(on, "true");
	say(a, 200, INDENT, "{\"status\":\"success\",\"kvcache_check_log_enabled\":%s}",
	    a->sim->slot_log ? "true" : "false");
}

/* --- chunks from files ------------------------------------------------------------------ */

/* The one file that the simulated machine has. */
static const char only_file[] = "/etc/lmcache/lmcache.yaml";

static void load_file(struct ask *a, const struct json *j)
{
	jv path = json_get(j, 0, "config_path");
	char *text;
	struct buf b = BUF(PAGE_MAX), message = BUF(PAGE_MAX);

	if (path < 0) {
		say_field(a, "body", "config_path", "field required", "value_error.missing");
		return;
	}
	if (json_type(j, path) != JSON_STRING || !(text = json_dup(j, path))) {
		say_field(a, "body", "config_path", "str type expected", "type_error.str");
		return;
	}
	if (!(a->sim->role & WORKER)) {
		say_error(a, 503, "/cache/load-fs-chunks API is unavailable", no_engine);
	} else if (strcmp(text, only_file)) {
		buf_printf(&message, "Invalid configuration file: [Errno 2] "
			   "No such file or directory: '%s'", text);
		buf_puts(&b, "{\"detail\":");
		json_puts(&b, message.p);
		buf_putc(&b, '}');
		say_json(a, 400, COMPACT, &b);
	} else {
		say(a, 200, INDENT, "{\"status\":\"success\",\"loaded_chunks\":%u,\"total_files\":%u,"
		    "\"failed_keys\":[],\"config_path\":\"%s\"}",
		    (unsigned)a->sim->work.disk, (unsigned)a->sim->work.disk, only_file);
	}
	free(text);
	buf_free(&message);
}

static void load_fs_chunks(struct ask *a)
{
	struct json j;
	struct json_error e;
	bool json = a->ctype && !strncasecmp(a->ctype, "application/json", 16);

	if (!a->n) {
		say_field(a, "body", NULL, "field required", "value_error.missing");
	} else if (!json) {
		say_field(a, "body", NULL, "value is not a valid dict", "type_error.dict");
	} else if (json_parse(&j, a->body, a->n, BODY_MAX, JSON_INF, &e) < 0) {
		say(a, 422, COMPACT, "{\"detail\":[{\"loc\":[\"body\",%d],"
		    "\"msg\":\"Expecting value: line %d column %d (char %d)\","
		    "\"type\":\"value_error.jsondecode\"}]}",
		    e.column - 1, e.line, e.column, e.column - 1);
	} else {
		if (json_type(&j, 0) != JSON_OBJECT)
			say_field(a, "body", NULL, "value is not a valid dict", "type_error.dict");
		else
			load_file(a, &j);
		json_free(&j);
	}
}

/* --- backends ------------------------------------------------------------------------------ */

static void put_backends(struct buf *b, const struct sim *s)
{
	int i;

	buf_putc(b, '{');
	for (i = 0; i < s->nbackends; i++)
		buf_printf(b, "%s\"%s\":\"%s\"", i ? "," : "", backend_names[s->backend[i]],
			   backend_names[s->backend[i]]);
	buf_putc(b, '}');
}

static void list_backends(struct ask *a)
{
	struct buf b = BUF(4096);

	if (!engine(a, "/backends API"))	/* compact here, unlike elsewhere */
		return;
	put_backends(&b, a->sim);
	say_json(a, 200, COMPACT, &b);
}

static bool backends_engine(struct ask *a)
{
	if (a->sim->role & WORKER)
		return true;
	say(a, 503, COMPACT, "{\"error\":\"/backends API is unavailable\",\"message\":\"%s\"}", no_engine);
	return false;
}

static int backend_at(const struct sim *s, const char *name)
{
	int i;

	for (i = 0; i < s->nbackends; i++)
		if (!strcmp(backend_names[s->backend[i]], name))
			return i;
	return -1;
}

static void get_backends(struct ask *a)
{
	if (backends_engine(a))
		list_backends(a);
}

static void close_backend(struct ask *a)
{
	struct buf b = BUF(PAGE_MAX), message = BUF(PAGE_MAX);
	struct sim *s = a->sim;
	int at;

	if (!backends_engine(a))
		return;
	sim_catch_up(s);
	at = backend_at(s, a->arg[0]);
	if (at >= 0) {
		work_clear(&s->work, s->backend[at] == LOCAL_CPU, false, false);
		memmove(s->backend + at, s->backend + at + 1,
			sizeof s->backend[0] * (size_t)(--s->nbackends - at));
	}
	buf_printf(&message, "Backend %s %s", a->arg[0], at < 0 ? "not found" : "closed");
	buf_printf(&b, "{\"status\":\"%s\",\"message\":", at < 0 ? "not_found" : "success");
	json_puts(&b, message.p);
	buf_puts(&b, ",\"backends\":");
	put_backends(&b, s);
	buf_putc(&b, '}');
	say_json(a, at < 0 ? 404 : 200, COMPACT, &b);
	buf_free(&message);
}

static bool configured(const struct sim *s, int which)
{
	const char *value = conf_text(s, which == LOCAL_DISK ? "local_disk" :
				      which == REMOTE ? "remote_url" : "local_cpu");

	return strcmp(value, "null") && strcmp(value, "false");
}

static void create_backends(struct ask *a)
{
	struct buf b = BUF(4096);
	struct sim *s = a->sim;
	bool comma = false;
	int i;

	if (!backends_engine(a))
		return;
	sim_catch_up(s);
	buf_puts(&b, "{\"status\":\"success\",\"created\":{");
	for (i = 0; i < BACKENDS; i++) {
		if (backend_at(s, backend_names[i]) >= 0 || !configured(s, i))
			continue;
		s->backend[s->nbackends++] = i;
		buf_printf(&b, "%s\"%s\":\"%s\"", comma ? "," : "", backend_names[i], backend_names[i]);
		comma = true;
	}
	buf_puts(&b, "},\"backends\":");
	put_backends(&b, s);
	buf_putc(&b, '}');
	say_json(a, 200, COMPACT, &b);
}

static void put_bypassed(struct buf *b, const struct sim *s)
{
	bool comma = false;
	int i;

	buf_puts(b, "\"bypassed_backends\":[");
	for (i = 0; i < BACKENDS; i++) {
		if (!s->bypass[i])
			continue;
		buf_printf(b, "%s\"%s\"", comma ? "," : "", backend_names[i]);
		comma = true;
	}
	buf_putc(b, ']');
}

static void list_bypassed(struct ask *a)
{
	struct buf b = BUF(4096);
	const struct sim *s = a->sim;
	int i;

	if (!engine(a, "Bypass API"))
		return;
	buf_puts(&b, "{\"status\":\"success\",");
	put_bypassed(&b, s);
	buf_puts(&b, ",\"all_backends\":[");
	for (i = 0; i < s->nbackends; i++)
		buf_printf(&b, "%s\"%s\"", i ? "," : "", backend_names[s->backend[i]]);
	buf_puts(&b, "]}");
	say_json(a, 200, INDENT, &b);
}

/* The backend that is named, or -1: the answer is sent. */
static int asked_backend(struct ask *a)
{
	const char *name = ask_param(a, "backend_name");
	struct buf message = BUF(PAGE_MAX);
	int i, at;

	if (!engine(a, "Bypass API"))
		return -1;
	if (!name || !*name) {
		say_error(a, 400, "Missing parameter", "backend_name is required");
		return -1;
	}
	at = backend_at(a->sim, name);
	if (at >= 0)
		return a->sim->backend[at];
	buf_printf(&message, "Backend '%s' not found. Available: [", name);
	for (i = 0; i < a->sim->nbackends; i++)
		buf_printf(&message, "%s'%s'", i ? ", " : "", backend_names[a->sim->backend[i]]);
	buf_putc(&message, ']');
	say_error(a, 400, "Unknown backend", message.p);
	buf_free(&message);
	return -1;
}

static void bypass(struct ask *a, bool on)
{
	struct buf b = BUF(4096);
	struct sim *s = a->sim;
	int which = asked_backend(a);

	if (which < 0)
		return;
	sim_catch_up(s);
	buf_printf(&b, "{\"status\":\"success\",\"backend_name\":\"%s\",\"bypassed\":%s,\"%s\":%s,",
		   backend_names[which], on ? "true" : "false",
		   on ? "was_already_bypassed" : "was_bypassed", s->bypass[which] ? "true" : "false");
	s->bypass[which] = on;
	put_bypassed(&b, s);
	buf_putc(&b, '}');
	say_json(a, 200, INDENT, &b);
}

static void bypass_add(struct ask *a)
{
	bypass(a, true);
}

static void bypass_remove(struct ask *a)
{
	bypass(a, false);
}

/* --- switches ---------------------------------------------------------------------------------- */

static void say_switch(struct ask *a, const char *key, const char *label, bool on, bool changed)
{
	say(a, 200, INDENT, "{\"status\":\"success\",\"%s\":%s,\"message\":\"%s %s%s%s\"}",
	    key, on ? "true" : "false", label, changed ? "" : "is ",
	    on ? "enabled" : "disabled", changed ? " successfully" : "");
}

static void switch_to(struct ask *a, bool *what, const char *key, const char *label, const bool *to)
{
	char api[64];

	snprintf(api, sizeof api, "%s API", a->route->path);
	if (!engine(a, api))
		return;
	sim_catch_up(a->sim);
	if (to)
		*what = *to;
	say_switch(a, key, label, *what, to != NULL);
}

static const bool yes = true, no = false;

static void freeze_on(struct ask *a) { switch_to(a, &a->sim->freeze, "freeze", "Freeze mode", &yes); }
static void freeze_off(struct ask *a) { switch_to(a, &a->sim->freeze, "freeze", "Freeze mode", &no); }
static void freeze_is(struct ask *a) { switch_to(a, &a->sim->freeze, "freeze", "Freeze mode", NULL); }
static void hot_on(struct ask *a) { switch_to(a, &a->sim->hot, "hot_cache", "Hot cache", &yes); }
static void hot_is(struct ask *a) { switch_to(a, &a->sim->hot, "hot_cache", "Hot cache", NULL); }

static void hot_off(struct ask *a)
{
	switch_to(a, &a->sim->hot, "hot_cache", "Hot cache", &no);
	if (!a->sim->hot)
		work_clear(&a->sim->work, true, false, false);
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
	py_json_float(b, v);
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
	{ "GET",    "/conf",                      0, conf_get },
	{ "POST",   "/conf",                      0, conf_post },
	{ "GET",    "/meta",                      0, get_meta },
	{ "GET",    "/inference_info",            0, get_inference_info },
	{ "GET",    "/inference_version",         0, get_inference_version },
	{ "DELETE", "/cache/clear",               0, clear },
	{ "POST",   "/cache/store",               0, store },
	{ "POST",   "/cache/retrieve",            0, retrieve },
	{ "GET",    "/cache/kvcache/check",       0, kv_check },
	{ "POST",   "/cache/kvcache/record_slot", 0, record_slot },
	{ "GET",    "/cache/kvcache/info",        0, no_kv_caches },	/* always, as measured */
	{ "POST",   "/cache/load-fs-chunks",      0, load_fs_chunks },
	{ "GET",    "/backends",                  0, get_backends },
	{ "POST",   "/backends",                  0, create_backends },
	{ "DELETE", "/backends/{}",               0, close_backend },
	{ "GET",    "/bypass/list",               0, list_bypassed },
	{ "PUT",    "/bypass/add",                0, bypass_add },
	{ "PUT",    "/bypass/remove",             0, bypass_remove },
	{ "PUT",    "/freeze/enable",             0, freeze_on },
	{ "PUT",    "/freeze/disable",            0, freeze_off },
	{ "GET",    "/freeze/status",             0, freeze_is },
	{ "PUT",    "/hot_cache/enable",          0, hot_on },
	{ "PUT",    "/hot_cache/disable",         0, hot_off },
	{ "GET",    "/hot_cache/status",          0, hot_is },
	{ "POST",   "/chunk_statistics/start",    0, statistics_start },
	{ "POST",   "/chunk_statistics/stop",     0, statistics_stop },
	{ "POST",   "/chunk_statistics/reset",    0, statistics_reset },
	{ "GET",    "/chunk_statistics/status",   0, statistics_status },
	{ "GET",    "/lookup/info",               0, lookup_info },
	{ "POST",   "/lookup/close",              0, lookup_close },
	{ "POST",   "/lookup/create",             0, lookup_create },
	{ "POST",   "/lookup/recreate",           0, lookup_recreate },
	{ "GET",    "/controller/key-stats",      0, controller },
	{ "GET",    "/controller/workers",        0, controller },
	{ NULL, NULL, 0, NULL }
};
