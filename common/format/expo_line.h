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

/* The end of the number at p, or NULL. */
const char *expo_number_end(const char *p, const char *end);
bool expo_utf8(const char *p, size_t n);
/* A name that needs no quotes; colons are for metrics only. */
bool expo_plain_name(struct expo_span s, bool colons);

static inline bool span_is(struct expo_span a, struct expo_span b)
{
	return a.n == b.n && !__builtin_memcmp(a.p, b.p, a.n);
}

static inline bool expo_ends(struct expo_span s, struct expo_span end)
{
	return s.n > end.n &&
		!__builtin_memcmp(s.p + s.n - end.n, end.p, end.n);
}

#define SPAN_INIT(s) { (s), sizeof(s) - 1 }
#define SPAN(s) ((struct expo_span)SPAN_INIT(s))

#endif
