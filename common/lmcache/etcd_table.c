/* etcd_table.c - keys and values of etcd as they were read, and then watched
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "die.h"
#include "etcd.h"
#include "etcd_table.h"

static void clear(struct etcd_table *t)
{
	for (; t->n; t->n--) {
		free(t->pair[t->n - 1].key);
		free(t->pair[t->n - 1].value);
	}
	t->more = false;
}

void etcd_table_free(struct etcd_table *t)
{
	clear(t);
	free(t->pair);
	*t = (struct etcd_table){ 0 };
}

/* ---- one key ---- */

/* Where it is, or belongs. */
static int place(const struct etcd_table *t, const char *key, bool *there)
{
	int from = 0, to = t->n, mid, d;

	*there = false;
	while (from < to) {
		mid = (from + to) / 2;
		d = strcmp(t->pair[mid].key, key);
		*there = *there || !d;
		if (d < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static void take_out(struct etcd_table *t, int i)
{
	free(t->pair[i].key);
	free(t->pair[i].value);
	memmove(&t->pair[i], &t->pair[i + 1], (size_t)(--t->n - i) * sizeof *t->pair);
}

static void put_in(struct etcd_table *t, int i, const struct etcd_pair *p)
{
	if (t->n == t->room) {
		t->room = t->room ? 2 * t->room : 16;
		t->pair = xrealloc(t->pair, (size_t)t->room * sizeof *t->pair);
	}
	memmove(&t->pair[i + 1], &t->pair[i], (size_t)(t->n++ - i) * sizeof *t->pair);
	t->pair[i] = *p;
}

/* The string, or NULL when it is over max characters. */
static char *take(const struct json *j, jv kv, const char *name, size_t max)
{
	char *text = json_dup(j, json_get(j, kv, name));

	if (text && strlen(text) > max) {
		free(text);
		text = NULL;
	}
	return text;
}

static void change(struct etcd_table *t, const struct json *j, jv kv, bool gone)
{
	struct etcd_pair p = {
		take(j, kv, "key", ETCD_KEY), NULL, etcd_int(j, kv, "mod_revision")
	};
	bool there = false;
	int i = 0;

	if (p.changed > t->revision)
		t->revision = p.changed;
	if (p.key)
		i = place(t, p.key, &there);
	if (there)
		take_out(t, i);
	if (!gone && p.key && t->n < SUPPLY_MAX) {
		p.value = take(j, kv, "value", BASE64_LEN(ETCD_VALUE));
		put_in(t, i, &p);
		return;
	}
	t->more = t->more || !gone;
	free(p.key);
}

/* ---- what the server says ---- */

static int64_t revision_of(const struct json *j, jv v)
{
	return etcd_int(j, json_get(j, v, "header"), "revision");
}

void etcd_table_read(struct etcd_table *t, const struct json *j)
{
	jv kvs = json_get(j, 0, "kvs"), v;

	clear(t);
	for (v = json_first(j, kvs); v >= 0; v = json_next(j, kvs, v))
		change(t, j, v, false);
	t->more = t->more || json_true(j, json_get(j, 0, "more"));
	t->revision = revision_of(j, 0);
}

bool etcd_table_same(struct etcd_table *t, const struct json *j)
{
	jv last = json_at(j, json_get(j, 0, "kvs"), 0);
	int64_t newest = 0;

	for (int i = 0; i < t->n; i++)
		if (t->pair[i].changed > newest)
			newest = t->pair[i].changed;
	/* another cluster's, or its past, has other revisions */
	if (revision_of(j, 0) < t->revision)
		return false;
	if (t->more ? t->n < SUPPLY_MAX || etcd_int(j, 0, "count") <= t->n :
	    etcd_int(j, 0, "count") != t->n ||
	    etcd_int(j, last, "mod_revision") != newest)
		return false;
	t->revision = revision_of(j, 0);
	return true;
}

unsigned etcd_table_watched(struct etcd_table *t, const char *p, size_t n)
{
	struct json_error bad;
	unsigned what = 0;
	jv result, events, v;
	struct json j;

	if (json_parse(&j, p, n, SUPPLY_TEXT, 0, &bad) < 0)
		return ETCD_ENDED;
	result = json_get(&j, 0, "result");
	if (result < 0 || json_true(&j, json_get(&j, result, "canceled")))
		what |= ETCD_ENDED;
	if (etcd_int(&j, result, "compact_revision"))
		what |= ETCD_ENDED | ETCD_COMPACTED;
	events = json_get(&j, result, "events");
	for (v = json_first(&j, events); v >= 0; v = json_next(&j, events, v)) {
		change(t, &j, json_get(&j, v, "kv"),
		       json_is(&j, json_get(&j, v, "type"), "DELETE"));
		what |= ETCD_CHANGED;
	}
	json_free(&j);
	return what;
}

/* ---- the list ---- */

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
	if (json_parse(&j, p, n, ETCD_VALUE, 0, &bad) < 0) {
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
static void add_pair(struct supply *s, const struct etcd_pair *p, size_t cut)
{
	size_t len = strlen(p->key);
	size_t value_n = p->value ? strlen(p->value) : 0;
	char value[BASE64_LEN(ETCD_VALUE) + 1], *key = xmalloc(len + 1), *name = NULL;
	long n = base64_decode(key, p->key, len);

	if (n > 0)
		key[n] = '\0';
	if (n > (long)cut && strlen(key) == (size_t)n && !node_name_wrong(key + cut))
		name = key + cut;
	n = value_n < sizeof value ? base64_decode(value, p->value ? p->value : "", value_n) : -1;
	if (n <= 0 || n > ETCD_VALUE)
		supply_bad(s, "%s: its value is empty, or over %d bytes",
			   name ? name : "a key", ETCD_VALUE);
	else
		add_value(s, name, value, (size_t)n);
	free(key);
}

void etcd_table_list(const struct etcd_table *t, size_t prefix_n, struct supply *s)
{
	for (int i = 0; i < t->n; i++)
		add_pair(s, &t->pair[i], prefix_n);
	if (t->more && t->n == SUPPLY_MAX)
		supply_full(s);
	else if (t->more)
		supply_bad(s, "a key too long");
}
