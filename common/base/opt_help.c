/* opt_help.c - an option table as --help shows it
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "applet.h"
#include "opt_rows.h"

enum {
	WIDTH    = 79,	/* the last column stays free: some terminals wrap at it */
	LEFT_MAX = 30,	/* widest left column; longer rows take a line of their own */
	TEXT_MAX = 4096
};

bool opt_is_on(const struct opt *o)
{
	return o->kind == OPT_FLAG && o->var && *(bool *)o->var;
}

static void add_time(struct buf *b, int64_t ms)
{
	static const struct {
		int64_t     is;
		const char *name;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" },
		      { 1000, "s" }, { 1, "ms" } };
	size_t i = 0;

	while (ms % units[i].is)
		i++;
	if (ms)
		buf_printf(b, "%" PRId64 "%s", ms / units[i].is, units[i].name);
	else
		buf_puts(b, "0");
}

static void add_size(struct buf *b, int64_t bytes)
{
	static const char units[] = "\0kMG";
	int i = 0;

	for (; bytes && bytes % 1024 == 0 && i < 3; i++)
		bytes /= 1024;
	buf_printf(b, "%" PRId64 "%.1s", bytes, units + i);
}

static void add_value(struct buf *b, const struct opt *o, int64_t v)
{
	if (o->kind == OPT_TIME)
		add_time(b, v);
	else if (o->kind == OPT_SIZE)
		add_size(b, v);
	else
		buf_printf(b, "%" PRId64, v);
}

void opt_range(const struct opt *o, struct buf *b)
{
	bool top = o->max >= LONG_MAX;

	if (o->min == o->max || (top && o->min <= 0 && o->kind != OPT_INT) ||
	    (top && o->min <= LONG_MIN))
		return;
	if (top)
		buf_puts(b, "at least ");
	else if (o->min <= LONG_MIN)
		buf_puts(b, "at most ");
	if (o->min > LONG_MIN)
		add_value(b, o, o->min);
	if (o->min > LONG_MIN && !top)
		buf_puts(b, " to ");
	if (!top)
		add_value(b, o, o->max);
}

/* A value that is not allowed marks "not given" and is no default. */
static void add_default(struct buf *b, const struct opt *o)
{
	const struct strs *list = o->var;
	const char *s = NULL;
	int64_t v;
	int i;

	if (o->kind == OPT_STR && (s = *(const char **)o->var) && *s) {
		buf_printf(b, "default %s", s);
	} else if (o->kind == OPT_LIST && list->n) {
		buf_puts(b, "default");
		for (i = 0; i < list->n; i++)
			buf_printf(b, " %s", list->v[i]);
	} else if (opt_is_on(o)) {
		buf_puts(b, "default on");
	}
	if (o->kind != OPT_INT && o->kind != OPT_TIME && o->kind != OPT_SIZE)
		return;
	v = o->kind == OPT_INT ? *(long *)o->var : *(int64_t *)o->var;
	if (v < o->min && o->min != o->max)
		return;
	buf_puts(b, "default ");
	add_value(b, o, v);
}

void opt_text(const struct opt *o, struct buf *b)
{
	struct buf notes[3] = { BUF(TEXT_MAX), BUF(TEXT_MAX), BUF(TEXT_MAX) };
	const char *sep = " (";
	int i;

	buf_puts(b, o->help ? o->help : "");
	if (o->kind == OPT_INT || o->kind == OPT_TIME || o->kind == OPT_SIZE)
		opt_range(o, &notes[0]);
	if (o->kind == OPT_LIST)
		buf_puts(&notes[1], "repeatable");
	add_default(&notes[2], o);
	for (i = 0; i < 3; i++) {
		if (notes[i].len)
			buf_printf(b, "%s%s", sep, notes[i].p);
		if (notes[i].len)
			sep = ", ";
		buf_free(&notes[i]);
	}
	if (*sep == ',')
		buf_putc(b, ')');
}

/* Columns, not bytes: UTF-8 continuation bytes take none. */
static int columns(const char *p, size_t n)
{
	int w = 0;

	for (; n; n--, p++)
		w += ((unsigned char)*p & 0xc0) != 0x80;
	return w;
}

/* Prints words from column `at` on, every further line indented. */
static void fill(const char *p, const char *end, int at, int indent)
{
	bool first = true;
	size_t n;

	while (p < end) {
		n = strcspn(p, " \n");
		if (n > (size_t)(end - p))
			n = (size_t)(end - p);
		if (n && !first && at + 1 + columns(p, n) > WIDTH) {
			printf("\n%*s", indent, "");
			at = indent;
		} else if (n && !first) {
			putchar(' ');
			at++;
		}
		if (n) {
			fwrite(p, 1, n, stdout);
			at += columns(p, n);
			first = false;
		}
		p += n + 1;
	}
	putchar('\n');
}

/* Paragraphs are filled; lines that begin with a space stand as they are. */
static void prose(const char *p)
{
	const char *end, *verbatim;

	while (*p) {
		end = strstr(p, "\n\n");
		end = end ? end : p + strlen(p);
		while (p < end) {
			verbatim = *p == ' ' ? strchr(p, '\n') : strstr(p, "\n ");
			verbatim = verbatim && verbatim < end ? verbatim : end;
			if (*p == ' ')
				printf("%.*s\n", (int)(verbatim - p), p);
			else
				fill(p, verbatim, 0, 0);
			p = verbatim + (verbatim < end);
		}
		p += strspn(p, "\n");
		if (*p)
			putchar('\n');
	}
}

static void add_left(struct buf *b, const struct opt *o)
{
	if (o->letter)
		buf_printf(b, "  -%c, --", o->letter);
	else
		buf_puts(b, "      --");
	buf_printf(b, "%s%s", opt_is_on(o) ? "[no-]" : "", o->name);
	if (o->arg)
		buf_printf(b, " %s", o->arg);
}

static int left_width(const struct applet *a)
{
	struct opt_rows it = OPT_ROWS(a->opts);
	const struct opt *o;
	struct buf b = BUF(TEXT_MAX);
	int widest = (int)sizeof "  -h, --help" - 1;

	while ((o = opt_next(&it))) {
		buf_reset(&b);
		if (o->kind != OPT_HEAD)
			add_left(&b, o);
		if (b.len <= LEFT_MAX && (int)b.len > widest)
			widest = (int)b.len;
	}
	buf_free(&b);
	return widest + 2;
}

static void row(const struct opt *o, int column)
{
	struct buf left = BUF(TEXT_MAX), text = BUF(TEXT_MAX);

	add_left(&left, o);
	opt_text(o, &text);
	if ((int)left.len + 2 > column)
		printf("%s\n%*s", left.p, column, "");
	else
		printf("%-*s", column, left.p);
	fill(text.p, text.p + text.len, column, column);
	buf_free(&left);
	buf_free(&text);
}

static void options(const struct applet *a)
{
	struct opt_rows it = OPT_ROWS(a->opts);
	struct opt help = opt_help_row(a);
	const struct opt *o = opt_next(&it);
	int column = left_width(a);
	bool headed = o && o->kind == OPT_HEAD;

	if (!headed)
		puts("\nOptions:");
	for (; o && o->kind != OPT_HEAD; o = opt_next(&it))
		row(o, column);
	if (!headed)
		row(&help, column);
	for (; o; o = opt_next(&it))
		if (o->kind == OPT_HEAD)
			printf("\n%s:\n", o->help);
		else
			row(o, column);
	if (headed) {
		puts("\nOther:");
		row(&help, column);
	}
}

static void examples(const char *p)
{
	size_t n;

	puts("\nExamples:");
	for (; *p; p += n + (p[n] == '\n')) {
		n = strcspn(p, "\n");
		if (*p == ' ') {
			printf("%6s", "");
			fill(p, p + n, 6, 6);
		} else {
			printf("  %.*s\n", (int)n, p);
		}
	}
}

void opt_help(const struct applet *a)
{
	struct buf usage = BUF(TEXT_MAX);

	buf_puts(&usage, "Usage: lmc");
	if (*a->name)
		buf_printf(&usage, " %s [OPTION...]", a->name);
	if (a->args && *a->args)
		buf_printf(&usage, " %s", a->args);
	fill(usage.p, usage.p + usage.len, 0, 7);
	buf_free(&usage);
	putchar('\n');
	prose(a->about && *a->about ? a->about : a->brief);
	options(a);
	if (a->examples && *a->examples)
		examples(a->examples);
}
