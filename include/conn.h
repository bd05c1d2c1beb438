/* conn.h - the inside of a serving connection, for common/io only
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONN_H
#define CONN_H

#include <sys/uio.h>

#include "peers.h"
#include "server.h"

/* Bytes that wait: p[off..len). Owns p; empty owns nothing. */
struct pend {
	char    *p;
	uint32_t off, len, cap;
};
static inline size_t pend_n(const struct pend *q) { return q->len - q->off; }
/* Read buffers of SCRATCH bytes, kept for the next one. NULL: out of memory. */
char *block_get(void);
void  block_put(char *block);

int  pend_add(struct pend *q, const void *p, size_t n);	/* 0 or -1 */
void pend_drop(struct pend *q, size_t n);

enum {
	SCRATCH  = 64 << 10,	/* bytes read at once */
	PEND_MAX = 16 << 20,	/* bytes one queue may hold: a whole local answer */
	DRAIN_MAX = 64 << 10	/* unread request body skipped, bytes */
};

enum phase {
	READ_HEAD,	/* idle, or part of a head is here */
	READ_BODY,	/* a local handler gathers the body */
	ANSWER,		/* the handler will answer later, or does so in pieces */
	RELAY,		/* relay.c moves bytes */
	DRAIN,		/* answered; the rest of a short request body is skipped */
	LINGER,		/* answered and shut; what still comes is thrown away */
	CLOSE		/* ends when the last byte is out */
};

struct conn {
	struct watch     watch;		/* first: callbacks cast it back */
	struct timer     timer;
	struct task      task;
	struct exchange  x;
	struct listener *listener;
	struct conn     *next;		/* free list */
	struct pend      in, out, extra;
	char            *view;		/* bytes of the read buffer not used yet */
	size_t           view_n;
	uint64_t         left;		/* BODY_LENGTH: bytes to come */
	int64_t          since;		/* ms: last progress in this phase */
	struct chunks    chunks;
	unsigned char    peer[16];	/* IPv6 or mapped; zero: UNIX socket */
	enum phase       phase : 8;
	enum http_body   body : 8;	/* of the request; BODY_NONE once read */
	bool rd, wr, fin, dead, running, fresh, keep, head_only, minor0, expect,
	     chunked_out, started, owed, close_delimited, counted;
	struct {
		struct buf buf;
		void (*on_body)(struct exchange *, char *, size_t);
	} *gather;
	void (*pump)(struct conn *c);	/* RELAY: work to do */
	void (*gone)(struct conn *c);	/* RELAY: the client is lost */
	void (*on_room)(struct exchange *x);
	void            *relay;		/* RELAY: its struct upconn */
};

/* The next piece of the request body, decoded: > 0 bytes at *p (valid until
 * the next call or the end of the turn); 0: none now (c->body is BODY_NONE
 * when it is complete); -1: broken, and c->fault says whether by framing. */
long conn_body(struct conn *c, char **p);

/* Writes, or queues what the socket does not take; block as in pend_writev.
 * 0, or -1: lost. */
int  conn_writev(struct conn *c, struct iovec *iov, int n, char **block);

/* Where conn_body's bytes stand, when they may be taken over; else NULL. */
char **conn_block(struct conn *c);

/* The relay's answer is complete (whole), or broken: then the client's
 * connection ends so that it cannot look complete. */
void conn_done(struct conn *c, bool whole);
void conn_run(struct conn *c);
void conn_drop(struct conn *c);		/* now, without another byte */
void conn_reset(struct conn *c);	/* likewise, by RST */

/* Open connections of each client address. */
extern struct peers conn_peers;

/* For accept.c: a slot (NULL: out of memory), its start on a descriptor (0 or
 * -1), and giving it back unstarted. conn_init before all, 0 or -1. */
int  conn_init(void);
struct conn *conn_new(struct listener *l);
int  conn_start(struct conn *c, int fd);
void conn_free(struct task *t);		/* of the slot's .task */

/* writev into fd, the rest into q. Short writes clear *wr and ask w for
 * READY_OUT. A long rest that stands in *block is not copied: q takes the
 * block over, and *block is another one (block may be NULL). 0, or -1 with
 * errno. */
int  pend_writev(struct pend *q, struct watch *w, bool *wr,
		 struct iovec *iov, int n, char **block);
/* Sends what waits. 0 (maybe still some waiting) or -1. */
int  pend_flush(struct pend *q, struct watch *w, bool *wr);

const char *http_date(void);		/* cached per second */

#endif
