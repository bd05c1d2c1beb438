/* supply_k8s.c - a registry that is the API of the Kubernetes around us
 * SPDX-License-Identifier: Apache-2.0
 *
 * "k8s:[NAMESPACE/]service/NAME[:PORT]": the ready endpoints of a Service;
 * "k8s:[NAMESPACE/]pods?selector=LABELS&port=PORT": ready pods. Only read.
 *
 * As kubernetes.io/docs/reference/using-api/api-concepts has it: a consistent
 * list, page by page, then a watch from its resourceVersion on, taken up again
 * from the last one seen. 410 Gone, as a status or as an event, and whatever
 * makes the list stale lead to a new list.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "die.h"
#include "file.h"
#include "jsonl.h"
#include "k8s_rows.h"
#include "supply.h"

enum {
	PAGE        = 100,		/* objects asked for at a time */
	PAGES       = 1000,		/* of one list */
	EVENT       = 2 << 20,		/* bytes: etcd holds 1.5 MiB of an object */
	ROWS        = 2 << 20,		/* bytes of names and addresses kept */
	TOKEN       = 16 << 10,		/* bytes of a bearer token */
	TARGET      = 32 << 10,
	VERSION     = 128,		/* bytes of a resourceVersion, opaque to us */
	WORD        = 64,		/* bytes of a namespace, a name or a port, and NUL */
	SELECTOR    = 4096,
	SLOW_MS     = 30000,		/* between two tries, at most */
	WATCH_TURNS = 60,		/* intervals that a watch lasts, ... */
	WATCH_MS    = 2000,		/* ... and no less */
	SHORT_MS    = 1000,		/* one that ends sooner did not work */
	GRACE_MS    = 5000		/* for the API to end a watch by itself */
};

#define DIRECTORY "/var/run/secrets/kubernetes.io/serviceaccount"
/* In every API server's certificate, unlike the address that pods are given
 * for it, as seen by BearSSL. */
#define CERT_NAME "kubernetes.default.svc"

struct object {
	char *name;
	struct buf rows;	/* k8s_rows.h */
};

struct k8s {
	struct client_req req;
	const char *headers[3];
	struct buf  target, bearer, token_file, ca_file;
	struct buf  path;		/* of the objects, with the selector */
	struct k8s_want want;
	char        ns[WORD], port[WORD];
	bool        busy, watching;
	int         pages, fails;	/* in a row */
	int64_t     began;
	/* what is there */
	struct object *object;
	int         n;
	size_t      bytes;
	bool        full;
	char        version[VERSION];	/* to watch from; "": a list first */
	char       *more;		/* the next page, or NULL */
	/* the watch under way */
	struct buf  part;		/* of an event */
	bool        dirty, gone;
	char        why[SUPPLY_WHY];	/* an event that is none, or "" */
};

/* ---- what is there ---- */

static void drop(struct k8s *k, int i)
{
	k->bytes -= k->object[i].rows.len;
	free(k->object[i].name);
	buf_free(&k->object[i].rows);
	k->object[i] = k->object[--k->n];
}

static void drop_all(struct k8s *k)
{
	while (k->n)
		drop(k, k->n - 1);
	free(k->more);
	k->more = NULL;
	k->pages = 0;
	k->full = false;
	k->version[0] = '\0';
}

static void drop_named(struct k8s *k, const char *name)
{
	for (int i = k->n; i--; )
		if (!strcmp(k->object[i].name, name))
			drop(k, i);
}

/* An object without anyone ready is not kept. name becomes the table's. */
static void keep(struct k8s *k, char *name, const struct json *j, jv v)
{
	struct buf rows = BUF(ROWS);

	k8s_rows(&k->want, j, v, &rows);
	k->full = k->full || rows.bad || k->bytes + rows.len > ROWS;
	if (k->full || !rows.len) {
		buf_free(&rows);
		free(name);
		return;
	}
	if (!(k->n & (k->n - 1)))
		k->object = xrealloc(k->object, (size_t)(k->n ? 2 * k->n : 1) *
				     sizeof *k->object);
	k->object[k->n++] = (struct object){ name, rows };
	k->bytes += rows.len;
}

static const char *next_row(const char *p)
{
	p += strlen(p) + 1;
	return p + strlen(p) + 1;
}

/* By name, and IPv4 ("1") before IPv6 ("["). */
static int in_order(const void *one, const void *two)
{
	const char *const *a = one, *const *b = two;
	int d = strcmp(*a, *b);

	return d ? d : strcmp(*a + strlen(*a) + 1, *b + strlen(*b) + 1);
}

/* A pod of two families stands in two slices: one entry, the first. */
static void publish(struct supply *s, struct k8s *k)
{
	size_t n = 0, i;
	const char **row = xmalloc((k->bytes / 2 + 1) * sizeof *row), *p;

	for (int o = 0; o < k->n; o++)
		for (p = k->object[o].rows.p; p < k->object[o].rows.p + k->object[o].rows.len;
		     p = next_row(p))
			row[n++] = p;
	if (n)
		qsort(row, n, sizeof *row, in_order);
	supply_begin(s);
	for (i = 0; i < n; i++) {
		p = row[i] + strlen(row[i]) + 1;
		if (!*p)
			supply_bad(s, "%s", row[i]);
		else if (!i || !*row[i] || strcmp(row[i], row[i - 1]))
			supply_address(s, *row[i] ? row[i] : NULL, p, SUPPLY_ANY, false);
	}
	if (k->full)
		supply_bad(s, "more than %d bytes of names and addresses", ROWS);
	free(row);
	k->dirty = false;
	supply_end(s);
}

/* ---- asking ---- */

static int on_event(struct client_req *r, const char *p, size_t n);

static void later(struct supply *s, struct k8s *k)
{
	int64_t ms = s->interval << (k->fails < 10 ? k->fails : 10);

	k->busy = false;
	k->fails++;
	s->due = clock_ms() + (ms < SLOW_MS ? ms : SLOW_MS);
}

/* The token is read each time: it is another one every hour or so. */
static int read_token(struct k8s *k)
{
	size_t n;
	char *token = read_file(k->token_file.p, TOKEN, &n);

	if (!token)
		return -1;
	while (n && strchr(" \r\n\t", token[n - 1]))
		token[--n] = '\0';
	for (const char *p = token; n && *p; p++)
		if (*p <= ' ' || *p > '~')
			n = 0;
	buf_reset(&k->bearer);
	buf_printf(&k->bearer, "Authorization: Bearer %s", token);
	free(token);
	errno = EINVAL;
	return n ? 0 : -1;
}

static void ask(struct supply *s, struct k8s *k)
{
	int64_t watch = WATCH_TURNS * s->interval;

	if (read_token(k) < 0) {
		supply_fail(s, "unable to read the token %s: %s", k->token_file.p,
			    strerror(errno));
		k->version[0] = '\0';
		later(s, k);
		return;
	}
	if (watch < WATCH_MS)
		watch = WATCH_MS;
	buf_reset(&k->target);
	buf_puts(&k->target, k->path.p);
	k->watching = k->version[0] && !k->more;
	if (k->watching) {
		buf_printf(&k->target, "&watch=true&allowWatchBookmarks=true"
			   "&timeoutSeconds=%lld&resourceVersion=", (long long)watch / 1000);
		url_encode(&k->target, k->version, strlen(k->version));
	} else {
		buf_printf(&k->target, "&limit=%d", PAGE);
	}
	if (k->more) {
		buf_puts(&k->target, "&continue=");
		url_encode(&k->target, k->more, strlen(k->more));
	}
	k->req.target = k->target.bad ? "/" : k->target.p;
	k->headers[0] = k->bearer.p;
	k->req.timeout_ms = k->watching ? 0 : s->timeout;
	k->req.silence_ms = k->watching ? watch + GRACE_MS : 0;
	k->began = clock_ms();
	k->busy = true;
	s->due = 0;
	k->req.write = k->watching ? on_event : NULL;
	client_add(s->client, &k->req);
}

static void tick(struct supply *s)
{
	struct k8s *k = s->state;

	if (k->busy)
		return;
	if (s->stale || k->full)
		k->version[0] = '\0';
	if (!k->version[0])
		drop_all(k);
	ask(s, k);
}

static void refused(struct supply *s, const struct k8s *k, int status)
{
	if (status == 401)
		supply_fail(s, "401 Unauthorized: the API does not know the token %s",
			    k->token_file.p);
	else if (status == 403)
		supply_fail(s, "403 Forbidden: the service account needs a Role with the verbs "
			    "list and watch on %s in namespace %s", k->want.pods ? "pods" :
			    "endpointslices.discovery.k8s.io", k->ns);
	else
		supply_fail(s, "the Kubernetes API answers %d", status);
}

static int note_version(struct k8s *k, const struct json *j, jv of)
{
	char *v = json_dup(j, json_get(j, json_get(j, of, "metadata"), "resourceVersion"));
	size_t n = v ? strlen(v) : 0;
	bool good = n && n < sizeof k->version;

	if (good)
		memcpy(k->version, v, n + 1);
	free(v);
	return good ? 0 : -1;
}

/* ---- lists ---- */

static const char *take_list(struct k8s *k, const struct buf *text)
{
	struct json_error e;
	const char *why = NULL;
	struct json j;
	jv items, v;
	char *name;

	free(k->more);
	k->more = NULL;
	if (json_parse(&j, text->p ? text->p : "", text->len, SUPPLY_TEXT, 0, &e) < 0)
		return "the list is not JSON";
	items = json_get(&j, 0, "items");
	for (v = json_first(&j, items); v >= 0; v = json_next(&j, items, v)) {
		name = json_dup(&j, json_get(&j, json_get(&j, v, "metadata"), "name"));
		if (name)
			keep(k, name, &j, v);
	}
	k->more = json_dup(&j, json_get(&j, json_get(&j, 0, "metadata"), "continue"));
	if (k->more && !*k->more) {
		free(k->more);
		k->more = NULL;
	}
	if (items < 0 || note_version(k, &j, 0) < 0)
		why = "not a list of the Kubernetes API";
	else if (k->more && ++k->pages == PAGES)
		why = "a list without an end";
	json_free(&j);
	return why;
}

/* Gone here: the snapshot that the pages are of is no more. */
static void listed(struct supply *s, struct k8s *k)
{
	struct client_req *r = &k->req;
	const char *why = NULL;

	if (r->end != CLIENT_ANSWER)
		why = r->why;
	else if (r->status == 200)
		why = take_list(k, &r->answer);
	else if (r->status != 410 || k->fails)
		refused(s, k, r->status);
	buf_free(&r->answer);
	if (why)
		supply_fail(s, "%s", why);
	if (why || r->status != 200) {
		k->version[0] = '\0';
		later(s, k);
		return;
	}
	if (!k->more)
		publish(s, k);
	ask(s, k);
}

/* ---- watches ---- */

static void event(struct k8s *k, const struct json *j)
{
	jv type = json_get(j, 0, "type"), object = json_get(j, 0, "object");
	bool deleted = json_is(j, type, "DELETED");
	int64_t code = 0;
	char *name;

	if (json_is(j, type, "ERROR")) {
		json_int(j, json_get(j, object, "code"), &code);
		k->gone = code == 410;
		if (!k->gone)
			snprintf(k->why, sizeof k->why, "the watch ended with error %d", (int)code);
		return;
	}
	name = json_dup(j, json_get(j, json_get(j, object, "metadata"), "name"));
	if (note_version(k, j, object) < 0) {
		snprintf(k->why, sizeof k->why, "an event without a resourceVersion");
	} else if (name && (deleted || json_is(j, type, "ADDED") || json_is(j, type, "MODIFIED"))) {
		k->dirty = true;
		drop_named(k, name);
		if (!deleted) {
			keep(k, name, j, object);
			name = NULL;
		}
	}
	free(name);
}

static int on_line(void *ctx, const char *p, size_t n)
{
	struct k8s *k = ctx;
	struct json_error e;
	struct json j;

	if (json_parse(&j, p, n, EVENT, 0, &e) < 0)
		return -1;
	event(k, &j);
	json_free(&j);
	return k->gone || k->why[0] ? -1 : 0;
}

static int on_event(struct client_req *r, const char *p, size_t n)
{
	struct supply *s = r->ctx;
	struct k8s *k = s->state;
	int rc = r->status == 200 ? jsonl_feed(&k->part, p, n, on_line, k) : 0;

	if (rc < 0 && !k->gone && !k->why[0])
		snprintf(k->why, sizeof k->why, "the watch is not a stream of JSON texts");
	if (k->dirty)
		publish(s, k);
	return rc;
}

/* A watch that was cut off is taken up again, and only when that does not help
 * either is the list stale. */
static void watched(struct supply *s, struct k8s *k)
{
	struct client_req *r = &k->req;
	bool gone = k->gone || (r->end == CLIENT_ANSWER && r->status == 410);
	bool over = r->end == CLIENT_ANSWER && r->status == 200 && !k->gone;
	bool lasted = r->status == 200 && clock_ms() - k->began >= SHORT_MS;

	buf_free(&k->part);
	if (lasted)
		k->fails = 0;
	if (over && lasted) {
		tick(s);
		return;
	}
	if (gone)
		k->version[0] = '\0';
	if (k->why[0])
		supply_fail(s, "%s", k->why);
	else if (r->end == CLIENT_ANSWER && r->status != 200 && !gone)
		refused(s, k, r->status);
	else if (!r->status || (k->fails && !over))
		supply_fail(s, "%s", gone ? "410 Gone, again" : r->why);
	k->gone = false;
	k->why[0] = '\0';
	later(s, k);
}

static void done(struct client_req *r)
{
	struct supply *s = r->ctx;
	struct k8s *k = s->state;

	k->busy = false;
	if (k->watching)
		watched(s, k);
	else
		listed(s, k);
}

/* ---- what is asked for ---- */

/* Namespaces, Services and ports are labels (RFC 1123): none has a dot. */
static bool word(char *to, const char *p, size_t n)
{
	if (!n || n >= WORD || strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789-") < n)
		return false;
	memcpy(to, p, n);
	to[n] = '\0';
	return true;
}

static void set_path(struct k8s *k, const char *label, const char *selector)
{
	buf_printf(&k->path, "%s/namespaces/%s/%s?labelSelector=", k->want.pods ? "/api/v1" :
		   "/apis/discovery.k8s.io/v1", k->ns, k->want.pods ? "pods" : "endpointslices");
	url_encode(&k->path, label, strlen(label));
	url_encode(&k->path, selector, strlen(selector));
}

static bool want_service(struct k8s *k, const char *p)
{
	const char *colon = strchr(p, ':');
	char name[WORD];

	if (!word(name, p, colon ? (size_t)(colon - p) : strlen(p)) ||
	    (colon && !word(k->port, colon + 1, strlen(colon + 1))))
		return false;
	set_path(k, "kubernetes.io/service-name=", name);
	return true;
}

static bool want_pods(struct k8s *k, const char *query)
{
	char selector[SELECTOR];
	bool bad = false;
	long n = strlen(query);

	k->want.pods = true;
	if (url_param(query, n, "selector", selector, sizeof selector, &bad) < 1 || bad ||
	    url_param(query, n, "port", k->port, sizeof k->port, &bad) < 1 || bad)
		return false;
	set_path(k, "", selector);
	return true;
}

/* [NAMESPACE/]service/NAME[:PORT] or [NAMESPACE/]pods?QUERY */
static bool want(struct k8s *k, const char *p)
{
	size_t n = strcspn(p, "/?");
	const char *rest = p + n + 1;
	bool own = (p[n] == '?' && n == 4) || (p[n] == '/' && !strchr(rest, '/') &&
					       strncmp(rest, "pods?", 5));

	if (!own) {
		if (p[n] != '/' || !word(k->ns, p, n))
			return false;
		p = rest;
	}
	if (!strncmp(p, "service/", 8))
		return want_service(k, p + 8);
	return !strncmp(p, "pods?", 5) && want_pods(k, p + 5);
}

static void own_namespace(struct k8s *k, const char *dir)
{
	struct buf path = BUF(TARGET);
	char *text;
	size_t n;

	buf_printf(&path, "%s/namespace", dir);
	text = read_file(path.p, WORD, &n);
	if (!text || !word(k->ns, text, strcspn(text, "\n")))
		memcpy(k->ns, "default", sizeof "default");
	free(text);
	buf_free(&path);
}

static void free_k8s(struct k8s *k)
{
	struct buf *all[] = { &k->target, &k->bearer, &k->token_file, &k->ca_file, &k->path,
			      &k->part };

	drop_all(k);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		buf_free(all[i]);
	free(k->object);
	free(k);
}

static const char *set_server(struct k8s *k)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT"), *why;
	int n = port && *port ? addr_port(port, strlen(port)) : 443;

	if (!host || !*host)
		return "not in a pod: $KUBERNETES_SERVICE_HOST is not set";
	if (n < 1)
		return "$KUBERNETES_SERVICE_PORT is not a port";
	if (addr_tcp(&k->req.addr, host, n, &why) < 0)
		return why;
	k->req.addr.tls = true;
	if (strchr(k->req.addr.host, ':') || !k->req.addr.host[strspn(k->req.addr.host,
								     "0123456789.")])
		k->req.cert_name = CERT_NAME;
	return NULL;
}

static int open_k8s(struct supply *s)
{
	struct k8s *k = xcalloc(1, sizeof *k);
	const char *dir = getenv("LMC_K8S_DIR"), *why;

	if (!dir || !*dir)
		dir = DIRECTORY;
	k->target.max = k->bearer.max = k->path.max = TARGET;
	k->token_file.max = k->ca_file.max = TARGET;
	k->part.max = EVENT;
	own_namespace(k, dir);
	why = set_server(k);
	if (!want(k, s->spec + 4))
		why = "not [NAMESPACE/]service/NAME[:PORT], and not "
		      "[NAMESPACE/]pods?selector=LABELS&port=PORT";
	if (why) {
		free_k8s(k);
		return WRONG(s, "%s", why);
	}
	buf_printf(&k->token_file, "%s/token", dir);
	buf_printf(&k->ca_file, "%s/ca.crt", dir);
	k->want.port = k->port[0] ? k->port : NULL;
	k->headers[1] = "Accept: application/json";
	k->req.method = "GET";
	k->req.headers = k->headers;
	k->req.ca = k->ca_file.p;
	k->req.max = SUPPLY_TEXT;
	k->req.done = done;
	k->req.ctx = s;
	s->state = k;
	s->due = 1;
	return 0;
}

static void close_k8s(struct supply *s)
{
	struct k8s *k = s->state;

	client_stop(s->client, &k->req);
	free_k8s(k);
}

const struct supply_kind supply_k8s = { "k8s:", open_k8s, tick, close_k8s };
