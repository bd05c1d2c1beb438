/* etcd.c - calls to an etcd cluster (v3, its JSON gateway: etcd 3.4 and later)
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base64.h"
#include "die.h"
#include "etcd.h"
#include "file.h"
#include "out.h"

enum { LEAST_MS = 100 };	/* for one endpoint of many */

/* ---- which ---- */

static int add_endpoint(struct etcd *e, const char *p, size_t n, bool tls)
{
	char text[ADDR_HOST + 16];
	const char *why = "a host is needed";
	struct addr *a = &e->at[e->n];

	if (e->n == ETCD_ENDPOINTS)
		return WRONG(e, "more than %d endpoints", ETCD_ENDPOINTS);
	snprintf(text, sizeof text, "%.*s", (int)n, p);
	if (n >= sizeof text || addr_parse(a, text, ETCD_PORT, &why) < 0 ||
	    a->kind != ADDR_TCP)
		return WRONG(e, "%s: %s", safe(p, n), why);
	a->tls = tls;
	e->n++;
	return 0;
}

static int take_hosts(struct etcd *e, const char *p, const char *end, bool tls)
{
	const char *at = memchr(p, '@', (size_t)(end - p));
	size_t n;

	if (at && memchr(p, ':', (size_t)(at - p)))
		return WRONG(e, "a password does not belong here: name its file with "
			     "?password-file=PATH, or set LMC_ETCD_PASSWORD");
	if (at) {
		e->user = p;
		e->user_n = (int)(at - p);
		p = at + 1;
	}
	for (; p <= end; p += n + 1) {
		n = strcspn(p, ",/?");
		if (add_endpoint(e, p, n, tls) < 0)
			return -1;
	}
	return 0;
}

static int take_rest(struct etcd *e, const char *p)
{
	static const char option[] = "?password-file=";
	size_t n = strcspn(p, "?#");
	const char *rest = p + n;

	if (memchr(p, '%', n))
		return WRONG(e, "a prefix is taken as it is, without %%XX");
	while (n && p[n - 1] == '/')
		n--;
	if (n >= ETCD_PREFIX)
		return WRONG(e, "the prefix is over %d bytes", ETCD_PREFIX - 1);
	snprintf(e->prefix, sizeof e->prefix, "%.*s/", n ? (int)n : 10,
		 n ? p : "/lmc/nodes");
	if (!*rest)
		return 0;
	if (strncmp(rest, option, sizeof option - 1) || !rest[sizeof option - 1])
		return WRONG(e, "behind the prefix only ?password-file=PATH is taken");
	e->secret = rest + sizeof option - 1;
	return e->user ? 0 : WRONG(e, "a password without a user: etcd://USER@HOST");
}

int etcd_open(struct etcd *e, const char *spec)
{
	bool tls = !strncmp(spec, "etcds:", 6);
	const char *p, *end;

	e->body = (struct buf)BUF(ETCD_BODY);
	e->login = (struct buf)BUF(ETCD_BODY);
	if (strncmp(spec, tls ? "etcds://" : "etcd://", 7 + tls))
		return WRONG(e, "not etcd://HOST:PORT/PREFIX");
	p = spec + 7 + tls;
	end = p + strcspn(p, "/?");
	if (take_hosts(e, p, end, tls) < 0)
		return -1;
	e->headers[0] = "Content-Type: application/json";
	return take_rest(e, end);
}

void etcd_close(struct etcd *e)
{
	client_stop(e->client, &e->req);
	buf_free(&e->body);
	buf_free(&e->login);
}

/* ---- bodies ---- */

void etcd_bytes(struct buf *b, const char *name, const char *p, size_t n)
{
	struct buf text = BUF(ETCD_BODY);

	if (buf_room(&text, BASE64_LEN(n)) == 0)
		text.len = base64(text.p, p, n);
	b->bad = b->bad || text.bad;
	js_strn(b, name, text.p, text.len);
	buf_free(&text);
}

void etcd_range(const struct etcd *e, struct buf *b)
{
	char end[ETCD_PREFIX + 1];
	size_t n = strlen(e->prefix);

	memcpy(end, e->prefix, n);
	end[n - 1]++;
	etcd_bytes(b, "key", e->prefix, n);
	etcd_bytes(b, "range_end", end, n);
}

void etcd_number(struct buf *b, const char *name, int64_t v)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)v);
	js_str(b, name, text);
}

int64_t etcd_int(const struct json *j, jv obj, const char *name)
{
	jv v = json_get(j, obj, name);
	char text[24] = "", *end;
	const char *p;
	long long x;
	size_t n;

	if (v < 0)
		return 0;
	json_raw(j, v, &p, &n);
	if (n > 1 && *p == '"') {
		p++;
		n -= 2;
	}
	if (n >= sizeof text)
		return 0;
	memcpy(text, p, n);
	errno = 0;
	x = strtoll(text, &end, 10);
	return *end || errno ? 0 : x;
}

const char *etcd_said(const struct json *j, jv obj)
{
	char *text = json_dup(j, json_get(j, obj, "message"));
	const char *out;

	if (!text)	/* of a stream */
		text = json_dup(j, json_get(j, json_get(j, obj, "error"), "message"));
	out = text ? safe(text, strlen(text)) : "";
	free(text);
	return out;
}

/* ---- one call ---- */

static void send_it(struct etcd *e, const char *path, const struct buf *body);

static void over(struct etcd *e, int status)
{
	e->exit = status;
	e->answered(e);
}

static void fail(struct etcd *e, int status, const char *why)
{
	struct buf at = BUF(ADDR_HOST + 16);

	addr_print(&e->at[e->now], &at);
	WRONG(e, "%s: %s", at.p, why);
	buf_free(&at);
	over(e, status);
}

/* The password, malloc'd; NULL with e->why. */
static char *password(struct etcd *e)
{
	const char *env = getenv("LMC_ETCD_PASSWORD");
	struct stat st;
	char *text;
	size_t n;

	if (!e->secret && !env)
		WRONG(e, "etcd wants a password: ?password-file=PATH or LMC_ETCD_PASSWORD");
	if (!e->secret)
		return env ? xstrdup(env) : NULL;
	if (stat(e->secret, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_mode & 077)) {
		WRONG(e, "%s: no file, or others than its owner may open it; chmod 600 it",
		      e->secret);
		return NULL;
	}
	text = read_file(e->secret, ETCD_SECRET, &n);
	if (text)
		text[strcspn(text, "\r\n")] = '\0';
	else
		WRONG(e, "%s: %s", e->secret, strerror(errno));
	return text;
}

static void log_in(struct etcd *e)
{
	char *word = password(e), name[256];

	e->renewed = true;
	e->headers[1] = NULL;	/* etcd lets nobody log in with an expired token */
	if (!word) {
		over(e, EXIT_DENIED);
		return;
	}
	snprintf(name, sizeof name, "%.*s", e->user_n, e->user);
	buf_reset(&e->login);
	js_open(&e->login, NULL, '{');
	js_str(&e->login, "name", name);
	js_str(&e->login, "password", word);
	js_close(&e->login, '}');
	memset(word, 0, strlen(word));
	free(word);
	send_it(e, "/v3/auth/authenticate", &e->login);
}

static bool is_login(const struct etcd *e)
{
	return e->req.body == e->login.p;
}

/* It has an answer to the login or to the call itself. */
static void take(struct etcd *e)
{
	char *token;

	if (!is_login(e)) {
		over(e, EXIT_OK);
		return;
	}
	token = json_dup(&e->json, json_get(&e->json, 0, "token"));
	memset(e->login.p, 0, e->login.len);
	if (token && *token && strlen(token) <= ETCD_TOKEN &&
	    !token[strcspn(token, "\r\n")]) {
		snprintf(e->token, sizeof e->token, "Authorization: %s", token);
		e->headers[1] = e->token;
	}
	free(token);
	if (e->headers[1])
		send_it(e, e->path, &e->body);
	else
		fail(e, EXIT_DENIED, "its login gives no token");
}

/* "user name is empty", "invalid auth token", "revision of auth store is old" */
static void refused(struct etcd *e)
{
	const char *said = etcd_said(&e->json, 0);
	bool auth = e->status == 401 || strstr(said, "auth") || strstr(said, "user name");

	if (auth && e->user && !e->renewed)
		log_in(e);
	else
		fail(e, auth || e->status == 403 ? EXIT_DENIED : EXIT_NO,
		     *said ? said : "it answers nothing of etcd's");
}

static void answer(struct etcd *e, const struct buf *text)
{
	struct json_error bad;
	struct json j;

	if (json_parse(&j, text->p ? text->p : "", text->len, e->max, 0, &bad) < 0) {
		fail(e, EXIT_NO, "it does not answer as etcd does");
		return;
	}
	e->json = j;
	if (e->status == 200 && json_get(&j, 0, "error") < 0)
		take(e);
	else
		refused(e);
	json_free(&j);
}

static void done(struct client_req *r)
{
	struct etcd *e = r->ctx;
	struct buf text = r->answer;

	r->answer = (struct buf){ 0 };
	e->status = r->end == CLIENT_ANSWER ? r->status : 0;
	/* 503: it has no leader, 504: it waits for the others */
	if ((!e->status || e->status >= 500) && ++e->tried < e->n) {
		e->now = (e->now + 1) % e->n;
		send_it(e, r->target, is_login(e) ? &e->login : &e->body);
	} else if (!e->status) {
		fail(e, r->end == CLIENT_TIMEOUT ? EXIT_TIMEOUT : EXIT_REACH, r->why);
	} else {
		answer(e, &text);
	}
	buf_free(&text);
}

static void send_it(struct etcd *e, const char *path, const struct buf *body)
{
	int64_t ms = e->timeout / e->n;

	e->req = (struct client_req){
		.addr = e->at[e->now], .method = "POST", .target = path,
		.headers = e->headers, .body = body->p, .body_n = body->len,
		.max = e->max, .timeout_ms = ms > LEAST_MS ? ms : LEAST_MS,
		.done = done, .ctx = e,
	};
	client_add(e->client, &e->req);
}

void etcd_begin(struct etcd *e)
{
	buf_reset(&e->body);
	js_open(&e->body, NULL, '{');
}

void etcd_call(struct etcd *e, const char *path, void (*answered)(struct etcd *e))
{
	js_close(&e->body, '}');
	e->path = path;
	e->answered = answered;
	e->tried = 0;
	e->renewed = false;
	e->why[0] = '\0';
	send_it(e, path, &e->body);
}
