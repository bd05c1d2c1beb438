/* sim_common.c - endpoints that every simulated node has
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "sim.h"

/* --- metrics, versions, environment --------------------------------------------- */

static void get_metrics(struct ask *a)
{
	struct buf b = BUF(PAGE_MAX);

	metrics_print(a->sim, &b, sim_catch_up(a->sim));
	if (b.bad)
		say_broken(a);
	else
		say_text(a, 200, "%s", b.p);
	buf_free(&b);
}

static void reset_metrics(struct ask *a)
{
	work_reset(&a->sim->work, sim_catch_up(a->sim));
	say_text(a, 200, "ok");
}

static void get_version(struct ask *a)
{
	say(a, 200, COMPACT, "\"%s-%s\"", SIM_RELEASE, SIM_COMMIT);
}

static void get_release(struct ask *a)
{
	say(a, 200, COMPACT, "\"%s\"", SIM_RELEASE);
}

static void get_commit(struct ask *a)
{
	say(a, 200, COMPACT, "\"%s\"", SIM_COMMIT);
}

/* Made up: nothing of this process's environment is shown. */
static void get_env(struct ask *a)
{
	say(a, 200, INDENT_TEXT, "{\"CUDA_VISIBLE_DEVICES\":\"%d\",\"EMPTY\":\"\","
	    "\"HF_TOKEN\":\"hf_simulatedNotARealTokenSimulated\",\"HOME\":\"/root\","
	    "\"LANG\":\"C.UTF-8\",\"LMCACHE_CONFIG_FILE\":\"/etc/lmcache/lmcache.yaml\","
	    "\"LMCACHE_LOG_LEVEL\":\"INFO\",\"LMC_DEMO\":\"this node is simulated\","
	    "\"OMP_NUM_THREADS\":\"1\",\"PATH\":\"/usr/bin:/bin\",\"PYTHONHASHSEED\":\"0\","
	    "\"VLLM_WORKER_MULTIPROC_METHOD\":\"spawn\"}",
	    a->sim->worker_id < 0 ? 0 : a->sim->worker_id);
}

/* --- log levels --------------------------------------------------------------------- */

/* In the order of their creation; a = in front: INFO, the others NOTSET. */
static const char *const first_loggers[] = {
	"concurrent.futures", "asyncio", "torch.distributed.distributed_c10d",
	"torch.distributed.rpc", "torch.nn.parallel.distributed",
	"torch.utils.data.dataloader", "=lmcache.utils", "urllib3.util.retry",
	"urllib3", "urllib3.connection", "urllib3.connectionpool", "requests",
	"=lmcache.v1.config_base", "=lmcache.v1.config", "=lmcache.v1.cache_engine",
	"=lmcache.v1.lookup_client.chunk_statistics_lookup_client",
	"=lmcache.v1.metadata", "=lmcache.v1.periodic_thread", "fastapi",
	"=uvicorn.error", "=uvicorn", "=lmcache.v1.internal_api_server.api_server",
	"=lmcache.v1.storage_backend.storage_manager",
	"=lmcache.v1.storage_backend.local_cpu_backend",
	"=lmcache.integration.vllm.vllm_v1_adapter", "=vllm", "=uvicorn.access",
};

static void add_logger(struct sim *s, const char *name, int level)
{
	if (s->nloggers == LOGGERS)
		return;
	if (s->nloggers % 64 == 0)
		s->loggers = xrealloc(s->loggers, (size_t)(s->nloggers + 64) * sizeof *s->loggers);
	s->loggers[s->nloggers++] = (struct logger){ xstrdup(name), level };
}

/* The level of a logger, made when it is not there yet. */
static int *level_of(struct sim *s, const char *name)
{
	static int none;
	int i;

	if (!strcmp(name, "root"))
		return &s->root_level;
	for (i = 0; i < s->nloggers; i++)
		if (!strcmp(s->loggers[i].name, name))
			return &s->loggers[i].level;
	add_logger(s, name, 0);
	none = 0;
	return i < s->nloggers ? &s->loggers[i].level : &none;
}

static void first_time(struct sim *s)
{
	size_t i;
	bool info;

	if (s->nloggers)
		return;
	for (i = 0; i < sizeof first_loggers / sizeof *first_loggers; i++) {
		info = first_loggers[i][0] == '=';
		add_logger(s, first_loggers[i] + info, info ? 20 : 0);
	}
}

static const struct { const char *name; int level; } levels[] = {
	{ "NOTSET", 0 }, { "DEBUG", 10 }, { "INFO", 20 }, { "WARNING", 30 },
	{ "ERROR", 40 }, { "CRITICAL", 50 }, { "WARN", 30 }, { "FATAL", 50 },
};

static const char *level_name(int level)
{
	static char other[24];
	size_t i;

	for (i = 0; i < sizeof levels / sizeof *levels; i++)
		if (levels[i].level == level)
			return levels[i].name;
	snprintf(other, sizeof other, "Level %d", level);
	return other;
}

static void list_loggers(struct ask *a)
{
	struct buf b = BUF(PAGE_MAX);
	const struct sim *s = a->sim;
	int i;

	buf_puts(&b, "=== Loggers and Levels ===\n");
	for (i = 0; i < s->nloggers; i++)
		buf_printf(&b, "%s: %s\n", s->loggers[i].name, level_name(s->loggers[i].level));
	say_text(a, 200, "%s", b.p ? b.p : "");
	buf_free(&b);
}

static void set_level(struct ask *a, const char *name, const char *given)
{
	char upper[32];
	size_t i, n = strlen(given);

	for (i = 0; i < n && i < sizeof upper - 1; i++)
		upper[i] = (char)toupper((unsigned char)given[i]);
	upper[i] = '\0';
	for (i = 0; i < sizeof levels / sizeof *levels; i++) {
		if (n >= sizeof upper || strcmp(levels[i].name, upper))
			continue;
		*level_of(a->sim, name) = levels[i].level;
		say_text(a, 200, "Set %s level to %s (including all handlers)", name, upper);
		return;
	}
	/* these are attributes of Python's logging too, but no levels */
	if (!strcmp(upper, "BASIC_FORMAT") || !strcmp(upper, "_STYLES"))
		say_broken(a);
	else
		say_text(a, 400, "Invalid log level: %s", given);
}

static void get_loglevel(struct ask *a)
{
	const char *name = ask_param(a, "logger_name"), *level = ask_param(a, "level");

	first_time(a->sim);
	if (name && *name && level && *level)
		set_level(a, name, level);
	else if (name && *name)
		say_text(a, 200, "%s: %s", name, level_name(*level_of(a->sim, name)));
	else if (level && *level)
		say(a, 200, COMPACT, "null");
	else
		list_loggers(a);
}

/* --- what FastAPI adds ---------------------------------------------------------------------- */

static void put_methods(struct buf *b, const struct route *from, const struct route *first)
{
	const struct route *r;
	bool comma = false;
	const char *m;

	json_puts(b, first->path);
	buf_puts(b, ":{");
	for (r = from; r->path; r++) {
		if (strcmp(r->path, first->path))
			continue;
		buf_puts(b, comma ? ",\"" : "\"");
		comma = true;
		for (m = r->method; *m; m++)
			buf_putc(b, (char)tolower((unsigned char)*m));
		buf_puts(b, "\":{\"summary\":\"simulated by lmc demo\","
			 "\"responses\":{\"200\":{\"description\":\"Successful Response\"}}}");
	}
	buf_putc(b, '}');
}

static void put_paths(struct buf *b, const struct route *table)
{
	const struct route *r, *before;

	for (r = table; r->path; r++) {
		for (before = table; before < r && strcmp(before->path, r->path); before++)
			;
		if (before < r || (r->flags & HIDDEN))
			continue;
		if (b->p[b->len - 1] != '{')
			buf_putc(b, ',');
		put_methods(b, table, r);
	}
}

static void get_openapi(struct ask *a)
{
	struct buf b = BUF(PAGE_MAX);
	const struct route *const *t;

	buf_puts(&b, "{\"openapi\":\"3.0.2\",\"info\":{\"title\":\"FastAPI\",\"version\":\"0.1.0\","
		 "\"description\":\"simulated by lmc demo\"},\"paths\":{");
	for (t = sim_tables(a->sim); *t; t++)
		put_paths(&b, *t);
	buf_puts(&b, "}}");
	say_json(a, 200, COMPACT, &b);
}

const struct route common_routes[] = {
	{ "GET",  "/metrics",               0, get_metrics },
	{ "POST", "/metrics/reset",         0, reset_metrics },
	{ "GET",  "/loglevel",              0, get_loglevel },
	{ "GET",  "/env",                   0, get_env },
	{ "GET",  "/version",               0, get_version },
	{ "GET",  "/lmc_version",           0, get_release },
	{ "GET",  "/commit_id",             0, get_commit },
	{ "GET",  "/openapi.json",          HIDDEN, get_openapi },
	{ NULL, NULL, 0, NULL }
};
