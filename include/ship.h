/* ship.h - what a spool holds, to a receiver, until it has it
 * SPDX-License-Identifier: Apache-2.0
 *
 * A batch counts as sent when the receiver's side has it: a Loki push is
 * answered with 2xx, a stream's bytes are acknowledged by the peer's kernel,
 * a datagram met nobody who refused it. What of a batch is not is sent
 * again, later each time.
 *
 * A kill comes between sending and hearing so. What had been handed to a
 * stream is then counted as sent if that was SHIP_TRUST_MS ago at most and the
 * receiver takes a connection at once; otherwise it is sent again.
 */
#ifndef SHIP_H
#define SHIP_H

#include "client.h"
#include "loop.h"
#include "opt.h"
#include "spool.h"
#include "url.h"

enum { SHIP_BATCH = 64 << 10, SHIP_FIRST_MS = 100, SHIP_MAX_MS = 5000, SHIP_ANSWER_MS = 30000,
	SHIP_TRUST_MS = 5000 };

struct ship {
	struct spool *spool;
	struct addr   addr;
	bool   loki, datagram;
	char   target[512];		/* Loki: the URL's path */
	const struct strs *labels;	/* Loki: further "KEY=VALUE" */
	const char *const *headers;	/* Loki: "Name: value", NULL ends */
	struct client     *client;
	struct client_req  push;
	struct watch watch;
	struct timer timer;
	struct task  next;
	struct buf   out;
	struct buf   ends;		/* where each record ends, in out and in the spool */
	size_t at;			/* bytes of out that are away */
	int    n;			/* records in out */
	bool   connecting, asked;	/* asked: all is away, the answer is due */
	int64_t asked_ms, delay;
	unsigned long long sent, refused;	/* lines */
	void (*on_sent)(struct ship *s);	/* after each batch */
	void (*on_idle)(struct ship *s);	/* the spool holds no more */
	void (*on_trouble)(struct ship *s, const char *why);	/* once until it is over */
	bool   trouble;
};

/* "http(s)://HOST:PORT/loki/api/v1/push", or syslog as rfc5424_addr() takes it.
 * 0, or -1 with *why. */
int  ship_to(struct ship *s, const char *where, const char **why);
void ship_go(struct ship *s);		/* there may be something to send */
bool ship_idle(const struct ship *s);	/* nothing is under way */
void ship_close(struct ship *s);

#endif
