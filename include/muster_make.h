/* muster_make.h - the parts of muster.h to each other
 * SPDX-License-Identifier: Apache-2.0
 *
 * For common/lmcache/muster*.c only.
 */
#ifndef MUSTER_MAKE_H
#define MUSTER_MAKE_H

#include "muster.h"

/* The nodes of one frontend, as one that was asked told. */
struct branch {
	char *name;	/* "" for its own nodes */
	char *prefix, *way;
	char *nodes;	/* JSON objects, commas between them */
	int   n;
	char *since, *why;	/* stale already there; or NULL */
};

/* One address that was named. */
struct member {
	struct addr addr;
	char *name;		/* as the registry has it; NULL: none */
	char *at;		/* "HOST:PORT", the id of one that has none */
	enum supply_what what;
	const char *source;
	bool  named;		/* still, or it is to go */
	struct client_req req;
	struct muster *of;
	bool  busy, asked;
	bool  leaf;		/* it has no /api/nodes */
	int   fails;		/* in a row */
	int64_t due, since;	/* clock_ms(); clock_wall_ms() of the first failure */
	char  why[SUPPLY_WHY];	/* stale, or what was wrong in its list; or "" */
	char *id;		/* NULL: it told none */
	struct branch *branch;
	int   n, bad;
	uint64_t told;		/* hash of all that */
};

struct muster {
	struct muster_conf conf;
	struct supply *supply[SUPPLIES_MAX];
	int   supplies;
	struct member **member;
	int   n;
	int   waiting;		/* members of which nothing is known yet */
	int   left_out;		/* of the tree as printed last */
	bool  dirty, relist, refresh;
	int64_t since;		/* clock_ms() when it became dirty */
};

/* Takes the answer of a member's /api/nodes: 1 when it is another one than
 * before, 0 when not, -1 with *why (static) when it is none. */
int  muster_take(struct member *m, const char *p, size_t n, const char **why);
void branches_free(struct member *m);
/* '/' stands between a frontend and one behind it. */
void slashes_out(char *name);

#endif
