/* call.h - which nodes are meant, and asking them all at once
 * SPDX-License-Identifier: Apache-2.0
 *
 * The options every asking applet has (call_opts, for MORE()), the nodes they
 * stand for, and requests to many nodes at once. A request names its ways:
 * the same thing has other paths in other generations of LMCache, and the
 * first way that the node has is taken; what is learned about a node is kept
 * in its `gens`. Nothing is printed here; ask.h does.
 */
#ifndef CALL_H
#define CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "json.h"
#include "opt.h"
#include "url.h"

enum {
	CALL_ANSWER  = 64 << 20,	/* bytes of one answer */
	CALL_JSON_MAX = 16 << 20,	/* of one that is read as JSON: 20 bytes a value */
	CALL_PATH    = 64 << 10,	/* bytes of a path with its query */
	CALL_TOKEN   = 4096,
	CALL_TIMEOUT = 10000		/* ms */
};

/* Generations of a node's HTTP API (protocol.md 2 and 3). */
enum {
	GEN_EMBEDDED   = 1,	/* inside vLLM */
	GEN_MP1        = 2,	/* lmcache server: /api/... */
	GEN_MP2        = 4,	/* top level, /conf */
	GEN_MP3        = 8,	/* /cache/..., /config */
	GEN_CONTROLLER = 16,
	GEN_MP         = GEN_MP1 | GEN_MP2 | GEN_MP3,
	GEN_ALL        = GEN_EMBEDDED | GEN_MP | GEN_CONTROLLER
};

struct call_options {
	struct strs nodes;
	bool        all, quiet, no_headers;
	const char *list, *via, *token_file, *output, *color;
	int64_t     timeout;
	long        parallel;
};

extern struct call_options call_o;
extern const struct opt call_opts[];
extern const struct opt call_node_opts[];	/* without those about output */

struct call_node {
	char       *name;	/* as the list or the user has it */
	char       *where;	/* "/tmp/x.sock", "127.0.0.1:8080", "via http://f:8000" */
	struct addr addr;
	char       *prefix;	/* before every path: "" or "/proxy2/NAME" */
	char       *frontend;	/* as the list calls it; NULL: none, or its own node */
	bool        via;	/* behind a frontend */
	unsigned    gens;	/* what it may be, as far as is known */
	int         index;
};

struct call_nodes {
	struct call_node *node;
	int n;
	char *lacks;		/* frontends of a registry that do not answer, or NULL */
};

struct call_error {
	int  exit;		/* EXIT_USAGE, EXIT_REACH, ... */
	char what[800];
};

/* The nodes that the options mean: 0, or -1 with *e. changes: an applet that
 * changes something asks more than one node only when told so. */
int  call_resolve(struct call_nodes *out, bool changes, struct call_error *e);
/* All nodes of the list, whatever -n says. */
int  call_known(struct call_nodes *out, struct call_error *e);

/* Where --via is, which is given. 0, or -1 with *e. */
int  call_via(struct addr *a, struct call_error *e);

void call_nodes_free(struct call_nodes *ns);	/* of call_known() */

/* Reads --token-file, unless that was done: 0, or -1 with *e. */
int  call_read_token(struct call_error *e);
/* The header line "Authorization: Bearer ..." with the token of a file,
 * malloc'd; NULL with *e. */
char *call_bearer(const char *path, struct call_error *e);

/* One way to ask for something. A row without a path ends the list. */
struct way {
	unsigned    gens;	/* who has it */
	const char *method;
	const char *path;	/* "{}" is replaced by the call's arg, encoded */
	enum { WAY_ANY, WAY_QUERY, WAY_BODY } takes;	/* which of the two goes with it */
};

enum {
	CALL_JSON = 1,		/* the answer must be JSON: parsed into .json */
	CALL_TEXT = 2,		/* do not look for errors in a 200 body */
	CALL_PLAIN404 = 4,	/* a FastAPI 404 is just an answer: no other way is tried */
	CALL_WHOLE = 8,		/* waiting for its turn counts for the timeout */
	CALL_OBJECT = CALL_JSON | 16	/* JSON, and an object */
};

struct call {
	/* the caller's */
	struct call_node *node;
	const struct way *ways;
	const char *arg, *query;	/* query percent-encoded, without "?" */
	const char *body;
	size_t      body_n;
	const char *type;		/* of the body; NULL: application/json */
	const char *const *headers;	/* more of them, or NULL */
	long      (*read)(struct client_req *r, char *p, size_t n);	/* client.h */
	int       (*again)(struct client_req *r);
	int       (*write)(struct client_req *r, const char *p, size_t n);
	int64_t     upload, timeout_ms;	/* timeout 0: --timeout */
	size_t      max;		/* 0: CALL_ANSWER */
	unsigned    flags;
	void      (*done)(struct call *c);
	void       *ctx;
	/* what came */
	int         exit;		/* EXIT_OK, EXIT_NO, EXIT_REACH, ... */
	int         status;		/* HTTP, 0: none */
	char       *error;		/* for people and for JSON; NULL: none */
	bool        missing;		/* the node has no such endpoint */
	const struct way *way;		/* the one that answered */
	struct buf  answer;
	char        ctype[CLIENT_TYPE];
	struct json json;		/* with CALL_JSON and exit EXIT_OK (or a parsable error) */
	bool        parsed;
	int64_t     us;
	/* private */
	struct client_req req;
	struct buf  target, content;
	const char *lines[8];
	int64_t     started;
};

void call_start(struct call *c);
/* Runs what was started: 0, or 1 after ms or a signal (-1: no limit). */
int  call_run(int64_t ms);
int  call_left(void);
/* What calls go by, for other requests that wait beside them: call_run() runs
 * those too. */
struct client *call_client(void);
/* Frees what came; the struct may be used again. */
void call_free(struct call *c);
/* For an applet that finds more to say against an answer than HTTP does. */
void call_fail(struct call *c, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "worker0 (/tmp/x.sock)", or the name alone where they are the same; static. */
const char *call_who(const struct call_node *n);

/* Appends "key=value" to a query, "&" before it if there is something. */
int call_param(struct buf *query, const char *key, const char *value);

#endif
