/* upstream.h - kept-alive connections to nodes, for upstream.c and relay.c only
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef UPSTREAM_H
#define UPSTREAM_H

#include "conn.h"
#include "relay.h"

enum {
	KEPT_HEAD = 1024,	/* bytes of a request head kept for a retry */
	PIPE_BYTES = 1 << 20,	/* of a pipe for splice, if we are let */
	LABEL     = 280
};

struct upconn;

struct origin {
	struct addr      addr;
	union net_addr   sa[ORIGIN_ADDRS];
	socklen_t        len[ORIGIN_ADDRS];
	int              addrs;		/* 0: a name not resolved yet */
	bool             gone;		/* its node was removed */
	bool             looking;	/* a resolver thread is at work */
	int64_t          looked;	/* ms, when it last answered */
	int              refs;
	char             label[LABEL];	/* "127.0.0.1:8213", or the socket's path */
	char             host[LABEL];	/* Host field for the node */
	const struct relay_limits *limits;
	struct upconn   *idle;		/* last used first */
	struct upconn   *unresolved;
	struct waiting  *waiting, **waiting_end;
	struct task      wake;		/* some of those may go on */
	void (*serve)(struct origin *o);
	long             open, idle_n, waiting_n;
	enum origin_state state;
	char             error[128];
	int64_t          heard, latency_us;
	unsigned long    requests, failures, fails_in_row, reused, retried;
	uint64_t         bytes_in, bytes_out;
	int              fetches;	/* under way */
	bool             slow;		/* it fails by timing out: fail at once */
	int64_t          tried;		/* ms, when it failed or was tried again */
	unsigned long    by_class[6], buckets[ORIGIN_BUCKETS + 1];
	int64_t          total_us;
};

enum up_phase { UP_RESOLVING, UP_CONNECTING, UP_HEAD, UP_BODY, UP_IDLE };

struct upconn {
	struct watch   watch;		/* first: callbacks cast it back */
	struct timer   timer;
	struct task    task;
	struct origin *o;
	void (*ready)(struct upconn *u);	/* connected, or bytes, or room */
	void (*failed)(struct upconn *u, int status, const char *why);
	struct conn   *c;		/* the exchange it works for; NULL: idle */
	void          *user;		/* fetch.c's */
	struct upconn *next;
	struct pend    out, in;
	char          *view;		/* bytes of the read buffer not used yet */
	size_t         view_n;
	struct chunks  chunks;
	uint64_t       left;
	int64_t        since, sent_us;
	int            try, interim;
	enum up_phase  phase : 8;
	enum http_body body : 8;	/* of the answer */
	enum http_body asked : 8;	/* framing of the request body upstream */
	enum http_method method : 8;
	bool rd, wr, fin, dead, reused, rescan, wide, safe, req_done, keep;
	int            pipe[2];		/* splice: -1 when none */
	size_t         piped;
	size_t         head_n;
	char          *big;		/* a head larger than KEPT_HEAD */
	char           head[KEPT_HEAD];
};

/* A kept connection, or a new one on its way (fresh: never a kept one). The
 * caller sets .ready and .failed before anything else. NULL: out of memory. */
struct upconn *up_get(struct origin *o, bool fresh);
void up_connect(struct upconn *u);	/* (again); answers through relay_* */
/* Its pipe, made at need. False: no descriptors are left, so bytes are copied. */
bool up_pipe(struct upconn *u);
void up_keep(struct upconn *u);		/* back among the idle ones */
void up_close(struct upconn *u);
void up_timer(struct upconn *u, int64_t ms);

const char *origin_host(const struct origin *o);
void origin_count(struct origin *o, int status, int64_t us);

#endif
