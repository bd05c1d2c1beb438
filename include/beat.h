/* beat.h - telling a registry, again and again, that something is there
 * SPDX-License-Identifier: Apache-2.0
 *
 * A beat is one registry that is told. Its kind knows the protocol; when to
 * tell it (interval, jitter, back-off) is the same for all and lives in
 * beat.c. Requests go by a struct client that the user runs, so that any
 * number of registries are told at once; nothing in here blocks or prints.
 *
 * A new kind is one file, common/lmcache/beat_NAME.c, with one struct
 * beat_kind, and one row in beat.c's table.
 */
#ifndef BEAT_H
#define BEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "url.h"

enum {
	BEATS_MAX   = 32,		/* registries of one program */
	BEAT_ANSWER = 64 << 10,		/* bytes of a registry's answer */
	BEAT_URL    = 8 << 10,		/* of a registry's URL */
	BEAT_TARGET = 16 << 10,		/* of a request's path and query */
	BEAT_BODY   = 16 << 10,		/* of a request's body */
	BEAT_ID     = 255,		/* of the name a registry gives us */
	BEAT_VERSION = 128,		/* of a version that is passed on */
	BEAT_WHY    = 256
};

/* What is announced; the user's, and it may change between two beats. */
struct beat_facts {
	long        pid;
	const char *api;		/* "http://192.0.2.2:8200", "http://[2001:db8::1]:8200" */
	struct addr addr;		/* the same in parts */
	const char *version;
	const char *startup_time;	/* local, "2026-11-23T04:36:08.553483" */
	int         nodes_count;
	const char *id;			/* what a registry of names calls us: 1..BEAT_ID bytes */
};

/* How often; all in ms. */
struct beat_pace {
	int64_t interval;	/* 0: the kind's */
	int64_t ttl;		/* after which the registry forgets; 0: the kind's, or not known */
	int64_t timeout;	/* for one answer */
	int     jitter;		/* percent of the interval by which a beat may come early */
};

struct beat_kind;

struct beat {
	/* the user's */
	struct client *client;
	const struct beat_facts *facts;
	struct beat_pace pace;		/* filled up from the kind by beat_open() */
	const char  *token;		/* "Authorization: Bearer ..." or NULL */
	void       (*told)(struct beat *b);	/* after every beat, and after the end */
	void        *ctx;
	/* what is known */
	const struct beat_kind *kind;
	const char  *spec;		/* as the user gave it, for messages, without a
					 * password; not copied */
	int64_t      due;		/* clock_ms() scale: the next beat; 0: at once */
	bool         busy;		/* a beat, or the end, is under way */
	bool         ending;
	bool         listed;		/* the registry has an entry of ours, as far as we know */
	int          failures;		/* in a row */
	int          exit;		/* of the last beat: EXIT_OK, EXIT_NO, EXIT_DENIED,
					 * EXIT_REACH, EXIT_TIMEOUT */
	char         why[BEAT_WHY];	/* why it was not taken, or "" */
	/* the kind's */
	void        *state;		/* from open(); beat_close() frees it with free() */
	struct addr  addr;
	struct client_req req;		/* one at a time: beat_ask() */
	struct buf   target, body;	/* to build the request in, reset by beat_ask()'s caller */
	const char  *headers[4];
	char        *login;		/* a URL's user and password as token, and spec */
	void       (*answered)(struct beat *b);
	int64_t      began;
};

struct beat_kind {
	const char *name;		/* for messages: "registry", "coordinator", "etcd" */
	const char *scheme;		/* how its URLs begin; NULL: only by name */
	int64_t     interval, ttl;	/* its protocol's own; 0: none */
	/* Reads b->spec, asks nobody: 0, or -1 with b->why. */
	int  (*open)(struct beat *b);
	/* One beat. May take several requests, one after the other; ends in
	 * beat_done(), exactly once. */
	void (*beat)(struct beat *b);
	/* Takes the entry away; ends in beat_done(). NULL: it cannot be. Called
	 * only when b->listed. */
	void (*end)(struct beat *b);
	void (*close)(struct beat *b);	/* what free(b->state) leaves; or NULL */
};

extern const struct beat_kind beat_registry;	/* http(s)://, as lmcache_frontend */
extern const struct beat_kind beat_coordinator;	/* of LMCache's MP servers */
extern const struct beat_kind beat_etcd;	/* etcd://, etcds://: see etcd.h */

/* kind NULL: by the scheme of spec. 0, or -1 with b->why: the user's error,
 * which a pace that contradicts itself is too (beat_contradicts()). The
 * client may be missing for a mere check. */
int  beat_open(struct beat *b, const char *kind, const char *spec);
void beat_close(struct beat *b);	/* nothing of it is under way */

/* Starts the beat; only when !busy. The next one's due is set when it ends. */
void beat_send(struct beat *b);
/* Starts taking the entry away: false, there is nothing to be done. Only when
 * !busy. */
bool beat_end(struct beat *b);

/* A registry that forgets after ttl must hear at least twice in that time, so
 * that one lost beat costs nothing: NULL, or what is wrong (static buffer). */
const char *beat_contradicts(int64_t interval, int64_t ttl);
/* Until the next beat, after so many failures in a row: dice is any number.
 * After a success interval, up to jitter percent less. After a failure 1 s,
 * 2 s, 4 s, ... (less up to a quarter), at most the interval where a ttl must
 * be kept, else twice that. */
int64_t beat_delay(const struct beat_pace *p, int failures, uint32_t dice);

/* Now, as Python's datetime.now().isoformat() has it; CLOCK_TEXT bytes. */
char *beat_now(char *out);

/* ---- for the kinds ---- */

/* Reads "SCHEME://HOST[:PORT]" of b->spec into b->addr; *rest is what follows
 * ("/path?query", or ""). default_port is for schemes that are not http(s)'s.
 * 0, or -1 with b->why. */
int  beat_place(struct beat *b, int default_port, const char **rest);
/* Sends what is in b->target, and b->body if that is not empty (as JSON),
 * with b->token. answered() looks at b->req (end, status, answer). */
void beat_ask(struct beat *b, const char *method, void (*answered)(struct beat *b));
/* True for a whole 2xx answer; else b->exit and b->why are set. */
bool beat_taken(struct beat *b);
/* For an answer that is fine as HTTP goes but says no: 401/403 is EXIT_DENIED. */
void beat_refuse(struct beat *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The beat is over: b->exit and b->why tell how. */
void beat_done(struct beat *b);

#endif
