/* events.c - what happened, and who waits for it: long-poll and event streams
 * SPDX-License-Identifier: Apache-2.0
 *
 * Numbers begin at the time of the start, so that one of before a restart is
 * never one of after it; who asks for what is not kept any more is told that
 * it missed something, and asks for the list.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "discovery.h"
#include "log.h"

enum {
	KEPT        = 1024,	/* events */
	WATCHERS    = 1024,	/* clients that wait */
	WAIT_MAX_MS = 300000,
	PULSE_MS    = 15000,	/* a stream says that it is there */
	BEHIND      = 256 << 10,	/* bytes that a stream's reader may be behind */
	EVENT_MAX   = 4 << 10,	/* bytes of one */
	TEXT_MAX    = KEPT * EVENT_MAX
};

struct event {
	struct buf text;	/* as JSON */
	enum roster_event what;
};

struct watcher {
	struct watcher  *next;
	struct exchange *x;
	struct timer     timer;
	int64_t          since;
	bool             stream, over;
};

static struct event ring[KEPT];
static int64_t next_id, first_id;
static struct watcher *watchers;
static int watchers_n;
static bool news;

static void start(void)
{
	if (!next_id)
		next_id = first_id = clock_wall_ms();
}

void events_add(struct roster *r, enum roster_event what, const struct roster_entry *e)
{
	struct event *at;
	char when[CLOCK_TEXT];
	bool bad = what == ROSTER_WAS_LATE || what == ROSTER_WENT ||
		   what == ROSTER_IS_HELD || what == ROSTER_MOVED;

	(void)r;
	start();
	at = &ring[next_id % KEPT];
	buf_free(&at->text);
	at->what = what;
	at->text.max = EVENT_MAX;
	buf_printf(&at->text, "{\"id\":%" PRId64 ",\"time\":\"%s\",\"event\":\"%s\",", next_id++,
		   clock_iso(clock_wall_ms(), when), roster_events[what]);
	put_entry(&at->text, e, "\"kind\":$K,\"entry\":$k,\"name\":$n,\"state\":$s}");
	if (next_id - first_id > KEPT)
		first_id = next_id - KEPT;
	news = true;
	log_event(bad ? LOG_WARN : LOG_INFO, roster_events[what], "entry",
		  roster_text(e, TEXT_KEY), NULL);
}

/* Was there something after since that is kept no more? */
static bool missed(int64_t since)
{
	return since < first_id - 1 || since >= next_id;
}

static int64_t first_after(int64_t since)
{
	return missed(since) ? first_id : since + 1;
}

/* ---- answers ---- */

static void answer(struct exchange *x, int64_t since, bool given)
{
	struct buf b = BUF(TEXT_MAX);
	const char *comma = "";

	buf_puts(&b, "{\"events\":[");
	for (int64_t id = first_after(since); id < next_id; id++) {
		buf_printf(&b, "%s%s", comma, ring[id % KEPT].text.p);
		comma = ",";
	}
	buf_printf(&b, "],\"last\":%" PRId64 ",\"missed\":%s}", next_id - 1,
		   given && missed(since) ? "true" : "false");
	reply_header(x, "Cache-Control: no-store");
	reply(x, 200, "application/json", b.p, b.len);
	buf_free(&b);
}

/* False: the reader is lost, or too slow. */
static bool stream(struct watcher *w)
{
	struct buf b = BUF(TEXT_MAX);
	long behind;

	if (missed(w->since))
		buf_printf(&b, "event: missed\nid: %" PRId64 "\ndata: {}\n\n", first_id - 1);
	for (int64_t id = first_after(w->since); id < next_id; id++)
		buf_printf(&b, "id: %" PRId64 "\nevent: %s\ndata: %s\n\n", id,
			   roster_events[ring[id % KEPT].what], ring[id % KEPT].text.p);
	if (!b.len)
		buf_puts(&b, ":\n\n");
	w->since = next_id - 1;
	behind = reply_write(w->x, b.p, b.len);
	buf_free(&b);
	return behind >= 0 && behind < BEHIND;
}

/* ---- those who wait ---- */

static void forget(struct watcher *w)
{
	struct watcher **at = &watchers;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	watchers_n--;
	timer_stop(&w->timer);
	free(w);
}

static void aborted(struct exchange *x)
{
	x->on_abort = NULL;
	for (struct watcher *w = watchers; w; w = w->next) {
		if (w->x == x) {
			forget(w);
			return;
		}
	}
}

static void finish(struct watcher *w)
{
	struct exchange *x = w->x;
	int64_t since = w->since;
	bool streams = w->stream;

	x->on_abort = NULL;
	forget(w);
	if (streams)
		reply_end(x);
	else
		answer(x, since, true);
}

/* A reader that is lost has taken its watcher along: see aborted(). */
static void tell(struct watcher *w)
{
	struct exchange *x = w->x;

	if (!w->stream || (!stream(w) && x->on_abort))
		finish(w);
}

static void on_time(struct timer *t)
{
	struct watcher *w = (struct watcher *)((char *)t - offsetof(struct watcher, timer));

	if (w->stream)
		timer_set(t, loop_now() + PULSE_MS, on_time);
	tell(w);
}

static void wait_for_news(struct exchange *x, int64_t since, int64_t ms, bool streams)
{
	struct watcher *w = watchers_n < WATCHERS ? calloc(1, sizeof *w) : NULL;

	if (!w || timer_set(&w->timer, loop_now() + ms, on_time) < 0) {
		free(w);
		reply_detail(x, 503, "too many clients wait for events");
		return;
	}
	w->x = x;
	w->since = since;
	w->stream = streams;
	w->next = watchers;
	watchers = w;
	watchers_n++;
	x->on_abort = aborted;
	if (!streams)
		return;
	reply_header(x, "Cache-Control: no-store");
	reply_start(x, 200, "text/event-stream", -1);
	if (x->on_abort)
		tell(w);
}

/* A watcher may vanish while another one is told: each is looked for anew. */
void events_turn(void)
{
	struct watcher *w;

	if (!news)
		return;
	news = false;
	for (;;) {
		for (w = watchers; w && w->since >= next_id - 1; w = w->next)
			;
		if (!w)
			return;
		tell(w);
	}
}

void events_end(void)
{
	while (watchers)
		finish(watchers);
}

/* ---- asking ---- */

static bool wants_stream(const struct exchange *x)
{
	const struct http_field *f = http_find(x->req, F_ACCEPT);

	return f && memmem(f->value.p, f->value.n, "text/event-stream", 17);
}

/* ?since=, or what a browser sends when it connects again. */
static bool get_since(const struct exchange *x, char *out, size_t cap)
{
	if (query_get(x, "since", out, cap))
		return true;
	for (int i = 0; i < x->req->n; i++) {
		const struct http_field *f = &x->req->f[i];

		if (span_is_nocase(f->name, "last-event-id") && f->value.n < cap) {
			memcpy(out, f->value.p, f->value.n);
			out[f->value.n] = '\0';
			return true;
		}
	}
	return false;
}

void events_get(struct exchange *x)
{
	char text[32], *end = text;
	const char *why = "not a number";
	int64_t since, wait = 0;
	bool given = get_since(x, text, sizeof text);

	start();
	since = given ? strtoll(text, &end, 10) : first_id - 1;
	if (given && (end == text || *end)) {
		reply_detail(x, 400, "since: %s", why);
		return;
	}
	if (query_get(x, "wait", text, sizeof text) && opt_time(text, &wait, &why) < 0) {
		reply_detail(x, 400, "wait: %s", why);
		return;
	}
	if (wait > WAIT_MAX_MS)
		wait = WAIT_MAX_MS;
	if (x->server->draining || (!wants_stream(x) && (!wait || since != next_id - 1)))
		answer(x, since, given);
	else
		wait_for_news(x, since, wants_stream(x) ? PULSE_MS : wait, wants_stream(x));
}
