/* fetch.h - asking a node something ourselves, over the relay's connections
 * SPDX-License-Identifier: Apache-2.0
 *
 * For probes and scrapes: one GET, its body gathered up to a ceiling, one
 * deadline for all of it. The callback comes exactly once, never from within
 * fetch_start().
 */
#ifndef FETCH_H
#define FETCH_H

#include "relay.h"

struct fetch {
	struct buf  body;	/* what came; the callback may take it over */
	int         status;	/* HTTP status, or 0: no answer */
	const char *why;	/* status 0: a static phrase */
	int64_t     us;		/* how long it took */
	void       *ctx;
	/* private */
	struct origin *o;
	struct upconn *u;
	struct task    task;
	struct timer   timer;
	void         (*done)(struct fetch *f);
	bool           retried;
	char           head[512];
	size_t         head_n;
};

/* GET target (begins with '/'); extra is further header lines, each with its
 * CRLF, or "". NULL: out of memory. Freed after the callback. */
struct fetch *fetch_start(struct origin *o, const char *target, const char *extra,
			  int64_t timeout_ms, size_t max,
			  void (*done)(struct fetch *f), void *ctx);
void fetch_stop(struct fetch *f);	/* no callback; frees */

#endif
