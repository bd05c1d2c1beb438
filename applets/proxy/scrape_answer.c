/* scrape_answer.c - what the nodes said, merged and sent
 * SPDX-License-Identifier: Apache-2.0
 *
 * Samples sent = samples of all nodes + what we add - lmc_metrics_duplicates
 * (and less what a filter takes out): nothing vanishes uncounted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "label.h"
#include "log.h"
#include "scrape.h"

enum {
	OWN_MAX       = 32 << 20,	/* bytes of what we say ourselves */
	ROLLED_MAX    = 64 << 20,	/* bytes of a roll-up */
	CONFLICTS_MAX = 100,		/* named one by one */
	WAITING_MAX   = 256 << 10,	/* bytes for a slow scraper, then it waits */
	TURN_MAX      = 2 << 20,	/* bytes made before others have their turn */
	PACKED        = 64 << 10
};

/* ---- what we add ---- */

static void put_label(struct buf *b, const char *name, const char *p, size_t n)
{
	buf_printf(b, "%s=\"", name);
	for (; n; p++, n--) {
		if (*p == '"' || *p == '\\' || *p == '\n')
			buf_putc(b, '\\');
		buf_putc(b, *p == '\n' ? 'n' : *p);
	}
	buf_putc(b, '"');
}

static void put_who(struct buf *b, const struct said *s)
{
	put_label(b, scrape_conf->node_label, s->node, strlen(s->node));
	if (s->frontend) {
		buf_putc(b, ',');
		put_label(b, "frontend", s->frontend, strlen(s->frontend));
	}
}

static void family(struct buf *b, const char *name, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void per_node(struct waiter *w, const char *name, const char *help,
		     double (*value)(const struct said *s))
{
	char text[32];

	family(&w->own, name, help);
	for (int i = 0; i < w->of->n; i++) {
		double v = value(&w->of->said[i]);

		if (v < 0)
			continue;
		buf_printf(&w->own, "%s{", name);
		put_who(&w->own, &w->of->said[i]);
		text[expo_format_number(text, v)] = '\0';
		buf_printf(&w->own, "} %s\n", text);
	}
}

static double is_up(const struct said *s) { return s->up; }
static double took(const struct said *s) { return (double)s->us / 1e6; }
static double samples(const struct said *s) { return (double)s->samples; }
static double twice(const struct said *s)
{
	return s->duplicates ? (double)s->duplicates : -1;
}

static void one(struct waiter *w, const char *name, const char *help, size_t value)
{
	family(&w->own, name, help);
	buf_printf(&w->own, "%s %zu\n", name, value);
}

static void make_own(struct waiter *w)
{
	struct expo_stats st;

	per_node(w, "lmc_node_up", "1 if the node's metrics were read.", is_up);
	per_node(w, "lmc_node_scrape_duration_seconds",
		 "How long the node took to answer.", took);
	per_node(w, "lmc_node_scrape_samples", "Samples the node exposed.", samples);
	per_node(w, "lmc_node_scrape_duplicates",
		 "Samples of the node that were there already, where there are any.",
		 twice);
	expo_stats(w->merge, &st);
	st.duplicates += w->sum.duplicates;
	st.type_conflicts += w->sum.type_conflicts;
	st.help_conflicts += w->sum.help_conflicts;
	one(w, "lmc_metrics_duplicates",
	    "Samples left out of this answer: their name and labels were there already.",
	    st.duplicates);
	one(w, "lmc_metrics_type_conflicts",
	    "Families of this answer kept apart: nodes do not agree on their type.",
	    st.type_conflicts);
	one(w, "lmc_metrics_help_conflicts",
	    "Other HELP texts than the first of a family's.", st.help_conflicts);
	if (w->conflicts.len) {
		family(&w->own, "lmc_metrics_type_conflict",
		       "A node's family that has another type than the first node's.");
		buf_add(&w->own, w->conflicts.p, w->conflicts.len);
	}
	stats_print(&w->own, w->x->server);
}

/* ---- the merge ---- */

static void name_conflict(struct waiter *w, const struct expo_note *n)
{
	struct buf *b = &w->conflicts;

	if (!w->who[n->input] || w->conflicts_n++ >= CONFLICTS_MAX)
		return;
	buf_puts(b, "lmc_metrics_type_conflict{");
	put_who(b, w->who[n->input]);
	buf_putc(b, ',');
	put_label(b, "family", n->family.p, n->family.n);
	buf_printf(b, ",first=\"%s\",second=\"%s\"} 1\n", expo_type_name(n->first),
		   expo_type_name(n->second));
}

static void noted(void *ctx, const struct expo_note *n)
{
	struct waiter *w = ctx;
	struct said *s = w->who[n->input];

	if (n->event == EXPO_TYPE_CONFLICT)
		name_conflict(w, n);
	else if (n->event == EXPO_DUPLICATE && s && w->duplicates)
		w->duplicates[s - w->of->said]++;
	else if (n->event == EXPO_DUPLICATE && s)
		s->duplicates++;
}

int merge_add(struct waiter *w, struct said *s, const char *p, size_t n,
	      enum expo_format format)
{
	const char *frontend = s->frontend ? s->frontend : "";
	struct expo_extra extra[] = {
		{ scrape_conf->node_label, s->node, false },
		{ "role", label_role(s->node), true },
		{ "frontend", frontend, false },
	};
	struct expo_error e;
	char at[48];

	w->who[w->inputs] = s;
	if (expo_add(w->merge, p, n, format, extra, 3, &e) < 0) {
		snprintf(at, sizeof at, "%zu:%zu", e.line, e.column);
		log_event(LOG_WARN, "metrics not read", "node", s->node, "at", at,
			  "reason", e.what, NULL);
		w->who[w->inputs] = NULL;
		return 0;
	}
	s->up = true;
	s->samples = expo_input_samples(w->merge, (unsigned)w->inputs++);
	return 0;
}

int merge_own(struct waiter *w)
{
	struct expo_error e;

	make_own(w);
	w->who[w->inputs] = NULL;
	if (w->own.bad || expo_add(w->merge, w->own.p, w->own.len, EXPO_TEXT,
				   NULL, 0, &e) < 0) {
		log_event(LOG_ERROR, "own metrics left out", "reason",
			  w->own.bad ? "too large" : e.what, NULL);
		return 0;
	}
	return expo_seal(w->merge);
}

/* 0, or -1: out of memory. */
static int merge(struct waiter *w)
{
	w->own.max = OWN_MAX;
	w->conflicts.max = OWN_MAX;
	w->opts.note = noted;
	w->opts.ctx = w;
	w->opts.max.bytes = OWN_MAX;	/* nodes had their own ceiling */
	w->who = calloc((size_t)w->of->n + 1, sizeof *w->who);
	if (w->who && w->of->many)
		return many_begin(w);
	w->merge = w->who ? expo_new(&w->opts) : NULL;
	if (!w->merge)
		return -1;
	for (int i = 0; i < w->of->n; i++) {
		struct said *s = &w->of->said[i];

		s->up = false;
		s->samples = s->duplicates = 0;
		if (s->answered)
			merge_add(w, s, s->body.p, s->body.len,
				  expo_sniff(s->body.p, s->body.len));
	}
	return expo_seal(w->merge) < 0 ? -1 : merge_own(w);
}

/* ---- sending ---- */

static void over(struct waiter *w)
{
	w->x->on_abort = NULL;
	waiter_free(w);
}

/* The merge's next bytes, *n is 0 at the end. 0; 1: come again; -1: out of memory. */
static int raw(struct waiter *w, const char **p, size_t *n)
{
	for (;;) {
		if (w->of->many && !w->ready && many_fill(w) < 0)
			return -1;
		if (w->of->many && !w->ready)
			return 1;
		if (!w->merge || expo_read(w->merge, p, n) < 0)
			return -1;
		if (*n || !w->of->many || !many_more(w))
			return 0;
	}
}

/* The next bytes to send, likewise. */
static int piece(struct waiter *w, const char **p, size_t *n)
{
	static char packed[PACKED];
	int rc;

	if (!w->gzip) {
		rc = raw(w, p, n);
		w->turn += rc ? 0 : *n;
		return rc;
	}
	*p = packed;
	while (!(*n = gzip_read(w->gzip, packed, sizeof packed)) && !w->last) {
		const char *text;
		size_t text_n;

		rc = raw(w, &text, &text_n);
		if (rc)
			return rc;
		w->last = text_n == 0;
		w->turn += text_n;
		gzip_feed(w->gzip, text, text_n, w->last);
	}
	return 0;
}

static void flow(struct exchange *x);

static void go_on(struct task *t)
{
	flow(((struct waiter *)((char *)t - offsetof(struct waiter, task)))->x);
}

static void flow(struct exchange *x)
{
	struct waiter *w = x->data;
	const char *p;
	size_t n;
	long waiting;
	int rc;

	for (w->turn = 0; w->turn < TURN_MAX; ) {
		rc = piece(w, &p, &n);
		if (rc > 0)
			break;
		if (rc < 0) {
			log_event(LOG_ERROR, "merge out of memory", NULL);
			over(w);
			reply_raw(x, NULL, 0, true);	/* it must not look whole */
			return;
		}
		if (n == 0) {
			over(w);
			reply_end(x);
			return;
		}
		waiting = reply_write(x, p, n);
		if (waiting < 0)
			return;		/* gone, and on_abort has freed w */
		if (waiting >= WAITING_MAX) {
			reply_room(x, flow);
			return;
		}
	}
	task_later(&w->task, go_on);
}

static int keep(void *ctx, const char *p, size_t n)
{
	return buf_add(ctx, p, n);
}

static void send_rolled(struct waiter *w)
{
	struct buf b = BUF(ROLLED_MAX);
	struct exchange *x = w->x;
	size_t lost = 0;
	int bad;

	while (w->of->many && !w->ready && w->merge)
		if (many_fill(w) < 0)
			b.bad = true, w->ready = true;
	bad = b.bad ? -1 : expo_roll(w->merge, &w->rollup, w->out, keep, &b, &lost);
	if (lost)
		reply_header(x, "X-Lmc-Not-Rolled-Up: %zu", lost);
	if (bad)
		reply_detail(x, 503, "the roll-up is too large");
	else
		reply(x, 200, expo_content_type(w->out), b.p, b.len);
	buf_free(&b);
}

void answer(struct waiter *w)
{
	void (*gone)(struct exchange *x);
	struct exchange *x = w->x;

	if (merge(w) < 0) {
		over(w);
		reply_detail(x, 503, "out of memory");
		return;
	}
	reply_header(x, "Vary: Accept, Accept-Encoding");
	if (w->rolled) {
		x->on_abort = NULL;
		send_rolled(w);
		waiter_free(w);
		return;
	}
	if (w->gzipped && (w->gzip = gzip_new(true)))
		reply_header(x, "Content-Encoding: gzip");
	gone = x->on_abort;
	x->on_abort = NULL;	/* w is needed after reply_start */
	reply_start(x, 200, expo_content_type(w->out), -1);
	x->on_abort = gone;
	if (reply_write(x, NULL, 0) < 0) {
		waiter_free(w);
	} else if (x->method == M_HEAD) {
		over(w);
		reply_end(x);
	} else {
		flow(x);
	}
}
