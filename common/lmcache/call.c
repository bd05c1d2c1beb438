/* call.c - asking nodes, many at once, each in its own dialect
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "call_token.h"
#include "clock.h"
#include "die.h"

enum { ERROR_MAX = 2048, PARALLEL_MAX = 4096 };

struct call_options call_o = {
	.timeout = CALL_TIMEOUT, .parallel = CLIENT_PARALLEL,
	.output = "table", .color = "auto",
};

const struct opt call_node_opts[] = {
	HEAD("Nodes"),
	LIST('n', "node", "NODE", &call_o.nodes,
	     "a name, /path/to.sock, unix:/path, HOST:PORT or http(s)://HOST"),
	FLAG('a', "all", &call_o.all, "every node known"),
	STR(0, "nodes", "FILE|JSON|URL", &call_o.list,
	    "the list of nodes, or a frontend or registry that has it"),
	STR(0, "via", "URL", &call_o.via, "go through this frontend"),
	STR(0, "token-file", "FILE", &call_o.token_file,
	    "the frontend's token, for --via and --nodes URL"),
	TIME(0, "timeout", "TIME", &call_o.timeout, 1, 86400000,
	     "for each answer"),
	INT(0, "parallel", "N", &call_o.parallel, 1, PARALLEL_MAX,
	    "requests at the same time"),
	{ 0 }
};

const struct opt call_opts[] = {
	MORE(call_node_opts),
	HEAD("Output"),
	STR('o', "output", "table|json|jsonl|raw", &call_o.output,
	    "the form of the answer"),
	FLAG('q', "quiet", &call_o.quiet,
	     "no word about nodes that fail; the exit status tells"),
	FLAG(0, "no-headers", &call_o.no_headers, "no headings above tables"),
	STR(0, "color", "auto|always|never", &call_o.color,
	    "bold headings; auto: on a terminal"),
	{ 0 }
};

static struct client *client;

/* --- what an answer says --------------------------------------------------------- */

const char *call_who(const struct call_node *n)
{
	static char who[640];
	const char *name = safe(n->name, strlen(n->name));
	const char *where = safe(n->where, strlen(n->where));

	if (!strcmp(name, where))
		snprintf(who, sizeof who, "%s", name);
	else
		snprintf(who, sizeof who, "%s (%s)", name, where);
	return who;
}

void call_fail(struct call *c, int status, const char *fmt, ...)
{
	char text[ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->exit = status;
	free(c->error);
	c->error = xstrdup(text);
}

/* A string, or anything else as its JSON, cut to what fits a message. */
static void said(struct buf *b, const struct json *j, jv v)
{
	struct buf text = BUF(CALL_ANSWER);
	const char *p;
	size_t n;

	if (json_type(j, v) == JSON_STRING) {
		json_str(j, v, &text);
	} else {
		json_raw(j, v, &p, &n);
		buf_add(&text, p, n);
	}
	buf_puts(b, safe(text.p ? text.p : "", text.len));
	buf_free(&text);
}

static void said_after(struct buf *b, const struct json *j, jv v)
{
	if (v < 0 || json_type(j, v) == JSON_NULL)
		return;
	if (b->len)
		buf_puts(b, ": ");
	said(b, j, v);
}

/* FastAPI's list of {"loc":["query","x"],"msg":"...","type":"..."}. */
static void said_validation(struct buf *b, const struct json *j, jv list)
{
	jv v, loc;

	for (v = json_first(j, list); v >= 0; v = json_next(j, list, v)) {
		loc = json_get(j, v, "loc");
		loc = json_at(j, loc, json_count(j, loc) - 1);
		if (b->len)
			buf_puts(b, "; ");
		if (loc >= 0) {
			said(b, j, loc);
			buf_puts(b, ": ");
		}
		if (json_get(j, v, "msg") >= 0)
			said(b, j, json_get(j, v, "msg"));
	}
}

static void said_errors(struct buf *b, const struct json *j, jv errors)
{
	jv v;

	for (v = json_first(j, errors); v >= 0; v = json_next(j, errors, v)) {
		if (b->len)
			buf_puts(b, "; ");
		said(b, j, json_key(j, v));
		buf_puts(b, ": ");
		said(b, j, v);
	}
}

/* Every form of protocol.md 12: {detail}, {error,message}, {error}, {reason},
 * {status,message}, {errors}. */
static void said_json(struct buf *b, const struct json *j)
{
	jv detail = json_get(j, 0, "detail"), errors = json_get(j, 0, "errors");

	if (detail >= 0 && json_type(j, detail) == JSON_ARRAY)
		said_validation(b, j, detail);
	else
		said_after(b, j, detail);
	said_after(b, j, json_get(j, 0, "error"));
	said_after(b, j, json_get(j, 0, "reason"));
	said_after(b, j, json_get(j, 0, "message"));
	if (errors >= 0 && json_type(j, errors) == JSON_OBJECT)
		said_errors(b, j, errors);
	if (!b->len)
		said_after(b, j, json_get(j, 0, "status"));
}

static void said_text(struct buf *b, const struct call *c)
{
	const char *p = c->answer.p ? c->answer.p : "";
	const char *eol = memchr(p, '\n', c->answer.len);

	if (!strncmp(c->ctype, "text/html", 9))
		return;
	buf_puts(b, safe(p, eol ? (size_t)(eol - p) : c->answer.len));
}

static void parse(struct call *c, struct json_error *e)
{
	c->parsed = json_parse(&c->json, c->answer.p ? c->answer.p : "",
			       c->answer.len, CALL_JSON_MAX,
			       JSON_INF | JSON_SURROGATE, e) == 0;
}

static void refused(struct call *c)
{
	struct buf b = BUF(ERROR_MAX);
	struct json_error e;

	if (!c->parsed)
		parse(c, &e);
	if (c->parsed && json_type(&c->json, 0) == JSON_OBJECT)
		said_json(&b, &c->json);
	else
		said_text(&b, c);
	call_fail(c, c->status == 401 || c->status == 403 ? EXIT_DENIED :
		  c->node->via && c->status == 502 ? EXIT_REACH :
		  c->node->via && c->status == 504 ? EXIT_TIMEOUT : EXIT_NO,
		  b.len ? "%s: %s (HTTP %d)" : "%s:%s HTTP %d", call_who(c->node),
		  b.len ? b.p : "", c->status);
	buf_free(&b);
}

/* A failure that comes with status 200 (protocol.md 3.1). */
static bool fails_inside(const struct json *j)
{
	static const char *const bad[] = { "error", "failed", "failure", "not_found" };
	jv v = json_get(j, 0, "error");
	size_t i;

	if (v >= 0 && json_type(j, v) != JSON_NULL)
		return true;
	v = json_get(j, 0, "errors");
	if (v >= 0 && json_count(j, v) > 0)
		return true;
	v = json_get(j, 0, "ok");
	if (v >= 0 && json_type(j, v) == JSON_BOOL && !json_true(j, v))
		return true;
	v = json_get(j, 0, "status");
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (json_is(j, v, bad[i]))
			return true;
	return false;
}

static void judge_body(struct call *c)
{
	struct json_error e;

	if (!(c->flags & CALL_JSON))
		return;
	parse(c, &e);
	if (!c->parsed)
		call_fail(c, EXIT_NO, "%s: the answer is not JSON: line %d, "
			  "column %d: %s", call_who(c->node), e.line, e.column,
			  e.what);
	else if (!(c->flags & CALL_TEXT) && fails_inside(&c->json))
		refused(c);
	else if ((c->flags & CALL_OBJECT) == CALL_OBJECT &&
		 json_type(&c->json, 0) != JSON_OBJECT)
		call_fail(c, EXIT_NO, "%s: the answer is no JSON object",
			  call_who(c->node));
}

static void judge_transport(struct call *c)
{
	switch (c->req.end) {
	case CLIENT_REACH:
		call_fail(c, EXIT_REACH, "unable to reach %s: %s",
			  call_who(c->node), c->req.why);
		break;
	case CLIENT_TIMEOUT:
		call_fail(c, EXIT_TIMEOUT, "no answer from %s within %lld ms",
			  call_who(c->node), (long long)(c->timeout_ms ?
			  c->timeout_ms : call_o.timeout));
		break;
	case CLIENT_LARGE:
		call_fail(c, EXIT_NO, "%s: %s", call_who(c->node), c->req.why);
		break;
	case CLIENT_STOPPED:
		call_fail(c, EXIT_SYS, "%s: stopped", call_who(c->node));
		break;
	default:
		call_fail(c, EXIT_REACH, "broken answer from %s: %s",
			  call_who(c->node), c->req.why);
	}
}

static void put_path(struct buf *b, const char *path, const char *arg)
{
	const char *hole = strstr(path, "{}");

	if (!hole) {
		buf_puts(b, path);
		return;
	}
	buf_add(b, path, (size_t)(hole - path));
	if (arg)
		url_encode(b, arg, strlen(arg));
	buf_puts(b, hole + 2);
}

/* The newest way stands for all; where nothing was asked there is no status. */
static void has_none(struct call *c)
{
	struct buf path = BUF(ERROR_MAX);

	put_path(&path, c->ways->path, c->arg);
	if (c->status)
		buf_printf(&path, " (HTTP %d)", c->status);
	call_fail(c, EXIT_NO, "%s has no %s %s", call_who(c->node),
		  c->ways->method, path.p ? path.p : "");
	buf_free(&path);
}

static void judge(struct call *c)
{
	c->exit = EXIT_OK;
	if (c->req.end != CLIENT_ANSWER)
		judge_transport(c);
	else if (c->missing)
		has_none(c);
	else if (c->status >= 400)
		refused(c);
	else if (c->status >= 300)
		call_fail(c, EXIT_NO, "%s: it points elsewhere, which is not "
			  "followed (HTTP %d)", call_who(c->node), c->status);
	else
		judge_body(c);
}

/* --- one request ------------------------------------------------------------------- */

/* What FastAPI says of a path or method that it does not have, byte for byte. */
static bool no_endpoint(const struct call *c)
{
	static const char *const words[] = {
		"{\"detail\":\"Not Found\"}",
		"{\"detail\":\"Method Not Allowed\"}",
	};
	const char *word = words[c->status == 405];

	return c->req.end == CLIENT_ANSWER &&
	       (c->status == 404 || c->status == 405) &&
	       c->answer.len == strlen(word) &&
	       !memcmp(c->answer.p, word, c->answer.len);
}

static const struct way *fitting(const struct call *c, const struct way *w)
{
	while (w->path && !(w->gens & c->node->gens))
		w++;
	return w->path ? w : NULL;
}

static void fill_target(struct call *c)
{
	buf_reset(&c->target);
	c->target.max = CALL_PATH;
	buf_puts(&c->target, c->node->prefix);
	put_path(&c->target, c->way->path, c->arg);
	if (c->query && *c->query && c->way->takes != WAY_BODY) {
		buf_putc(&c->target, strchr(c->way->path, '?') ? '&' : '?');
		buf_puts(&c->target, c->query);
	}
}

static void fill_headers(struct call *c, bool body)
{
	const char *const *h;
	int n = 0;

	if (c->node->via && call_token())
		c->lines[n++] = call_token();
	if (body) {
		buf_reset(&c->content);
		c->content.max = CALL_TOKEN;
		buf_printf(&c->content, "Content-Type: %s",
			   c->type ? c->type : "application/json");
		c->lines[n++] = c->content.p;
	}
	for (h = c->headers; h && *h && n < 7; h++)
		c->lines[n++] = *h;
	c->lines[n] = NULL;
}

static void on_done(struct client_req *r);

/* Several ways share one timeout. */
static int64_t left(const struct call *c)
{
	int64_t ms = c->timeout_ms ? c->timeout_ms : call_o.timeout;

	ms -= clock_ms() - c->started;
	return ms > 0 ? ms : 1;
}

static void send_it(struct call *c)
{
	bool body = (c->body || c->read) && c->way->takes != WAY_QUERY;

	fill_target(c);
	fill_headers(c, body);
	if (!c->max)
		c->max = c->flags & CALL_JSON ? CALL_JSON_MAX : CALL_ANSWER;
	c->req = (struct client_req){
		.addr = c->node->addr, .method = c->way->method,
		.target = c->target.p, .headers = c->lines,
		.body = body && !c->read ? c->body : NULL,
		.body_n = body && !c->read ? c->body_n : 0,
		.read = body ? c->read : NULL, .again = c->again,
		.upload = c->upload, .write = c->write, .max = c->max,
		.timeout_ms = left(c),
		.due = c->flags & CALL_WHOLE ? clock_ms() + left(c) : 0,
		.done = on_done, .ctx = c,
	};
	client_add(client, &c->req);
}

static void on_done(struct client_req *r)
{
	struct call *c = r->ctx;
	const struct way *next;

	buf_free(&c->answer);
	c->answer = r->answer;
	r->answer = (struct buf){ 0 };
	c->status = r->status;
	c->us += r->us;
	memcpy(c->ctype, r->type, sizeof c->ctype);
	c->missing = no_endpoint(c) && !(c->flags & CALL_PLAIN404);
	next = c->missing ? fitting(c, c->way + 1) : NULL;
	if (next) {
		c->way = next;
		send_it(c);
		return;
	}
	if (r->end == CLIENT_ANSWER && !c->missing)
		c->node->gens &= c->way->gens;
	judge(c);
	c->done(c);
}

struct client *call_client(void)
{
	if (!client)
		client = client_new((int)call_o.parallel);
	if (!client)
		die(EXIT_SYS, "out of memory");
	return client;
}

void call_start(struct call *c)
{
	call_client();
	c->us = 0;
	c->started = clock_ms();
	c->way = fitting(c, c->ways);
	if (c->way) {
		send_it(c);
		return;
	}
	c->status = 0;
	c->missing = true;
	has_none(c);
	c->done(c);
}

int call_run(int64_t ms)
{
	return client ? client_run(client, ms) : 0;
}

int call_left(void)
{
	return client ? client_left(client) : 0;
}

void call_free(struct call *c)
{
	if (c->parsed)
		json_free(&c->json);
	c->parsed = false;
	buf_free(&c->answer);
	buf_free(&c->target);
	buf_free(&c->content);
	free(c->error);
	c->error = NULL;
}

int call_param(struct buf *query, const char *key, const char *value)
{
	if (query->len)
		buf_putc(query, '&');
	url_encode(query, key, strlen(key));
	buf_putc(query, '=');
	return url_encode(query, value, strlen(value));
}
