/* node_make.h - what the readers of node lists share
 * SPDX-License-Identifier: Apache-2.0
 *
 * For common/lmcache/node*.c only; everyone else uses node.h. All of these
 * return 0, or -1 with *e.
 */
#ifndef NODE_MAKE_H
#define NODE_MAKE_H

#include "node.h"

struct field {
	const char *in;		/* "nodes[2]", or "" */
	const char *key;	/* "port", or "" for all of it */
	jv          v;
};

/* Whom to blame for a node that is wrong. */
struct blame {
	struct field name, host, port;
	bool         zero;	/* port 0 is not wrong: a frontend's own */
};

/* "nodes[2].port: 70000 PROBLEM: WHY", with its place; why may be NULL. -1. */
int node_wrong(const struct json *j, const struct field *f, const char *problem,
	       const char *why, struct node_error *e);
/* "nodes[2].port: missing", at the object. -1. */
int node_missing(const struct json *j, const char *in, jv obj, const char *key,
		 struct node_error *e);
/* Not about a place in a text. -1. */
int node_error(struct node_error *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

int node_json(struct json *j, const char *p, size_t n, unsigned flags,
	      struct node_error *e);
/* The field's string, malloc'd, else NULL. Where number is not NULL a number's
 * text is taken too, and it is what is said of a value of another type. */
char *node_text(const struct json *j, const struct field *f, const char *number,
		struct node_error *e);

/* Copies the texts; node_settle() checks them and fills in addr. */
int node_make(struct node *nd, const char *name, const char *host,
	      const char *port, struct node_error *e);
int node_settle(struct node *nd, const struct json *j, const struct blame *b,
		struct node_error *e);
int node_read(const struct json *j, const char *in, jv v, bool zero,
	      struct node *out, struct node_error *e);

/* Appending takes over what *nd and *self own, unless it fails; for lists that
 * were made by it alone, whose room it knows. */
int  proxy_append(struct proxy *p, const struct node *nd, struct node_error *e);
int  nodes_append(struct nodes *ns, const struct node *self, struct node_error *e);
/* The index of local_proxy, made if there is none; or -1. */
int  nodes_local(struct nodes *ns, struct node_error *e);

#endif
