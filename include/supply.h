/* supply.h - a registry followed: which frontends and nodes it names, over time
 * SPDX-License-Identifier: Apache-2.0
 *
 * A supply is one source of addresses, kept up to date by watch or by interval.
 * It does its asking on a struct client that its user runs, so that any number
 * of them wait together; nothing in here blocks or prints.
 *
 * A source that fails keeps its last list and is marked stale; an entry that
 * is malformed costs only itself (counted in .bad, the first reason in .why).
 */
#ifndef SUPPLY_H
#define SUPPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "node.h"
#include "url.h"

enum {
	SUPPLIES_MAX = 32,	/* sources of one program */
	SUPPLY_MAX   = 4096,	/* entries of one source */
	SUPPLY_TEXT  = 8 << 20,	/* bytes of one answer of a registry */
	SUPPLY_WHY   = 240,
	SUPPLY_INTERVAL = 1000,	/* ms, unless told otherwise */
	SUPPLY_TIMEOUT  = 2000
};

enum supply_what {
	SUPPLY_ANY,		/* a frontend if it has /api/nodes, else a node */
	SUPPLY_FRONTEND,
	SUPPLY_NODE
};

struct supply_entry {
	char *name;		/* as the registry calls it, a name that node.h allows;
				 * NULL: by its address */
	struct addr addr;
	enum supply_what what;
};

struct supply_kind;

struct supply {
	const struct supply_kind *kind;
	const char    *spec;		/* as the user gave it, for messages */
	struct client *client;
	int64_t        interval;	/* ms between two askings, where there is no watch */
	int64_t        timeout;		/* ms for one asking */
	int64_t        due;		/* clock_ms() scale: when supply_tick() has work; 0: never */
	/* what is known */
	struct supply_entry *entry;
	int            n;
	bool           told;		/* a list has come at least once */
	bool           stale;		/* the last asking failed; entry is what was known before */
	int            bad;		/* entries of the last list that were no good */
	int            over;		/* of these, entries over SUPPLY_MAX */
	char           why[SUPPLY_WHY];	/* why stale, or why the first bad one is bad; or "" */
	void         (*changed)(struct supply *s);	/* list, stale or why is another one */
	void          *ctx;		/* the user's */
	void          *state;		/* the kind's */
	/* the list being gathered */
	struct supply_entry *next;
	int            next_n, next_bad, next_over;
	char           next_why[SUPPLY_WHY];
};

struct supply_kind {
	const char *schemes;	/* "etcd: etcds:", "k8s:", "dns:" ... */
	/* Reads spec; sets due (1: at once). 0, or -1 with s->why. */
	int  (*open)(struct supply *s);
	void (*tick)(struct supply *s);	/* due has come: starts requests, sets due */
	void (*close)(struct supply *s);	/* ends its requests (client_stop()), frees state */
};

/* s is all zeroes but for changed, ctx, and interval and timeout where the
 * user names them. The kind is told by the scheme. 0, or -1 with s->why (the
 * user's error): there is nothing to close then. */
int  supply_open(struct supply *s, const char *spec, struct client *c);
void supply_tick(struct supply *s, int64_t now);	/* does what is due */
void supply_close(struct supply *s);
bool supply_is(const char *spec);	/* does it begin as one of the kinds does? */

/* ---- for the kinds ---- */

/* A whole new list: begin, add each, end. end() calls changed() only when the
 * list differs from the last one (order does not count) or staleness ended. */
void supply_begin(struct supply *s);
void supply_add(struct supply *s, const char *name, const struct addr *a,
		enum supply_what what);
void supply_bad(struct supply *s, const char *fmt, ...)	/* an entry that is no good */
	__attribute__((format(printf, 2, 3)));
void supply_full(struct supply *s);	/* an entry over SUPPLY_MAX */
void supply_end(struct supply *s);
void supply_fail(struct supply *s, const char *fmt, ...)	/* the asking failed: stale */
	__attribute__((format(printf, 2, 3)));
/* "HOST:PORT", a URL without a path, or (sockets) a socket's path, as one
 * entry, or as a bad one. */
void supply_address(struct supply *s, const char *name, const char *text,
		    enum supply_what what, bool sockets);
/* The entries of a text between begin() and end(): the answers of
 * /lmcache_infos, of a coordinator's /instances and of /api/nodes, a node list,
 * a JSON list of addresses. 0, or -1: it is nothing of these (*why, static). */
int  supply_read(struct supply *s, const char *p, size_t n, bool sockets,
		 const char **why);

/* supply.c knows them all by name. */
extern const struct supply_kind supply_http, supply_dns, supply_file, supply_etcd,
	supply_k8s;

#endif
