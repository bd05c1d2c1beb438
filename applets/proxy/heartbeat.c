/* heartbeat.c - the frontend announced to registries, by a helper
 * SPDX-License-Identifier: Apache-2.0
 *
 * Options and API as lmcache_frontend has them (protocol.md 7.1, 7.3). The
 * helper is `lmc heartbeat`: it asks this frontend for its nodes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "beat.h"
#include "call.h"
#include "clock.h"
#include "die.h"
#include "helper.h"
#include "json.h"
#include "log.h"
#include "net.h"
#include "out.h"
#include "proxy.h"

enum {
	BODY_MAX = 64 << 10, STATUS_MAX = 1024,
	WORDS = 16 + BEATS_MAX,			/* of the helper's command line */
	SECS_MAX = 86400
};

static const struct heartbeat_conf *conf;
static const struct listener *listening, *announced;
static struct helper helper = { .name = "heartbeat" };
static char *words[WORDS + 1], started[CLOCK_TEXT];
static struct buf line = BUF((BEATS_MAX + 1) * BEAT_URL);
static bool ever;

/* NULL, or why not. */
static const char *check(const char *url, int64_t every)
{
	static struct beat b;
	bool bad;

	b = (struct beat){ .pace = { .interval = every } };
	bad = beat_open(&b, NULL, url) < 0;
	beat_close(&b);
	return bad ? b.why : !announced ? "this frontend has no TCP address that "
	       "could be announced" : NULL;
}

static bool wildcard(const struct addr *a)
{
	return !strcmp(a->host, "0.0.0.0") || !strcmp(a->host, "::");
}

/* Where it listens is where it is; on all addresses the helper guesses. */
static const char *reported(void)
{
	return conf->report_host ? conf->report_host :
	       wildcard(&announced->addr) ? NULL : announced->addr.host;
}

static void start(const char *const *urls, int n, int64_t wait_ms, int64_t every_ms)
{
	const char *host = reported();
	int i = 0;

	buf_reset(&line);
	buf_printf(&line, "lmc\nheartbeat\n--port=%d\n--pid=%ld\n"
		   "--initial-delay=%lldms\n--interval=%lldms\n--startup-time=%s\n"
		   "--log=%s\n--log-level=%s\n--via=", announced->addr.port,
		   (long)getpid(), (long long)wait_ms, (long long)every_ms, started,
		   log_json ? "json" : "text", conf->log_level);
	addr_print(&listening->addr, &line);
	while (n--)
		buf_printf(&line, "\n--url=%s", *urls++);
	if (host)
		buf_printf(&line, "\n--report-host=%s", host);
	if (conf->token)
		buf_printf(&line, "\n--registry-token=%s", conf->token);
	if (line.bad)
		return;
	for (char *p = line.p; p && i < WORDS; i++)
		words[i] = strsep(&p, "\n");
	words[i] = NULL;
	helper.argv = words;
	ever = true;
	helper_start(&helper);
}

void heartbeat_init(const struct heartbeat_conf *c, const struct listener *l, int n)
{
	struct call_error e;
	const char *why;
	char *token = NULL;

	if (c->token && !(token = call_bearer(c->token, &e)))
		die(e.exit, "--registry-token: %s", e.what);
	free(token);
	conf = c;
	listening = l;
	beat_now(started);
	for (int i = n - 1; i >= 0; i--)
		if (l[i].addr.kind == ADDR_TCP &&
		    (!announced || !addr_loopback(&l[i].addr)))
			announced = &l[i];
	if (c->urls.n > BEATS_MAX)
		die(EXIT_USAGE, "--heartbeat-url: more than %d registries", BEATS_MAX);
	for (int i = 0; i < c->urls.n; i++) {
		why = check(c->urls.v[i], c->interval);
		if (why)
			die(EXIT_USAGE, "--heartbeat-url %s: %s",
			    safe(c->urls.v[i], strlen(c->urls.v[i])), why);
	}
}

void heartbeat_start(void)
{
	if (conf->urls.n)
		start(conf->urls.v, conf->urls.n, conf->delay, conf->interval);
}

/* ---- API ---- */

void heartbeat_get(struct exchange *x)
{
	struct buf b = BUF(STATUS_MAX);
	char host[ADDR_HOST], now[CLOCK_TEXT];

	if (!conf->report_host)
		net_outward(host, false);
	js_open(&b, NULL, '{');
	if (ever)
		js_bool(&b, "running", helper.wanted);
	else
		js_null(&b, "running");
	js_str(&b, "local_ip", conf->report_host ? conf->report_host : host);
	js_str(&b, "startup_time", started);
	js_str(&b, "current_time", beat_now(now));
	js_close(&b, '}');
	api_send(x, &b);
}

/* Seconds, a whole number or not, into *ms; absent: unchanged. 0 or -1. */
static int seconds(const struct json *j, const char *key, double least, int64_t *ms)
{
	jv v = json_get(j, 0, key);
	double s;

	if (v < 0)
		return 0;
	if (json_num(j, v, &s) < 0 || !(s >= least && s <= SECS_MAX))
		return -1;
	*ms = (int64_t)(s * 1000);
	return 0;
}

static void start_asked(struct exchange *x, char *url, const struct json *j)
{
	int64_t wait_ms = 0, every_ms = 30000;
	const char *why;

	if (!url || !*url)
		why = "heartbeat_url is required";
	else if (seconds(j, "initial_delay", 0, &wait_ms) < 0 ||
		 seconds(j, "interval", 0.1, &every_ms) < 0)
		why = "initial_delay and interval are seconds, at most 86400; "
		      "the interval at least 0.1";
	else
		why = check(url, every_ms);
	if (why) {
		reply_detail(x, 400, "%s", why);
		free(url);
		return;
	}
	/* one that runs already stays as it is */
	if (!helper.wanted) {
		start((const char *const *)&url, 1, wait_ms, every_ms);
		log_event(LOG_INFO, "Heartbeat service started", "url",
			  safe(url, strlen(url)),
			  "peer", exchange_peer(x), NULL);
	}
	free(url);
	api_say(x, "Heartbeat service started");
}

static void start_body(struct exchange *x, char *p, size_t n)
{
	struct json j;

	if (api_json(x, &j, p, n) < 0)
		return;
	start_asked(x, json_dup(&j, json_get(&j, 0, "heartbeat_url")), &j);
	json_free(&j);
}

void heartbeat_start_post(struct exchange *x)
{
	api_body(x, BODY_MAX, start_body);
}

void heartbeat_stop_post(struct exchange *x)
{
	if (helper.wanted)
		log_event(LOG_INFO, "Heartbeat service stopped",
			  "peer", exchange_peer(x), NULL);
	helper_stop(&helper, false);
	api_say(x, "Heartbeat service stopped");
}
