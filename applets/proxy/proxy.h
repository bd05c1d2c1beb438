/* proxy.h - the frontend's parts to each other
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef PROXY_H
#define PROXY_H

#include "node.h"
#include "opt.h"
#include "relay.h"
#include "server.h"

enum role { VIEWER, OPERATOR, ADMIN, NOBODY };
extern const char *const role_names[];

/* ---- routes.c: the front door ---- */

struct door {
	bool        insecure;		/* --insecure-allow-all */
	struct strs public_hosts;	/* --public-host */
};
extern struct door door;

void routes_serve(struct exchange *x);	/* server's on_request */
/* What the client of this exchange may do. */
enum role routes_role(const struct exchange *x);
/* An admin's own request: routes_allow would say yes to everything. */
bool routes_unlimited(const struct exchange *x);
/* True, or it has answered 403. */
bool routes_allow(struct exchange *x, enum role least);

/* ---- roles.c: what a node's own API costs ---- */

/* The role a request to a node needs: path as decoded once, query raw. Paths
 * that two readers could read in two ways need ADMIN. */
enum role node_role(enum http_method m, const char *path, size_t n,
		    struct span query);

/* ---- table.c: the nodes, as they are now ---- */

struct leaf {
	struct node   *node;		/* name, host, port as given */
	struct origin *origin;		/* how it is reached; NULL for local_proxy */
	int            proxy;		/* index of its frontend */
	bool           is_proxy;	/* the frontend itself */
	bool           doubled;		/* another one has this name as well */
};

/* Takes over *base. With a state file, the changes made through the API are
 * read from it and laid over the base. A damaged one is renamed and logged; one
 * that cannot be read stays where it is. 0, or -1 with *e. */
int  table_open(struct nodes *base, const char *state_file,
		const struct relay_limits *limits, struct node_error *e);
/* local_proxy is shown at the address the frontend listens on. */
void table_self(const struct addr *a);
const struct nodes *table_nodes(void);
const struct leaf *table_find(const char *name, size_t n);	/* the first: leaf, then frontend */
const struct leaf *table_in(const char *proxy, size_t pn, const char *name, size_t n);
const struct leaf *table_proxy(const char *name, size_t n);
/* A registered node with this host and port (text), or this socket path. */
const struct leaf *table_at(const char *host, const char *port);
int  table_leaves(void);	/* how many */
void table_who(const struct leaf *l, struct buf *b);	/* "FRONTEND/NODE" or "FRONTEND" */
/* The path on the leaf's origin that stands for it, up to the node's own: ""
 * for nodes of our own. */
void table_path(const struct leaf *l, struct buf *b);

/* Changes: 0, or -1 with *status (404, 409, 503) and *why a static phrase.
 * What is passed in is taken over on success. */
int table_add_node(const char *proxy, struct node *nd, int *status, const char **why);
int table_add_proxy(struct proxy *p, int *status, const char **why);
int table_replace(const char *name, struct node *nd, int *status, const char **why);
int table_delete(const char *name, int *status, const char **why);

/* Leaf or frontend i of all, or NULL behind the last. */
const struct leaf *table_any(int i);
/* A new base under the changes made through the API. 0 or -1. */
int table_rebase(struct nodes *base, struct node_error *e);
/* After every change of the table, whoever made it. */
void table_on_change(void (*on)(void));

/* ---- united.c: frontends and nodes that registries name ---- */

struct united_conf {
	struct strs suppliers, coordinators, registries;
	int64_t     interval;		/* ms */
};
/* Dies when a source is no good. */
void united_init(const struct united_conf *c);
void united_start(void);
bool united_sourced(void);	/* there is a source */
/* table_open() with the configured list. */
int  united_open(struct nodes *ns, const char *state_file,
		 const struct relay_limits *limits, struct node_error *e);
/* Another configured list, taken over; what was learned is laid beside it. 0 or -1. */
int  united_configure(struct nodes *ns, struct node_error *e);
const char *united_id(void);	/* this frontend's, for loops to be seen */
void united_sources(struct buf *b);	/* JSON list of the sources and their states */
int  united_left_out(void);	/* nodes over the limits */
/* Asks them all now; then() when they have told, or in 5 s. */
void united_refresh(struct exchange *x, void (*then)(struct exchange *x));
void united_stats(struct buf *b);	/* exposition */

/* ---- health.c ---- */

void health_start(int64_t interval_ms);	/* 0: no probes */

/* ---- access.c: the access log ---- */

enum access_form { ACCESS_OFF, ACCESS_TEXT, ACCESS_JSON };

/* file NULL: stderr. 0, or -1 with errno. */
int  access_open(enum access_form form, const char *file);
int  access_reopen(void);
void access_begin(struct exchange *x);
void access_node(struct exchange *x, const char *node);
void access_done(struct exchange *x);
unsigned long access_dropped(void);

/* ---- scrape.c: merged metrics ---- */

struct scrape_conf {
	const char *node_label;		/* "node" */
	bool        underscore;		/* ':' in names becomes '_' */
};
void scrape_init(const struct scrape_conf *c);
void scrape_get(struct exchange *x);

/* ---- sd.c: the nodes as Prometheus's targets ---- */

struct sd_conf {
	const char *node_label;
	const char *target;	/* HOST:PORT of this frontend, or NULL: as asked */
	const char *file;	/* kept up to date, or NULL */
};
/* Writes the file, now and after every change. listening is our first TCP
 * address, or NULL. 0, or -1 with errno; EDESTADDRREQ: no target is known. */
int  sd_init(const struct sd_conf *c, const struct addr *listening);
void sd_get(struct exchange *x);

/* ---- stats.c: the frontend's own metrics ---- */

void stats_done(struct exchange *x, int route);
void stats_print(struct buf *b, const struct server *s);	/* exposition */
void stats_get(struct exchange *x);
/* NAME{KEY="VALUE"} N */
void stats_sample(struct buf *b, const char *name, const char *key, const char *value,
		  int n);

/* ---- routes.c again ---- */

void routes_done(struct exchange *x);	/* server's on_done */
const char *routes_path(int route);	/* from 1; NULL behind the last */
bool routes_gzip(const struct exchange *x);	/* the client takes gzip */

/* ---- replace.c: handing the sockets to a new binary ---- */

/* Descriptors handed to us (LISTEN_FDS, sd_listen_fds(3)): how many, from 3. */
int  replace_inherited(void);
void replace_init(void (*on_ready)(void));
/* Starts the binary anew with these listening descriptors; on_ready when it
 * serves. 0, or -1 with errno. */
int  replace_start(const int *fds, int n);
/* Tells whoever started us that we serve: the replaced process, systemd. */
void replace_ready(void);
bool replace_replacing(void);	/* we are the new process */
void replace_ending(void);
void replace_reloading(bool begins);

/* ---- heartbeat.c: announced to registries ---- */

struct heartbeat_conf {
	struct strs urls;
	int64_t     delay, interval;	/* ms */
	const char *report_host, *token;	/* or NULL; token: its file */
	const char *log_level;		/* the helper's */
};
/* Dies when a URL is no good. l: where we listen, the first is asked by the
 * helper. */
void heartbeat_init(const struct heartbeat_conf *c, const struct listener *l, int n);
void heartbeat_start(void);	/* if there is a URL */
void heartbeat_get(struct exchange *x);
void heartbeat_start_post(struct exchange *x);
void heartbeat_stop_post(struct exchange *x);

/* ---- api.c for other handlers ---- */

void api_send(struct exchange *x, struct buf *b);	/* 200, JSON; frees b */
/* {"status":"success","message":what} */
void api_say(struct exchange *x, const char *what);
/* A body is needed: without one and without a length it is 411. */
void api_body(struct exchange *x, size_t max,
	      void (*on_body)(struct exchange *, char *, size_t));
/* Parses a body; answers 400 and returns -1 when it is no JSON object. */
int  api_json(struct exchange *x, struct json *j, const char *p, size_t n);

/* ---- handlers ---- */

void forward_proxy2(struct exchange *x);
void forward_proxy(struct exchange *x);

void api_nodes_get(struct exchange *x);
void api_done(struct exchange *x);	/* gives back what it kept */
void api_nodes_post(struct exchange *x);
void api_node_put(struct exchange *x);
void api_node_delete(struct exchange *x);
void api_proxies_get(struct exchange *x);
void api_proxies_post(struct exchange *x);
void api_proxy_nodes_get(struct exchange *x);
void api_proxy_nodes_post(struct exchange *x);
void api_proxy_refresh(struct exchange *x);

#endif
