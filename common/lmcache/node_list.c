/* node_list.c - lists of nodes in lmcache_frontend's JSON
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "node_make.h"
#include "relay.h"

enum { PATH_TEXT = 64 };	/* "nodes[1023].children[4095]" */

/* What a list is read into, with the names met so far. */
struct reading {
	const struct json *j;
	struct nodes      *out;
	struct node_error *e;
	struct seen {
		uint32_t    hash;	/* of the name; compared first */
		int         proxy;
		const char *name;
	} *seen;
	int n;
	int local;	/* a local_proxy made for lone nodes, or -1 */
};

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	while (*s)
		h = (h ^ (unsigned char)*s++) * 16777619u;
	return h;
}

/* Is the name new in its proxy? Then it is remembered. */
static bool unseen(struct reading *r, int proxy, const char *name)
{
	struct seen s = { hash(name), proxy, name };
	int i;

	for (i = 0; i < r->n; i++)
		if (r->seen[i].hash == s.hash && r->seen[i].proxy == proxy
		    && strcmp(r->seen[i].name, name) == 0)
			return false;
	r->seen[r->n++] = s;
	return true;
}

/* "children" of the tree, "nodes" of the list it came from; -1 if none. */
static jv children(const struct json *j, jv v, const char **key)
{
	jv c;

	*key = "children";
	c = json_get(j, v, "children");
	if (c < 0) {
		*key = "nodes";
		c = json_get(j, v, "nodes");
	}
	return c;
}

/* 1, 0, or -1 with the error. */
static int is_proxy(struct reading *r, const char *in, jv v)
{
	struct field f = { in, "is_proxy", json_get(r->j, v, "is_proxy") };
	enum json_type type = f.v < 0 ? JSON_NULL : json_type(r->j, f.v);
	const char *key;

	if (type != JSON_NULL && type != JSON_BOOL)
		return node_wrong(r->j, &f, "is neither true nor false", NULL,
				  r->e);
	return json_true(r->j, f.v) || children(r->j, v, &key) >= 0;
}

static int too_many(struct reading *r, const char *in, jv v, int limit)
{
	char why[32];

	snprintf(why, sizeof why, "the limit is %d", limit);
	return node_wrong(r->j, &(struct field){ in, "", v }, "is one too many",
			  why, r->e);
}

static unsigned char state_of(const struct json *j, jv v)
{
	for (unsigned char i = ORIGIN_UNKNOWN; i <= ORIGIN_DOWN; i++)
		if (json_is(j, v, origin_state_names[i]))
			return i + 1;
	return 0;
}

static int read_leaf(struct reading *r, int proxy, const char *in, jv v)
{
	struct node nd;

	if (r->n == NODES_MAX)
		return too_many(r, in, v, NODES_MAX);
	if (node_read(r->j, in, v, false, &nd, r->e) < 0)
		return -1;
	nd.state = state_of(r->j, json_get(r->j, v, "state"));
	if (!unseen(r, proxy, nd.name)) {
		struct field f = { in, "name", json_get(r->j, v, "name") };

		node_free(&nd);
		return node_wrong(r->j, &f, "is the name of a node before it",
				  NULL, r->e);
	}
	if (proxy_append(&r->out->proxies[proxy], &nd, r->e) == 0)
		return 0;
	node_free(&nd);
	return -1;
}

/* An empty list below a leaf is what some frontends write: no nesting. */
static int check_leaf(struct reading *r, const char *in, jv v)
{
	const char *key;
	jv list = children(r->j, v, &key);
	int rc = is_proxy(r, in, v);

	if (rc <= 0)
		return rc;
	if (!json_true(r->j, json_get(r->j, v, "is_proxy"))
	    && (json_type(r->j, list) == JSON_NULL
		|| (json_type(r->j, list) == JSON_ARRAY
		    && json_count(r->j, list) == 0)))
		return 0;
	return node_wrong(r->j, &(struct field){ in, "", v },
			  "is a frontend inside a frontend", NULL, r->e);
}

static int read_children(struct reading *r, int proxy, const char *in, jv v)
{
	char at[PATH_TEXT];
	const char *key;
	jv list = children(r->j, v, &key), c;
	int i = 0;

	if (list < 0 || json_type(r->j, list) == JSON_NULL)
		return 0;
	if (json_type(r->j, list) != JSON_ARRAY)
		return node_wrong(r->j, &(struct field){ in, key, list },
				  "is not a list of nodes", NULL, r->e);
	for (c = json_first(r->j, list); c >= 0; c = json_next(r->j, list, c)) {
		snprintf(at, sizeof at, "%s%s%s[%d]", in, *in ? "." : "", key,
			 i++);
		if (check_leaf(r, at, c) < 0 || read_leaf(r, proxy, at, c) < 0)
			return -1;
	}
	return 0;
}

/* The frontend's own name and address. */
static int read_self(struct reading *r, const char *in, jv v, struct node *out)
{
	const struct json *j = r->j;
	bool local = json_is(j, json_get(j, v, "name"), LOCAL_PROXY);

	if (local && json_get(j, v, "host") < 0 && json_get(j, v, "port") < 0)
		return nodes_self(out, r->e);
	return node_read(j, in, v, local, out, r->e);
}

/* Where a frontend of this name goes; -1 with the error. A local_proxy that
 * nodes before it brought about, without an address, becomes this one. */
static int place(struct reading *r, const char *in, jv v, struct node *self)
{
	int i = nodes_find(r->out, self->name);
	struct field f = { in, "name", json_get(r->j, v, "name") };

	if (i < 0)
		return nodes_append(r->out, self, r->e) < 0 ? -1 : r->out->n - 1;
	if (i != r->local)
		return node_wrong(r->j, &f, "is the name of a frontend before "
				  "it", NULL, r->e);
	r->local = -1;
	node_free(&r->out->proxies[i].self);
	r->out->proxies[i].self = *self;
	return i;
}

/* "" or "/proxy2/A/proxy2/B", each a name percent-encoded as url_encode() does. */
static bool is_prefix(const char *p)
{
	static const char step[] = "/proxy2/";
	char name[3 * NODE_NAME + 1];

	while (!strncmp(p, step, sizeof step - 1)) {
		size_t n = strcspn(p += sizeof step - 1, "/");
		long got = n < sizeof name ? url_decode(p, n, name) : -1;

		if (got <= 0 || got > NODE_NAME)
			return false;
		name[got] = '\0';
		if (node_name_wrong(name))
			return false;
		for (; n; p++, n--)
			if (*p <= ' ' || *p == '?' || *p == '#' || *p >= 0x7f)
				return false;
	}
	return !*p;
}

static int read_texts(struct reading *r, const char *in, jv v, char **text)
{
	for (int i = 0; i < PROXY_TEXTS; i++) {
		struct field f = { in, proxy_text_names[i],
				   json_get(r->j, v, proxy_text_names[i]) };

		if (f.v < 0 || json_type(r->j, f.v) != JSON_STRING)
			continue;
		free(text[i]);
		text[i] = node_text(r->j, &f, NULL, r->e);
		if (!text[i])
			return -1;
		if (i == PROXY_PREFIX && !is_prefix(text[i]))
			return node_wrong(r->j, &f, "is no row of /proxy2/NAME",
					  NULL, r->e);
	}
	return 0;
}

static int read_proxy(struct reading *r, const char *in, jv v)
{
	struct node self;
	int at;

	if (r->out->n >= PROXIES_MAX)
		return too_many(r, in, v, PROXIES_MAX);
	if (read_self(r, in, v, &self) < 0)
		return -1;
	at = place(r, in, v, &self);
	if (at < 0) {
		node_free(&self);
		return -1;
	}
	if (read_texts(r, in, v, r->out->proxies[at].text) < 0)
		return -1;
	return read_children(r, at, in, v);
}

static int read_entry(struct reading *r, const char *in, jv v)
{
	int rc = is_proxy(r, in, v), local;

	if (rc < 0)
		return -1;
	if (rc)
		return read_proxy(r, in, v);
	local = nodes_find(r->out, LOCAL_PROXY);
	if (local < 0)
		r->local = local = nodes_local(r->out, r->e);
	return local < 0 ? -1 : read_leaf(r, local, in, v);
}

/* A list, {"nodes":[…]} around it, or one frontend by itself. */
static int read_root(struct reading *r)
{
	char at[PATH_TEXT];
	jv list = 0, v;
	int i = 0;

	if (json_type(r->j, 0) == JSON_OBJECT) {
		if (json_get(r->j, 0, "name") >= 0)
			return read_proxy(r, "", 0);
		list = json_get(r->j, 0, "nodes");
		if (list < 0)
			return node_missing(r->j, "", 0, "nodes", r->e);
	}
	if (json_type(r->j, list) != JSON_ARRAY)
		return node_wrong(r->j, &(struct field){ "nodes", "", list },
				  "is not a list of nodes", NULL, r->e);
	for (v = json_first(r->j, list); v >= 0; v = json_next(r->j, list, v)) {
		snprintf(at, sizeof at, "nodes[%d]", i++);
		if (read_entry(r, at, v) < 0)
			return -1;
	}
	return 0;
}

static int start(struct reading *r, const struct json *j, struct nodes *out,
		 struct node_error *e)
{
	*r = (struct reading){ .j = j, .out = out, .e = e, .local = -1 };
	memset(out, 0, sizeof *out);
	r->seen = malloc(NODES_MAX * sizeof *r->seen);
	return r->seen ? 0 : node_error(e, "no memory for a list of nodes");
}

int nodes_parse(struct nodes *out, const char *p, size_t n,
		struct node_error *e)
{
	struct reading r;
	struct json j;
	int rc = -1;

	memset(out, 0, sizeof *out);
	if (node_json(&j, p, n, 0, e) < 0)
		return -1;
	if (start(&r, &j, out, e) == 0)
		rc = read_root(&r);
	if (rc < 0)
		nodes_free(out);
	free(r.seen);
	json_free(&j);
	return rc;
}

int proxy_parse(struct proxy *out, const struct json *j, jv v,
		struct node_error *e)
{
	struct reading r;
	struct nodes one;
	int rc = -1;

	memset(out, 0, sizeof *out);
	if (start(&r, j, &one, e) == 0)
		rc = read_proxy(&r, "", v);
	free(r.seen);
	if (rc < 0) {
		nodes_free(&one);
		return -1;
	}
	*out = one.proxies[0];
	free(one.proxies);
	return 0;
}

