/* united.c - frontends and nodes that registries name
 * SPDX-License-Identifier: Apache-2.0
 *
 * A helper, `lmc nodes --follow`, asks the registries and the frontends and
 * prints a whole list at every change, which is laid beside the configured one.
 * No request waits for any of it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "die.h"
#include "helper.h"
#include "log.h"
#include "proxy.h"
#include "supply.h"
#include "table.h"

enum {
	FIXED = 10,			/* words beside the sources */
	ASKING = 32,			/* refreshes under way */
	REFRESH_MS = 5000,
	SOURCES_TEXT = 64 << 10
};

static struct nodes configured, learned;
static struct buf sources = BUF(SOURCES_TEXT);
static int left_out;
static char id[17], interval[24];
static const char *words[FIXED + 2 * SUPPLIES_MAX + 1];
static char *owned[SUPPLIES_MAX];	/* "coordinator:URL" */
static struct helper helper = { .name = "registries", .line_max = NODES_TEXT };
static bool heard;			/* it is past its start */

static struct asking {
	struct exchange *x;
	void (*then)(struct exchange *x);
} asking[ASKING];
static struct timer patience;

const char *united_id(void)
{
	if (!*id) {
		unsigned char dice[8];

		if (getrandom(dice, sizeof dice, 0) != sizeof dice)
			memset(dice, 0, sizeof dice);
		for (int i = 0; i < 8; i++)
			snprintf(id + 2 * i, 3, "%02x", dice[i]);
	}
	return id;
}

int united_left_out(void)
{
	return left_out;
}

void united_sources(struct buf *b)
{
	buf_puts(b, sources.len ? sources.p : "[]");
}

/* ---- two lists made one ---- */

/* Another one has this name here: NAME@HOST:PORT, in front of what is behind
 * a frontend. */
static int tell_apart(struct node *nd)
{
	struct buf b = BUF(NODE_NAME);
	size_t n = strcspn(nd->name, "/");

	buf_add(&b, nd->name, n);
	buf_putc(&b, '@');
	addr_print(&nd->addr, &b);
	buf_puts(&b, nd->name + n);
	if (b.bad) {
		buf_free(&b);
		return -1;
	}
	free(nd->name);
	nd->name = b.p;
	return 0;
}

static bool same_place(const struct node *a, const struct node *b)
{
	return addr_equal(&a->addr, &b->addr);
}

/* Into our own: what is configured goes before what was learned. */
static int add_own(struct proxy *own, struct node *nd)
{
	int at = list_node(own, nd->name);

	if (at >= 0 && (same_place(&own->nodes[at], nd) || tell_apart(nd) < 0 ||
			list_node(own, nd->name) >= 0))
		return 0;
	if (list_add(own, nd) < 0)
		return -1;
	*nd = (struct node){ 0 };
	return 0;
}

/* A frontend configured without nodes has those that were learned. */
static int add_frontend(struct nodes *sum, struct proxy *p)
{
	int at = nodes_find(sum, p->self.name);
	struct proxy *old = at < 0 ? NULL : &sum->proxies[at];

	if (old && same_place(&old->self, &p->self)) {
		if (old->n)
			return 0;
		proxy_free(old);
		*old = *p;
	} else if (old && (tell_apart(&p->self) < 0 || nodes_find(sum, p->self.name) >= 0)) {
		return 0;
	} else if (list_add_proxy(sum, p) < 0) {
		return -1;
	}
	*p = (struct proxy){ 0 };
	return 0;
}

static int leaves_of(const struct nodes *ns)
{
	int n = 0;

	for (int i = 0; i < ns->n; i++)
		n += ns->proxies[i].n;
	return n;
}

static int add_learned(struct nodes *sum, struct nodes *more)
{
	int own = nodes_find(sum, LOCAL_PROXY), rc = 0;

	for (int i = 0; i < more->n && rc == 0; i++) {
		struct proxy *p = &more->proxies[i];

		if (leaves_of(sum) + p->n > NODES_MAX || sum->n == PROXIES_MAX) {
			left_out += p->n;
			continue;
		}
		if (strcmp(p->self.name, LOCAL_PROXY) || own < 0) {
			rc = add_frontend(sum, p);
			continue;
		}
		for (int k = 0; k < p->n && rc == 0; k++)
			rc = add_own(&sum->proxies[own], &p->nodes[k]);
	}
	return rc;
}

static int lay(struct node_error *e)
{
	struct nodes sum = { 0 }, more = { 0 };
	int rc;

	snprintf(e->what, sizeof e->what, "out of memory");
	rc = nodes_copy(&sum, &configured) < 0 || nodes_copy(&more, &learned) < 0 ||
	     add_learned(&sum, &more) < 0 ? -1 : table_rebase(&sum, e);
	nodes_free(&sum);
	nodes_free(&more);
	return rc;
}

int united_open(struct nodes *ns, const char *state_file,
		const struct relay_limits *limits, struct node_error *e)
{
	if (nodes_copy(&configured, ns) == 0)
		return table_open(ns, state_file, limits, e);
	snprintf(e->what, sizeof e->what, "out of memory");
	return -1;
}

int united_configure(struct nodes *ns, struct node_error *e)
{
	nodes_free(&configured);
	configured = *ns;
	*ns = (struct nodes){ 0 };
	return lay(e);
}

/* ---- what the helper says ---- */

/* What was said of a registry already is not logged again. */
static void tell_sources(const struct json *j)
{
	jv list = json_get(j, 0, "sources"), v;
	const char *p;
	size_t n;

	for (v = json_first(j, list); v >= 0; v = json_next(j, list, v)) {
		char *of = json_dup(j, json_get(j, v, "source"));
		char *why = json_dup(j, json_get(j, v, "why"));

		json_raw(j, v, &p, &n);
		if (why && (!sources.len || !memmem(sources.p, sources.len, p, n)))
			log_event(LOG_WARN, json_true(j, json_get(j, v, "stale")) ?
				  "registry does not tell" : "entries of a registry left out",
				  "registry", of ? of : "", "reason", why, NULL);
		free(of);
		free(why);
	}
	json_raw(j, list, &p, &n);
	if (sources.len == n && !memcmp(sources.p, p, n))
		return;
	buf_reset(&sources);
	buf_add(&sources, p, n);
}

static int read_rest(const char *p, size_t n)
{
	struct json_error e;
	struct json j;
	int64_t over = 0;

	if (json_parse(&j, p, n, NODES_TEXT, 0, &e) < 0)
		return -1;
	tell_sources(&j);
	json_int(&j, json_get(&j, 0, "left_out"), &over);
	json_free(&j);
	left_out = (int)over;
	return 0;
}

static void answer_all(void)
{
	timer_stop(&patience);
	for (int i = 0; i < ASKING; i++) {
		struct asking a = asking[i];

		asking[i].x = NULL;
		if (a.x)
			a.then(a.x);
	}
}

static void line(struct helper *h, char *p, size_t n)
{
	struct node_error e = { 0 };
	struct nodes ns;

	(void)h;
	heard = true;
	if (nodes_parse(&ns, p, n, &e) < 0 || read_rest(p, n) < 0) {
		log_event(LOG_ERROR, "list of registries not read", "reason", e.what, NULL);
		return;
	}
	nodes_free(&learned);
	learned = ns;
	if (lay(&e) < 0)
		log_event(LOG_ERROR, "list of registries not taken", "reason", e.what, NULL);
	if (left_out) {
		char text[16];

		snprintf(text, sizeof text, "%d", left_out);
		log_event(LOG_WARN, "nodes over the limits left out", "nodes", text, NULL);
	}
	answer_all();
}

static void began(struct helper *h)
{
	(void)h;
	heard = false;
}

/* ---- asked at once ---- */

static void out_of_patience(struct timer *t)
{
	(void)t;
	answer_all();
}

static void gone(struct exchange *x)
{
	for (int i = 0; i < ASKING; i++)
		if (asking[i].x == x)
			asking[i].x = NULL;
	free(x->data);
	x->data = NULL;
}

void united_refresh(struct exchange *x, void (*then)(struct exchange *x))
{
	int i = 0;

	while (i < ASKING && asking[i].x)
		i++;
	if (i == ASKING || !helper.pid || timer_set(&patience, loop_now() + REFRESH_MS,
						    out_of_patience) < 0) {
		then(x);
		return;
	}
	asking[i] = (struct asking){ x, then };
	x->on_abort = gone;
	/* before its first line it asks everybody anyway */
	if (heard)
		kill(helper.pid, SIGUSR1);
}

/* ---- its start ---- */

static const char **add_sources(const char **w, const struct strs *list,
				const char *option, const char *prefix)
{
	static int n;

	for (int i = 0; i < list->n; i++) {
		struct supply s = { 0 };
		struct buf spec = BUF(1 << 16);

		if (n == SUPPLIES_MAX)
			die(EXIT_USAGE, "more than %d registries", SUPPLIES_MAX);
		buf_printf(&spec, "%s%s", prefix, list->v[i]);
		owned[n] = spec.p;
		if (spec.bad || supply_open(&s, spec.p, NULL) < 0)
			die(EXIT_USAGE, "--%s %s: %s", option,
			    safe(list->v[i], strlen(list->v[i])), s.why);
		supply_close(&s);
		*w++ = "--from";
		*w++ = owned[n++];
	}
	return w;
}

void united_init(const struct united_conf *c)
{
	const char **w = words;

	snprintf(interval, sizeof interval, "%lldms", (long long)c->interval);
	for (const char *const *p = (const char *const []){
		     "lmc", "nodes", "--follow", "-o", "jsonl", "--self", united_id(),
		     "--interval", interval, NULL }; *p; p++)
		*w++ = *p;
	w = add_sources(w, &c->suppliers, "node-supplier-url", "");
	w = add_sources(w, &c->coordinators, "coordinator-url", "coordinator:");
	add_sources(w, &c->registries, "registry", "");
	helper.argv = (char *const *)(uintptr_t)words;
	helper.line = line;
	helper.began = began;
}

bool united_sourced(void)
{
	return *owned != NULL;
}

void united_start(void)
{
	if (*owned)
		helper_start(&helper);
}

/* ---- metrics ---- */

static void family(struct buf *b, const char *name, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

void united_stats(struct buf *b)
{
	const struct nodes *ns = table_nodes();
	struct json_error e;
	struct json j = { 0 };
	jv v;

	if (!*owned)
		return;
	family(b, "lmc_frontend_stale", "1 if the frontend does not tell its nodes.");
	for (int i = 0; i < ns->n; i++)
		if (ns->proxies[i].text[PROXY_SOURCE]) {
			stats_sample(b, "lmc_frontend_stale", "frontend", ns->proxies[i].self.name,
				     ns->proxies[i].text[PROXY_STALE] != NULL);
		}
	family(b, "lmc_registry_stale", "1 if the registry does not tell.");
	if (!sources.len || json_parse(&j, sources.p, sources.len, SOURCES_TEXT, 0, &e) < 0)
		return;
	for (v = json_first(&j, 0); v >= 0; v = json_next(&j, 0, v)) {
		char *of = json_dup(&j, json_get(&j, v, "source"));

		stats_sample(b, "lmc_registry_stale", "registry", of ? of : "",
			     json_true(&j, json_get(&j, v, "stale")));
		free(of);
	}
	json_free(&j);
}
