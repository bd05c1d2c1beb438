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

#include "base64.h"
#include "clock.h"
#include "die.h"
#include "etcd.h"
#include "jsonl.h"
#include "out.h"
#include "supply.h"

enum {
	VALUE_MAX  = 4096,	/* bytes of one entry (threats.md T13) */
	LOOK_MS    = 5000,	/* between two looks whether the watch keeps up */
	SETTLE_MS  = 20,	/* changes that come together make one list */
	SILENCE_MS = 600000,	/* of a watch: the looks above find out sooner */
	SHORT_MS   = 1000,	/* a watch that ends sooner is begun again later */
	SLOWEST    = 8		/* intervals at most between attempts that fail */
};

/* As they came: base64, which has no NUL and compares well enough. */
struct pair {
	char   *key, *value;
	int64_t changed;	/* revision */
};

struct etcd_supply {
	struct etcd e;			/* reads and looks */
	struct client_req watch;
	struct buf asked, part;
	struct pair *pair;
	int     n, room;
	bool    more;			/* keys than are taken */
	bool    whole;			/* what is known was true at .revision */
	bool    asking, watching, dirty;
	int64_t revision, began;
	int64_t next, settled;		/* clock_ms() scale: the next look, the list */
	int     fails, at;		/* at: the watch's endpoint */
};

/* ---- what is known ---- */

static void forget(struct etcd_supply *w)
{
	for (; w->n; w->n--) {
		free(w->pair[w->n - 1].key);
		free(w->pair[w->n - 1].value);
	}
	w->more = false;
}

/* Where it is, or belongs. */
static int place(const struct etcd_supply *w, const char *key, bool *there)
{
	int from = 0, to = w->n, mid, d;

	*there = false;
	while (from < to) {
		mid = (from + to) / 2;
		d = strcmp(w->pair[mid].key, key);
		*there = *there || !d;
		if (d < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static void take_out(struct etcd_supply *w, int i)
{
	free(w->pair[i].key);
	free(w->pair[i].value);
	memmove(&w->pair[i], &w->pair[i + 1], (size_t)(--w->n - i) * sizeof *w->pair);
}

static void put_in(struct etcd_supply *w, int i, const struct pair *p)
{
	if (w->n == w->room) {
		w->room = w->room ? 2 * w->room : 16;
		w->pair = xrealloc(w->pair, (size_t)w->room * sizeof *w->pair);
	}
	memmove(&w->pair[i + 1], &w->pair[i], (size_t)(w->n++ - i) * sizeof *w->pair);
	w->pair[i] = *p;
}

static void change(struct etcd_supply *w, const struct json *j, jv kv, bool gone)
{
	struct pair p = { .key = json_dup(j, json_get(j, kv, "key")) };
	bool there;
	int i;

	if (!p.key)
		return;
	i = place(w, p.key, &there);
	if (there)
		take_out(w, i);
	p.changed = etcd_int(j, kv, "mod_revision");
	if (p.changed > w->revision)
		w->revision = p.changed;
	w->more = w->more || (!gone && w->n == SUPPLY_MAX);
	if (gone || w->n == SUPPLY_MAX) {
		free(p.key);
		return;
	}
	p.value = json_dup(j, json_get(j, kv, "value"));
	put_in(w, i, &p);
}

/* {"api_address":"http://HOST:PORT",...}, or that address by itself. */
static void add_value(struct supply *s, const char *name, char *p, size_t n)
{
	struct json_error bad;
	struct json j;
	char *text;

	while (n && strchr(" \t\r\n", p[n - 1]))
		n--;
	p[n] = '\0';
	if (*p != '{') {
		supply_address(s, name, p, SUPPLY_ANY, false);
		return;
	}
	if (json_parse(&j, p, n, VALUE_MAX, 0, &bad) < 0) {
		supply_bad(s, "%s: column %d: %s", name ? name : "a key", bad.column, bad.what);
		return;
	}
	text = json_dup(&j, json_get(&j, 0, "api_address"));
	if (text)
		supply_address(s, name, text, SUPPLY_ANY, false);
	else
		supply_bad(s, "%s: no api_address", name ? name : "a key");
	free(text);
	json_free(&j);
}

/* The key's last part is the name, if it can be one. */
static void add_pair(struct supply *s, const struct pair *p)
{
	const struct etcd_supply *w = s->state;
	size_t cut = strlen(w->e.prefix), len = strlen(p->key);
	size_t value_n = p->value ? strlen(p->value) : 0;
	char value[BASE64_LEN(VALUE_MAX) + 1], *key = xmalloc(len + 1), *name = NULL;
	long n = base64_decode(key, p->key, len);

	if (n > 0)
		key[n] = '\0';
	if (n > (long)cut && strlen(key) == (size_t)n && !node_name_wrong(key + cut))
		name = key + cut;
	n = value_n < sizeof value ? base64_decode(value, p->value ? p->value : "", value_n) : -1;
	if (n < 0 || n > VALUE_MAX)
		supply_bad(s, "%s: a value over %d bytes", name ? name : "a key", VALUE_MAX);
	else
		add_value(s, name, value, (size_t)n);
	free(key);
}

static void list(struct supply *s)
{
	struct etcd_supply *w = s->state;

	w->dirty = false;
	supply_begin(s);
	for (int i = 0; i < w->n; i++)
		add_pair(s, &w->pair[i]);
	if (w->more)
		supply_bad(s, "more than %d keys", SUPPLY_MAX);
	supply_end(s);
}

/* ---- when ---- */

static void plan(struct supply *s)
{
	const struct etcd_supply *w = s->state;

	s->due = w->asking ? 0 : w->next;
	if (w->dirty && (!s->due || w->settled < s->due))
		s->due = w->settled;
}

static int64_t later(const struct supply *s, int fails)
{
	int64_t ms = s->interval;

	while (--fails > 0 && ms < s->interval * SLOWEST)
		ms *= 2;
	return clock_ms() + ms;
}

/* ---- the watch ---- */

static int watched(void *ctx, const char *p, size_t n)
{
	struct supply *s = ctx;
	struct etcd_supply *w = s->state;
	struct json_error bad;
	jv result, list_of, v;
	struct json j;
	bool ended;

	if (json_parse(&j, p, n, SUPPLY_TEXT, 0, &bad) < 0)
		return -1;
	result = json_get(&j, 0, "result");
	list_of = json_get(&j, result, "events");
	ended = result < 0 || json_true(&j, json_get(&j, result, "canceled"));
	if (etcd_int(&j, result, "compact_revision"))
		w->whole = false;
	for (v = json_first(&j, list_of); v >= 0; v = json_next(&j, list_of, v)) {
		change(w, &j, json_get(&j, v, "kv"),
		       json_is(&j, json_get(&j, v, "type"), "DELETE"));
		if (!w->dirty)
			w->settled = clock_ms() + SETTLE_MS;
		w->dirty = true;
	}
	json_free(&j);
	if (w->dirty) {
		plan(s);
		client_break(s->client);
	}
	return ended ? -1 : 0;
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
	etcd_number(&w->asked, "start_revision", w->revision + 1);
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

static int64_t revision_of(const struct etcd *e)
{
	return etcd_int(&e->json, json_get(&e->json, 0, "header"), "revision");
}

static void have_read(struct etcd *e)
{
	struct supply *s = e->ctx;
	struct etcd_supply *w = s->state;
	const struct json *j = &e->json;
	jv kvs, v;

	if (e->exit == EXIT_OK) {
		forget(w);
		kvs = json_get(j, 0, "kvs");
		for (v = json_first(j, kvs); v >= 0; v = json_next(j, kvs, v))
			change(w, j, v, false);
		w->more = w->more || json_true(j, json_get(j, 0, "more"));
		w->revision = revision_of(e);
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

static bool as_known(const struct etcd_supply *w, const struct etcd *e)
{
	jv last = json_at(&e->json, json_get(&e->json, 0, "kvs"), 0);
	int64_t newest = 0;

	for (int i = 0; i < w->n; i++)
		if (w->pair[i].changed > newest)
			newest = w->pair[i].changed;
	return revision_of(e) >= w->revision &&
	       (w->more || (etcd_int(&e->json, 0, "count") == w->n &&
			    etcd_int(&e->json, last, "mod_revision") == newest));
}

static void have_looked(struct etcd *e)
{
	struct supply *s = e->ctx;
	struct etcd_supply *w = s->state;

	if (e->exit == EXIT_OK && !as_known(w, e)) {
		read_all(s);
		return;
	}
	if (e->exit == EXIT_OK) {
		w->revision = revision_of(e);
		if (s->stale)
			list(s);
	}
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
		supply_refuse(s, "%s", w->e.why);
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
	forget(w);
	free(w->pair);
	buf_free(&w->asked);
	buf_free(&w->part);
	free(w);
}

const struct supply_kind supply_etcd = {
	"etcd: etcds:", open_etcd, tick, close_etcd
};
