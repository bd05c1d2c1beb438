/* figure.h - what a figure of the summary is made of
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef FIGURE_H
#define FIGURE_H

#include "metrics.h"

enum dialect { EMBEDDED, SERVER };
enum kind { RATIO, TOTAL, SUM, MAX, MIN, AVG, TIMES };
enum unit { RATE, COUNT, BYTES, SECONDS, MILLIS, TOKENS, GB, FLAG_ };
enum who { WORKER, SCHEDULER, REMOTE, NEWER, L2, LOOKED_UP, HAPPENED };

struct figure {
	enum dialect dialect;
	enum kind    kind;
	const char  *id, *title;
	enum unit    unit;
	const char  *family, *other;
	enum who     who;
};
extern const struct figure figures[];	/* ends with id NULL */

/* What the nodes that answered are. */
struct fleet {
	const struct series_set *now;
	bool speaks[2];			/* by dialect */
	bool workers, schedulers;
	int  nodes, up;
	char **declared;	/* families without a sample */
	size_t declared_n;
};
void fleet_look(struct fleet *f, const struct series_set *now, struct expo *m,
		const struct answers *a);
void fleet_free(struct fleet *f);

/* A name as Prometheus or lmc --underscore writes it. */
bool figure_is(const struct series *x, const char *name);

struct sum {
	size_t series, rated;
	double total, per_second, max, min;
};
struct sum figure_sum(const struct series_set *s, const char *name);
/* Is there a sample of that family (of a histogram: a bucket)? */
bool figure_has(const struct series_set *s, const struct figure *f, const char *family);
/* Why a family is missing; a static phrase. */
const char *figure_why(const struct fleet *l, const struct figure *f, const char *family);

#endif
