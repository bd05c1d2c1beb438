/* expo_line.h - one line of an exposition, read with all its liberties
 * SPDX-License-Identifier: Apache-2.0
 *
 * For the expo files only. The slow way and the truth: what the scanner
 * (expo_scan.c) accepts in a hurry, this accepts with the same result.
 */
#ifndef EXPO_LINE_H
#define EXPO_LINE_H

#include "expo.h"

enum expo_kind {
	LINE_BLANK, LINE_COMMENT, LINE_HELP, LINE_TYPE, LINE_UNIT, LINE_EOF,
	LINE_SAMPLE
};

struct expo_line {
	const char      *start;
	enum expo_kind   kind;
	struct expo_span name;	/* without the quotes of a UTF-8 name */
	enum expo_type   type;	/* LINE_TYPE */
	struct expo_span text;	/* LINE_HELP, LINE_UNIT */
	struct expo_span value, time, exemplar;
	unsigned         labels;
	struct expo_label label[EXPO_LABELS];
};

/* Reads p[0..n), a line without its newline. 0, or -1 with e->column and
 * e->what filled. */
int expo_line(struct expo_line *l, const char *p, size_t n,
		enum expo_format f, struct expo_error *e);

/* expo_token.c: the end of the number at p, or NULL; a decimal is one that
 * is finite; digits may be none */
const char *expo_number_end(const char *p, const char *end);
const char *expo_decimal_end(const char *p, const char *end);
const char *expo_digits_end(const char *p, const char *end);
bool expo_utf8(const char *p, size_t n);
/* A name that needs no quotes; colons are for metrics only. */
bool expo_plain_name(struct expo_span s, bool colons);

/* expo_text.c: what differs between the formats. Each returns the bytes put. */
size_t expo_put_time(char *to, struct expo_span s, enum expo_format from,
		enum expo_format out);
size_t expo_put_value(char *to, struct expo_span s);	/* a label's, for text */
size_t expo_put_help(char *to, struct expo_span s, enum expo_format from,
		enum expo_format out);

static inline bool span_is(struct expo_span a, struct expo_span b)
{
	return a.n == b.n && !__builtin_memcmp(a.p, b.p, a.n);
}

static inline bool expo_ends(struct expo_span s, struct expo_span end)
{
	return s.n > end.n &&
		!__builtin_memcmp(s.p + s.n - end.n, end.p, end.n);
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline bool is_name(char c, bool colons)
{
	char l = (char)(c | 32);

	return (l >= 'a' && l <= 'z') || c == '_' || is_digit(c) ||
		(colons && c == ':');
}

#define SPAN_INIT(s) { (s), sizeof(s) - 1 }
#define SPAN(s) ((struct expo_span)SPAN_INIT(s))

#endif
