/* server.h - the serving side of HTTP/1.1, for every lmc server
 * SPDX-License-Identifier: Apache-2.0
 *
 * A connection costs one slot (under 400 bytes) while idle; buffers are lent
 * from a pool only while bytes wait in them. One exchange is one request with
 * its answer; answers leave in the order of the requests. The handler is
 * called with the head parsed; it answers at once, later, or hands the
 * exchange to relay.h.
 */
#ifndef SERVER_H
#define SERVER_H

#include "buf.h"
#include "http.h"
#include "loop.h"
#include "net.h"

struct exchange;

/* Ceilings and deadlines; times in milliseconds. */
struct limits {
	long    connections;		/* in all; over it: 503 and close */
	long    per_address;		/* of one client address; over it: 429. 0: no limit */
	int64_t head_ms;		/* a request head, from its first byte (10 s) */
	int64_t idle_ms;		/* between requests (15 s) */
	int64_t body_idle_ms;		/* between two pieces of a request body (30 s) */
	int64_t write_ms;		/* a client that takes no byte of its answer (30 s) */
	int64_t grace_ms;		/* after SIGTERM (10 s) */
};
#define LIMITS_DEFAULT { \
	.connections = 10000, .per_address = 0, .head_ms = 10000, \
	.idle_ms = 15000, .body_idle_ms = 30000, .write_ms = 30000, \
	.grace_ms = 10000 \
}

struct server {
	const struct limits *limits;
	void (*on_request)(struct exchange *x);
	void (*on_done)(struct exchange *x);	/* NULL, or after each answer: for the access log */
	void  *ctx;
	/* counters, read by anyone */
	unsigned long accepted, refused, requests;
	long          open, active;		/* connections; exchanges under way */
	bool          draining;
	void (*on_drained)(struct server *s);
};

struct listener {
	struct watch   watch;
	struct timer   timer;
	struct server *server;
	struct addr    addr;		/* as bound */
	bool           trusted;		/* loopback or UNIX socket */
};

int  server_listen(struct server *s, struct listener *l, const struct addr *a);
int  server_listen_fd(struct server *s, struct listener *l, int fd);
void server_unlisten(struct listener *l);	/* closes; a UNIX path is unlinked */
/* No new requests; on_drained when the last exchange ended or grace is over. */
void server_drain(struct server *s);

struct exchange {
	struct server     *server;
	struct listener   *listener;
	struct conn       *conn;
	struct http_head  *req;		/* valid only until on_request returns */
	enum http_method   method;
	void              *data;	/* the handler's */
	void              *note;	/* the server's user's, kept until on_done */
	int                tag;		/* likewise; 0 until set */
	void (*on_abort)(struct exchange *x);	/* the client is gone before the answer; x dies after it */
	int      status;		/* answered, 0 until then */
	int64_t  start_us;
	uint64_t bytes_in, bytes_out;	/* body bytes */
};

/* The client's address as text ("127.0.0.1", "unix"); static buffer. */
const char *exchange_peer(const struct exchange *x);
/* The same as 16 bytes, IPv6 or mapped; all zeroes: a UNIX socket. */
const unsigned char *exchange_source(const struct exchange *x);
const char *source_text(const unsigned char *source);

/* Gathers the request body, then calls on_body once. Over max: 413. No body:
 * n is 0. The bytes live until on_body returns. */
void exchange_body(struct exchange *x, size_t max,
		   void (*on_body)(struct exchange *x, char *p, size_t n));

/* Before an answer: one more header line of it ("Name: value", no CRLF).
 * Up to 1 KiB in all. */
void reply_header(struct exchange *x, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A whole answer. The bytes are copied unless the socket takes them at once.
 * A body not yet read from the client is drained (bounded) or the connection
 * closed. HEAD, 204 and 304 send no body by themselves. */
void reply(struct exchange *x, int status, const char *type, const void *p, size_t n);
void reply_static(struct exchange *x, int status, const char *type, const void *p, size_t n); /* p lives for ever */
void reply_detail(struct exchange *x, int status, const char *fmt, ...)	/* {"detail":"…"} */
	__attribute__((format(printf, 3, 4)));

/* An answer in pieces: length -1 is chunked. reply_write returns the bytes
 * now waiting for a slow client, or -1 if the exchange is gone. on_room is
 * called when they are out. */
void reply_start(struct exchange *x, int status, const char *type, int64_t length);
long reply_write(struct exchange *x, const void *p, size_t n);
void reply_room(struct exchange *x, void (*on_room)(struct exchange *x));
void reply_end(struct exchange *x);

/* For simulated faults: bytes as they are, then the connection ends, by FIN
 * or (reset) by RST. */
void reply_raw(struct exchange *x, const void *p, size_t n, bool reset);

#endif
