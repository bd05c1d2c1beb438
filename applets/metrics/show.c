/* show.c - samples on stdout: exposition, table, JSON, bare values
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"
#include "die.h"
#include "metrics.h"

/* ---- items ---- */

void items_begin(struct items *i, enum out_form form)
{
	*i = (struct items){ .form = form, .b = BUF(TEXT_MAX) };
	if (form == OUT_JSON)
		fputs("[\n", stdout);
}

void items_next(struct items *i)
{
	if (i->any && i->form == OUT_JSON)
		fputs(",\n", stdout);
	i->any = true;
	ask_put(&i->b);
	if (i->form == OUT_JSONL)
		putchar('\n');
	buf_reset(&i->b);
}

void items_end(struct items *i)
{
	if (i->form == OUT_JSON)
		fputs(i->any ? "\n]\n" : "]\n", stdout);
	buf_free(&i->b);
}

void show_table(struct table *t)
{
	struct buf text = BUF(OUT_MAX);

	if (table_print(t, !call_o.no_headers, false, &text) < 0)
		die(EXIT_SYS, "out of memory, or more than %d MiB of output",
		    OUT_MAX >> 20);
	ask_put(&text);
	buf_free(&text);
	table_free(t);
}

/* ---- samples ---- */

static void put_span(struct buf *b, const char *key, struct expo_span s)
{
	char *plain = xmalloc(s.n + 1);

	js_strn(b, key, plain, expo_unescape(s, plain));
	free(plain);
}

static void put_number(struct buf *b, const char *key, struct expo_span s)
{
	double v;

	if (expo_number(s, &v) == 0)
		js_num(b, key, v);
	else
		js_strn(b, key, s.p, s.n);
}

static void put_labels(struct buf *b, const struct expo_sample *s)
{
	struct buf key = BUF(EXPO_LINE);

	js_open(b, "labels", '{');
	for (unsigned i = 0; i < s->labels; i++) {
		buf_reset(&key);
		buf_add(&key, s->label[i].name.p, s->label[i].name.n);
		put_span(b, key.p, s->label[i].value);
	}
	js_close(b, '}');
	buf_free(&key);
}

static int item(void *ctx, const struct expo_family *f, const struct expo_sample *s)
{
	struct items *i = ctx;

	js_open(&i->b, NULL, '{');
	put_span(&i->b, "name", s->name);
	js_str(&i->b, "type", expo_type_name(f->type));
	put_labels(&i->b, s);
	put_number(&i->b, "value", s->value);
	if (s->time.n)
		put_number(&i->b, s->format == EXPO_TEXT ? "time_ms" : "time_s",
			   s->time);
	js_close(&i->b, '}');
	items_next(i);
	return 0;
}

static int row(void *ctx, const struct expo_family *f, const struct expo_sample *s)
{
	struct buf b = BUF(TEXT_MAX);
	struct table *t = ctx;

	(void)f;
	for (unsigned i = 0; i < s->labels; i++) {
		buf_puts(&b, i ? " " : "");
		buf_add(&b, s->label[i].name.p, s->label[i].name.n);
		buf_putc(&b, '=');
		buf_add(&b, s->label[i].value.p, s->label[i].value.n);
	}
	table_add(t, s->name.p, s->name.n);
	table_add(t, s->value.p, s->value.n);
	table_add(t, b.p ? b.p : "", b.len);
	buf_free(&b);
	return 0;
}

static int to_stdout(void *ctx, const char *p, size_t n)
{
	(void)ctx;
	return fwrite(p, 1, n, stdout) == n ? 0 : -1;
}

static int value(void *ctx, const struct expo_family *f, const struct expo_sample *s)
{
	(void)f;
	++*(size_t *)ctx;
	printf("%.*s\n", (int)s->value.n, s->value.p);
	return 0;
}

static void check(int bad)
{
	if (bad && !ferror(stdout))
		die(EXIT_SYS, "out of memory");
}

void show(struct expo *m, enum out_form form)
{
	static const char *const heads[] = { "NAME", ">VALUE", "LABELS", NULL };
	struct items items;
	struct table t;

	if (form == OUT_RAW) {
		check(expo_write(m, to_stdout, NULL));
	} else if (form == OUT_TABLE) {
		table_init(&t, heads);
		check(expo_each(m, NULL, row, &t));
		show_table(&t);
	} else {
		items_begin(&items, form);
		check(expo_each(m, NULL, item, &items));
		items_end(&items);
	}
}

size_t show_values(struct expo *m)
{
	size_t n = 0;

	check(expo_each(m, NULL, value, &n));
	return n;
}
