/* sim_threads.c - the threads that a simulated node says it has
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sim.h"

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
	py_put_json_float(b, v);
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
	py_put_json_float(b, last);
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

const struct route thread_routes[] = {
	{ "GET", "/threads",                 0, get_threads },
	{ "GET", "/periodic-threads",        0, get_periodics },
	{ "GET", "/periodic-threads/{}",     0, get_periodic },
	{ "GET", "/periodic-threads-health", 0, get_periodic_health },
	{ NULL, NULL, 0, NULL }
};
