/* expo_feed.h - lines out of pieces of a text, for the expo files only
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef EXPO_FEED_H
#define EXPO_FEED_H

#include "buf.h"
#include "expo_line.h"

struct expo_feed {
	struct buf part;	/* a line whose end has not come; .max set */
	size_t     line;	/* lines seen */
	bool       long_line;	/* it is longer than EXPO_LINE: skipped */
};

/* Calls line for each whole line, without its newline; p is NULL for one
 * that is too long. Stops at its first non-zero answer and returns that. */
int expo_feed(struct expo_feed *f, const char *p, size_t n,
		int (*line)(void *ctx, const char *p, size_t n), void *ctx);
/* The text does not end with a newline. */
bool expo_feed_open(const struct expo_feed *f);

#endif
