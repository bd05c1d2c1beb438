/* facts.c - what a heartbeat announces, asked of the nodes again and again
 * SPDX-License-Identifier: Apache-2.0
 *
 * The version is that of the first node that answers, all asked at once; a
 * few of many will do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "clock.h"
#include "die.h"
#include "facts.h"
#include "net.h"

enum {
	ASKED_MAX = 16,		/* nodes asked for their version at a time */
	FRESH_MS  = 1000	/* registries due together share one asking */
};

struct beat_facts facts;

static const struct facts_given *given;
static const char *at_host;	/* of the node to announce, where others reach it */
static long at_port;
static char version[BEAT_VERSION + 1] = "1.0.0";
static char startup[CLOCK_TEXT], api[ADDR_HOST + 32], id[BEAT_ID + 1];

static struct call_nodes nodes;
static struct call calls[ASKED_MAX];
static int calls_left, first;	/* calls under way; where the next asking begins */
static bool asking, heard = true, known;
static int64_t began, ended;

/* ---- where ---- */

static void tell_place(void)
{
	snprintf(api, sizeof api, strchr(facts.addr.host, ':') ?
		 "http%s://[%s]:%d" : "http%s://%s:%d", facts.addr.tls ? "s" : "",
		 facts.addr.host, facts.addr.port);
	facts.api = api;
	snprintf(id, sizeof id, "frontend-%.200s-%d", facts.addr.host, facts.addr.port);
	facts.id = given->id ? given->id : id;
}

static void put_place(const char *option, const char *text)
{
	const char *why;
	bool url = !strncmp(text, "http://", 7) || !strncmp(text, "https://", 8);

	if (given->api && !url)
		die(EXIT_USAGE, "--%s: %s is not a URL (http://HOST:PORT)", option,
		    safe(text, strlen(text)));
	if ((given->api ? addr_parse(&facts.addr, text, -1, &why) :
	     addr_tcp(&facts.addr, text, (int)at_port, &why)) < 0)
		die(EXIT_USAGE, "--%s: %s: %s", option, safe(text, strlen(text)), why);
	tell_place();
}

/* What is guessed may change; what is given stays. */
static void look_where(void)
{
	char host[ADDR_HOST];

	if (given->api || (given->host && !given->node))
		return;
	if (!given->host && !at_host)
		net_outward(host, true);
	put_place("report-host", given->host ? given->host : at_host ? at_host : host);
}

static void check_text(const char *option, const char *text, size_t max)
{
	if (text && (!*text || strlen(text) > max))
		die(EXIT_USAGE, "--%s: 1 to %zu bytes are taken", option, max);
}

void facts_init(const struct facts_given *g)
{
	given = g;
	at_port = g->port;
	check_text("instance-id", g->id, BEAT_ID);
	if (g->id && strchr(g->id, '/'))
		die(EXIT_USAGE, "--instance-id: %s has a slash: a coordinator would not find it",
		    safe(g->id, strlen(g->id)));
	check_text("version-text", g->version, BEAT_VERSION);
	check_text("startup-time", g->startup_time, BEAT_VERSION);
	facts.version = g->version ? g->version : version;
	facts.startup_time = g->startup_time ? g->startup_time : beat_now(startup);
	facts.pid = g->pid ? g->pid : getpid();
	if (g->api)
		put_place("api-address", g->api);
	else if (g->host)
		put_place("report-host", g->host);
}

/* ---- which version ---- */

/* "0.3.10-g1f2e3d4c5", in quotes or not; what is no text is no version. */
static bool take_version(const struct buf *answer)
{
	const char *p = answer->p;
	size_t n = answer->len, i;

	while (n && strchr(" \t\r\n\"'", p[n - 1]))
		n--;
	for (; n && strchr(" \t\r\n\"'", *p); p++)
		n--;
	for (i = 0; i < n && p[i] >= ' ' && p[i] < 0x7f; i++)
		;
	if (!n || i < n || n > BEAT_VERSION)
		return false;
	snprintf(version, sizeof version, "%.*s", (int)n, p);
	return true;
}

static void answered(struct call *c)
{
	calls_left--;
	if (c->exit == EXIT_OK && !heard && take_version(&c->answer))
		heard = known = true;
	call_free(c);
}

static void ask_versions(void)
{
	static const struct way ways[] = {
		{ GEN_ALL, "GET", "/version", WAY_ANY },
		{ 0 }
	};
	int n = nodes.n < ASKED_MAX ? nodes.n : ASKED_MAX;

	/* those asked last time, unless none of them spoke */
	if (!heard)
		first += n;
	heard = false;
	calls_left = n;
	for (int i = 0; i < n; i++) {
		calls[i] = (struct call){
			.node = &nodes.node[(first + i) % nodes.n],
			.ways = ways, .max = 4096, .done = answered,
		};
		call_start(&calls[i]);
	}
}

/* ---- how many nodes ---- */

/* Those named by -n stay as they are; any other list may change. */
static void look_for_nodes(void)
{
	static char last[sizeof ((struct call_error *)0)->what];
	struct call_nodes now;
	struct call_error e = { 0 };
	int rc;

	if (call_o.nodes.n && nodes.n)
		return;
	rc = call_o.nodes.n ? call_resolve(&now, false, &e) : call_known(&now, &e);
	if (rc < 0 && e.exit == EXIT_USAGE && !began)
		die(e.exit, "%s", e.what);
	if (rc < 0 && strcmp(last, e.what))
		given->trouble(e.what);
	snprintf(last, sizeof last, "%s", e.what);
	if (rc < 0) {
		call_nodes_free(&now);
		return;
	}
	call_nodes_free(&nodes);
	nodes = now;
	facts.nodes_count = nodes.n;
}

/* Where its own API listens; on loopback that is any address of ours. */
static void look_at_node(void)
{
	const struct addr *a;

	if (!given->node || !nodes.n)
		return;
	a = &nodes.node->addr;
	if (nodes.n > 1)
		die(EXIT_USAGE, "--node-address: %d nodes are known: name the one "
		    "to announce with -n", nodes.n);
	if (a->kind != ADDR_TCP)
		die(EXIT_USAGE, "--node-address: %s is on a socket: let a frontend "
		    "announce it", call_who(nodes.node));
	at_port = a->port;
	at_host = addr_loopback(a) ? NULL : a->host;
}

bool facts_fresh(int64_t patience_ms)
{
	int64_t now = clock_ms();

	if (!asking && ended && now - ended < FRESH_MS)
		return true;
	/* Nodes that hang are asked again only when they have been given up. */
	if (!asking && !calls_left) {
		look_for_nodes();
		look_at_node();
		look_where();
		began = clock_ms();
		asking = true;
		if (!given->version)
			ask_versions();
	}
	if (asking && calls_left && !heard &&
	    (!known || now - began < patience_ms))
		return false;
	asking = false;
	ended = clock_ms();
	return true;
}
