/* etcd.h - calls to an etcd cluster (v3, its JSON gateway: etcd 3.4 and later)
 * SPDX-License-Identifier: Apache-2.0
 *
 * "etcd://[USER@]HOST[:PORT][,HOST[:PORT]...][/PREFIX][?password-file=PATH]",
 * etcds:// by TLS. The password is in that file, closed to all but its owner,
 * or in $LMC_ETCD_PASSWORD, and read whenever etcd wants it: never a word of
 * a command line.
 *
 * One call at a time. It goes to the endpoint that answered last; when that
 * one is not there, is silent or has no leader, to the next, each of them
 * once. A token that is missing or no longer taken is asked for anew.
 */
#ifndef ETCD_H
#define ETCD_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "json.h"

enum {
	ETCD_ENDPOINTS = 16,
	ETCD_SECRET = 512,	/* bytes of a password */
	ETCD_TOKEN  = 4096,
	ETCD_PREFIX = 512,	/* bytes, the "/" at its end included */
	ETCD_BODY   = 64 << 10,
	ETCD_WHY    = 240,
	ETCD_PORT   = 2379
};

struct etcd {
	/* the user's */
	struct client *client;
	int64_t timeout;		/* ms for a call, whoever answers it */
	size_t  max;			/* bytes of an answer */
	void   *ctx;
	/* from etcd_open() */
	struct addr at[ETCD_ENDPOINTS];
	int     n, now;			/* now: who is asked first */
	char    prefix[ETCD_PREFIX + 1];	/* ends with "/" */
	const char *headers[3];		/* for requests of the user's own */
	/* the call */
	struct buf body;		/* JSON, made by etcd_begin() and js_...() */
	int     exit;			/* EXIT_OK, or what went wrong: EXIT_NO, ... */
	int     status;			/* HTTP status, 0: no answer */
	struct json json;		/* the answer, when exit is EXIT_OK */
	char    why[ETCD_WHY];
	/* private */
	const char *user, *secret;	/* in the spec: name, and file */
	int     user_n, tried;
	bool    renewed;
	char    token[ETCD_TOKEN + 32];
	const char *path;
	void  (*answered)(struct etcd *e);
	struct buf login;
	struct client_req req;
};

/* Reads spec, which must outlive e; asks nobody. 0, or -1 with e->why. */
int  etcd_open(struct etcd *e, const char *spec);
void etcd_close(struct etcd *e);	/* ends a call that is under way */

void etcd_begin(struct etcd *e);	/* the body: an open '{' */
/* Closes the body and sends it. answered() may begin another call; e->json is
 * freed after it. */
void etcd_call(struct etcd *e, const char *path, void (*answered)(struct etcd *e));

/* Members of a body. */
void etcd_bytes(struct buf *b, const char *name, const char *p, size_t n);	/* base64 */
void etcd_range(const struct etcd *e, struct buf *b);	/* key, range_end: the prefix */
void etcd_number(struct buf *b, const char *name, int64_t v);	/* as a string */
/* An int64 of an answer, a string of digits; 0 where it is missing, as
 * protobuf leaves zeroes out, or is no number. */
int64_t etcd_int(const struct json *j, jv obj, const char *name);
/* What an answer, or one of a stream, says about its failure, as text that
 * can be printed; "" for none. Static. */
const char *etcd_said(const struct json *j, jv obj);

#endif
