/* supply_etcd.c - a registry that is the keys below a prefix of etcd
 * SPDX-License-Identifier: Apache-2.0
 *
 * All keys are read once and watched from there on. A watch says nothing when
 * its member hangs, is cut off or came back with another past, so every few
 * seconds somebody is asked whether the number of keys and the last change are
 * what we know: one key's worth of answer. When they are not, or the changes
 * since then were compacted, all is read anew.
 */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "die.h"
#include "etcd.h"
#include "etcd_table.h"
#include "jsonl.h"
#include "out.h"
#include "supply.h"

enum {
	LOOK_MS    = 5000,	/* between two looks whether the watch keeps up */
	SETTLE_MS  = 20,	/* changes that come together make one list */
	SILENCE_MS = 600000,	/* of a watch: the looks above find out sooner */
	SHORT_MS   = 1000,	/* a watch that ends sooner is begun again later */
	SLOWEST    = 8		/* s at most between attempts that fail */
};

struct etcd_supply {
	struct etcd e;			/* reads and looks */
	struct client_req watch;
	struct buf asked, part;
	struct etcd_table known;
	bool    whole;			/* it may go on from known.revision */
	bool    asking, watching, dirty;
	int64_t began, next, settled;	/* clock_ms() scale: the next look, the list */
	int     fails, at;		/* at: the watch's endpoint */
};

/* ---- what is known, and when to ask ---- */

static void list(struct supply *s)
{
	struct etcd_supply *w = s->state;

	w->dirty = false;
	supply_begin(s);
	etcd_table_list(&w->known, strlen(w->e.prefix), s);
	supply_end(s);
}

static void plan(struct supply *s)
{
	const struct etcd_supply *w = s->state;

	s->due = w->asking ? 0 : w->next;
	if (w->dirty && (!s->due || w->settled < s->due))
		s->due = w->settled;
}

static int64_t later(const struct supply *s, int fails)
{
	int64_t base = s->interval < SUPPLY_INTERVAL ? s->interval : SUPPLY_INTERVAL;
	int64_t ms = base;

	while (--fails > 0 && ms < base * SLOWEST)
		ms *= 2;
	return clock_ms() + ms;
}

/* ---- the watch ---- */

static int watched(void *ctx, const char *p, size_t n)
{
	struct supply *s = ctx;
	struct etcd_supply *w = s->state;
	unsigned what = etcd_table_watched(&w->known, p, n);

	if (what & ETCD_COMPACTED)
		w->whole = false;
	if (what & ETCD_CHANGED) {
		if (!w->dirty)
			w->settled = clock_ms() + SETTLE_MS;
		w->dirty = true;
		plan(s);
		client_break(s->client);
	}
	return what & ETCD_ENDED ? -1 : 0;
}

static int on_watch(struct client_req *r, const char *p, size_t n)
{
	struct supply *s = r->ctx;
	struct etcd_supply *w = s->state;

	return r->status == 200 ? jsonl_feed(&w->part, p, n, watched, s) : -1;
}

/* Whatever ended it, the next look tells how things are. */
static void watch_over(struct client_req *r)
{
	struct supply *s = r->ctx;
	struct etcd_supply *w = s->state;
	bool at_once = clock_ms() - w->began >= SHORT_MS;

	w->watching = false;
	w->fails = at_once ? 0 : w->fails + 1;
	w->next = at_once ? clock_ms() : later(s, w->fails);
	plan(s);
}

static void watch(struct supply *s)
{
	struct etcd_supply *w = s->state;

	buf_free(&w->part);
	buf_reset(&w->asked);
	js_open(&w->asked, NULL, '{');
	js_open(&w->asked, "create_request", '{');
	etcd_range(&w->e, &w->asked);
	etcd_number(&w->asked, "start_revision", w->known.revision + 1);
	js_close(&w->asked, '}');
	js_close(&w->asked, '}');
	w->at = w->e.now;
	w->watch = (struct client_req){
		.addr = w->e.at[w->at], .method = "POST", .target = "/v3/watch",
		.headers = w->e.headers, .body = w->asked.p, .body_n = w->asked.len,
		.silence_ms = SILENCE_MS, .write = on_watch, .done = watch_over, .ctx = s,
	};
	w->began = clock_ms();
	w->watching = true;
	client_add(s->client, &w->watch);
}

static void stop_watch(struct supply *s)
{
	struct etcd_supply *w = s->state;

	if (w->watching)
		client_stop(s->client, &w->watch);
	w->watching = false;
}

/* ---- reading and looking ---- */

static void call_over(struct supply *s, bool good)
{
	struct etcd_supply *w = s->state;

	w->asking = false;
	if (good) {
		/* the one that does not answer has our watch */
		if (w->at != w->e.now)
			stop_watch(s);
		if (!w->watching)
			watch(s);
		w->next = clock_ms() + LOOK_MS;
	} else {
		w->next = later(s, ++w->fails);
	}
	plan(s);
	if (!good)
		supply_fail(s, "%s", w->e.why);
}

static void have_read(struct etcd *e)
{
	struct supply *s = e->ctx;
	struct etcd_supply *w = s->state;

	if (e->exit == EXIT_OK) {
		etcd_table_read(&w->known, &e->json);
		w->whole = true;
		list(s);
	}
	call_over(s, e->exit == EXIT_OK);
}

static void read_all(struct supply *s)
{
	struct etcd_supply *w = s->state;

	stop_watch(s);
	w->asking = true;
	etcd_begin(&w->e);
	etcd_range(&w->e, &w->e.body);
	etcd_number(&w->e.body, "limit", SUPPLY_MAX);
	etcd_call(&w->e, "/v3/kv/range", have_read);
	plan(s);
}

static void have_looked(struct etcd *e)
{
	struct supply *s = e->ctx;
	struct etcd_supply *w = s->state;

	if (e->exit == EXIT_OK && !etcd_table_same(&w->known, &e->json)) {
		read_all(s);
		return;
	}
	if (e->exit == EXIT_OK && s->stale)
		list(s);
	call_over(s, e->exit == EXIT_OK);
}

static void look(struct supply *s)
{
	struct etcd_supply *w = s->state;

	w->asking = true;
	etcd_begin(&w->e);
	etcd_range(&w->e, &w->e.body);
	js_str(&w->e.body, "sort_order", "DESCEND");
	js_str(&w->e.body, "sort_target", "MOD");
	etcd_number(&w->e.body, "limit", 1);
	js_bool(&w->e.body, "keys_only", true);
	etcd_call(&w->e, "/v3/kv/range", have_looked);
	plan(s);
}

/* ---- the kind ---- */

static int open_etcd(struct supply *s)
{
	struct etcd_supply *w = xcalloc(1, sizeof *w);

	s->state = w;
	w->e.client = s->client;
	w->e.timeout = s->timeout;
	w->e.max = SUPPLY_TEXT;
	w->e.ctx = s;
	if (etcd_open(&w->e, s->spec) < 0) {
		WRONG(s, "%s", w->e.why);
		free(w);
		s->state = NULL;
		return -1;
	}
	w->asked = (struct buf)BUF(ETCD_BODY);
	w->part = (struct buf)BUF(SUPPLY_TEXT);
	s->due = w->next = 1;
	return 0;
}

static void tick(struct supply *s)
{
	struct etcd_supply *w = s->state;
	int64_t now = clock_ms();

	if (w->dirty && w->settled <= now)
		list(s);
	/* the user wants it now: due is 1 */
	if (!w->asking && (w->next <= now || s->due == 1)) {
		if (w->whole)
			look(s);
		else
			read_all(s);
	}
	plan(s);
}

static void close_etcd(struct supply *s)
{
	struct etcd_supply *w = s->state;

	if (!w)
		return;
	stop_watch(s);
	etcd_close(&w->e);
	etcd_table_free(&w->known);
	buf_free(&w->asked);
	buf_free(&w->part);
	free(w);
}

const struct supply_kind supply_etcd = {
	"etcd: etcds:", open_etcd, tick, close_etcd
};
