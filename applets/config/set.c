/* set.c - configurations changed, checked, and changed back
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "config.h"
#include "die.h"
#include "settings.h"

enum { BODY_MAX = 8 << 20, CHECK_MS = 1000, WORDS = 1024 };

static const struct way health[] = {
	{ GEN_ALL, "GET", "/periodic-threads-health", WAY_ANY },
	{ GEN_ALL, "GET", "/version", WAY_ANY },
	{ 0 }
};

static char **words;		/* KEY=VALUE */
static int    words_n;
static const struct json *file;	/* or the members of this */

static void fail(struct changes *ch, int status, const char *text)
{
	if (ch->error)
		return;
	ch->exit = status;
	ch->error = xstrdup(text);
}

static void fail_call(struct changes *ch, const struct call *c)
{
	ch->status = c->status;
	if (c->exit)
		fail(ch, c->exit, c->error);
}

/* --- what is to change ------------------------------------------------------------ */

static struct change *add(struct changes *ch, const char *key)
{
	struct change *c = &ch->v[ch->n++];

	*c = (struct change){ .key = key, .before = BUF(BODY_MAX), .after = BUF(BODY_MAX) };
	return c;
}

/* A value's own text, which can be sent again whatever is in it. */
static void keep(struct buf *b, const struct json *j, jv v)
{
	const char *p = "null";
	size_t n = 4;

	if (v >= 0)
		json_raw(j, v, &p, &n);
	buf_reset(b);
	buf_add(b, p, n);
}

/* Checked before any node is asked: a "=" with a key before it. */
static char *split(char *word, bool *is_json)
{
	char *eq = strchr(word, '=');

	if (!eq || eq == word || (eq == word + 1 && *word == ':'))
		die(EXIT_USAGE, "%s is not KEY=VALUE or KEY:=JSON", safe(word, strlen(word)));
	*is_json = eq[-1] == ':';
	eq[-*is_json] = '\0';
	return eq + 1;
}

struct word {
	char *key, *value;
	bool  is_json;
};
static struct word *parsed;

static void parse_words(void)
{
	struct json_error e;
	struct json j;
	int i, k;

	parsed = xcalloc((size_t)words_n, sizeof *parsed);
	for (i = 0; i < words_n; i++) {
		parsed[i].value = split(words[i], &parsed[i].is_json);
		parsed[i].key = words[i];
		for (k = 0; k < i; k++)
			if (!strcmp(words[k], words[i]))
				die(EXIT_USAGE, "%s is there twice", safe(words[i], strlen(words[i])));
		if (!parsed[i].is_json)
			continue;
		if (json_parse(&j, parsed[i].value, strlen(parsed[i].value), BODY_MAX,
			       JSON_INF, &e) < 0 || config_nan(&j))
			die(EXIT_USAGE, "%s: %s is not JSON (NaN would break the node)",
			    parsed[i].key, safe(parsed[i].value, strlen(parsed[i].value)));
		json_free(&j);
	}
}

static void from_word(struct changes *ch, const struct json *now, const struct word *w)
{
	jv v = config_find(now, w->key);
	struct change *c = add(ch, w->key);
	struct json_error e;
	const char *why = "";
	struct json after;
	char text[512];

	if (v < 0) {
		snprintf(text, sizeof text, "%s has no key %s", call_who(ch->node),
			 safe(w->key, strlen(w->key)));
		fail(ch, EXIT_NO, text);
		return;
	}
	keep(&c->before, now, v);
	if (w->is_json) {
		buf_puts(&c->after, w->value);
	} else if (setting_value(now, v, w->value, &c->after, &why) < 0) {
		snprintf(text, sizeof text, "%s: %s %s, not %s", call_who(ch->node),
			 w->key, why, safe(w->value, strlen(w->value)));
		fail(ch, EXIT_USAGE, text);
		return;
	}
	if (json_parse(&after, c->after.p, c->after.len, BODY_MAX, JSON_INF, &e) == 0) {
		c->differs = !setting_same(now, v, &after, 0);
		json_free(&after);
	}
}

static void from_file(struct changes *ch, const struct json *now)
{
	struct change *c;
	jv v, was;
	char *key;

	for (v = json_first(file, 0); v >= 0; v = json_next(file, 0, v)) {
		key = json_dup(file, json_key(file, v));
		was = key ? json_get(now, 0, key) : -1;
		if (was >= 0 && setting_same(now, was, file, v))
			continue;
		c = add(ch, key ? key : "");
		keep(&c->after, file, v);
		keep(&c->before, now, was);
		c->differs = true;
	}
}

static void plan(struct changes *ch, struct call *c)
{
	int room = file ? json_count(file, 0) : words_n, i;

	ch->node = c->node;
	ch->v = xcalloc((size_t)room + 1, sizeof *ch->v);
	fail_call(ch, c);
	if (ch->error)
		return;
	if (c->way == &config_get[1] || config_is_mp(&c->json)) {
		char text[512];

		snprintf(text, sizeof text, "%s is an MP server: its configuration can "
			 "be read but not set", call_who(c->node));
		fail(ch, EXIT_NO, text);
		return;
	}
	for (i = 0; !file && i < words_n; i++)
		from_word(ch, &c->json, &parsed[i]);
	if (file)
		from_file(ch, &c->json);
}

/* --- doing it ------------------------------------------------------------------------ */

static void put_body(struct buf *b, const struct changes *ch, bool back)
{
	int i;

	js_open(b, NULL, '{');
	for (i = 0; i < ch->n; i++) {
		const struct buf *value = back ? &ch->v[i].before : &ch->v[i].after;

		if (!ch->v[i].differs)
			continue;
		if (b->len > 1)
			buf_putc(b, ',');
		json_puts(b, ch->v[i].key);
		buf_putc(b, ':');
		buf_add(b, value->p, value->len);
	}
	js_close(b, '}');
}

static bool to_do(const struct changes *ch)
{
	int i;

	for (i = 0; i < ch->n; i++)
		if (ch->v[i].differs)
			return true;
	return false;
}

/* A node may say yes and keep the old value: what counts is what it reads. */
static void read_back(struct changes *ch, struct call *c)
{
	struct json_error e;
	struct json want;
	char text[512];
	int i;

	fail_call(ch, c);
	for (i = 0; !c->exit && i < ch->n; i++) {
		jv v = config_find(&c->json, ch->v[i].key);

		if (!ch->v[i].differs)
			continue;
		if (json_parse(&want, ch->v[i].after.p, ch->v[i].after.len, BODY_MAX,
			       JSON_INF | JSON_SURROGATE, &e) < 0)
			continue;
		if (!setting_same(&c->json, v, &want, 0)) {
			snprintf(text, sizeof text, "%s: %s was sent and is not what it "
				 "reads afterwards", call_who(ch->node), ch->v[i].key);
			fail(ch, EXIT_NO, text);
		}
		keep(&ch->v[i].after, &c->json, v);
		json_free(&want);
	}
}

static void ended(const struct changes *ch);

static void on_read_back(struct call *c)
{
	read_back(c->ctx, c);
	ended(c->ctx);
}

static void on_posted(struct call *c)
{
	struct changes *ch = c->ctx;

	fail_call(ch, c);
	/* Of several keys some may be refused: 200, and what it took shows. */
	ch->done = !c->exit || c->status == 200;
	if (!ch->done) {
		ended(ch);
		return;
	}
	ch->look = (struct call){ .node = ch->node, .ways = config_get,
		.flags = CALL_OBJECT, .done = on_read_back, .ctx = ch };
	call_start(&ch->look);
}

static void on_set_back(struct call *c)
{
	struct changes *ch = c->ctx;

	if (c->exit)
		warn("unable to set back: %s", c->error);
	else
		ch->done = false;
}

static void post(struct changes *ch, bool back)
{
	struct buf body = BUF(BODY_MAX);

	put_body(&body, ch, back);
	ch->post = (struct call){ .node = ch->node, .ways = config_post,
		.flags = CALL_OBJECT, .done = back ? on_set_back : on_posted, .ctx = ch,
		.body = body.p, .body_n = body.len };
	ch->sent = true;
	call_start(&ch->post);
}

/* Sets and reads back, each node at its own pace. */
static void start(struct changes *ch)
{
	if (ch->error || config_o.dry || !to_do(ch))
		ended(ch);
	else
		post(ch, false);
}

static void nothing(struct call *c)
{
	(void)c;
}

/* Asks those that took the change; the others' calls stay empty. */
static struct call *each_of(struct changes *all, int from, int to, const struct way *ways)
{
	struct call *calls = xcalloc((size_t)(to - from) + 1, sizeof *calls);
	int i;

	for (i = from; i < to; i++) {
		calls[i - from] = (struct call){ .node = all[i].node, .ways = ways,
			.flags = CALL_OBJECT, .done = nothing };
		if (all[i].done)
			call_start(&calls[i - from]);
	}
	ask_wait(call_left());
	return calls;
}

static bool is_well(const struct changes *all, int from, int to)
{
	int i;

	for (i = from; i < to; i++)
		if (all[i].error)
			return false;
	return true;
}

static bool set_and_read(struct changes *all, int from, int to)
{
	int i;

	for (i = from; i < to; i++)
		start(&all[i]);
	ask_wait(call_left());
	return is_well(all, from, to);
}

/* Every second until the time is over; the last look is at its end. */
/* Returns whether they did, false also after a signal. */
static bool stay_healthy(struct changes *all, int from, int to)
{
	int64_t until = clock_ms() + config_o.verify, left;
	struct call *calls;
	char text[512];
	int i;

	for (;;) {
		left = until - clock_ms();
		if (!ask_until(left < CHECK_MS ? until : clock_ms() + CHECK_MS, until))
			return false;
		calls = each_of(all, from, to, health);
		for (i = from; i < to; i++) {
			const struct call *c = &calls[i - from];
			jv v = c->parsed ? json_get(&c->json, 0, "healthy") : -1;

			if (!all[i].done)
				continue;
			if (c->exit) {
				fail_call(&all[i], c);
			} else if (v >= 0 && !json_true(&c->json, v)) {
				snprintf(text, sizeof text, "%s is unhealthy after the change",
					 call_who(all[i].node));
				fail(&all[i], EXIT_NO, text);
			}
		}
		ask_end(calls, to - from);
		if (!is_well(all, from, to))
			return false;
		if (clock_ms() >= until)
			return true;
	}
}

/* --- telling --------------------------------------------------------------------------- */

/* On one line, and in JSON's own words. */
static void tell_value(struct report *r, const char *key, const struct buf *text)
{
	struct buf b = BUF(BODY_MAX);
	struct json j = { 0 };
	struct json_error e;
	jv v = json_parse(&j, text->p ? text->p : "", text->len, BODY_MAX,
			  JSON_INF | JSON_SURROGATE, &e);

	if (r->form == OUT_TABLE) {
		js_value(&b, NULL, &j, v);
		table_puts(&r->table, b.p);
	} else {
		js_value(&r->json, key, &j, v);
	}
	buf_free(&b);
	json_free(&j);
}

static void tell_one(struct report *r, const struct changes *ch, const struct change *c)
{
	if (r->form == OUT_TABLE) {
		table_puts(&r->table, ch->node->name);
		table_puts(&r->table, c->key);
	} else {
		js_open(&r->json, NULL, '{');
		js_str(&r->json, "key", c->key);
	}
	tell_value(r, "before", &c->before);
	tell_value(r, "after", &c->after);
	if (r->form != OUT_TABLE)
		js_close(&r->json, '}');
}

static struct report report;

static void tell(const struct changes *ch)
{
	struct report *r = &report;
	bool show = ch->done || (config_o.dry && !ch->error);
	int i;

	report_node(r, ch->node, ch->status, ch->exit, ch->error);
	if (r->form != OUT_TABLE) {
		js_bool(&r->json, "changed", ch->done);
		js_open(&r->json, "changes", '[');
	}
	for (i = 0; show && i < ch->n; i++)
		if (ch->v[i].differs)
			tell_one(r, ch, &ch->v[i]);
	if (r->form != OUT_TABLE)
		js_close(&r->json, ']');
	report_done(r);
}

/* --- all of it ------------------------------------------------------------------------------ */

/* A canary's nodes are all told at the end: they may be set back. */
static bool told_at_once(void)
{
	return report.form == OUT_JSONL && !config_o.canary;
}

static void ended(const struct changes *ch)
{
	if (told_at_once())
		tell(ch);
}

static struct changes *all;

static void on_planned(struct call *c)
{
	plan(&all[c->node->index], c);
	if (!config_o.canary)
		start(&all[c->node->index]);
}

static bool roll_out(int n)
{
	int first = config_o.canary < n ? (int)config_o.canary : n;

	if (!set_and_read(all, 0, first) || !stay_healthy(all, 0, first))
		return false;
	if (first == n)
		return true;
	return set_and_read(all, first, n) && stay_healthy(all, 0, n);
}

static int run(void)
{
	struct call_nodes ns = ask_nodes(!config_o.dry);
	struct call proto = { .ways = config_get, .flags = CALL_OBJECT };
	int i;

	ask_not_raw();
	all = xcalloc((size_t)ns.n, sizeof *all);
	report_begin(&report, config_heads);
	ask_all(&ns, &proto, on_planned);
	if (config_o.canary)
		ask_signals();
	if (config_o.canary && !is_well(all, 0, ns.n)) {
		warn("nothing was changed: not every node can be");
	} else if (config_o.canary && !config_o.dry && !roll_out(ns.n)) {
		warn("%s: what was changed is set back",
		     ask_signal() ? "interrupted" : "a node failed");
		for (i = 0; i < ns.n; i++)
			if (all[i].sent)
				post(&all[i], true);
		ask_wait(call_left());
	}
	for (i = 0; i < ns.n && !told_at_once(); i++)
		tell(&all[i]);
	i = report_end(&report);
	return i ? i : ask_signal() ? 128 + ask_signal() : EXIT_OK;
}

int config_set(int n, char **v)
{
	words = v;
	words_n = n;
	parse_words();
	return run();
}

int config_apply(const char *path)
{
	static struct json j;

	config_file(path, &j);
	file = &j;
	return run();
}
