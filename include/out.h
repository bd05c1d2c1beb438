/* out.h - tables for people, JSON for programs
 * SPDX-License-Identifier: Apache-2.0
 *
 * Values in, text out; nothing is printed here. What a peer sent is escaped:
 * in tables controls, bytes that are not UTF-8 and marks that reorder text
 * become \xNN; in JSON every value is strict RFC 8259.
 */
#ifndef OUT_H
#define OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "json.h"

enum { OUT_MAX = 256 << 20 };	/* bytes of one output at most */

enum out_form { OUT_TABLE, OUT_JSON, OUT_JSONL, OUT_RAW };

/* "table", "json", "jsonl", "raw" */
enum out_form out_form(const char *name);

/* Rows are filled cell by cell. A heading that begins with '>' stands for a
 * column that is aligned right. */
struct table {
	const char *const *heads;	/* ends with NULL */
	int         cols, n;		/* n: cells so far */
	struct buf  text;		/* the cells, a NUL after each */
};

void table_init(struct table *t, const char *const *heads);
int  table_add(struct table *t, const char *p, size_t n);
int  table_puts(struct table *t, const char *s);	/* NULL: "-" */
int  table_printf(struct table *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A JSON value: strings bare, all else as JSON; -1: "-". */
int  table_json(struct table *t, const struct json *j, jv v);
/* Columns in their widths, two blanks between; the last one is not padded. */
int  table_print(const struct table *t, bool heads, bool bold, struct buf *out);
void table_free(struct table *t);

/* Text as it may be shown on a terminal; keep names characters let through
 * although they are controls ("\n", "\n\t"). */
int  out_text(struct buf *b, const char *p, size_t n, const char *keep);

/* JSON members. A comma is put where one belongs: after anything but an
 * opening bracket. key NULL: an element of an array. */
int  js_open(struct buf *b, const char *key, char bracket);	/* '{' or '[' */
int  js_close(struct buf *b, char bracket);			/* '}' or ']' */
int  js_str(struct buf *b, const char *key, const char *s);	/* NULL: null */
int  js_strn(struct buf *b, const char *key, const char *p, size_t n);
int  js_int(struct buf *b, const char *key, long long v);
int  js_num(struct buf *b, const char *key, double v);	/* not finite: a string */
int  js_bool(struct buf *b, const char *key, bool v);
int  js_null(struct buf *b, const char *key);
/* A value as it came, compact; -1 is null; NaN and Infinity become strings. */
int  js_value(struct buf *b, const char *key, const struct json *j, jv v);

#endif
