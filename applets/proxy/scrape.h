/* scrape.h - the parts of GET /metrics to each other
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SCRAPE_H
#define SCRAPE_H

#include "expo.h"
#include "fetch.h"
#include "gzip.h"
#include "proxy.h"

enum {
	NAMES_MAX  = 64,	/* name[] and node of one question */
	BY_MAX     = 8,		/* labels a roll-up keeps */
	NODE_BYTES = 16 << 20,	/* of one node's answer (threats.md T17) */
	NODE_SAMPLES = 500000,	/* the same */
	MANY       = 256,	/* nodes: of more, answers are kept compressed */
	LIKE_BYTES = 32 << 10,	/* as far back as deflate sees */
	PARTS      = 24,	/* in so many parts */
	STEMS      = 2048	/* families that are told apart for it, and twice */
};

extern const struct scrape_conf *scrape_conf;

/* What one node said. */
struct said {
	struct fanout *of;
	struct fetch  *fetch;		/* under way, or NULL */
	char          *node, *frontend;	/* frontend: NULL for our own nodes */
	struct origin *origin;
	char          *target;
	int64_t        began;		/* ms; 0: not asked yet */
	bool           slow;		/* others are asked meanwhile */
	struct buf     body;
	bool           answered;	/* with status 200 */
	int64_t        us;
	/* of many: instead of body */
	char          *packed;
	size_t         packed_n, raw, whole_samples;
	uint32_t       part[PARTS + 1];	/* where in it each begins */
	enum expo_format format;
	/* of the merge at work */
	bool           up;
	size_t         samples, duplicates;
};

struct fanout {
	struct said   *said;
	int            n, left, refs;
	int            next, running;	/* of many, some are asked at a time */
	bool           many;
	size_t         max;		/* bytes of one answer */
	struct timer   more;
	struct { uint32_t hash; uint8_t part; struct said *first; } stem[STEMS];
	struct buf     like[PARTS];	/* what the first ones said */
	unsigned       stems_n;
	size_t         weight[PARTS];	/* bytes in each part, of all nodes */
	size_t         bytes;		/* of what was said so far */
	int64_t        began, until;	/* ms */
	struct waiter *waiters;
	bool           whole;		/* all nodes: others may join */
};

/* One who asked, from the question to the last byte of the answer. */
struct waiter {
	struct exchange *x;
	struct fanout   *of;
	struct waiter   *next;
	struct timer     timer;		/* its own deadline */
	int64_t          began, deadline;	/* ms; ms from then */
	struct task      task;
	/* the question */
	struct expo_opts opts;
	char            *query;		/* what is below points into it */
	const char      *name[NAMES_MAX], *node[NAMES_MAX], *by[BY_MAX];
	struct expo_selector *select[EXPO_SELECTORS];
	unsigned         nodes;
	struct expo_rollup rollup;
	bool             rolled, gzipped;
	enum expo_format out;
	/* the answer */
	struct expo     *merge;
	struct said    **who;		/* of each input */
	struct buf       own, conflicts;	/* what we add */
	unsigned         conflicts_n;
	struct gzip     *gzip;
	bool             last;		/* gzip has the end */
	/* of many */
	unsigned         pass, passes;
	int              at, inputs;
	bool             ready;		/* the pass can be read */
	char           **text;		/* what the pass's merge was given */
	int              texts_n;
	unsigned        *duplicates;	/* of each node */
	struct expo_stats sum;		/* of the passes before */
	size_t           turn;		/* bytes made in this turn of the loop */
};

/* scrape_query.c: 0, or -1 and answered. */
int     query_read(struct waiter *w);
int64_t query_deadline(const struct exchange *x);	/* ms from now */
bool    query_wants(const struct waiter *w, const char *node);

/* scrape_many.c. Takes over s->body when it came. */
void many_keep(struct said *s);
void many_rest(void);		/* the last one has come */
int  many_begin(struct waiter *w);	/* these: 0, or -1: out of memory */
/* Fills the pass at work, some of it: w->ready when it can be read. */
int  many_fill(struct waiter *w);
bool many_more(struct waiter *w);	/* begins the next pass, if there is one */
void many_free(struct waiter *w);
/* scrape_answer.c for it: one input, which may be refused; our own metrics. */
int  merge_add(struct waiter *w, struct said *s, const char *p, size_t n,
	       enum expo_format format);
int  merge_own(struct waiter *w);

/* scrape_answer.c: merges what is there, and answers. Frees w, then or when
 * the last byte is out. */
void answer(struct waiter *w);

void waiter_free(struct waiter *w);

#endif
