/* node.h - the nodes a program knows, and reading them from JSON
 * SPDX-License-Identifier: Apache-2.0
 *
 * lmcache_frontend's model (protocol.md 7.2): a list of frontends ("proxies"),
 * each with its leaf nodes. A flat list becomes one frontend named
 * "local_proxy". Also read: the answers of /api/nodes in tree and flat form
 * ({"nodes":[…]}, with "children" or "nodes").
 */
#ifndef NODE_H
#define NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "json.h"
#include "url.h"

enum {
	NODE_NAME  = 255,	/* bytes of a name */
	NODES_MAX  = 4096,	/* leaf nodes in all (threats.md T13) */
	PROXIES_MAX = 1024,
	NODES_TEXT = 8 << 20	/* bytes of a list or a configuration */
};

struct node {
	char *name;		/* 1..NODE_NAME bytes UTF-8, no control, not "." or ".." */
	char *host, *port;	/* text as given; port may be a socket path */
	bool  port_number;	/* the port was a JSON number: written back so */
	struct addr addr;	/* where to connect: 0.0.0.0 and :: become loopback */
	char *proxy_id;		/* as given, or NULL */
	unsigned char state;	/* as its frontend told: 1 + enum origin_state; 0: not */
};

/* What is known of a frontend that was learned of, in lists under these names;
 * each NULL if not told. */
enum proxy_text {
	PROXY_PREFIX,	/* "prefix": what stands before /proxy2/NODE in a path on it:
			 * "/proxy2/rack1" for nodes of rack1 behind it */
	PROXY_WAY,	/* "way": ids of the frontends that lead there, nearest first */
	PROXY_SOURCE,	/* "source": the registry that names it */
	PROXY_STALE,	/* "stale_since": it does not answer, its nodes are as of before */
	PROXY_WHY,	/* "why" */
	PROXY_TEXTS
};
extern const char *const proxy_text_names[PROXY_TEXTS];

struct proxy {
	struct node self;	/* its own name, host, port */
	struct node *nodes;
	int n;
	char *text[PROXY_TEXTS];
};

struct nodes {
	struct proxy *proxies;
	int n;
};

struct node_error {
	int  line, column;	/* 0: not about a place in the text */
	char what[640];		/* "nodes[2].port: 70000 is not a port" */
};

#define LOCAL_PROXY "local_proxy"

/* Reads a list. Unknown fields are ignored, wrong ones refused: the message
 * names field and value. 0, or -1 with *e; *out is then empty.
 *
 * name, host and port are required. A port is a number or its digits, 1..65535,
 * or a socket's absolute path; host is then only text. An entry with "children"
 * or "nodes", or whose is_proxy is true, is a proxy; proxies do not nest. All
 * other entries belong to local_proxy. Two proxies of one name, or two nodes of
 * one name in a proxy, are refused.
 *
 * local_proxy is the reader itself. Where the list does not say its address
 * (host and port missing, or port 0) host is "127.0.0.1" and port "0", and
 * addr.kind is ADDR_NONE: the frontend fills in its own. */
int  nodes_parse(struct nodes *out, const char *p, size_t n, struct node_error *e);
/* One node from an object (as POST /api/nodes sends). */
int  node_parse(struct node *out, const struct json *j, jv v, struct node_error *e);
/* One proxy, with its "children" or "nodes" if there are any. */
int  proxy_parse(struct proxy *out, const struct json *j, jv v, struct node_error *e);
/* From the plugin environment's configuration (protocol.md 1.5-1.8): both
 * dialects; worker_count from its variable or 1. No node (out->n is 0) when
 * internal_api_server_enabled is not true. An empty include_index_list means
 * all, as it does to the server. */
int  nodes_from_plugin(struct nodes *out, const char *config, size_t n,
		       int worker_count, struct node_error *e);
/* Live sockets whose path begins with prefix ("/tmp/lmcache_internal_api_server/socket_"):
 * those that take a connection, or that only their permissions close to us.
 * Names are the file names, in numerical order. No directory: no node. */
int  nodes_from_sockets(struct nodes *out, const char *prefix, struct node_error *e);

/* ",\"prefix\":\"\",…": the texts that are there. */
void proxy_print_texts(const struct proxy *p, struct buf *out);
/* The tree as a list that nodes_parse reads: [{"name","host","port","nodes":[…]}] */
int  nodes_print(const struct nodes *ns, struct buf *out);
int  node_print(const struct node *nd, struct buf *out);	/* {"name","host","port"[,"proxy_id"]} */

/* NULL, or why this is no name: "is empty", "has a control character". */
const char *node_name_wrong(const char *s);

void node_free(struct node *nd);
void proxy_free(struct proxy *p);
void nodes_free(struct nodes *ns);

/* The frontend of this name: its index or -1. */
int  nodes_find(const struct nodes *ns, const char *name);
/* The frontend's own entry, without an address. 0, or -1 with *e. */
int  nodes_self(struct node *out, struct node_error *e);

#endif
