/* out.c - tables for people, JSON for programs
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"

enum { CELL_MAX = 4096 };

enum out_form out_form(const char *name)
{
	static const char *const names[] = { "table", "json", "jsonl", "raw" };
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(names[i], name))
			return (enum out_form)i;
	return OUT_TABLE;
}

/* --- text ------------------------------------------------------------------------ */

/* U+0080..9F, and the marks that reorder or split what is shown. */
static bool hidden(const unsigned char *p, size_t n)
{
	if (n == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	if (n != 3 || p[0] != 0xe2)
		return false;
	return (p[1] == 0x80 && ((p[2] >= 0x8e && p[2] <= 0x8f) ||
				 (p[2] >= 0xa8 && p[2] <= 0xae))) ||
	       (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
}

static bool shown(const char *p, size_t n, const char *keep)
{
	unsigned char c = (unsigned char)*p;

	if (!n)
		return false;
	if (n == 1)
		return (c >= 0x20 && c != 0x7f) || (c && strchr(keep, c));
	return !hidden((const unsigned char *)p, n);
}

int out_text(struct buf *b, const char *p, size_t n, const char *keep)
{
	size_t i, len, k;

	for (i = 0; i < n; i += len) {
		len = json_utf8(p + i, n - i);
		if (shown(p + i, len, keep)) {
			buf_add(b, p + i, len);
			continue;
		}
		len = len ? len : 1;
		for (k = 0; k < len; k++)
			buf_printf(b, "\\x%02x", (unsigned char)p[i + k]);
	}
	return b->bad ? -1 : 0;
}

/* --- tables ------------------------------------------------------------------------ */

void table_init(struct table *t, const char *const *heads)
{
	*t = (struct table){ .heads = heads, .text = BUF(OUT_MAX) };
	while (heads[t->cols])
		t->cols++;
}

static int cell_end(struct table *t)
{
	t->n++;
	return buf_add(&t->text, "", 1);
}

int table_add(struct table *t, const char *p, size_t n)
{
	out_text(&t->text, p, n, "");
	return cell_end(t);
}

int table_puts(struct table *t, const char *s)
{
	return s ? table_add(t, s, strlen(s)) : table_add(t, "-", 1);
}

int table_printf(struct table *t, const char *fmt, ...)
{
	char cell[CELL_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cell, sizeof cell, fmt, ap);
	va_end(ap);
	return table_puts(t, cell);
}

int table_json(struct table *t, const struct json *j, jv v)
{
	struct buf b = BUF(OUT_MAX);
	int rc;

	if (v < 0)
		return table_puts(t, NULL);
	if (json_type(j, v) == JSON_STRING)
		json_str(j, v, &b);
	else
		js_value(&b, NULL, j, v);
	rc = table_add(t, b.p ? b.p : "", b.len);
	buf_free(&b);
	return rc;
}

static size_t width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static const char *head(const struct table *t, int col)
{
	return t->heads[col] + (*t->heads[col] == '>');
}

static void measure(const struct table *t, bool heads, size_t *width)
{
	const char *p = t->text.p;
	size_t w;
	int i;

	for (i = 0; i < t->cols; i++)
		width[i] = heads ? width_of(head(t, i)) : 0;
	for (i = 0; i < t->n; i++, p += strlen(p) + 1) {
		w = width_of(p);
		if (w > width[i % t->cols])
			width[i % t->cols] = w;
	}
}

static void put_cell(const struct table *t, int col, const char *s,
		     const size_t *width, struct buf *out)
{
	size_t pad = width[col] - width_of(s);
	bool right = *t->heads[col] == '>', last = col == t->cols - 1;

	for (; right && pad; pad--)
		buf_putc(out, ' ');
	buf_puts(out, s);
	for (; !last && pad; pad--)
		buf_putc(out, ' ');
	buf_puts(out, last ? "\n" : "  ");
}

int table_print(const struct table *t, bool heads, bool bold, struct buf *out)
{
	size_t *width = calloc((size_t)t->cols, sizeof *width);
	const char *p = t->text.p;
	int i;

	if (!width || t->text.bad) {
		free(width);
		return -1;
	}
	measure(t, heads, width);
	if (heads && bold)
		buf_puts(out, "\033[1m");
	for (i = 0; heads && i < t->cols; i++)
		put_cell(t, i, head(t, i), width, out);
	if (heads && bold)
		buf_puts(out, "\033[0m");
	for (i = 0; i < t->n; i++, p += strlen(p) + 1)
		put_cell(t, i % t->cols, p, width, out);
	free(width);
	return out->bad ? -1 : 0;
}

void table_free(struct table *t)
{
	buf_free(&t->text);
	t->n = 0;
}

/* --- JSON -------------------------------------------------------------------------- */

static void key_of(struct buf *b, const char *key)
{
	char before = b->len ? b->p[b->len - 1] : '[';

	if (!strchr("{[\n", before))
		buf_putc(b, ',');
	if (key) {
		json_puts(b, key);
		buf_putc(b, ':');
	}
}

static int done(const struct buf *b)
{
	return b->bad ? -1 : 0;
}

int js_open(struct buf *b, const char *key, char bracket)
{
	key_of(b, key);
	return buf_putc(b, bracket);
}

int js_close(struct buf *b, char bracket)
{
	return buf_putc(b, bracket);
}

int js_str(struct buf *b, const char *key, const char *s)
{
	key_of(b, key);
	json_puts(b, s);
	return done(b);
}

int js_strn(struct buf *b, const char *key, const char *p, size_t n)
{
	key_of(b, key);
	json_put(b, p, n);
	return done(b);
}

int js_int(struct buf *b, const char *key, long long v)
{
	key_of(b, key);
	return buf_printf(b, "%lld", v);
}

int js_num(struct buf *b, const char *key, double v)
{
	char text[32];

	if (!isfinite(v))
		return js_str(b, key, isnan(v) ? "NaN" : v > 0 ? "Infinity" :
			      "-Infinity");
	key_of(b, key);
	snprintf(text, sizeof text, "%.15g", v);
	if (strtod(text, NULL) != v)
		snprintf(text, sizeof text, "%.17g", v);
	return buf_puts(b, text);
}

int js_bool(struct buf *b, const char *key, bool v)
{
	key_of(b, key);
	return buf_puts(b, v ? "true" : "false");
}

int js_null(struct buf *b, const char *key)
{
	key_of(b, key);
	return buf_puts(b, "null");
}

static void put_string(struct buf *b, const struct json *j, jv v)
{
	struct buf s = BUF(OUT_MAX);

	if (json_str(j, v, &s) < 0)
		b->bad = true;
	json_put(b, s.p ? s.p : "", s.len);
	buf_free(&s);
}

static void put_scalar(struct buf *b, const struct json *j, jv v)
{
	const char *p;
	size_t n;
	bool word;

	if (json_type(j, v) == JSON_STRING) {
		put_string(b, j, v);
		return;
	}
	json_raw(j, v, &p, &n);
	word = memchr(p, 'N', n) || memchr(p, 'I', n);
	if (word)
		buf_putc(b, '"');
	buf_add(b, p, n);
	if (word)
		buf_putc(b, '"');
}

/* The reader refuses what is nested more than JSON_DEPTH deep. */
static void put_value(struct buf *b, const struct json *j, jv v)
{
	bool object = json_type(j, v) == JSON_OBJECT;
	jv c;

	if (!object && json_type(j, v) != JSON_ARRAY) {
		put_scalar(b, j, v);
		return;
	}
	buf_putc(b, object ? '{' : '[');
	for (c = json_first(j, v); c >= 0; c = json_next(j, v, c)) {
		if (c != json_first(j, v))
			buf_putc(b, ',');
		if (object) {
			put_string(b, j, json_key(j, c));
			buf_putc(b, ':');
		}
		put_value(b, j, c);
	}
	buf_putc(b, object ? '}' : ']');
}

int js_value(struct buf *b, const char *key, const struct json *j, jv v)
{
	key_of(b, key);
	if (v < 0)
		buf_puts(b, "null");
	else
		put_value(b, j, v);
	return done(b);
}
