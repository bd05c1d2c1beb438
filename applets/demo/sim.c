/* sim.c - a simulated node: from a request to its answer
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "die.h"
#include "sim.h"

/* uvicorn closes an idle connection after 5 s: a client that keeps one must
 * cope with that, so it is imitated. */
static const struct limits limits = {
	.connections = 10000, .head_ms = 10000, .idle_ms = 5000,
	.body_idle_ms = 30000, .write_ms = 30000, .grace_ms = 300,
};

const char *const backend_names[BACKENDS] = {
	[LOCAL_CPU]  = "LocalCPUBackend",
	[LOCAL_DISK] = "LocalDiskBackend",
	[REMOTE]     = "RemoteBackend",
};

/* --- routes --------------------------------------------------------------------- */

static bool route_matches(const struct route *r, const char *path, struct ask *a)
{
	const char *p = r->path;
	size_t n;
	int k = 0;

	while (*p && *path) {
		if (*p != '{') {
			if (*p++ != *path++)
				return false;
			continue;
		}
		n = strcspn(path, "/");
		if (!n)
			return false;
		if (a && k < 2) {
			free(a->arg[k]);
			a->arg[k++] = xstrndup(path, n);
		}
		path += n;
		p += 2;
	}
	return !*p && !*path;
}

const struct route *const *sim_tables(const struct sim *s)
{
	static const struct route *const engine[] = {
		engine_routes, cache_routes, backend_routes, kv_routes,
		common_routes, thread_routes, script_routes, NULL
	}, *const mp[] = {
		mp_routes, common_routes, thread_routes, script_routes, NULL
	};

	return s->dialect == MP ? mp : engine;
}

/* The row for path and method; or NULL, and *near is the first row with this
 * path (its method is all that Starlette tells in Allow). */
static const struct route *route_find(struct ask *a, const struct route **near)
{
	const struct route *const *t, *r;

	*near = NULL;
	for (t = sim_tables(a->sim); *t; t++) {
		for (r = *t; r->path; r++) {
			if (!route_matches(r, a->path, NULL))
				continue;
			if (!strcmp(r->method, a->method)) {
				route_matches(r, a->path, a);
				return r;
			}
			if (!*near)
				*near = r;
		}
	}
	return NULL;
}

static bool path_known(const struct sim *s, const char *path)
{
	const struct route *const *t, *r;

	for (t = sim_tables(s); *t; t++)
		for (r = *t; r->path; r++)
			if (route_matches(r, path, NULL))
				return true;
	return false;
}

static void redirect(struct ask *a, const char *path)
{
	struct exchange *x = a->x;

	reply_header(x, "Location: http://%s%s%s%s", a->host ? a->host : "localhost",
		     path, a->query ? "?" : "", a->query ? a->query : "");
	say_bytes(a, 307, NULL, "", 0);
}

/* Starlette answers /conf/ with a redirect to /conf, and the other way round. */
static bool other_slash(struct ask *a)
{
	size_t n = strlen(a->path), cut = n;
	char *path;
	bool known;

	while (cut && a->path[cut - 1] == '/')
		cut--;
	if (!cut)
		return false;
	path = xmalloc(n + 2);
	memcpy(path, a->path, n + 1);
	if (cut < n)
		path[cut] = '\0';
	else
		memcpy(path + n, "/", 2);
	known = path_known(a->sim, path);
	if (known)
		redirect(a, path);
	free(path);
	return known;
}

static void serve(struct ask *a)
{
	const struct route *near;

	a->route = route_find(a, &near);
	if (a->route) {
		a->route->serve(a);
	} else if (near) {
		reply_header(a->x, "Allow: %s", near->method);
		say(a, 405, COMPACT, "{\"detail\":\"Method Not Allowed\"}");
	} else if (!other_slash(a)) {
		say(a, 404, COMPACT, "{\"detail\":\"Not Found\"}");
	}
	if (a->x)
		say_broken(a);	/* a row that answered nothing */
	ask_free(a);
}

/* --- faults ------------------------------------------------------------------------ */

static const char *const faults[] = {
	[FAULT_NONE] = "none", [FAULT_SLOW] = "slow", [FAULT_HANG] = "hang",
	[FAULT_RESET] = "reset", [FAULT_TRUNCATE] = "truncate",
	[FAULT_500] = "500", [FAULT_GARBAGE] = "garbage",
};

int sim_fault(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof faults / sizeof *faults; i++)
		if (!strcmp(name, faults[i]))
			return (int)i;
	return -1;
}

static void raw(struct ask *a, const char *text, bool reset)
{
	struct exchange *x = a->x;

	a->x = NULL;
	x->on_abort = NULL;
	reply_raw(x, text, strlen(text), reset);
}

static void misbehave(struct ask *a)
{
	static const char half[] = "HTTP/1.1 200 OK\r\nServer: lmc-demo\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"Content-Length: 4096\r\n\r\n"
		"# the first bytes of an answer that never ends\n";
	enum fault fault = a->sim->fault;

	if (fault == FAULT_HANG)
		return;		/* until the client gives up */
	if (fault == FAULT_500)
		say_broken(a);
	else if (fault == FAULT_GARBAGE)
		raw(a, "\x01\x02this is not HTTP\n\n\xff\xfe\r\n\r\n", false);
	else
		raw(a, half, fault == FAULT_RESET);
	ask_free(a);
}

static void slow_over(struct timer *t)
{
	serve((struct ask *)((char *)t - offsetof(struct ask, timer)));
}

static void on_body(struct exchange *x, char *p, size_t n)
{
	struct ask *a = x->data;
	struct sim *s = a->sim;
	bool slow = s->fault == FAULT_SLOW && s->asked > s->fault_after;

	a->body = p ? p : "";
	a->n = n;
	if (slow) {
		a->copy = xmalloc(n + 1);
		memcpy(a->copy, a->body, n);
		a->body = a->copy;
		if (timer_set(&a->timer, loop_now() + s->fault_delay, slow_over) == 0)
			return;
	}
	serve(a);
}

static void on_request(struct exchange *x)
{
	struct sim *s = (struct sim *)((char *)x->listener - offsetof(struct sim, listener));
	struct ask *a = ask_new(s, x);
	bool faulty = s->fault && ++s->asked > s->fault_after;

	if (faulty && s->fault != FAULT_SLOW)
		misbehave(a);
	else
		exchange_body(x, BODY_MAX, on_body);
}

/* --- a node's life ------------------------------------------------------------------ */

bool backend_there(const struct sim *s, int which)
{
	int i;

	for (i = 0; i < s->nbackends; i++)
		if (s->backend[i] == which)
			return !s->bypass[which];
	return false;
}

double sim_catch_up(struct sim *s)
{
	double now = (double)clock_wall_ms() / 1000;
	const char *least = conf_text(s, "min_retrieve_tokens");
	struct rules r = {
		.scheduler  = s->role & SCHEDULER,
		.worker     = s->role & WORKER,
		.cpu        = s->hot && backend_there(s, LOCAL_CPU),
		.disk       = backend_there(s, LOCAL_DISK),
		.remote     = s->dialect == EMBEDDED && backend_there(s, REMOTE),
		.freeze     = s->freeze,
		.statistics = s->statistics,
		.min_tokens = least ? (uint32_t)strtoul(least, NULL, 10) : 0,
	};

	work_until(&s->work, &r, now);
	return now;
}

static uint64_t text_hash(const char *s)
{
	uint64_t h = 0;

	while (*s)
		h = work_hash(h, (unsigned char)*s++);
	return h;
}

struct sim *sim_new(const struct sim_options *o)
{
	struct sim *s = xcalloc(1, sizeof *s);
	double start = (double)(clock_wall_ms() - o->age) / 1000;
	int i;

	s->name = o->name;
	s->instance = o->instance;
	s->role = o->dialect == MP ? BOTH : o->role;
	s->dialect = o->dialect;
	s->worker_id = o->worker_id;
	s->world = o->world;
	s->fault = o->fault;
	s->fault_delay = o->fault_delay;
	s->fault_after = o->fault_after;
	s->run_script = o->run_script;
	s->hot = s->lookup_open = true;
	s->root_level = 30;
	s->lookup = xstrdup(s->role == WORKER ? "LMCacheLookupServer" :
			    "ChunkStatisticsLookupClient(LMCacheLookupClient)");
	for (i = 0; i < BACKENDS; i++)
		s->backend[s->nbackends++] = i;
	work_init(&s->work, work_hash(o->seed, text_hash(o->instance)),
		  (uint64_t)(o->worker_id + 1) * 4 + (uint64_t)o->role, start);
	s->work.rate = o->rate;
	metrics_labels(s);
	return s;
}

void sim_server(struct server *server)
{
	server->limits = &limits;
	server->on_request = on_request;
}

int sim_listen(struct sim *s, struct server *server, const struct addr *a)
{
	if (server_listen(server, &s->listener, a) < 0)
		return -1;
	conf_init(s, a->kind == ADDR_UNIX ? a->host : NULL);
	return 0;
}

void sim_unlisten(struct sim *s)
{
	server_unlisten(&s->listener);
}
