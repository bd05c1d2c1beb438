/* endpoint.h - applets that are little more than a table of endpoints
 * SPDX-License-Identifier: Apache-2.0
 *
 * For applets only, as ask.h. A row is one verb: its words, the ways to ask
 * for it in each dialect, and what becomes of the operands after the verb.
 * The first row is what no operand means. Answers are JSON; a table shows
 * them as pairs, nested members by "outer.inner".
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include "ask.h"

enum {
	ENDPOINT_CHANGES = 1,	/* the node is another one afterwards */
	ENDPOINT_DESTROYS = 2	/* and something is lost: --yes */
};

struct endpoint {
	const char *verb;		/* "clear", "freeze on"; "" for the only one */
	const struct way *ways;
	unsigned    flags;
	int         least, most;	/* operands after the verb */
	const char *operands;		/* their words, for messages */
	const char *what;		/* with DESTROYS: "clear the cache" */
	/* Puts operands and options into the call; NULL: the only operand is
	 * the call's arg. */
	void      (*fill)(struct call *c, int argc, char **argv);
};

struct endpoints {
	const struct endpoint *rows;	/* a row without ways ends them */
	const char *key;		/* the answer's member of the JSON object */
	const bool *yes;		/* --yes; NULL: nothing is destroyed */
	/* Instead of pairs, or NULL. */
	const char *const *heads;
	void      (*table)(struct table *t, struct call *c);
};

int endpoint_run(const struct endpoints *e, int argc, char **argv);

/* NODE KEY VALUE rows of a JSON value, as endpoint_run() shows them. */
extern const char *const endpoint_heads[];
void endpoint_pairs(struct table *t, const struct call *c, const struct json *j, jv v);

#endif
