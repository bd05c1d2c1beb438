/* expo_scan.h - an input on its way into a merge, for the expo files only
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef EXPO_SCAN_H
#define EXPO_SCAN_H

#include "expo_merge.h"

enum {			/* struct slot.what, beside a bit per extra label */
	WHAT_LE       = 1 << 8,		/* le that is no number */
	WHAT_QUANTILE = 1 << 9,		/* quantile that is no number */
	WHAT_CLASH    = 1 << 10		/* an extra label's name: renamed */
};

struct slot {
	const char *p;		/* name="value" */
	uint32_t    n, name_n;
	uint64_t    hash;
	unsigned    what;
};

struct scan {
	struct expo       *m;
	struct input      *in;
	struct expo_error *e;
	const char *base, *end;
	/* the last sample's name */
	const char *name;
	size_t   name_n;
	uint64_t name_hash;
	uint32_t family;
	uint8_t  part;
	bool     keep, colon;
	/* labels of the lines before, by place */
	struct slot slot[EXPO_LABELS - EXPO_EXTRAS];
	unsigned slots, distinct;	/* so many at the front differ in name */
	/* what extra labels add to a hash, for the last mask */
	unsigned mask;
	uint64_t mask_hash;
	struct meta meta;	/* not yet declared; name.p is NULL: none */
	struct run  open;	/* the run being extended; count 0: none */
	bool     eof;		/* # EOF was there */
};

/* expo_scan.c: makes name the current one. -1 with *s->e filled. */
int expo_scan_name(struct scan *s, struct expo_span name);
/* Keeps the sample of the line from p to behind its newline. */
int expo_push(struct scan *s, const char *p, const char *to, uint32_t hash,
		unsigned flags, unsigned mask);

/* expo_fast.c: a sample's line in the plainest form, kept. NULL: it is not
 * one, and nothing was kept of it; otherwise behind its newline. There is a
 * newline somewhere before s->end. */
const char *expo_fast_sample(struct scan *s, const char *line);
bool expo_begins_name(char c);

#endif
