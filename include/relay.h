/* relay.h - passing an exchange on to a node, over kept-alive connections
 * SPDX-License-Identifier: Apache-2.0
 *
 * Heads are rebuilt, never copied through; bodies are passed as they come, in
 * both directions at once, and never gathered. A slow side slows the other.
 */
#ifndef RELAY_H
#define RELAY_H

#include "server.h"

enum {
	ORIGIN_ADDRS = 4,	/* addresses tried of one name */
	HOPS_MAX     = 3,	/* frontends in a row, then 508 (threats.md T18) */
	INTERIM_MAX  = 8	/* 1xx answers before the real one */
};

/* Times in milliseconds. */
struct relay_limits {
	int64_t connect_ms;	/* 2 s, then 504 */
	int64_t first_ms;	/* request sent, not a byte back: 60 s, then 504 */
	int64_t between_ms;	/* between two pieces of an answer: 60 s */
	int64_t idle_ms;	/* a kept connection; LMCache's own end is 5 s */
	long    per_node;	/* connections to one node; 0: no limit */
	long    queue;		/* requests waiting for one of those, then 503 */
	long    idle_max;	/* kept connections of one node */
};
#define RELAY_LIMITS_DEFAULT { \
	.connect_ms = 2000, .first_ms = 60000, .between_ms = 60000, \
	.idle_ms = 4000, .per_node = 0, .queue = 1024, .idle_max = 256 \
}

enum { ORIGIN_BUCKETS = 10 };
extern const int origin_bounds_ms[ORIGIN_BUCKETS];

enum origin_state { ORIGIN_UNKNOWN, ORIGIN_HEALTHY, ORIGIN_FAILING, ORIGIN_DOWN };
extern const char *const origin_state_names[];

/* Where a node is reached. Made by origin_new, shared by reference count:
 * requests under way keep it alive after its node is removed. */
struct origin;

struct origin *origin_new(const struct addr *a, const struct relay_limits *l);
/* A word of a node that did not come through a relay: a probe's. */
void origin_ok(struct origin *o, int64_t latency_us);
void origin_bad(struct origin *o, const char *why);
struct origin *origin_ref(struct origin *o);
void origin_drop(struct origin *o);
void origin_retire(struct origin *o);	/* origin_drop by its owner, for good */

const struct addr *origin_addr(const struct origin *o);

struct origin_view {
	enum origin_state state;
	char     error[128];	/* the last one, "" for none */
	int64_t  latency_us;	/* head sent to first byte, of the last answer */
	int64_t  age_ms;	/* since the last word of it, -1: never */
	unsigned long requests, failures, reused, retried;
	bool     probing;		/* a fetch is under way */
	long     open, idle, waiting;
	unsigned long by_class[6];	/* answers passed on: [2] is 2xx */
	unsigned long buckets[ORIGIN_BUCKETS + 1];	/* by origin_bounds_ms */
	int64_t  total_us;		/* of all of them, begin to end */
	uint64_t bytes_in, bytes_out;
};
void origin_look(const struct origin *o, struct origin_view *out);

/* Passes the exchange on, from within on_request: target is sent as it is.
 * Answers everything itself from here on (502, 503, 504, 508 as
 * {"detail":"…"}, protocol.md 7.4). */
void relay(struct exchange *x, struct origin *o, struct span target);

#endif
