/* expo_help.h - what the tests of the exposition engine share
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef EXPO_HELP_H
#define EXPO_HELP_H

#include <stdlib.h>

#include "buf.h"
#include "expo.h"
#include "file.h"
#include "test.h"

static struct expo_note notes[64];
static size_t note_n;

static inline void take_note(void *ctx, const struct expo_note *n)
{
	(void)ctx;
	if (note_n < sizeof notes / sizeof *notes)
		notes[note_n] = *n;
	note_n++;
}

static inline int to_buf(void *ctx, const char *p, size_t n)
{
	return buf_add(ctx, p, n);
}

/* A copy without a byte to spare, so that ASan sees a read behind it. */
static inline char *exact(const char *p, size_t n)
{
	char *q = malloc(n ? n : 1);

	memcpy(q, p, n);
	return n ? q : q + 1;
}

static inline struct expo *merge_new(enum expo_format out)
{
	struct expo_opts o = { .out = out, .note = take_note };

	note_n = 0;
	return expo_new(&o);
}

static struct expo_error add_error;

/* Adds text with node=NAME (NULL: no labels) and role=worker where missing. */
static inline int add(struct expo *m, const char *text, enum expo_format f,
		const char *node)
{
	struct expo_extra extra[2] = { { "node", node, false },
		{ "role", "worker", true } };
	size_t n = strlen(text);

	return expo_add(m, exact(text, n), n, f, extra, node ? 2 : 0,
			&add_error);
}

/* What m writes, as a string. */
static inline const char *written(struct expo *m)
{
	struct buf *b = calloc(1, sizeof *b);

	b->max = 1 << 26;
	if (expo_write(m, to_buf, b) < 0)
		return "expo_write failed";
	return b->p ? b->p : "";
}

static inline struct expo_stats stats(const struct expo *m)
{
	struct expo_stats s;

	expo_stats(m, &s);
	return s;
}

/* One text through the engine, as out; "line:column: what" when refused. */
static inline const char *through(const char *text, enum expo_format f,
		enum expo_format out)
{
	static char why[200];
	struct expo *m = merge_new(out);

	if (add(m, text, f, NULL) < 0) {
		snprintf(why, sizeof why, "%zu:%zu: %s", add_error.line,
				add_error.column, add_error.what);
		return why;
	}
	return written(m);
}

#endif
