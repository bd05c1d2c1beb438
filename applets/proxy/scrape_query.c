/* scrape_query.c - what a scrape asks for
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "scrape.h"

enum {
	DEADLINE_MS = 5000,	/* when the scraper names none */
	DEADLINE_MIN_MS = 50,
	DEADLINE_MAX_MS = 60000,
	MARGIN_MS   = 100,	/* taken off the scraper's own deadline */
	ROLL_GROUPS = 1 << 16
};

int64_t query_deadline(const struct exchange *x)
{
	const struct http_field *h = http_find(x->req, F_SCRAPE_TIMEOUT);
	struct expo_span text;
	double ms;

	if (!h)
		return DEADLINE_MS;
	text = (struct expo_span){ h->value.p, h->value.n };
	if (expo_number(text, &ms) < 0 || !(ms > 0))
		return DEADLINE_MS;
	ms = ms * 1000 - MARGIN_MS;
	if (ms > DEADLINE_MAX_MS)
		return DEADLINE_MAX_MS;
	return ms < DEADLINE_MIN_MS ? DEADLINE_MIN_MS : (int64_t)ms;
}

bool query_wants(const struct waiter *w, const char *node)
{
	for (unsigned i = 0; i < w->nodes; i++)
		if (strcmp(w->node[i], node) == 0)
			return true;
	return w->nodes == 0;
}

/* ---- parameters ---- */

static int take_match(struct waiter *w, const char *value)
{
	struct expo_filter *f = &w->opts.filter;
	struct expo_error e;

	w->select[f->selects] = expo_selector_new(value, strlen(value), &e);
	if (w->select[f->selects]) {
		f->selects++;
		return 0;
	}
	reply_detail(w->x, 400, "match[]: column %zu: %s", e.column, e.what);
	return -1;
}

static int take_rollup(struct waiter *w, const char *value)
{
	static const char *const ops[] = { "auto", "sum", "max", "min", "avg" };

	for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++) {
		if (strcmp(value, ops[i]) == 0) {
			w->rollup.op = (enum expo_op)i;
			w->rolled = true;
			return 0;
		}
	}
	reply_detail(w->x, 400, "rollup: %s is not one of auto, sum, max, min, avg",
		     value);
	return -1;
}

/* One parameter, decoded in place. 0, or -1 and answered. */
static int take_param(struct waiter *w, const char *key, const char *value)
{
	struct expo_filter *f = &w->opts.filter;

	if (strcmp(key, "match[]") == 0 && f->selects < EXPO_SELECTORS)
		return take_match(w, value);
	if (strcmp(key, "rollup") == 0)
		return take_rollup(w, value);
	if (strcmp(key, "name[]") == 0 && f->names < NAMES_MAX)
		w->name[f->names++] = value;
	else if (strcmp(key, "node") == 0 && w->nodes < NAMES_MAX)
		w->node[w->nodes++] = value;
	else if (strcmp(key, "by") == 0 && w->rollup.bys < BY_MAX)
		w->by[w->rollup.bys++] = value;
	else {
		reply_detail(w->x, 400, "unknown parameter, or too many: %s", key);
		return -1;
	}
	return 0;
}

/* In place. NULL: bad escapes. */
static char *decode_form(char *p)
{
	long n = url_form(p, strlen(p), p);

	if (n < 0)
		return NULL;
	p[n] = '\0';
	return p;
}

static int take_query(struct waiter *w, struct span q)
{
	char *p, *next, *value;

	for (p = w->query; p < w->query + q.n; p = next) {
		next = p + strcspn(p, "&");
		*next++ = '\0';
		value = p + strcspn(p, "=");
		if (*value)
			*value++ = '\0';
		p = decode_form(p);
		value = decode_form(value);
		if (!p || !value) {
			reply_detail(w->x, 400, "bad percent-encoding in the query");
			return -1;
		}
		if (*p && take_param(w, p, value) < 0)
			return -1;
	}
	if (!w->rollup.bys || w->rolled)
		return 0;
	reply_detail(w->x, 400, "by is for rollup=auto|sum|max|min|avg");
	return -1;
}

int query_read(struct waiter *w)
{
	const struct http_field *accept = http_find(w->x->req, F_ACCEPT);
	struct span q = w->x->req->query;

	w->query = calloc(1, q.n + 1);
	if (!w->query) {
		reply_detail(w->x, 503, "out of memory");
		return -1;
	}
	if (q.n)
		memcpy(w->query, q.p, q.n);
	w->opts.filter.name = w->name;
	w->opts.filter.select = w->select;
	w->rollup.by = w->by;
	w->rollup.max = ROLL_GROUPS;
	if (take_query(w, q) < 0)
		return -1;
	w->out = accept ? expo_accept(accept->value.p, accept->value.n) : EXPO_TEXT;
	w->opts.out = w->rolled ? EXPO_TEXT : w->out;
	w->opts.underscore = scrape_conf->underscore;
	w->opts.max.samples = NODE_SAMPLES;
	w->gzipped = routes_gzip(w->x);
	if (getrandom(&w->opts.seed, sizeof w->opts.seed, GRND_NONBLOCK) < 0)
		w->opts.seed = (uint64_t)(uintptr_t)w;
	return 0;
}
