/* heartbeat.c - tells registries that a frontend is there, again and again
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applet.h"
#include "ask.h"
#include "clock.h"
#include "die.h"
#include "heartbeat/facts.h"
#include "log.h"
#include "net.h"

enum {
	JITTER      = 10,	/* percent of an interval, for thousands started together */
	PATIENCE_MS = 1000,	/* for nodes whose version is known already */
	SLICE_MS    = 200,	/* a signal between two waits is noticed after this */
	END_MS      = 3000	/* for taking the entries away */
};

static struct {
	struct strs urls, coordinators;
	struct facts_given facts;
	struct beat_pace pace;
	int64_t delay;
	const char *token, *log, *log_level;
	long ready_fd;
	bool once, quiet;
} o = {
	.ready_fd = -1,
	.pace = { .interval = -1, .ttl = -1 },
	.log = "text", .log_level = "info",
};

static const struct opt opts[] = {
	HEAD("Whom to tell"),
	LIST('u', "url", "URL", &o.urls,
	     "a registry's heartbeat URL, as for lmcache_frontend, or "
	     "etcd://HOST:PORT/PREFIX"),
	LIST(0, "coordinator-url", "URL", &o.coordinators,
	     "an LMCache MP coordinator"),
	STR(0, "registry-token", "FILE", &o.token, "their token"),
	HEAD("What to tell"),
	STR(0, "api-address", "URL", &o.facts.api,
	    "where the frontend is reached, http://HOST:PORT"),
	INT('p', "port", "PORT", &o.facts.port, 1, 65535,
	    "the frontend's port; without it that of --via, else 8000"),
	STR(0, "report-host", "HOST", &o.facts.host,
	    "without it: this machine's name or address, else guessed"),
	FLAG(0, "node-address", &o.facts.node,
	     "announce the one node meant (-n), not a frontend"),
	STR(0, "version-text", "TEXT", &o.facts.version,
	    "the version, which nodes are asked for otherwise"),
	STR(0, "instance-id", "NAME", &o.facts.id,
	    "its name at a coordinator and in etcd, else frontend-HOST-PORT"),
	INT(0, "pid", "PID", &o.facts.pid, 1, INT32_MAX,
	    "the frontend's process, else this one"),
	STR(0, "startup-time", "TIME", &o.facts.startup_time,
	    "since when it runs, else now"),
	HEAD("When"),
	TIME('i', "interval", "TIME", &o.pace.interval, 100, 86400000,
	     "between two beats, else 30s, for etcd 10s, for coordinators 5s"),
	TIME(0, "initial-delay", "TIME", &o.delay, 0, 86400000, "before the first"),
	TIME(0, "ttl", "TIME", &o.pace.ttl, 200, 864000000,
	     "after which the registries forget, where they do not say"),
	FLAG(0, "once", &o.once, "one beat each, and the exit status tells"),
	HEAD("Log"),
	FLAG('q', "quiet", &o.quiet, "no word, unless it cannot be started"),
	STR(0, "log-level", "critical|error|warning|warn|info|debug|trace",
	    &o.log_level, "what to write to stderr"),
	STR(0, "log", "text|json", &o.log, "form of the log lines"),
	INT(0, "ready-fd", "N", &o.ready_fd, 0, 65535,
	    "say \"started\" there before the first beat"),
	MORE(call_node_opts),
	{ 0 }
};

static struct beat beats[BEATS_MAX];
static char said[BEATS_MAX][BEAT_WHY];	/* the last trouble that was told of */
static int beats_n;
static int64_t shortest = INT64_MAX;	/* interval */
static volatile sig_atomic_t stop;
static sigset_t old_mask;

/* ---- what becomes of a beat ---- */

static void tell_once(const struct beat *b)
{
	const char *verb = b->exit == EXIT_REACH ? "reach" : "tell";

	if (b->exit != EXIT_OK && !o.quiet)
		warn("unable to %s %s: %s", verb, safe(b->spec, strlen(b->spec)), b->why);
}

/* Trouble is told when it begins, changes and ends, not at every beat. */
static void told(struct beat *b)
{
	char *last = said[b - beats];

	if (o.once) {
		tell_once(b);
	} else if (b->exit != EXIT_OK) {
		log_event(strcmp(last, b->why) ? LOG_WARN : LOG_DEBUG, "not told",
			  "url", b->spec, "reason", b->why, NULL);
		snprintf(last, BEAT_WHY, "%s", b->why);
	} else {
		log_event(*last || b->ending ? LOG_INFO : LOG_DEBUG,
			  b->ending ? "taken away" : "told", "url", b->spec,
			  "as", facts.api, "version", facts.version, NULL);
		*last = '\0';
	}
}

static void no_nodes(const char *why)
{
	if (!o.once)
		log_event(LOG_WARN, "nodes not known", "reason", why, NULL);
	else if (!o.quiet)
		warn("%s", why);
}

/* ---- start ---- */

static void add(const char *option, const char *kind, const char *url,
		const char *token)
{
	struct beat *b = &beats[beats_n];

	if (beats_n == BEATS_MAX)
		die(EXIT_USAGE, "more than %d registries", BEATS_MAX);
	b->client = call_client();
	b->facts = &facts;
	b->pace = o.pace;
	b->token = token;
	b->told = told;
	if (beat_open(b, kind, url) < 0)
		die(EXIT_USAGE, "--%s %s: %s", option, safe(b->spec, strlen(b->spec)), b->why);
	b->due = clock_ms() + o.delay;
	/* not empty: the first beat that is taken is worth a line */
	memcpy(said[beats_n++], "?", 2);
	if (b->pace.interval < shortest)
		shortest = b->pace.interval;
	/* a frontend that hangs must not make a beat late */
	if (b->pace.timeout < call_o.timeout)
		call_o.timeout = b->pace.timeout;
}

static void add_all(void)
{
	struct call_error e;
	char *token = o.token ? call_bearer(o.token, &e) : NULL;

	if (o.token && !token)
		die(e.exit, "%s", e.what);
	o.pace.interval = o.pace.interval < 0 ? 0 : o.pace.interval;
	o.pace.ttl = o.pace.ttl < 0 ? 0 : o.pace.ttl;
	o.pace.timeout = call_o.timeout;
	o.pace.jitter = JITTER;
	for (int i = 0; i < o.urls.n; i++)
		add("url", NULL, o.urls.v[i], token);
	if (o.coordinators.n && facts.addr.tls)
		die(EXIT_USAGE, "--api-address: a coordinator calls http:// only");
	for (int i = 0; i < o.coordinators.n; i++)
		add("coordinator-url", "coordinator", o.coordinators.v[i], token);
	if (!beats_n)
		die(EXIT_USAGE, "nobody to tell: name a registry with --url or "
		    "--coordinator-url");
}

static void on_stop(int signo)
{
	(void)signo;
	stop = 1;
}

/* A second Ctrl-C ends it at once. A second SIGTERM is none of a person's: a
 * frontend and systemd may each send one to the same helper. */
static void take_signals(void)
{
	struct sigaction sa = { .sa_handler = on_stop };
	sigset_t both;

	sigemptyset(&both);
	sigaddset(&both, SIGTERM);
	sigaddset(&both, SIGINT);
	sigprocmask(SIG_BLOCK, &both, &old_mask);
	sigaction(SIGTERM, &sa, NULL);
	sa.sa_flags = SA_RESETHAND;
	sigaction(SIGINT, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* ---- running ---- */

/* Until the time, a signal, or (in slices) an answer. Signals come only in
 * here, so that none is missed between looking at stop and waiting. */
static void wait_until(int64_t when)
{
	int64_t ms = when - clock_ms();
	struct timespec ts;

	if (ms < 0)
		ms = 0;
	if (call_left()) {
		call_run(ms < SLICE_MS ? ms : SLICE_MS);
		ms = 0;
	}
	ts = (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
	ppoll(NULL, 0, &ts, &old_mask);
}

/* The beats that are due; when there will be more to do. */
static int64_t send_due(void)
{
	int64_t patience = shortest / 8 < PATIENCE_MS ? shortest / 8 : PATIENCE_MS;
	int64_t now = clock_ms(), next = now + 86400000;

	for (int i = 0; i < beats_n; i++) {
		struct beat *b = &beats[i];

		if (b->busy)
			continue;
		if (b->due > now)
			next = b->due < next ? b->due : next;
		else if (!facts_fresh(patience))
			next = now + SLICE_MS / 10;
		else
			beat_send(b);
	}
	return next;
}

static bool all_quiet(void)
{
	for (int i = 0; i < beats_n; i++)
		if (beats[i].busy)
			return false;
	return true;
}

static void wait_quiet(int64_t until)
{
	while (!all_quiet() && clock_ms() < until)
		wait_until(until);
}

static int run_once(void)
{
	int status = EXIT_OK;

	wait_until(beats->due);
	while (!facts_fresh(PATIENCE_MS))
		wait_until(clock_ms() + SLICE_MS);
	for (int i = 0; i < beats_n; i++)
		beat_send(&beats[i]);
	wait_quiet(INT64_MAX);
	for (int i = 0; i < beats_n; i++)
		status = worse(status, beats[i].exit);
	return status;
}

/* A beat under way is let end: it may be the one that makes the entry. */
static void take_away(void)
{
	int64_t until = clock_ms() + END_MS;

	wait_quiet(until);
	for (int i = 0; i < beats_n; i++)
		if (!beats[i].busy)
			beat_end(&beats[i]);
	wait_quiet(until);
}

static int port_of_via(void)
{
	struct call_error e;
	struct addr a;

	return call_o.via && call_via(&a, &e) == 0 && a.kind == ADDR_TCP ? a.port : 8000;
}

static int heartbeat_run(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	log_level_named(o.log_level);
	log_json = strcmp(o.log, "json") == 0;
	if (o.quiet)
		log_level = LOG_ERROR;
	o.facts.trouble = no_nodes;
	if (!o.facts.port)
		o.facts.port = port_of_via();
	facts_init(&o.facts);
	add_all();
	if (!o.once)
		take_signals();
	if (!o.delay)
		facts_fresh(0);	/* begins to ask; an option that is wrong is told now */
	if (o.ready_fd >= 0 && net_ready((int)o.ready_fd, "started\n") < 0)
		warn("unable to write to --ready-fd %ld:", o.ready_fd);
	if (o.once)
		return run_once();
	while (!stop)
		wait_until(send_due());
	take_away();
	return EXIT_OK;
}

const struct applet heartbeat_applet = {
	.name  = "heartbeat",
	.brief = "tell registries that a frontend is there, again and again",
	.about =
		"Sends lmcache_frontend's heartbeat to every --url, and keeps an "
		"instance at every --coordinator-url. The version is that of the "
		"first node that answers.\n"
		"\n"
		"A beat that is not taken is tried again after 1 s, 2 s, 4 s, ..., at "
		"most twice the interval; where the registry forgets (--ttl), the "
		"interval, of which two must fit.",
	.args  = "",
	.examples =
		"lmc heartbeat --url http://registry:5000/heartbeat --via 127.0.0.1:8000\n"
		"  announce this machine's frontend and its nodes every 30 s\n"
		"lmc heartbeat --once -q --url http://registry:5000/heartbeat\n"
		"  from cron\n",
	.opts  = opts, .run = heartbeat_run,
};
