/* sim_cache.c - the cache of a simulated worker: clear, store, retrieve, checks
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "die.h"
#include "sim.h"

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

	if (!need_engine(a, "LMCache API"))
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

void store_tokens(struct sim *s, int64_t from, int64_t n)
{
	if (s->nstored == RANGES)
		memmove(s->stored, s->stored + 1, sizeof s->stored[0] * (size_t)--s->nstored);
	s->stored[s->nstored].from = from;
	s->stored[s->nstored++].n = n;
}

int64_t stored_tokens(const struct sim *s, int64_t from, int64_t n)
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

	if (!need_engine(a, "LMCache API") || !mock_tokens(a, &from, &n))
		return;
	sim_catch_up(s);
	if (!s->freeze && n >= CHUNK && stored_tokens(s, from, n) < n / CHUNK * CHUNK) {
		s->work.count[C_num_store_requests]++;
		s->work.count[C_num_stored_tokens] +=
			(uint64_t)(n / CHUNK * CHUNK - stored_tokens(s, from, n));
		store_tokens(s, from, n);
	}
	say(a, 200, INDENT, "{\"status\":\"success\",\"num_tokens\":%lld}", (long long)n);
}

static void retrieve(struct ask *a)
{
	struct sim *s = a->sim;
	int64_t from, n, hit;

	if (!need_engine(a, "LMCache API") || !mock_tokens(a, &from, &n))
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

	if (!need_engine(a, "LMCache API"))
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

const struct route cache_routes[] = {
	{ "DELETE", "/cache/clear",               0, clear },
	{ "POST",   "/cache/store",               0, store },
	{ "POST",   "/cache/retrieve",            0, retrieve },
	{ "GET",    "/cache/kvcache/check",       0, kv_check },
	{ "POST",   "/cache/kvcache/record_slot", 0, record_slot },
	{ "GET",    "/cache/kvcache/info",        0, no_kv_caches },	/* always, as measured */
	{ "POST",   "/cache/load-fs-chunks",      0, load_fs_chunks },
	{ NULL, NULL, 0, NULL }
};
