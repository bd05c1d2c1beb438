/* gate.c - the registry's front door: who may do what, and who answers
 * SPDX-License-Identifier: Apache-2.0
 *
 * Anyone who reaches it may read. Reports and changes need the token, if
 * there is one. Without one a report may announce what allow_refuses() lets
 * its sender announce, and changes are for loopback and UNIX sockets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"
#include "discovery.h"
#include "guard.h"
#include "log.h"

struct gate gate;

enum need { READ, REPORT, CHANGE };
enum {
	REFUSAL_MS = 1000,	/* between two of them in the log */
	GET = 1 << M_GET, READS = GET | 1 << M_HEAD, POST = 1 << M_POST,
	PUT = 1 << M_PUT, DELETE = 1 << M_DELETE
};

static const char JSON_TYPE[] = "application/json";
static struct report report;

/* ---- who ---- */

static bool local(const struct exchange *x)
{
	const char *peer = exchange_peer(x);

	return strcmp(peer, "unix") == 0 || strcmp(peer, "::1") == 0 ||
	       strncmp(peer, "127.", 4) == 0;
}

static bool refuse(struct exchange *x, int status, const char *why)
{
	gate.refused++;
	if (status == 401)
		reply_header(x, "WWW-Authenticate: Bearer");
	reply_detail(x, status, "%s", why);
	return false;
}

static bool allowed(struct exchange *x, enum need need)
{
	if (need == READ)
		return true;
	if (guard_cross_site(x))
		return refuse(x, 403, "refused: a page of another site sent this request");
	if (gate.auth.on && !auth_shown(&gate.auth, x->req))
		return refuse(x, 401, "this needs the registry's token");
	if (need == CHANGE && !gate.auth.on && !x->listener->trusted)
		return refuse(x, 403, "changes need a token (--token-file), or a loopback "
			      "address or UNIX socket");
	return true;
}

/* ---- reports ---- */

/* Whoever sends rubbish does not fill the log with it. */
static void log_refusal(const struct exchange *x, const char *why)
{
	static int64_t last;

	if (loop_now() - last < REFUSAL_MS)
		return;
	last = loop_now();
	log_event(LOG_WARN, "report refused", "from", exchange_peer(x), "reason", why, NULL);
}

/* The entry that the report is of, or NULL: refused, and answered. */
static struct roster_entry *take(struct exchange *x, int bad_status, bool *fresh)
{
	const char *why = allow_refuses(&gate.allow, &report.at, report.b.f.source,
					gate.auth.on || local(x));
	struct roster_entry *e = NULL;
	int status = 403;

	if (report.why[0]) {
		why = report.why;
		status = bad_status;
	} else if (!why && journal_full(&journal)) {
		why = "the journal cannot be written";
		status = 503;
	} else if (!why) {
		e = roster_take(&roster, &report.b, loop_now(), clock_wall_ms(), fresh,
				&status, &why);
	}
	if (!e) {
		refuse(x, status, why);
		log_refusal(x, why);
		return NULL;
	}
	gate.beats++;
	return e;
}

static void heartbeat(struct exchange *x)
{
	struct span q = x->req->query;
	bool fresh;

	memcpy(report.b.f.source, exchange_source(x), 16);
	report_heartbeat(&report, q.p ? q.p : "", q.n);
	if (take(x, 400, &fresh))
		keep_answer(x, 200, "{\"status\":\"success\"}\n", NULL);
}

/* An id for who brings none, as the coordinator makes them. */
static void make_id(char out[40])
{
	unsigned char dice[16];
	size_t n = (size_t)snprintf(out, 40, "mp-");

	if (getrandom(dice, sizeof dice, 0) < 0)
		memset(dice, 0, sizeof dice);
	for (size_t i = 0; i < sizeof dice; i++)
		n += (size_t)snprintf(out + n, 40 - n, "%02x", dice[i]);
}

/* {"instance_id":"..." and the rest; freed by whom it is given to. */
static char *id_text(const struct roster_entry *e, const char *rest)
{
	struct buf b = BUF(2048);

	put_entry(&b, e, "{\"instance_id\":$k");
	buf_puts(&b, rest);
	return b.p;
}

static void registration(struct exchange *x, char *body, size_t n)
{
	static char id[40];
	struct roster_entry *e;
	bool fresh;

	memcpy(report.b.f.source, exchange_source(x), 16);
	if (report_instance(&report, body, n) == 0 && !report.b.text[TEXT_KEY].n) {
		make_id(id);
		report.b.text[TEXT_KEY] = (struct span){ id, strlen(id) };
	}
	e = take(x, 422, &fresh);
	if (!e)
		return;
	keep_answer(x, 200, NULL, id_text(e, fresh ? ",\"re_registered\":false}" :
					  ",\"re_registered\":true}"));
}

static void instances_post(struct exchange *x)
{
	exchange_body(x, REPORT_BODY, registration);
}

/* The instance of the path; its id into id. */
static struct roster_entry *instance(struct exchange *x, char *id, size_t cap)
{
	long n = route_segment(x, 1, id, cap);

	return n > 0 ? roster_find(&roster, ROSTER_INSTANCE, id, (size_t)n) : NULL;
}

/* Without a token an instance answers for itself alone. */
static bool own(struct exchange *x, const struct roster_entry *e)
{
	return gate.auth.on || local(x) ||
	       memcmp(e->f.source, exchange_source(x), 16) == 0 ||
	       refuse(x, 403, "another address registered this instance");
}

static void instance_put(struct exchange *x)
{
	char id[ROSTER_ID + 1] = "";
	struct roster_entry *e = instance(x, id, sizeof id);
	char text[ROSTER_ID + 40];
	struct buf b = BUF(4096);

	if (!e) {
		snprintf(text, sizeof text, "unknown instance %s; re-register", id);
		buf_puts(&b, "{\"error\":");
		json_puts(&b, text);
		buf_putc(&b, '}');
		reply(x, 404, JSON_TYPE, b.p, b.len);
		buf_free(&b);
		return;
	}
	if (!own(x, e))
		return;
	if (journal_full(&journal)) {
		refuse(x, 503, "the journal cannot be written");
		return;
	}
	gate.beats++;
	roster_beat(&roster, e, loop_now(), clock_wall_ms());
	keep_answer(x, 200, NULL, id_text(e, "}"));
}

static void instance_delete(struct exchange *x)
{
	char id[ROSTER_ID + 1] = "";
	struct roster_entry *e = instance(x, id, sizeof id);

	if (e && !own(x, e))
		return;
	if (e)
		roster_drop(&roster, e, ROSTER_LEFT);
	keep_answer(x, 204, "", NULL);
}

/* ---- the operator's ---- */

static struct roster_entry *entry(struct exchange *x)
{
	char name[2 * ROSTER_KEY] = "";
	struct roster_entry *e = route_segment(x, 2, name, sizeof name) > 0 ?
		roster_named(&roster, name) : NULL;

	if (!e)
		reply_detail(x, 404, "no entry is called %s", name);
	return e;
}

static void drain(struct exchange *x, bool on)
{
	struct roster_entry *e = entry(x);

	if (!e)
		return;
	roster_drain(&roster, e, on);
	log_event(LOG_WARN, on ? "drained" : "undrained", "entry", roster_text(e, TEXT_KEY),
		  "by", exchange_peer(x), NULL);
	keep_answer(x, 200, "{\"status\":\"success\"}\n", NULL);
}

static void entry_drain(struct exchange *x)
{
	drain(x, true);
}

static void entry_undrain(struct exchange *x)
{
	drain(x, false);
}

static void entry_delete(struct exchange *x)
{
	struct roster_entry *e = entry(x);

	if (!e)
		return;
	log_event(LOG_WARN, "forgotten", "entry", roster_text(e, TEXT_KEY), "by",
		  exchange_peer(x), NULL);
	roster_drop(&roster, e, ROSTER_FORGOTTEN);
	keep_answer(x, 204, "", NULL);
}

/* ---- about itself ---- */

static void healthy(struct exchange *x)
{
	static const char text[] = "{\"status\":\"healthy\"}";

	reply(x, 200, JSON_TYPE, text, sizeof text - 1);
}

static void ready(struct exchange *x)
{
	if (x->server->draining)
		reply(x, 503, "text/plain; charset=utf-8", "ending\n", 7);
	else
		reply(x, 200, "text/plain; charset=utf-8", "ok\n", 3);
}

/* ---- the table ---- */

static const struct route {
	unsigned    methods;
	const char *path;
	enum need   need;
	void      (*serve)(struct exchange *x);
} routes[] = {
	{ GET,    "/lmcache_heartbeat",     REPORT, heartbeat },
	{ GET,    "/heartbeat",             REPORT, heartbeat },
	{ PUT,    "/instances/*/heartbeat", REPORT, instance_put },
	{ POST,   "/instances",             REPORT, instances_post },
	{ DELETE, "/instances/*",           REPORT, instance_delete },
	{ READS,  "/lmcache_infos",         READ,   infos_get },
	{ READS,  "/instances",             READ,   instances_get },
	{ READS,  "/api/nodes",             READ,   nodes_get },
	{ READS,  "/api/entries",           READ,   entries_get },
	{ GET,    "/api/events",            READ,   events_get },
	{ READS,  "/sd/prometheus",         READ,   targets_get },
	{ READS,  "/metrics",               READ,   metrics_get },
	{ READS,  "/healthz",               READ,   healthy },
	{ READS,  "/health",                READ,   healthy },
	{ READS,  "/livez",                 READ,   healthy },
	{ READS,  "/readyz",                READ,   ready },
	{ POST,   "/api/entries/*/drain",   CHANGE, entry_drain },
	{ POST,   "/api/entries/*/undrain", CHANGE, entry_undrain },
	{ DELETE, "/api/entries/*",         CHANGE, entry_delete },
};

void gate_serve(struct exchange *x)
{
	unsigned others = 0;

	if (x->listener->trusted && !guard_host(x, &gate.public_hosts)) {
		reply_detail(x, 421, "Host %.*s is not known here: name it with "
			     "--public-host", (int)x->req->host.n, x->req->host.p);
		return;
	}
	roster_tick(&roster, loop_now());
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
		const struct route *r = &routes[i];

		if (!route_fits(r->path, x->req->path))
			continue;
		if (!(r->methods & 1u << x->method)) {
			others |= r->methods;
			continue;
		}
		if (allowed(x, r->need))
			r->serve(x);
		return;
	}
	if (others)
		route_other_method(x, others);
	else
		reply_detail(x, 404, "Not Found");
}
