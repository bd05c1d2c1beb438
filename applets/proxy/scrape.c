/* scrape.c - GET /metrics: every node asked at once
 * SPDX-License-Identifier: Apache-2.0
 *
 * One fan-out serves all who ask while it is fresh; each of them gets a merge
 * of its own, for filters and formats differ, and at its own deadline what is
 * there by then. A node that hangs, fails or sends what is no exposition costs
 * its samples and says lmc_node_up 0.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "scrape.h"

enum {
	FRESH_MS     = 1000,	/* a fan-out that began longer ago is not joined */
	LATE_MS      = 20,	/* nodes are given up before those who wait */
	PER_MS       = 50 << 10,	/* bytes merged and sent, on a busy machine */
	FREE_BYTES   = 4 << 20,	/* the scraper's margin is enough for these */
	HELD_MAX     = 512 << 20,	/* bytes of answers held, in all */
	SHARE_MIN    = 1 << 20,	/* a node's part of them, at least */
	WAITERS_MAX  = 64,	/* scrapes under way */
	SPARES       = 256,	/* buffers kept for the next scrape */
	SPARES_BYTES = 8 << 20,	/* of all of them */
	AT_ONCE      = 64,	/* of many nodes, those asked at a time */
	SLOW_MS      = 250,	/* one without its first byte by then counts no more */
	SPARE_BYTES  = 256 << 10,	/* a larger one is not kept */
	SPARE_MS     = 30000,	/* how long, after the last one */
	TARGET_MAX   = 8 * NODE_NAME
};

static const char accept_line[] =
	"Accept: text/plain;version=0.0.4;q=1,*/*;q=0.1\r\n";

const struct scrape_conf *scrape_conf;

static struct fanout *shared;	/* the one under way that may be joined */
static size_t held;		/* bytes of all answers */
static int waiters_n;

void scrape_init(const struct scrape_conf *c)
{
	scrape_conf = c;
}

/* ---- buffers ---- */

/* Nodes answer alike every time: a buffer that has grown once need not grow
 * again, and half of a scrape's system calls were for memory. */
static struct buf spare[SPARES];
static int spares;
static size_t spares_bytes;
static struct timer spare_timer;

static void forget_spares(struct timer *t)
{
	(void)t;
	while (spares)
		buf_free(&spare[--spares]);
	spares_bytes = 0;
}

static void give_back(struct buf *b)
{
	if (!b->p || b->cap > SPARE_BYTES || spares == SPARES ||
	    spares_bytes + b->cap > SPARES_BYTES ||
	    timer_set(&spare_timer, loop_now() + SPARE_MS, forget_spares) < 0) {
		buf_free(b);
		return;
	}
	buf_reset(b);
	spare[spares++] = *b;
	spares_bytes += b->cap;
}

/* Before its first byte came: a fetch starts in a later turn. */
static void lend(struct fetch *f)
{
	size_t max = f->body.max;

	if (!spares || spare[spares - 1].cap > max)
		return;
	f->body = spare[--spares];
	spares_bytes -= f->body.cap;
	f->body.max = max;
}

/* ---- lives ---- */

static void fanout_drop(struct fanout *f)
{
	if (--f->refs)
		return;
	for (int i = 0; i < f->n; i++) {
		if (f->said[i].fetch)
			fetch_stop(f->said[i].fetch);
		held -= f->said[i].body.len + f->said[i].packed_n;
		origin_drop(f->said[i].origin);
		free(f->said[i].target);
		free(f->said[i].packed);
		free(f->said[i].node);
		free(f->said[i].frontend);
		give_back(&f->said[i].body);
	}
	if (shared == f)
		shared = NULL;
	timer_stop(&f->more);
	for (int i = 0; i < PARTS; i++)
		buf_free(&f->like[i]);
	free(f->said);
	free(f);
}

static void leave(struct waiter *w)
{
	struct waiter **at = &w->of->waiters;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
	w->next = NULL;
	timer_stop(&w->timer);
}

void waiter_free(struct waiter *w)
{
	if (w->of) {
		leave(w);
		fanout_drop(w->of);
	}
	task_cancel(&w->task);
	many_free(w);
	gzip_free(w->gzip);
	for (unsigned i = 0; i < w->opts.filter.selects; i++)
		expo_selector_free(w->select[i]);
	free(w->query);
	free(w->who);
	buf_free(&w->own);
	buf_free(&w->conflicts);
	free(w);
	waiters_n--;
}

static void scraper_gone(struct exchange *x)
{
	waiter_free(x->data);
}

/* ---- the fan-out ---- */

static void fanout_over(struct fanout *f)
{
	struct waiter *w;

	if (shared == f)
		shared = NULL;
	if (f->many) {
		many_rest();
		forget_spares(&spare_timer);	/* a merge will need as much */
	}
	f->refs++;
	while ((w = f->waiters)) {
		leave(w);
		answer(w);
	}
	fanout_drop(f);
}

static void too_late(struct timer *t)
{
	struct waiter *w = (struct waiter *)((char *)t - offsetof(struct waiter, timer));
	struct fanout *f = w->of;

	f->refs++;
	for (int i = 0; i < f->n; i++)
		if (f->said[i].fetch)
			f->said[i].us = (loop_now() - f->began) * 1000;
	leave(w);
	answer(w);
	fanout_drop(f);
}

static void take_over(struct said *s, struct fetch *fetch)
{
	s->answered = fetch->status == 200;
	if (s->answered && held + fetch->body.len > HELD_MAX) {
		log_event(LOG_WARN, "node not scraped", "node", s->node, "reason",
			  "all answers together are too large", NULL);
		s->answered = false;
	} else if (s->answered) {
		s->body = fetch->body;
		fetch->body = (struct buf){ 0 };
		if (s->of->many) {
			many_keep(s);
			give_back(&s->body);
			s->body = (struct buf){ 0 };
		}
		held += s->body.len + s->packed_n;
	} else {
		log_event(LOG_INFO, "node not scraped", "node", s->node, "reason",
			  fetch->status ? http_reason(fetch->status) : fetch->why,
			  NULL);
	}
}

/* What is there must still be merged and sent before the scraper's deadline:
 * the more it is, the sooner the rest is given up. Never before half time. */
static int64_t due(const struct waiter *w)
{
	size_t more = w->of->bytes < FREE_BYTES ? 0 : w->of->bytes - FREE_BYTES;
	int64_t early = (int64_t)(more / PER_MS), most = w->deadline / 2;

	return w->began + w->deadline + LATE_MS - (early < most ? early : most);
}

static int arm(struct waiter *w)
{
	return timer_set(&w->timer, due(w), too_late);
}

static void start_more(struct fanout *f);

static void node_said(struct fetch *fetch)
{
	struct said *s = fetch->ctx;
	struct fanout *f = s->of;

	s->fetch = NULL;
	s->us = fetch->us;
	take_over(s, fetch);
	f->bytes += s->packed ? s->raw : s->body.len;
	f->running -= !s->slow;
	f->left--;
	start_more(f);
	if (f->left == 0)
		fanout_over(f);
	else if (f->bytes > FREE_BYTES)
		for (struct waiter *w = f->waiters; w; w = w->next)
			arm(w);
}

static int name_node(struct said *s, const struct leaf *l)
{
	const char *of = table_nodes()->proxies[l->proxy].self.name;
	struct buf target = BUF(TARGET_MAX);

	s->node = strdup(l->node->name);
	if (strcmp(of, LOCAL_PROXY) != 0)
		s->frontend = strdup(of);
	table_path(l, &target);
	buf_puts(&target, "/metrics");
	s->target = target.bad ? NULL : target.p;
	if (s->node && (s->frontend || strcmp(of, LOCAL_PROXY) == 0)) {
		s->origin = l->origin ? origin_ref(l->origin) : NULL;
		return 0;
	}
	free(s->node);
	free(s->frontend);
	buf_free(&target);
	*s = (struct said){ 0 };
	return -1;
}

static void ask(struct fanout *f, struct said *s)
{
	s->began = loop_now();
	if (s->target && s->origin)
		s->fetch = fetch_start(s->origin, s->target, accept_line,
				       f->until - s->began, f->max, node_said, s);
	if (s->fetch) {
		lend(s->fetch);
		f->running++;
		return;
	}
	log_event(LOG_WARN, "node not asked", "node", s->node, NULL);
	f->left--;
}

/* One that hangs must not keep the others from being asked. */
static void look_for_slow(struct timer *t)
{
	struct fanout *f = (struct fanout *)((char *)t - offsetof(struct fanout, more));

	for (int i = 0; i < f->next; i++) {
		struct said *s = &f->said[i];

		if (s->fetch && !s->slow && loop_now() - s->began >=
		    (s->fetch->body.len ? 4 * SLOW_MS : SLOW_MS)) {
			s->slow = true;
			f->running--;
		}
	}
	start_more(f);
	if (f->left == 0)
		fanout_over(f);
}

/* Many are asked some at a time: what all say at once would have to be held. */
static void start_more(struct fanout *f)
{
	while (f->next < f->n && (!f->many || f->running < AT_ONCE))
		ask(f, &f->said[f->next++]);
	if (f->next < f->n)
		timer_set(&f->more, loop_now() + SLOW_MS, look_for_slow);
}

static struct fanout *fanout_new(const struct waiter *w, int64_t deadline)
{
	size_t all = (size_t)table_leaves();
	struct fanout *f = calloc(1, sizeof *f);
	const struct leaf *l;

	if (f)
		f->said = calloc(all + 1, sizeof *f->said);
	if (!f || !f->said) {
		free(f);
		return NULL;
	}
	f->max = HELD_MAX / (all + 1);
	if (f->max > NODE_BYTES)
		f->max = NODE_BYTES;
	if (f->max < SHARE_MIN)
		f->max = SHARE_MIN;
	f->whole = w->nodes == 0;
	f->began = loop_now();
	f->until = f->began + deadline;
	for (int i = 0; (l = table_any(i)); i++) {
		if (l->is_proxy || !query_wants(w, l->node->name) ||
		    name_node(&f->said[f->n], l) < 0)
			continue;
		f->said[f->n++].of = f;
	}
	f->left = f->n;
	f->many = f->n > MANY;
	for (int i = 0; i < PARTS; i++)
		f->like[i].max = LIKE_BYTES;
	start_more(f);
	return f;
}

/* The answers of one under way are as good as new ones, and nodes would not be
 * given less time than this deadline gives them. */
static struct fanout *fanout_for(const struct waiter *w, int64_t deadline)
{
	int64_t now = loop_now();
	struct fanout *f;

	if (!w->nodes && shared && now - shared->began < FRESH_MS &&
	    now + deadline <= shared->until + FRESH_MS)
		return shared;
	f = fanout_new(w, deadline);
	if (f && f->whole && f->left)
		shared = f;
	return f;
}

static void wait_for(struct waiter *w, struct fanout *f, int64_t deadline)
{
	f->refs++;
	w->of = f;
	w->next = f->waiters;
	f->waiters = w;
	w->x->data = w;
	w->x->on_abort = scraper_gone;
	w->began = loop_now();
	w->deadline = deadline;
	if (f->left == 0)
		fanout_over(f);
	else if (arm(w) < 0)
		too_late(&w->timer);
}

void scrape_get(struct exchange *x)
{
	int64_t deadline = query_deadline(x);
	struct waiter *w = waiters_n < WAITERS_MAX ? calloc(1, sizeof *w) : NULL;
	struct fanout *f;

	if (!w) {
		reply_detail(x, 503, "%s", waiters_n < WAITERS_MAX
			     ? "out of memory" : "too many scrapes at once");
		return;
	}
	waiters_n++;
	w->x = x;
	if (query_read(w) < 0) {
		waiter_free(w);
		return;
	}
	f = fanout_for(w, deadline);
	if (!f) {
		waiter_free(w);
		reply_detail(x, 503, "out of memory");
		return;
	}
	wait_for(w, f, deadline);
}
