/* client.h - HTTP requests to others, many at once (libcurl's multi interface)
 * SPDX-License-Identifier: Apache-2.0
 *
 * For one-shots, fan-out and heartbeats; a proxied request goes by relay.h.
 * A request is the caller's struct, which lives until its done() returns.
 * Environment proxies, redirects, cookies and compression are not used, paths
 * go out as given, TLS is verified against the system's authorities (or the
 * file in $SSL_CERT_FILE, or the request's own).
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "url.h"

enum {
	CLIENT_PARALLEL = 64,	/* requests under way, unless told otherwise */
	CLIENT_SPARE    = 32,	/* descriptors that are not for requests */
	CLIENT_TYPE     = 96,	/* bytes of a Content-Type kept */
	CLIENT_WHY      = 256
};

enum client_end {
	CLIENT_ANSWER,		/* a whole answer came */
	CLIENT_REACH,		/* no connection */
	CLIENT_TIMEOUT,		/* no whole answer in time, or a stream was silent */
	CLIENT_BROKEN,		/* cut off, or not HTTP */
	CLIENT_LARGE,		/* the body is over max */
	CLIENT_STOPPED		/* the caller's read or write refused */
};

struct client_req {
	struct addr addr;
	const char *method;
	const char *target;		/* path and query, percent-encoded */
	const char *const *headers;	/* "Name: value" lines, NULL ends; or NULL */
	const char *body;		/* all of it; or NULL */
	size_t      body_n;
	/* Instead of body, a stream: fills p, returns bytes, 0 at the end or
	 * -1 to give up. upload is its length, -1: not known (chunked). again()
	 * goes back to the start when a kept connection was gone: 0 or -1. */
	long      (*read)(struct client_req *r, char *p, size_t n);
	int       (*again)(struct client_req *r);
	int64_t     upload;
	/* Takes the answer's body as it comes instead of .answer: 0 or -1. */
	int       (*write)(struct client_req *r, const char *p, size_t n);
	size_t      max;		/* ceiling of .answer */
	int64_t     timeout_ms;		/* for all of it; 0: none */
	int64_t     due;		/* clock_ms() when it is over, waiting for its
					 * turn included; 0: timeout_ms alone */
	/* A stream without an end of its own: over when nothing came for so
	 * long (whole seconds, from 1000); not counted among the parallel
	 * ones. 0: not a stream. */
	int64_t     silence_ms;
	const char *ca;			/* a file of authorities to trust instead; or NULL */
	/* The host that the certificate has to name instead of addr's, which
	 * BearSSL cannot look for where it is an IP literal; or NULL. */
	const char *cert_name;
	void      (*done)(struct client_req *r);	/* may add requests */
	void       *ctx;

	enum client_end end;
	int         status;		/* HTTP status, also while write() runs; 0: none */
	char        type[CLIENT_TYPE];	/* Content-Type or "" */
	char        why[CLIENT_WHY];	/* when end is not CLIENT_ANSWER */
	struct buf  answer;		/* done() takes it over, or frees it */
	int64_t     us;			/* from start to end */

	void *easy, *lines, *detour;		/* private from here */
	bool  whole_head;
	struct client *client;
	struct client_req *next;
};

struct client;

/* parallel is bounded by the descriptors that the system gives, the soft limit
 * of which is raised. NULL: out of memory. */
struct client *client_new(int parallel);
void client_add(struct client *c, struct client_req *r);
/* Runs what was added: 0 when nothing is left, 1 after ms (-1: no limit) or
 * when a signal came. Every request has done() called exactly once. */
int  client_run(struct client *c, int64_t ms);
int  client_left(const struct client *c);	/* requests not done yet */
/* Ends one request without done(): not from within its own callbacks. One that
 * is not under way is left alone. */
void client_stop(struct client *c, struct client_req *r);
/* From within a callback: client_run() returns 1 soon. */
void client_break(struct client *c);
void client_free(struct client *c);		/* ends what is left, no done() */

#endif
