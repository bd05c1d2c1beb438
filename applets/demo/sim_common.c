/* sim_common.c - endpoints that every simulated node has
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bearssl.h>

#include "die.h"
#include "multipart.h"
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

/* --- threads --------------------------------------------------------------------------- */

struct frame { const char *file; int line; const char *in, *code; };

#define PY  "/usr/lib/python3.11/"
#define LMC "/opt/venv/lib/python3.11/site-packages/lmcache/"
#define END { NULL, 0, NULL, NULL }

static const struct frame
started[] = {
	{ PY "threading.py", 995, "_bootstrap", "self._bootstrap_inner()" },
	{ PY "threading.py", 1038, "_bootstrap_inner", "self.run()" },
	{ PY "threading.py", 975, "run", "self._target(*self._args, **self._kwargs)" }, END },
waiting[] = {
	{ PY "threading.py", 622, "wait", "signaled = self._cond.wait(timeout)" },
	{ PY "threading.py", 324, "wait", "gotit = waiter.acquire(True, timeout)" }, END },
polling[] = {
	{ PY "asyncio/base_events.py", 607, "run_forever", "self._run_once()" },
	{ PY "asyncio/base_events.py", 1884, "_run_once", "event_list = self._selector.select(timeout)" },
	{ PY "selectors.py", 468, "select", "fd_event_list = self._selector.poll(timeout, max_ev)" }, END },
periodic_loop[] = {
	{ LMC "v1/periodic_thread.py", 341, "_run_loop", "if self._stop_event.wait(timeout=self._interval):" }, END },
pool_idle[] = {
	{ PY "concurrent/futures/thread.py", 81, "_worker", "work_item = work_queue.get(block=True)" }, END },
disk_write[] = {
	{ PY "concurrent/futures/thread.py", 58, "run", "result = self.fn(*self.args, **self.kwargs)" },
	{ LMC "v1/storage_backend/local_disk_backend.py", 412, "async_save_bytes_to_disk", "self.write_file(buffer, path)" }, END },
disk_read[] = {
	{ PY "concurrent/futures/thread.py", 58, "run", "result = self.fn(*self.args, **self.kwargs)" },
	{ LMC "v1/storage_backend/local_disk_backend.py", 455, "async_load_bytes_from_disk", "self.read_file(key, buffer, path)" }, END },
remote_get[] = {
	{ LMC "v1/storage_backend/remote_backend.py", 308, "batched_get_blocking", "memory_objs = future.result(timeout)" },
	{ PY "concurrent/futures/_base.py", 451, "result", "self._condition.wait(timeout)" }, END },
engine_loop[] = {
	{ "/opt/venv/lib/python3.11/site-packages/vllm/v1/executor/multiproc_executor.py", 587, "worker_busy_loop", "method, args, kwargs, output_rank = self.rpc_broadcast_mq.dequeue()" }, END },
api_server[] = {
	{ LMC "v1/internal_api_server/api_server.py", 118, "run", "asyncio.run(self.server.serve())" },
	{ LMC "v1/internal_api_server/common/thread_api.py", 47, "get_threads", "stack_trace = traceback.format_stack(stack_frames)" }, END };

/* What a thread does at a moment is one of its states. */
static const struct thread {
	const char *class, *name;
	bool daemon;
	const struct frame *state[3];
} threads[] = {
	{ "_MainThread", "MainThread", false,
	  { engine_loop, engine_loop, engine_loop } },
	{ "Thread", "stats-logger-thread", true,
	  { waiting, waiting, waiting } },
	{ "Thread", "storage-manager-event-loop", true,
	  { polling, polling, polling } },
	{ "Thread", "Thread-1 (process_request)", true,
	  { waiting, remote_get, waiting } },
	{ "Thread", "local-disk-worker_0", false,
	  { pool_idle, disk_write, disk_read } },
	{ "Thread", "local-disk-worker_1", false,
	  { pool_idle, pool_idle, disk_write } },
	{ "Thread", "PinMonitor-thread", true,
	  { periodic_loop, periodic_loop, periodic_loop } },
	{ "Thread", "health-monitor-thread", true,
	  { periodic_loop, periodic_loop, periodic_loop } },
	{ "Thread", "batched-message-sender-thread", true,
	  { periodic_loop, periodic_loop, periodic_loop } },
	{ "Thread", "remote-monitor-thread", true,
	  { periodic_loop, periodic_loop, periodic_loop } },
	{ "APIServerThread", "api-server-thread", true,
	  { api_server, api_server, api_server } },
};

static void put_frames(struct buf *b, const struct frame *f)
{
	for (; f->file; f++)
		buf_printf(b, "  File \"%s\", line %d, in %s\n    %s\n", f->file, f->line, f->in, f->code);
}

static void put_thread(struct buf *b, const struct sim *s, size_t i, uint64_t id, double now)
{
	uint64_t step = (uint64_t)((now - s->work.start) / 15);
	const struct thread *t = &threads[i];
	const struct frame *f = t->state[work_hash(s->work.salt + i, step) % 3];

	buf_printf(b, "Thread: <%s(%s, started %s%" PRIu64 ")>\nStack trace:\n",
		   t->class, t->name, t->daemon ? "daemon " : "", id);
	if (f != engine_loop)
		put_frames(b, started);
	put_frames(b, f);
	if (f == periodic_loop)
		put_frames(b, waiting);
}

static bool name_holds(const char *name, const char *part)
{
	return !part || !*part || strcasestr(name, part);
}

static void get_threads(struct ask *a)
{
	const char *name = ask_param(a, "name");
	struct buf b = BUF(PAGE_MAX);
	double now = sim_catch_up(a->sim);
	int64_t wanted = 0;
	int n = 0;
	size_t i;

	if (ask_int(a, "thread_id", &wanted) < 0)
		return;
	for (i = 0; i < sizeof threads / sizeof *threads; i++) {
		uint64_t id = 139881628766272 + (a->sim->work.salt % 4096 << 24) - (i << 23);

		if ((wanted && (uint64_t)wanted != id) || !name_holds(threads[i].name, name))
			continue;
		if (n++)
			buf_puts(&b, "\n\n");
		put_thread(&b, a->sim, i, id, now);
	}
	buf_printf(&b, "\n\n=== Thread Summary ===\nTotal threads: %d\n", n);
	say_text(a, 200, "%s", b.p);
	buf_free(&b);
}

/* --- periodic threads ----------------------------------------------------------------------- */

const struct periodic periodics[] = {
	{ "PinMonitor-thread", "high", 30, 0, true, "checked 0 objects", "\"pinned\":\"0\"" },
	{ "health-monitor-thread", "critical", 30, 0, true, "checked 3 backends", "\"pinned\":\"0\"" },
	{ "batched-message-sender-thread", "medium", 5, 0.1, true, "sent 0 messages", "" },
	{ "remote-monitor-thread", "low", 10, 0, true, "ping answered", "" },
	{ "lazy-memory-expand-thread", "low", 60, 0, false, NULL, NULL },
	{ NULL, NULL, 0, 0, false, NULL, NULL }
};

static void put_number(struct buf *b, const char *key, double v)
{
	buf_printf(b, ",\"%s\":", key);
	py_json_float(b, v);
}

static void put_periodic(struct buf *b, const struct sim *s, const struct periodic *p, double now)
{
	double up = now - s->work.start - p->wait, last = 0, took;
	long runs = p->runs && up >= 0 ? (long)(up / p->interval) + 1 : 0;

	buf_printf(b, "{\"name\":\"%s\",\"level\":\"%s\"", p->name, p->level);
	put_number(b, "interval", p->interval);
	put_number(b, "init_wait", p->wait);
	buf_printf(b, ",\"is_running\":%s,\"is_active\":%s", p->runs ? "true" : "false",
		   runs ? "true" : "false");
	if (!runs) {
		buf_puts(b, ",\"last_run_time\":0.0,\"last_run_ago\":null,\"total_runs\":0,"
			 "\"failed_runs\":0,\"success_rate\":null,\"last_summary\":null}");
		return;
	}
	last = s->work.start + p->wait + (double)(runs - 1) * p->interval;
	took = 0.002 + 0.02 * work_dice(s->work.salt, (uint64_t)runs, 50);
	put_number(b, "last_run_time", last);
	put_number(b, "last_run_ago", now - last);
	buf_printf(b, ",\"total_runs\":%ld,\"failed_runs\":0,\"success_rate\":100.0,"
		   "\"last_summary\":{\"timestamp\":", runs);
	py_json_float(b, last);
	put_number(b, "duration_ms", took);
	buf_printf(b, ",\"success\":true,\"message\":\"%s\",\"extra_info\":{%s}}}",
		   p->message, p->extra);
}

static void put_summary(struct buf *b)
{
	static const char *const names[] = { "critical", "high", "medium", "low" };
	const struct periodic *p;
	int total = 0, running = 0, i;

	for (p = periodics; p->name; p++) {
		total++;
		running += p->runs;
	}
	buf_printf(b, "{\"total_count\":%d,\"running_count\":%d,\"active_count\":%d,\"by_level\":{",
		   total, running, running);
	for (i = 0; i < 4; i++) {
		total = running = 0;
		for (p = periodics; p->name; p++) {
			total += !strcmp(p->level, names[i]);
			running += !strcmp(p->level, names[i]) && p->runs;
		}
		buf_printf(b, "%s\"%s\":{\"total\":%d,\"running\":%d,\"active\":%d}",
			   i ? "," : "", names[i], total, running, running);
	}
	buf_puts(b, "}}");
}

static bool level_good(struct ask *a, const char *level)
{
	struct buf b = BUF(4096), text = BUF(4096);

	if (!level || !*level || !strcasecmp(level, "critical") || !strcasecmp(level, "high") ||
	    !strcasecmp(level, "medium") || !strcasecmp(level, "low"))
		return true;
	buf_printf(&text, "Invalid level: %s. Valid values: critical, high, medium, low", level);
	buf_puts(&b, "{\"error\":");
	json_puts(&b, text.p);
	buf_putc(&b, '}');
	say_json(a, 400, COMPACT, &b);
	buf_free(&text);
	return false;
}

static void get_periodics(struct ask *a)
{
	const char *level = ask_param(a, "level");
	bool running = false, active = false, first = true;
	struct buf b = BUF(PAGE_MAX);
	double now = sim_catch_up(a->sim);
	const struct periodic *p;

	if (ask_bool(a, "running_only", &running) < 0 || ask_bool(a, "active_only", &active) < 0 ||
	    !level_good(a, level))
		return;
	buf_puts(&b, "{\"summary\":");
	put_summary(&b);
	buf_puts(&b, ",\"threads\":[");
	for (p = periodics; p->name; p++) {
		if ((level && *level && strcasecmp(level, p->level)) || ((running || active) && !p->runs))
			continue;
		if (!first)
			buf_putc(&b, ',');
		first = false;
		put_periodic(&b, a->sim, p, now);
	}
	buf_puts(&b, "]}");
	say_json(a, 200, COMPACT, &b);
}

static void get_periodic(struct ask *a)
{
	struct buf b = BUF(PAGE_MAX), text = BUF(PAGE_MAX);
	const struct periodic *p;

	for (p = periodics; p->name && strcmp(p->name, a->arg[0]); p++)
		;
	if (p->name) {
		put_periodic(&b, a->sim, p, sim_catch_up(a->sim));
	} else {
		buf_printf(&text, "Thread not found: %s", a->arg[0]);
		buf_puts(&b, "{\"error\":");
		json_puts(&b, text.p);
		buf_putc(&b, '}');
	}
	say_json(a, p->name ? 200 : 404, COMPACT, &b);
	buf_free(&text);
}

static void get_periodic_health(struct ask *a)
{
	say(a, 200, COMPACT, "{\"healthy\":true,\"unhealthy_count\":0,\"unhealthy_threads\":[]}");
}

/* --- scripts --------------------------------------------------------------------------------- */

/* The first line that is neither empty nor a comment; *more: others follow. */
static struct span only_line(struct span text, bool *more)
{
	struct span line = { NULL, 0 };
	size_t i = 0, n;

	*more = false;
	while (i < text.n) {
		const char *p = text.p + i, *end = memchr(p, '\n', text.n - i);

		n = end ? (size_t)(end - p) : text.n - i;
		i += n + 1;
		while (n && strchr(" \t\r", p[n - 1]))
			n--;
		if (!n || *p == '#')
			continue;
		if (line.p)
			*more = true;
		else
			line = (struct span){ p, n };
	}
	return line;
}

/* A quoted Python string without prefix: its text. 0 or -1. */
static int python_string(struct span s, struct buf *out)
{
	static const char from[] = "ntr\\'\"", to[] = "\n\t\r\\'\"";
	size_t i;
	const char *e;

	if (s.n < 2 || (*s.p != '\'' && *s.p != '"') || s.p[s.n - 1] != *s.p)
		return -1;
	for (i = 1; i < s.n - 1; i++) {
		if (s.p[i] == *s.p || !s.p[i])
			return -1;
		if (s.p[i] == '\\') {
			e = s.p[++i] ? strchr(from, s.p[i]) : NULL;
			if (!e || i >= s.n - 1)
				return -1;
			buf_putc(out, to[e - from]);
		} else {
			buf_putc(out, s.p[i]);
		}
	}
	return 0;
}

static bool python_int(struct span s)
{
	size_t i = s.n && *s.p == '-';

	if (i == s.n || (s.p[i] == '0' && s.n > i + 1))
		return false;
	for (; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return !span_is(s, "-0");
}

/* `result = LITERAL` needs no interpreter. 0 with its str(), or -1. */
static int literal(struct span line, struct buf *out)
{
	static const char word[] = "result";
	size_t i = sizeof word - 1;
	struct span v;

	if (line.n < i || memcmp(line.p, word, i))
		return -1;
	while (i < line.n && line.p[i] == ' ')
		i++;
	if (i == line.n || line.p[i++] != '=')
		return -1;
	while (i < line.n && line.p[i] == ' ')
		i++;
	v = (struct span){ line.p + i, line.n - i };
	if (!span_is(v, "None") && !span_is(v, "True") && !span_is(v, "False") && !python_int(v))
		return python_string(v, out);
	buf_add(out, v.p, v.n);
	return 0;
}

static void run(struct ask *a, struct span script)
{
	struct buf out = BUF(BODY_MAX);
	br_sha256_context sha;
	unsigned char sum[br_sha256_SIZE];
	char hex[2 * br_sha256_SIZE + 1];
	bool more;
	struct span line = only_line(script, &more);
	size_t i;

	br_sha256_init(&sha);
	br_sha256_update(&sha, script.p, script.n);
	br_sha256_out(&sha, sum);
	for (i = 0; i < sizeof sum; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	if (!line.p)
		say_text(a, 200, "Script executed successfully");
	else if (!more && literal(line, &out) == 0)
		say_text(a, 200, "%s", out.p ? out.p : "");
	else
		say_text(a, 200, "simulated node: the script was not executed "
			 "(%zu bytes, sha256 %s)", script.n, hex);
	buf_free(&out);
}

static void run_script(struct ask *a)
{
	char boundary[MULTIPART_BOUNDARY + 1];
	const char *type = a->ctype ? a->ctype : "";
	struct span script = { NULL, 0 };
	struct multipart m;
	struct part part;
	int r = multipart_boundary(type, strlen(type), boundary);

	if (!a->sim->run_script) {
		say_text(a, 404, "The /run_script API is disabled. This simulated node was started "
			 "with --run-script off; LMCache switches it on with run_script_api_enabled.");
		return;
	}
	if (r < 0) {
		say(a, 400, COMPACT, "{\"detail\":\"Missing boundary in multipart.\"}");
		return;
	}
	if (r > 0 && a->n) {
		multipart_begin(&m, a->body, a->n, boundary);
		while ((r = multipart_next(&m, &part)) == MULTIPART_PART)
			if (span_is(part.name, "script") && part.has_filename)
				script = part.body;
		if (r == MULTIPART_CUT)
			script.p = NULL;
	}
	if (r == MULTIPART_BAD)
		say_broken(a);
	else if (!script.p)
		say_text(a, 400, "No script file provided");
	else
		run(a, script);
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

	buf_puts(&b, "{\"openapi\":\"3.0.2\",\"info\":{\"title\":\"FastAPI\",\"version\":\"0.1.0\","
		 "\"description\":\"simulated by lmc demo\"},\"paths\":{");
	put_paths(&b, a->sim->dialect == MP ? mp_routes : engine_routes);
	put_paths(&b, common_routes);
	buf_puts(&b, "}}");
	say_json(a, 200, COMPACT, &b);
}

const struct route common_routes[] = {
	{ "GET",  "/metrics",               0, get_metrics },
	{ "POST", "/metrics/reset",         0, reset_metrics },
	{ "GET",  "/threads",               0, get_threads },
	{ "GET",  "/periodic-threads",      0, get_periodics },
	{ "GET",  "/periodic-threads/{}",   0, get_periodic },
	{ "GET",  "/periodic-threads-health", 0, get_periodic_health },
	{ "GET",  "/loglevel",              0, get_loglevel },
	{ "GET",  "/env",                   0, get_env },
	{ "POST", "/run_script",            0, run_script },
	{ "GET",  "/version",               0, get_version },
	{ "GET",  "/lmc_version",           0, get_release },
	{ "GET",  "/commit_id",             0, get_commit },
	{ "GET",  "/openapi.json",          HIDDEN, get_openapi },
	{ NULL, NULL, 0, NULL }
};
