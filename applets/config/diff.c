/* diff.c - where configurations differ
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "die.h"
#include "settings.h"

static const char *const heads[] = { "NODE", "KEY", "VALUE", "REFERENCE", NULL };

struct pair {
	const struct json *mine, *reference;
	const struct call *c;
	struct report     *r;
	int                found;
};

static void differs(struct pair *p, const char *key, jv v, jv ref)
{
	struct report *r = p->r;

	p->found++;
	if (r->form == OUT_TABLE) {
		table_puts(&r->table, p->c->node->name);
		table_puts(&r->table, key);
		table_json(&r->table, p->mine, v);
		table_json(&r->table, p->reference, ref);
		return;
	}
	js_open(&r->json, NULL, '{');
	js_str(&r->json, "key", key);
	js_value(&r->json, "value", p->mine, v);
	js_value(&r->json, "reference", p->reference, ref);
	js_close(&r->json, '}');
}

static bool is_tree(const struct json *j, jv v)
{
	return v >= 0 && json_type(j, v) == JSON_OBJECT && json_count(j, v);
}

static void compare(struct pair *p, struct buf *key, jv mine, jv ref);

static void member(struct pair *p, struct buf *key, const struct json *j, jv name,
		   jv mine, jv ref)
{
	size_t at = key->len;

	if (at)
		buf_putc(key, '.');
	json_str(j, name, key);
	buf_puts(key, "");
	compare(p, key, mine, ref);
	key->len = at;
	key->bad = false;
}

/* The reader bounds the depth. */
static void compare(struct pair *p, struct buf *key, jv mine, jv ref)
{
	struct buf name = BUF(CALL_PATH);
	jv v;

	if (!is_tree(p->mine, mine) || !is_tree(p->reference, ref)) {
		if (!setting_same(p->mine, mine, p->reference, ref))
			differs(p, key->p, mine, ref);
		return;
	}
	for (v = json_first(p->mine, mine); v >= 0; v = json_next(p->mine, mine, v)) {
		buf_reset(&name);
		json_str(p->mine, json_key(p->mine, v), &name);
		buf_puts(&name, "");
		member(p, key, p->mine, json_key(p->mine, v), v,
		       json_get(p->reference, ref, name.p));
	}
	for (v = json_first(p->reference, ref); v >= 0; v = json_next(p->reference, ref, v)) {
		buf_reset(&name);
		json_str(p->reference, json_key(p->reference, v), &name);
		buf_puts(&name, "");
		if (json_get(p->mine, mine, name.p) < 0)
			member(p, key, p->reference, json_key(p->reference, v), -1, v);
	}
	buf_free(&name);
}

/* Against a file only the file's keys count: it need not have all. */
static void against(struct pair *p, bool all)
{
	struct buf key = BUF(CALL_PATH), name = BUF(CALL_PATH);
	jv v;

	buf_puts(&key, "");
	if (all)
		compare(p, &key, 0, 0);
	for (v = json_first(p->reference, 0); !all && v >= 0;
	     v = json_next(p->reference, 0, v)) {
		buf_reset(&name);
		json_str(p->reference, json_key(p->reference, v), &name);
		buf_puts(&name, "");
		member(p, &key, p->reference, json_key(p->reference, v),
		       config_find(p->mine, name.p), v);
	}
	buf_free(&key);
	buf_free(&name);
}

static const struct json *first_good(const struct call *calls, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (!calls[i].exit)
			return &calls[i].json;
	return NULL;
}

static struct report report;
static const struct json *reference;
static bool whole;

static void print(struct call *c)
{
	struct pair p = { &c->json, reference, c, &report, 0 };
	bool json = report.form != OUT_TABLE;

	/* Of the two dialects each key would be a difference. */
	if (!c->exit && whole && config_is_mp(&c->json) != config_is_mp(reference))
		call_fail(c, EXIT_NO, "%s is of another kind than the first node: "
			  "compare those of one kind", call_who(c->node));
	report_call(&report, c);
	if (!c->exit && json)
		js_open(&report.json, "different", '[');
	if (!c->exit)
		against(&p, whole);
	if (!c->exit && json)
		js_close(&report.json, ']');
	if (p.found)
		report.exit = worse(report.exit, EXIT_NO);
	report_done(&report);
}

/* With a file as the reference no line has to wait. */
int config_diff(const char *file)
{
	struct call proto = { .ways = config_get, .flags = CALL_OBJECT };
	struct call_nodes ns = ask_nodes(false);
	struct json from_file;
	struct call *calls;
	bool stream;
	int i;

	ask_not_raw();
	if (file)
		config_file(file, &from_file);
	if (!file && ns.n < 2)
		die(EXIT_USAGE, "diff needs two nodes, or a FILE");
	report_begin(&report, heads);
	whole = !file;
	reference = file ? &from_file : NULL;
	stream = file && report.form == OUT_JSONL;
	calls = ask_all(&ns, &proto, stream ? print : NULL);
	if (!file)
		reference = first_good(calls, ns.n);
	for (i = 0; !stream && i < ns.n; i++)
		print(&calls[i]);
	return report_end(&report);
}
