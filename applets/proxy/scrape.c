/* scrape.c - GET /metrics: every node asked at once, their answers merged
 * SPDX-License-Identifier: Apache-2.0
 *
 * One fan-out serves all who ask while it is under way; each of them gets a
 * merge of its own, for filters and formats differ. A node that hangs, fails
 * or sends what is no exposition costs its samples and says lmc_node_up 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "expo.h"
#include "fetch.h"
#include "log.h"
#include "proxy.h"

enum {
	DEADLINE_MS   = 5000,	/* when the scraper names none */
	MARGIN_MS     = 100,	/* taken off the scraper's own deadline */
	NODE_MAX      = 16 << 20,	/* bytes of one node's answer (threats.md T17) */
	NODE_SAMPLES  = 500000,
	TEXT_MAX      = 8 << 20,	/* bytes of what we say ourselves */
	WAITING_MAX   = 256 << 10,	/* bytes for a slow scraper, then it waits */
	NAMES_MAX     = 64,
	LABEL_MAX     = 3 * NODE_NAME
};

static const char json_or_text[] =
	"Accept: text/plain;version=0.0.4;q=1,*/*;q=0.1\r\n";

/* What one node said. */
struct said {
	struct fanout *of;
	struct fetch  *fetch;	/* under way, or NULL */
	char  *node, *frontend;	/* frontend: NULL for our own nodes */
	struct buf body;
	bool   up;
	int    input;		/* of the merge at work, or -1 */
	size_t samples;
	int64_t us;
};

struct fanout {
	struct said   *said;
	int            n, left, refs;
	struct waiter *waiters;
	bool           whole;	/* all nodes: others may join */
};

struct waiter {
	struct exchange *x;
	struct fanout   *of;
	struct waiter   *next;
	struct expo     *merge;
	struct expo_opts opts;
	char            *query;	/* decoded names and matchers point here */
	const char      *name[NAMES_MAX];
	struct expo_selector *select[EXPO_SELECTORS];
	const char      *node[NAMES_MAX];
	unsigned         nodes;
	struct buf       own;	/* what we add */
	bool             flowing;
};

static struct fanout *shared;	/* the one under way that may be joined */

static const struct scrape_conf *conf;

void scrape_init(const struct scrape_conf *c)
{
	conf = c;
}

/* ---- lives ---- */

static void fanout_drop(struct fanout *f)
{
	if (--f->refs)
		return;
	for (int i = 0; i < f->n; i++) {
		if (f->said[i].fetch)
			fetch_stop(f->said[i].fetch);
		free(f->said[i].node);
		free(f->said[i].frontend);
		buf_free(&f->said[i].body);
	}
	if (shared == f)
		shared = NULL;
	free(f->said);
	free(f);
}

static void waiter_free(struct waiter *w)
{
	struct waiter **at = &w->of->waiters;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
	expo_free(w->merge);
	for (unsigned i = 0; i < w->opts.filter.selects; i++)
		expo_selector_free(w->select[i]);
	free(w->query);
	buf_free(&w->own);
	fanout_drop(w->of);
	free(w);
}

static void scraper_gone(struct exchange *x)
{
	waiter_free(x->data);
}

/* ---- the answer ---- */

static void flow(struct exchange *x)
{
	struct waiter *w = x->data;
	const char *p;
	size_t n;
	long waiting;

	do {
		if (expo_read(w->merge, &p, &n) < 0) {
			log_event(LOG_ERROR, "merge out of memory", NULL);
			n = 0;
		}
		if (n == 0) {
			x->on_abort = NULL;
			waiter_free(w);
			reply_end(x);
			return;
		}
		waiting = reply_write(x, p, n);
		if (waiting < 0)
			return;		/* gone: scraper_gone has freed it */
	} while (waiting < WAITING_MAX);
	reply_room(x, flow);
}

static void put_label(struct buf *b, const char *name, const char *p)
{
	buf_printf(b, "%s=\"", name);
	for (; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_putc(b, '\\');
		buf_putc(b, *p);
	}
	buf_putc(b, '"');
}

static void put_who(struct buf *b, const struct said *s)
{
	put_label(b, conf->node_label, s->node);
	if (s->frontend) {
		buf_putc(b, ',');
		put_label(b, "frontend", s->frontend);
	}
}

static void per_node(struct waiter *w, const char *name, const char *help,
		     double (*value)(const struct said *s))
{
	char text[32];

	buf_printf(&w->own, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
	for (int i = 0; i < w->of->n; i++) {
		buf_printf(&w->own, "%s{", name);
		put_who(&w->own, &w->of->said[i]);
		text[expo_format_number(text, value(&w->of->said[i]))] = '\0';
		buf_printf(&w->own, "} %s\n", text);
	}
}

static double is_up(const struct said *s) { return s->up; }
static double took(const struct said *s) { return (double)s->us / 1e6; }
static double samples(const struct said *s) { return (double)s->samples; }

static void add_own(struct waiter *w)
{
	struct expo_stats st;

	per_node(w, "lmc_node_up", "1 if the node's metrics were read.", is_up);
	per_node(w, "lmc_node_scrape_duration_seconds",
		 "How long the node took to answer.", took);
	per_node(w, "lmc_node_scrape_samples", "Samples the node exposed.", samples);
	expo_stats(w->merge, &st);
	buf_printf(&w->own,
		   "# HELP lmc_metrics_duplicates Samples left out of this answer: their name and labels were there already.\n"
		   "# TYPE lmc_metrics_duplicates gauge\n"
		   "lmc_metrics_duplicates %zu\n"
		   "# HELP lmc_metrics_type_conflicts Families of this answer kept apart: nodes do not agree on their type.\n"
		   "# TYPE lmc_metrics_type_conflicts gauge\n"
		   "lmc_metrics_type_conflicts %zu\n",
		   st.duplicates, st.type_conflicts);
	stats_print(&w->own, w->x->server);
}

/* "worker" or "scheduler", as LMCache's own instance names end; else "". */
static const char *role_of(const char *name)
{
	const char *last = strrchr(name, '_');

	last = last ? last + 1 : name;
	if (strcmp(last, "scheduler") == 0)
		return "scheduler";
	return strncmp(last, "worker", 6) == 0 ? "worker" : "";
}

static bool wanted(const struct waiter *w, const struct said *s)
{
	for (unsigned i = 0; i < w->nodes; i++)
		if (strcmp(w->node[i], s->node) == 0)
			return true;
	return w->nodes == 0;
}

static void add_node(struct waiter *w, struct said *s)
{
	struct expo_extra extra[3] = {
		{ conf->node_label, s->node, false },
		{ "role", role_of(s->node), true },
		{ "frontend", s->frontend ? s->frontend : "", true },
	};
	struct expo_error e;

	s->samples = 0;
	if (!s->up || !wanted(w, s))
		return;
	s->input = expo_add(w->merge, s->body.p, s->body.len,
			    expo_sniff(s->body.p, s->body.len), extra, 3, &e);
	if (s->input < 0) {
		char at[48];

		snprintf(at, sizeof at, "%zu:%zu", e.line, e.column);
		log_event(LOG_WARN, "metrics not read", "node", s->node, "at", at,
			  "reason", e.what, NULL);
		s->up = false;
	} else {
		s->samples = expo_input_samples(w->merge, (unsigned)s->input);
	}
}

static void answer(struct waiter *w)
{
	struct exchange *x = w->x;
	struct expo_error e;

	w->merge = expo_new(&w->opts);
	for (int i = 0; w->merge && i < w->of->n; i++)
		add_node(w, &w->of->said[i]);
	if (!w->merge || expo_seal(w->merge) < 0) {
		x->on_abort = NULL;
		waiter_free(w);
		reply_detail(x, 503, "out of memory");
		return;
	}
	add_own(w);
	if (w->own.bad || expo_add(w->merge, w->own.p, w->own.len, EXPO_TEXT,
				   NULL, 0, &e) < 0)
		log_event(LOG_ERROR, "own metrics left out", "reason",
			  w->own.bad ? "too large" : e.what, NULL);
	w->flowing = true;
	reply_start(x, 200, expo_content_type(w->opts.out), -1);
	if (x->method == M_HEAD) {
		x->on_abort = NULL;
		waiter_free(w);
		reply_end(x);
	} else {
		flow(x);
	}
}

/* ---- the fan-out ---- */

static void fanout_over(struct fanout *f)
{
	struct waiter *w;

	if (shared == f)
		shared = NULL;
	f->refs++;
	while ((w = f->waiters)) {
		f->waiters = w->next;
		w->next = NULL;
		answer(w);
	}
	fanout_drop(f);
}

static void node_said(struct fetch *fetch)
{
	struct said *s = fetch->ctx;
	struct fanout *f = s->of;

	s->fetch = NULL;
	s->us = fetch->us;
	s->up = fetch->status == 200;
	s->body = fetch->body;
	fetch->body = (struct buf){ 0 };
	if (!s->up)
		log_event(LOG_INFO, "node not scraped", "node", s->node, "reason",
			  fetch->status ? http_reason(fetch->status) : fetch->why,
			  NULL);
	if (--f->left == 0)
		fanout_over(f);
}

static void ask(struct fanout *f, struct said *s, const struct leaf *l,
		int64_t deadline)
{
	const char *of = table_nodes()->proxies[l->proxy].self.name;
	struct buf target = BUF(LABEL_MAX + 32);

	s->of = f;
	s->input = -1;
	s->node = strdup(l->node->name);
	if (strcmp(of, LOCAL_PROXY) != 0) {
		s->frontend = strdup(of);
		buf_puts(&target, "/proxy2/");
		url_encode(&target, l->node->name, strlen(l->node->name));
	}
	buf_puts(&target, "/metrics");
	if (s->node && !target.bad)
		s->fetch = fetch_start(l->origin, target.p, json_or_text, deadline,
				       NODE_MAX, node_said, s);
	buf_free(&target);
	f->left += s->fetch != NULL;
}

static bool asked_for(const struct waiter *w, const struct leaf *l)
{
	for (unsigned i = 0; i < w->nodes; i++)
		if (strcmp(w->node[i], l->node->name) == 0)
			return true;
	return w->nodes == 0;
}

static struct fanout *fanout_new(const struct waiter *w, int64_t deadline)
{
	struct fanout *f = calloc(1, sizeof *f);
	const struct leaf *l;

	if (!f)
		return NULL;
	f->said = calloc((size_t)table_leaves() + 1, sizeof *f->said);
	if (!f->said) {
		free(f);
		return NULL;
	}
	f->whole = w->nodes == 0;
	for (int i = 0; (l = table_any(i)); i++)
		if (!l->is_proxy && asked_for(w, l))
			ask(f, &f->said[f->n++], l, deadline);
	return f;
}

/* ---- the question ---- */

static int64_t deadline_of(const struct exchange *x)
{
	const struct http_field *h = http_find(x->req, F_SCRAPE_TIMEOUT);
	char text[24], *end;
	double s;

	if (!h || h->value.n >= sizeof text)
		return DEADLINE_MS;
	memcpy(text, h->value.p, h->value.n);
	text[h->value.n] = '\0';
	s = strtod(text, &end);
	if (end == text || *end || !(s > 0 && s < 3600))
		return DEADLINE_MS;
	s = s * 1000 - MARGIN_MS;
	return s < 50 ? 50 : (int64_t)s;
}

/* One parameter, decoded in place. 0, or -1 and answered. */
static int take_param(struct waiter *w, char *key, char *value)
{
	struct expo_error e;
	struct expo_filter *f = &w->opts.filter;

	if (strcmp(key, "name[]") == 0 && f->names < NAMES_MAX) {
		w->name[f->names++] = value;
	} else if (strcmp(key, "node") == 0 && w->nodes < NAMES_MAX) {
		w->node[w->nodes++] = value;
	} else if (strcmp(key, "match[]") == 0 && f->selects < EXPO_SELECTORS) {
		w->select[f->selects] = expo_selector_new(value, strlen(value), &e);
		if (!w->select[f->selects]) {
			reply_detail(w->x, 400, "match[]: column %zu: %s", e.column,
				     e.what);
			return -1;
		}
		f->selects++;
	} else {
		reply_detail(w->x, 400, "unknown parameter, or too many: %s", key);
		return -1;
	}
	return 0;
}

/* '+' is a space in a query (the form encoding). */
static long decode_form(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == '+')
			p[i] = ' ';
	return url_decode(p, n, p);
}

static int take_query(struct waiter *w, struct span q)
{
	char *p, *next, *value;
	long n;

	w->query = calloc(1, q.n + 1);
	if (!w->query) {
		reply_detail(w->x, 503, "out of memory");
		return -1;
	}
	if (q.n)
		memcpy(w->query, q.p, q.n);
	for (p = w->query; *p; p = next) {
		next = p + strcspn(p, "&");
		if (*next)
			*next++ = '\0';
		value = p + strcspn(p, "=");
		if (*value)
			*value++ = '\0';
		n = decode_form(value, strlen(value));
		if (n >= 0)
			value[n] = '\0';
		if (n < 0 || (n = decode_form(p, strlen(p))) < 0) {
			reply_detail(w->x, 400, "bad percent-encoding in the query");
			return -1;
		}
		p[n] = '\0';
		if (*p && take_param(w, p, value) < 0)
			return -1;
	}
	return 0;
}

void scrape_get(struct exchange *x)
{
	const struct http_field *accept = http_find(x->req, F_ACCEPT);
	struct waiter *w = calloc(1, sizeof *w);
	struct fanout *f = shared, none = { .refs = 2 };

	if (!w) {
		reply_detail(x, 503, "out of memory");
		return;
	}
	w->x = x;
	w->own.max = TEXT_MAX;
	w->opts.out = accept ? expo_accept(accept->value.p, accept->value.n) : EXPO_TEXT;
	w->opts.underscore = conf->underscore;
	w->opts.filter.name = w->name;
	w->opts.filter.select = w->select;
	w->opts.max.bytes = NODE_MAX;
	w->opts.max.samples = NODE_SAMPLES;
	if (getrandom(&w->opts.seed, sizeof w->opts.seed, GRND_NONBLOCK) < 0)
		w->opts.seed = (uint64_t)(uintptr_t)w;
	w->of = &none;
	if (take_query(w, x->req->query) < 0) {
		waiter_free(w);
		return;
	}
	if (!f || w->nodes)
		f = fanout_new(w, deadline_of(x));
	if (!f) {
		waiter_free(w);
		reply_detail(x, 503, "out of memory");
		return;
	}
	if (f->whole)
		shared = f;
	f->refs++;
	w->of = f;
	w->next = f->waiters;
	f->waiters = w;
	x->data = w;
	x->on_abort = scraper_gone;
	if (f->left == 0)
		fanout_over(f);
}
