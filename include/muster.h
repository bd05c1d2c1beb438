/* muster.h - registries followed, and one tree of frontends and nodes made of them
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every address that a registry names is asked for its /api/nodes, all at
 * once, again and again. Who has none (404) is a node itself. Of a frontend's
 * answer its own nodes stand under its name, those of frontends behind it
 * under NAME/THEIRS. A frontend that does not answer keeps its last nodes.
 *
 * An lmc frontend has an id, and tells for the frontends behind it the ids on
 * the way there. So what leads back to the reader is left out, and of several
 * ways to one frontend the shortest that works is taken. A frontend without an
 * id (lmcache_frontend) stands for its address.
 */
#ifndef MUSTER_H
#define MUSTER_H

#include "supply.h"

enum {
	MUSTER_WAY  = 2,		/* frontends between one that reads and a node, HOPS_MAX less one */
	MUSTER_ID   = 64,	/* bytes of an id: letters, digits, "._:-[]/" */
	MUSTER_JSON = NODES_TEXT
};

/* for messages: SUPPLY_MAX, PROXIES_MAX, NODES_MAX */
#define MUSTER_LIMITS "at most 4096 entries, 1024 frontends, 3 in a row, 4096 nodes"

struct muster_conf {
	struct client *client;
	int64_t interval, timeout;	/* ms, of each asking */
	const char *self;		/* the reader's own id, or NULL */
	const char *const *headers;	/* for frontends; NULL: none */
	bool once;			/* nobody is left out for being slow */
};

/* A registry's "NAME" that another one has as well is NAME@HOST:PORT; who has
 * no name is proxy_HOST_PORT, and a node HOST:PORT. */
struct muster;

struct muster *muster_new(const struct muster_conf *c);
/* 0, or -1 with *why (until the next call). spec is kept as it is. */
int  muster_add(struct muster *f, const char *spec, const char **why);
/* Asks everybody now; there is a tree to print after that, whatever they say. */
void muster_refresh(struct muster *f);
/* Does what is due and runs the client, until something is due again or a
 * signal comes: true when there is another tree than the last one printed, and
 * nobody is waited for. */
bool muster_turn(struct muster *f);
/* A list that nodes_parse() reads, in one line without its end:
 *	{"nodes":[…],"sources":[{"source","entries","bad","stale","why"}],"left_out":N}
 */
int  muster_print(struct muster *f, struct buf *out);
/* "name", "host" and "port" of an entry in such a list. */
void muster_place(struct buf *b, const char *name, const struct addr *a);
/* Entries of registries, and nodes, that are over the limits: not in the tree. */
int  muster_left_out(const struct muster *f);
/* The first source that has never told anything, or NULL: *why. */
const char *muster_failed(const struct muster *f, const char **why);
void muster_free(struct muster *f);

#endif
