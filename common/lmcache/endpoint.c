/* endpoint.c - applets that are little more than a table of endpoints
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "endpoint.h"

enum { KEY_MAX = 64 << 10, VERBS = 32 };

const char *const endpoint_heads[] = { "NODE", "KEY", "VALUE", NULL };

static const struct endpoints *run;

/* --- choosing the row -------------------------------------------------------------- */

/* How many operands the verb's words take, or -1 when they are others. */
static int fits(const char *verb, int argc, char **argv)
{
	size_t n;
	int i;

	for (i = 0; *verb; i++) {
		n = strcspn(verb, " ");
		if (i == argc || strlen(argv[i]) != n || memcmp(argv[i], verb, n))
			return -1;
		verb += n + (verb[n] == ' ');
	}
	return i;
}

static void unknown(const struct endpoint *rows, const char *word)
{
	const char *verbs[VERBS + 1] = { 0 };
	struct buf all = BUF(KEY_MAX);
	const char *best;
	int i;

	for (i = 0; i < VERBS && rows[i].ways; i++) {
		verbs[i] = rows[i].verb;
		buf_printf(&all, "%s%s", i ? ", " : "", rows[i].verb);
	}
	best = nearest(word, verbs);
	die(EXIT_USAGE, "%s is not one of %s%s%s", safe(word, strlen(word)), all.p,
	    best ? "; the nearest is " : "", best ? best : "");
}

static const struct endpoint *choose(const struct endpoint *rows, int *argc,
				     char ***argv)
{
	const struct endpoint *e, *found = NULL;
	int n, most = -1;

	if (!*argc)
		return rows;
	for (e = rows; e->ways; e++) {
		n = fits(e->verb, *argc, *argv);
		if (n > most) {
			most = n;
			found = e;
		}
	}
	if (!found)
		unknown(rows, **argv);
	*argc -= most;
	*argv += most;
	return found;
}

static void check_operands(const struct endpoint *e, int argc)
{
	if (argc < e->least)
		die(EXIT_USAGE, "%s needs %s", e->verb, e->operands);
	if (argc > e->most)
		die(EXIT_USAGE, "%s%stakes %s%s", e->verb, *e->verb ? " " : "",
		    e->operands ? "no more than " : "no operand",
		    e->operands ? e->operands : "");
}

/* --- the answer ------------------------------------------------------------------------ */

static void pair(struct table *t, const struct call *c, const struct buf *key,
		 const struct json *j, jv v)
{
	table_puts(t, c->node->name);
	table_puts(t, key->len ? key->p : "-");
	table_json(t, j, v);
}

/* The reader bounds the depth. */
static void pairs(struct table *t, const struct call *c, struct buf *key,
		  const struct json *j, jv v)
{
	size_t at = key->len;
	jv m;

	if (json_type(j, v) != JSON_OBJECT || !json_count(j, v)) {
		pair(t, c, key, j, v);
		return;
	}
	for (m = json_first(j, v); m >= 0; m = json_next(j, v, m)) {
		if (at)
			buf_putc(key, '.');
		json_str(j, json_key(j, m), key);
		pairs(t, c, key, j, m);
		key->len = at;
		key->bad = false;
		key->p[at] = '\0';
	}
}

void endpoint_pairs(struct table *t, const struct call *c, const struct json *j, jv v)
{
	struct buf key = BUF(KEY_MAX);

	buf_puts(&key, "");
	pairs(t, c, &key, j, v);
	buf_free(&key);
}

static void rows(struct table *t, struct call *c)
{
	if (run->table)
		run->table(t, c);
	else
		endpoint_pairs(t, c, &c->json, 0);
}

static void json(struct buf *b, struct call *c)
{
	js_value(b, run->key, &c->json, 0);
}

int endpoint_run(const struct endpoints *e, int argc, char **argv)
{
	const struct endpoint *row = choose(e->rows, &argc, &argv);
	struct ask a = { .heads = e->heads ? e->heads : endpoint_heads,
			 .rows = rows, .json = json };

	run = e;
	check_operands(row, argc);
	a.proto.ways = row->ways;
	a.proto.flags = CALL_OBJECT;
	a.changes = row->flags != 0;
	if (row->fill)
		row->fill(&a.proto, argc, argv);
	else if (argc)
		a.proto.arg = argv[0];
	if (row->flags & ENDPOINT_DESTROYS)
		ask_sure(e->yes && *e->yes, row->what);
	return ask(&a);
}
