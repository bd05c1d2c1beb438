/* roster.h - who reports to a registry, since when, and whether they still do
 * SPDX-License-Identifier: Apache-2.0
 *
 * A table without sockets and without a clock: its user says what came and
 * what time it is. Frontends are known by their address, instances by their
 * id. An entry is alive while it reports, late after conf.late, gone after
 * conf.ttl and forgotten after conf.forget without a report. One that comes
 * back again and again is held: it is not listed until it has stayed for a
 * while. An operator drains one: it stays, and is not listed.
 *
 * Times called now are monotonic, wall ones since 1970; all in milliseconds.
 */
#ifndef ROSTER_H
#define ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "http.h"
#include "peers.h"
#include "url.h"

enum {
	ROSTER_MAX     = 1000000,	/* entries at most, whatever conf.max says */
	ROSTER_KEY     = 300,		/* bytes of an address or an id */
	ROSTER_HOST    = 240,
	ROSTER_ID      = 128,
	ROSTER_VERSION = 128,
	ROSTER_INFO    = 2048,		/* other_info, metadata */
	ROSTER_URL     = 256,
	ROSTER_RECORD  = 4096,		/* bytes of a record */
	ROSTER_FLAPS   = 3		/* returns before an entry is held */
};

enum roster_kind { ROSTER_FRONTEND, ROSTER_INSTANCE };

/* In the order of the queues: an entry waits in the first one that it is in. */
enum roster_state { ROSTER_ALIVE, ROSTER_LATE, ROSTER_GONE, ROSTER_HELD, ROSTER_DRAINED,
	ROSTER_STATES };
extern const char *const roster_states[];	/* "alive" ... */

enum roster_event {
	ROSTER_JOINED, ROSTER_BACK, ROSTER_WAS_LATE, ROSTER_WENT, ROSTER_FORGOTTEN,
	ROSTER_RESTARTED, ROSTER_CHANGED, ROSTER_MOVED, ROSTER_IS_HELD,
	ROSTER_IS_DRAINED, ROSTER_UNDRAINED, ROSTER_LEFT
};
extern const char *const roster_events[];	/* "joined" "alive" "late" ... */

enum roster_text { TEXT_KEY, TEXT_HOST, TEXT_VERSION, TEXT_INFO, TEXT_URL, TEXTS };

/* What a report says besides texts. Without holes: compared and kept as it is. */
struct roster_facts {
	int64_t  pid;
	unsigned char source[16];	/* who reported; zeroes: a UNIX socket */
	uint16_t port, mq_port;
	uint8_t  kind, has_pid, tls, spare;
};

struct roster_entry {
	struct roster_facts f;
	struct roster_entry *link;		/* in its hash chain */
	struct roster_entry *prev, *next;	/* in its queue */
	char    *text;			/* TEXTS strings, a NUL after each */
	uint16_t at[TEXTS], n[TEXTS];
	uint32_t id;			/* in records */
	uint8_t  queue, flaps;
	bool     drained, excused;
	int64_t  first;			/* wall: known since */
	int64_t  since;			/* wall: this process of it was first heard */
	int64_t  last;			/* wall: last report */
	int64_t  seen;			/* now: last report */
	int64_t  flapped, held;		/* now: last return, held until; 0: not */
};

/* A report as it was read. Texts are UTF-8 within their ceilings. */
struct roster_report {
	struct roster_facts f;
	struct span text[TEXTS];
};

struct roster_conf {
	int64_t late, ttl, forget;	/* late < ttl < forget */
	int64_t hold;			/* an entry that flaps stays away at least this long */
	long    max, per_source;	/* entries; per_source 0: no limit */
};

struct roster_queue { struct roster_entry *first, *last; };

struct roster {
	const struct roster_conf *conf;
	struct roster_entry **slot;	/* by id */
	struct roster_entry **chain, **sorted;
	uint32_t slots, chains, n, lowest;	/* no slot below lowest is free */
	bool     is_sorted;
	struct roster_queue queue[3];	/* alive, late, gone: oldest report first */
	struct peers sources;
	unsigned long events[ROSTER_LEFT + 1];
	/* both may be NULL; an entry forgotten or left is freed after it */
	void (*on_event)(struct roster *r, enum roster_event what,
			 const struct roster_entry *e);
	void (*on_record)(struct roster *r, const void *p, size_t n);
};

/* The entry, made if need be (*fresh). NULL with *status (429, 503) and *why
 * when there is no room for another one. */
struct roster_entry *roster_take(struct roster *r, const struct roster_report *b,
				 int64_t now, int64_t wall, bool *fresh,
				 int *status, const char **why);
/* It reports that it is still there. */
void roster_beat(struct roster *r, struct roster_entry *e, int64_t now, int64_t wall);
void roster_drop(struct roster *r, struct roster_entry *e, enum roster_event why);
void roster_drain(struct roster *r, struct roster_entry *e, bool on);
struct roster_entry *roster_find(const struct roster *r, enum roster_kind kind,
				 const char *key, size_t n);
/* By what roster_name() makes, or HOST:PORT. */
struct roster_entry *roster_named(const struct roster *r, const char *name);

/* What is due by now happens; the next time that something is, or 0. */
int64_t roster_tick(struct roster *r, int64_t now);

enum roster_state roster_state(const struct roster_entry *e);
/* Alive or late, neither held nor drained. */
bool roster_listed(const struct roster_entry *e);
/* All entries by kind and key; valid until one comes or goes. NULL: none, or
 * no memory. */
struct roster_entry **roster_sorted(struct roster *r);
struct roster_entry **roster_all(struct roster *r);	/* the same in any order */

/* "proxy_HOST_PORT" (of TLS "proxys_"), "mp_ID", as lmcache_frontend names
 * what it discovers. */
void roster_name(const struct roster_entry *e, struct buf *b);
void roster_at(const struct roster_entry *e, struct buf *b);	/* HOST:PORT */
static inline const char *roster_text(const struct roster_entry *e, enum roster_text t)
{
	return e->text + e->at[t];
}

/* ---- records: what on_record is given, and reads again ---- */

/* The entry as a record; false when it does not fit. */
bool roster_record(const struct roster_entry *e, struct buf *b);
/* "The registry was there at this time": what it could not hear after that
 * counts against nobody. */
void roster_record_time(struct buf *b, int64_t wall);
/* One record into the table, without events. 0, or -1: none of ours. */
int  roster_replay(struct roster *r, const void *p, size_t n, int64_t *told);
/* After the last one; told is the last roster_record_time, or 0. */
void roster_settle(struct roster *r, int64_t told, int64_t now, int64_t wall);
void roster_free(struct roster *r);

#endif
