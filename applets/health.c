/* health.c - are the nodes well? one verdict for each
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "ask.h"
#include "clock.h"
#include "die.h"
#include "stack.h"

static struct {
	bool deep, skew;
	long expect;
} o = { .expect = -1 };

static const struct opt opts[] = {
	FLAG(0, "deep",   &o.deep,   "look at status and metrics as well, and whether those are fresh"),
	INT(0,  "expect", "N", &o.expect, 0, 4096, "there should be this many healthy nodes at least"),
	FLAG(0, "allow-skew", &o.skew, "nodes may run different versions"),
	FLAG(0, "nagios", &die_plugin, "one line and status of a monitoring plugin"),
	MORE(call_opts),
	{ 0 }
};

enum { VERSION, PERIODIC, MP_HEALTH, STATUS, METRICS, THREADS, LOOKS };
enum { LAG_SECS = 30, PARALLEL = 4096 };

static const struct way version[] = { { GEN_ALL, "GET", "/version", WAY_ANY }, { 0 } };
static const struct way periodic[] = {
	{ GEN_ALL, "GET", "/periodic-threads-health", WAY_ANY }, { 0 }
};
static const struct way mp_health[] = {
	{ GEN_ALL, "GET", "/healthcheck", WAY_ANY },
	{ GEN_ALL, "GET", "/api/healthcheck", WAY_ANY },
	{ GEN_ALL, "GET", "/healthz", WAY_ANY },
	{ GEN_ALL, "GET", "/", WAY_ANY },	/* the first ones; a controller has a page there */
	{ 0 }
};
static const struct way status[] = {
	{ GEN_ALL, "GET", "/status", WAY_ANY },
	{ GEN_ALL, "GET", "/api/status", WAY_ANY },
	{ 0 }
};
static const struct way metrics[] = { { GEN_ALL, "GET", "/metrics", WAY_ANY }, { 0 } };
static const struct way threads[] = { { GEN_ALL, "GET", "/threads", WAY_ANY }, { 0 } };

static const struct {
	const char       *name;
	const struct way *ways;
	unsigned          flags;
	bool              deep;
} looks[LOOKS] = {
	[VERSION]   = { "version",          version,   CALL_JSON | CALL_TEXT, false },
	[PERIODIC]  = { "periodic threads", periodic,  CALL_JSON | CALL_TEXT, false },
	[MP_HEALTH] = { "healthcheck",      mp_health, CALL_JSON | CALL_TEXT, false },
	[STATUS]    = { "status",           status,    CALL_JSON | CALL_TEXT, true },
	[METRICS]   = { "metrics",          metrics,   0,                     true },
	[THREADS]   = { "threads",          threads,   0,                     true },
};

enum verdict { HEALTHY, DEGRADED, UNHEALTHY, UNREACHABLE };
static const char *const words[] = { "healthy", "degraded", "unhealthy", "unreachable" };

struct patient {
	struct call_node *node;
	struct call       look[LOOKS];
	enum verdict      verdict;
	int               exit, status, left;	/* left: looks under way */
	bool              offers;		/* anything of LMCache's API */
	struct buf        why;		/* "; " between */
	char             *error;	/* of a call */
	char             *version;
	int64_t           us;
};

/* --- what an answer means ----------------------------------------------------------- */

static void worse_is(struct patient *p, enum verdict v, const char *why)
{
	if (v > p->verdict)
		p->verdict = v;
	buf_printf(&p->why, "%s%s", p->why.len ? "; " : "", why);
}

static void see_periodic(struct patient *p, const struct json *j)
{
	jv list = json_get(j, 0, "unhealthy_threads"), v;
	struct buf names = BUF(1024);

	if (json_true(j, json_get(j, 0, "healthy")))
		return;
	for (v = json_first(j, list); v >= 0; v = json_next(j, list, v)) {
		buf_puts(&names, names.len ? ", " : "thread ");
		json_str(j, json_get(j, v, "name"), &names);
	}
	buf_puts(&names, names.len ? " does not run" : "a periodic thread does not run");
	worse_is(p, UNHEALTHY, names.p ? names.p : "");
	buf_free(&names);
}

static void see_status(struct patient *p, const struct json *j)
{
	static const char *const parts[] = { "is_healthy", "storage_manager" };
	jv v = json_get(j, 0, parts[0]), s = json_get(j, 0, parts[1]), m;

	if (v >= 0 && !json_true(j, v))
		worse_is(p, UNHEALTHY, "status: is_healthy is false");
	if (s >= 0 && json_type(j, s) != JSON_OBJECT)
		s = -1;
	for (m = json_first(j, s); m >= 0; m = json_next(j, s, m)) {
		v = json_get(j, m, "is_healthy");
		if (v >= 0 && json_type(j, v) == JSON_BOOL && !json_true(j, v)) {
			worse_is(p, UNHEALTHY, "a part of the storage manager is not healthy");
			return;
		}
	}
}

/* Of all samples of that name the least or the greatest value; NAN: none. */
static double value_of(const struct call *c, const char *name, bool least)
{
	const char *p = c->answer.p ? c->answer.p : "", *end = p + c->answer.len, *eol, *at;
	size_t n = strlen(name);
	double v, found = NAN;

	for (; p < end; p = eol + 1) {
		eol = memchr(p, '\n', (size_t)(end - p));
		eol = eol ? eol : end;
		if ((size_t)(eol - p) <= n || memcmp(p, name, n) || (p[n] != '{' && p[n] != ' '))
			continue;
		/* A label's value may hold blanks and brackets: look from the end. */
		at = memrchr(p, p[n] == '{' ? '}' : ' ', (size_t)(eol - p));
		v = at ? strtod(at + 1, NULL) : NAN;
		if (isnan(found) || (least ? v < found : v > found))
			found = v;
	}
	return found;
}

static void see_metrics(struct patient *p, const struct call *c)
{
	if (!memmem(c->answer.p ? c->answer.p : "", c->answer.len, "lmcache", 7))
		worse_is(p, DEGRADED, "its metrics have nothing of LMCache");
	if (value_of(c, "lmcache:lmcache_is_healthy", true) <= 0)
		worse_is(p, UNHEALTHY, "lmcache_is_healthy is 0");
	/* An MP server counts what its event bus has brought so far. */
	if (value_of(c, "lmcache_mp_event_bus_drain_lag_seconds", false) > LAG_SECS)
		worse_is(p, DEGRADED, "its metrics lag behind");
}

/* Inside vLLM one thread brings counters up to date every few seconds; when an
 * exception has ended it they stand still, and nothing else tells. */
static void see_threads(struct patient *p, const struct call *c, const struct call *m)
{
	struct threads ts = { 0 };
	bool fed = false, stacks = false;
	const char *why;
	double used = value_of(m, "lmcache:num_store_requests_total", false) +
		value_of(m, "lmcache:num_retrieve_requests_total", false);
	int i, f;

	if (!(used > 0) || threads_parse(&ts, c->answer.p, c->answer.len, &why) < 0)
		return;
	for (i = 0; i < ts.n; i++) {
		fed |= !strcmp(ts.v[i].name, "stats-logger-thread");
		for (f = 0; f < ts.v[i].frames; f++) {
			stacks = true;
			fed |= !strcmp(ts.v[i].frame[f].func, "log_worker");
		}
	}
	threads_free(&ts);
	if (stacks && !fed)
		worse_is(p, DEGRADED, "its metrics are stale: no thread updates them");
}

static void see_health(struct patient *p, const struct call *c)
{
	jv v = json_get(&c->json, 0, "status");
	struct buf why = BUF(512);

	if (v < 0 || json_is(&c->json, v, "healthy") || json_is(&c->json, v, "ok"))
		return;
	buf_puts(&why, "healthcheck says ");
	json_str(&c->json, v, &why);
	worse_is(p, UNHEALTHY, why.p);
	buf_free(&why);
}

static void see(struct patient *p, int i)
{
	struct call *c = &p->look[i];

	if (i == VERSION)
		p->version = json_dup(&c->json, 0);
	else if (i == PERIODIC)
		see_periodic(p, &c->json);
	else if (i == MP_HEALTH)
		see_health(p, c);
	else if (i == STATUS)
		see_status(p, &c->json);
	else if (i == METRICS)
		see_metrics(p, c);
	else if (i == THREADS && !p->look[METRICS].exit)
		see_threads(p, c, &p->look[METRICS]);
	/* Other servers have a /version too, but not such a one. */
	if (i == VERSION)
		p->offers |= p->version != NULL;
	else
		p->offers |= i != MP_HEALTH || json_get(&c->json, 0, "status") >= 0;
}

/* A node that is away is away for every look: the first tells. */
static void failed(struct patient *p, const struct call *c, const char *look)
{
	bool away = c->exit == EXIT_REACH || c->exit == EXIT_TIMEOUT;
	char why[64];

	if (!away)
		snprintf(why, sizeof why, "%s: HTTP %d%s", look, c->status,
			 c->status == 200 ? ", and no good answer" : "");
	else
		snprintf(why, sizeof why, "%s: %s", look,
			 c->exit == EXIT_REACH ? "not reached" : "no answer in time");
	if (!away || p->verdict != UNREACHABLE)
		worse_is(p, away ? UNREACHABLE : UNHEALTHY, why);
}

/* An endpoint that a node does not have says nothing about its health. */
static void judge(struct patient *p)
{
	struct call *c;
	int i;

	p->status = p->look[VERSION].status;
	for (i = 0; i < LOOKS; i++) {
		c = &p->look[i];
		if (!c->ways)
			continue;
		if (c->us > p->us)
			p->us = c->us;
		if (!c->exit) {
			see(p, i);
			p->status = p->error ? p->status : c->status;
		} else if (!c->missing && (c->status != 200 || c->way->path[1])) {
			p->exit = worse(p->exit, c->exit);
			if (!p->error || c->exit == p->exit) {
				p->error = c->error;
				p->status = c->status;
			}
			failed(p, c, looks[i].name);
		}
	}
	if (!p->offers && !p->exit)
		worse_is(p, UNHEALTHY, "it has nothing of LMCache's API");
	if (p->verdict && !p->exit)
		p->exit = EXIT_NO;
}

/* --- telling ---------------------------------------------------------------------------- */

static const char *const heads[] = { "NODE", "HEALTH", ">MS", "VERSION", "WHY", NULL };

static void print(struct report *r, const struct patient *p)
{
	const char *why = p->why.len ? p->why.p : NULL;

	report_node(r, p->node, p->status, p->exit, p->error);
	if (r->form == OUT_TABLE && call_o.quiet)
		return;
	if (r->form == OUT_TABLE) {
		table_puts(&r->table, p->node->name);
		table_puts(&r->table, words[p->verdict]);
		table_printf(&r->table, "%.1f", (double)p->us / 1000);
		table_puts(&r->table, p->version);
		table_puts(&r->table, why);
	} else {
		js_str(&r->json, "health", words[p->verdict]);
		js_str(&r->json, "version", p->version);
		js_str(&r->json, "why", why);
		js_num(&r->json, "seconds", (double)p->us / 1e6);
	}
	report_done(r);
}

/* --- asking ----------------------------------------------------------------------- */

static struct report report;

/* In lines nobody waits for the slow: whether versions differ is told by the
 * exit status and on stderr then. */
static void looked(struct call *c)
{
	struct patient *p = c->ctx;

	if (--p->left)
		return;
	judge(p);
	if (report.form == OUT_JSONL && !die_plugin)
		print(&report, p);
}

static void start(struct patient *p, struct call_node *n)
{
	int i;

	*p = (struct patient){ .node = n, .why = BUF(4096) };
	for (i = 0; i < LOOKS; i++)
		p->left += o.deep || !looks[i].deep;
	for (i = 0; i < LOOKS; i++) {
		if (looks[i].deep && !o.deep)
			continue;
		p->look[i] = (struct call){ .node = n, .ways = looks[i].ways, .ctx = p,
			.flags = looks[i].flags | CALL_WHOLE, .done = looked };
		call_start(&p->look[i]);
	}
}

static void find_skew(struct patient *all, int n)
{
	const char *first = NULL;
	bool differ = false;
	int i;

	for (i = 0; i < n; i++) {
		if (!all[i].version)
			continue;
		differ |= first && strcmp(first, all[i].version);
		first = first ? first : all[i].version;
	}
	if (!differ || o.skew)
		return;
	if (report.form == OUT_JSONL) {
		report.exit = worse(report.exit, EXIT_NO);
		if (!call_o.quiet)
			warn("not all nodes run one version");
	}
	for (i = 0; i < n; i++)
		if (all[i].version) {
			worse_is(&all[i], DEGRADED, "not all nodes run one version");
			all[i].exit = worse(all[i].exit, EXIT_NO);
		}
}


/* --- all of it ---------------------------------------------------------------------- */

static int count(const struct patient *all, int n, enum verdict v)
{
	int i, k = 0;

	for (i = 0; i < n; i++)
		k += all[i].verdict == v;
	return k;
}

/* A bar begins the performance data: it cannot be part of the text. */
static void put_plain(const char *s)
{
	for (s = safe(s, strlen(s)); *s; s++)
		putchar(*s == '|' ? '/' : *s);
}

/* The plugin guidelines: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. */
static int nagios(const struct patient *all, int n, int64_t us)
{
	static const char *const states[] = { "OK", "WARNING", "CRITICAL" };
	int good = count(all, n, HEALTHY), fair = count(all, n, DEGRADED);
	int state = good + fair < n || good + fair < o.expect ? 2 : fair ? 1 : 0, i;
	const char *sep = ": ";

	printf("LMCACHE %s - %d of %d nodes healthy", states[state], good, n);
	if (o.expect > n)
		printf(", %ld expected", o.expect);
	for (i = 0; i < n; i++) {
		if (!all[i].verdict)
			continue;
		fputs(sep, stdout);
		put_plain(all[i].node->name);
		printf(" %s (", words[all[i].verdict]);
		put_plain(all[i].why.p);
		putchar(')');
		sep = ", ";
	}
	printf(" | healthy=%d;;;0;%d degraded=%d;;;0;%d unhealthy=%d;;;0;%d "
	       "unreachable=%d;;;0;%d time=%.3fs;;;0\n", good, n, fair, n,
	       count(all, n, UNHEALTHY), n, count(all, n, UNREACHABLE), n,
	       (double)us / 1e6);
	return state;
}

static int health_run(int argc, char **argv)
{
	struct call_nodes ns;
	struct patient *all;
	struct report *r = &report;
	int64_t began = clock_us();
	int i;

	(void)argc;
	(void)argv;
	ask_not_raw();
	ns = ask_nodes(false);
	/* All at once, unless told otherwise: one that waits for its turn behind
	 * others that hang would be called unreachable. */
	if (call_o.parallel == CLIENT_PARALLEL)
		call_o.parallel = ns.n * LOOKS < PARALLEL ? ns.n * LOOKS : PARALLEL;
	all = xcalloc((size_t)ns.n, sizeof *all);
	report_begin(r, heads);
	for (i = 0; i < ns.n; i++)
		start(&all[i], &ns.node[i]);
	ask_wait(call_left());
	find_skew(all, ns.n);
	if (die_plugin)
		return nagios(all, ns.n, clock_us() - began);
	for (i = 0; r->form != OUT_JSONL && i < ns.n; i++)
		print(r, &all[i]);
	i = count(all, ns.n, HEALTHY) + count(all, ns.n, DEGRADED);
	if (o.expect > i) {
		if (!call_o.quiet)
			warn("%d healthy nodes, not %ld", i, o.expect);
		r->exit = worse(r->exit, EXIT_NO);
	}
	call_o.no_headers |= call_o.quiet;
	return report_end(r);
}

const struct applet health_applet = {
	.name  = "health",
	.brief = "are the nodes well? one verdict for each",
	.about =
		"Asks each node for all it offers at once: version, periodic threads, "
		"healthcheck of an MP server, with --deep its status and metrics, which "
		"are stale without a thread that updates them, or 30 s behind. What a node "
		"does not have says nothing against it, unless it has nothing at all. Nodes "
		"of different versions are degraded. --timeout bounds all of it.\n"
		"\n"
		"For a container: HEALTHCHECK CMD [\"lmc\", \"health\", \"-q\"], or as an "
		"exec probe.",
	.args  = "",
	.examples =
		"lmc health --expect 9\n"
		"  0 when nine nodes are well\n"
		"lmc health --nagios --timeout 3s\n"
		"  for a monitoring system\n"
		"lmc health -q -n /tmp/lmcache_internal_api_server/socket_6999\n"
		"  only the status\n",
	.opts  = opts,
	.run   = health_run,
};
