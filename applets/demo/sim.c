/* sim.c - a simulated node: from a request to its answer
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* --- the words of a request ------------------------------------------------ */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoding as Starlette does it: what is no escape stays, what is no
 * UTF-8 (and a zero byte, here) becomes U+FFFD. out holds 3 * n + 1 bytes. */
static size_t decode(const char *p, size_t n, bool plus, char *out)
{
	size_t i, k = 0, m = 0, step;
	char *raw = out + 2 * n;	/* the end of out is the work space */

	for (i = 0; i < n; i++) {
		if (p[i] == '%' && i + 2 < n && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
			raw[k++] = (char)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
			i += 2;
		} else {
			raw[k++] = plus && p[i] == '+' ? ' ' : p[i];
		}
	}
	for (i = 0; i < k; i += step ? step : 1) {
		step = raw[i] ? json_utf8(raw + i, k - i) : 0;
		memmove(out + m, step ? raw + i : "\xef\xbf\xbd", step ? step : 3);
		m += step ? step : 3;
	}
	out[m] = '\0';
	return m;
}

static void split_query(struct ask *a)
{
	size_t n = a->query ? strlen(a->query) : 0;
	char *at = a->query, *out;

	a->words = out = xmalloc(3 * n + 2 * PARAMS + 8);
	while (at && *at && a->params < PARAMS) {
		size_t len = strcspn(at, "&"), eq;
		struct param *p = &a->param[a->params];

		eq = strcspn(at, "=&");
		if (len) {
			p->name = out;
			out += decode(at, eq, true, out) + 1;
			p->value = out;
			if (eq < len)
				out += decode(at + eq + 1, len - eq - 1, true, out);
			*out++ = '\0';
			a->params++;
		}
		at += len;
		at += *at == '&';
	}
}

const char *ask_param(const struct ask *a, const char *name)
{
	int i;

	for (i = a->params; i-- > 0; )
		if (!strcmp(a->param[i].name, name))
			return a->param[i].value;
	return NULL;
}

int ask_int(struct ask *a, const char *name, int64_t *out)
{
	const char *v = ask_param(a, name);
	char *end;
	long long n;

	if (!v)
		return 0;
	errno = 0;
	n = strtoll(v, &end, 10);
	while (*end == ' ')
		end++;
	if (end == v || *end || errno) {
		say_field(a, "query", name, "value is not a valid integer", "type_error.integer");
		return -1;
	}
	*out = n;
	return 1;
}

int ask_bool(struct ask *a, const char *name, bool *out)
{
	static const char *const words[] = {
		"0", "1", "off", "on", "f", "t", "false", "true", "n", "y", "no", "yes"
	};
	const char *v = ask_param(a, name);
	size_t i;

	if (!v)
		return 0;
	for (i = 0; i < sizeof words / sizeof *words; i++) {
		if (!strcasecmp(v, words[i])) {
			*out = i & 1;
			return 1;
		}
	}
	say_field(a, "query", name, "value could not be parsed to a boolean", "type_error.bool");
	return -1;
}

static void ask_free(struct ask *a)
{
	timer_stop(&a->timer);
	free(a->path);
	free(a->query);
	free(a->arg[0]);
	free(a->arg[1]);
	free(a->host);
	free(a->ctype);
	free(a->tokens);
	free(a->words);
	free(a->copy);
	free(a);
}

static void ask_abort(struct exchange *x)
{
	ask_free(x->data);
}

static char *copy_span(struct span s)
{
	return s.p ? xstrndup(s.p, s.n) : NULL;
}

static char *copy_field(const struct http_head *h, const char *name)
{
	int i;

	for (i = 0; i < h->n; i++)
		if (span_is_nocase(h->f[i].name, name))
			return copy_span(h->f[i].value);
	return NULL;
}

static struct ask *ask_new(struct sim *s, struct exchange *x)
{
	struct ask *a = xcalloc(1, sizeof *a);
	const struct http_head *h = x->req;

	a->sim = s;
	a->x = x;
	a->path = xmalloc(3 * h->path.n + 1);
	decode(h->path.p, h->path.n, false, a->path);
	a->query = copy_span(h->query);
	a->host = copy_span(h->host);
	a->ctype = copy_field(h, "content-type");
	a->tokens = copy_field(h, "x-tokens");
	snprintf(a->method, sizeof a->method, "%.*s", (int)h->method_text.n, h->method_text.p);
	split_query(a);
	x->data = a;
	x->on_abort = ask_abort;
	return a;
}

/* --- answers ------------------------------------------------------------------ */

static void answer(struct ask *a, int status, const char *type, const char *p, size_t n)
{
	struct exchange *x = a->x;

	a->x = NULL;	/* one answer per question */
	if (!x)
		return;
	x->on_abort = NULL;
	reply_header(x, "Server: lmc-demo");
	reply(x, status, type, p ? p : "", n);
}

static const char json_type_[] = "application/json";
static const char text_type[] = "text/plain; charset=utf-8";

void say_json(struct ask *a, int status, enum style style, struct buf *b)
{
	struct buf wide = BUF(PAGE_MAX);
	const struct buf *out = b;

	if (style != COMPACT && !b->bad) {
		py_indent(&wide, b->p, b->len);
		out = &wide;
	}
	if (out->bad || b->bad)
		say_broken(a);
	else
		answer(a, status, style == INDENT_TEXT ? text_type : json_type_, out->p, out->len);
	buf_free(&wide);
	buf_free(b);
}

static void put_format(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || buf_room(b, (size_t)n + 1) < 0)
		return;
	vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
}

void say(struct ask *a, int status, enum style style, const char *fmt, ...)
{
	struct buf b = BUF(PAGE_MAX);
	va_list ap;

	va_start(ap, fmt);
	put_format(&b, fmt, ap);
	va_end(ap);
	say_json(a, status, style, &b);
}

void say_text(struct ask *a, int status, const char *fmt, ...)
{
	struct buf b = BUF(PAGE_MAX);
	va_list ap;

	va_start(ap, fmt);
	put_format(&b, fmt, ap);
	va_end(ap);
	answer(a, status, text_type, b.p, b.len);
	buf_free(&b);
}

void say_error(struct ask *a, int status, const char *error, const char *message)
{
	struct buf b = BUF(PAGE_MAX);

	buf_puts(&b, "{\"error\":");
	json_puts(&b, error);
	if (message) {
		buf_puts(&b, ",\"message\":");
		json_puts(&b, message);
	}
	buf_putc(&b, '}');
	say_json(a, status, INDENT, &b);
}

void say_broken(struct ask *a)
{
	static const char text[] = "Internal Server Error";

	answer(a, 500, text_type, text, sizeof text - 1);
}

void say_field(struct ask *a, const char *where, const char *name,
	       const char *msg, const char *type)
{
	struct buf b = BUF(4096);

	buf_puts(&b, "{\"detail\":[{\"loc\":[");
	json_puts(&b, where);
	if (name) {
		buf_putc(&b, ',');
		json_puts(&b, name);
	}
	buf_printf(&b, "],\"msg\":\"%s\",\"type\":\"%s\"}]}", msg, type);
	say_json(a, 422, COMPACT, &b);
}

static void redirect(struct ask *a, const char *path)
{
	struct exchange *x = a->x;

	reply_header(x, "Location: http://%s%s%s%s", a->host ? a->host : "localhost",
		     path, a->query ? "?" : "", a->query ? a->query : "");
	answer(a, 307, NULL, "", 0);
}

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

static const struct route *tables[2][3] = {
	{ engine_routes, common_routes, NULL },
	{ mp_routes, common_routes, NULL },
};

static const struct route **tables_of(const struct sim *s)
{
	return tables[s->dialect == MP];
}

/* The row for path and method; or NULL, and *near is the first row with this
 * path (its method is all that Starlette tells in Allow). */
static const struct route *route_find(struct ask *a, const struct route **near)
{
	const struct route **t, *r;

	*near = NULL;
	for (t = tables_of(a->sim); *t; t++) {
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
	const struct route **t, *r;

	for (t = tables_of(s); *t; t++)
		for (r = *t; r->path; r++)
			if (route_matches(r, path, NULL))
				return true;
	return false;
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
