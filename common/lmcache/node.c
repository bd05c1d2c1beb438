/* node.c - one node: read, checked, kept in lists, written
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "node.h"
#include "node_make.h"

const char *const proxy_text_names[PROXY_TEXTS] = {
	"prefix", "way", "source", "stale_since", "why"
};

/* --- errors --- */

static const char *shown(const struct json *j, jv v)
{
	const char *p;
	size_t n;

	if (json_type(j, v) == JSON_ARRAY)
		return "an array";
	if (json_type(j, v) == JSON_OBJECT)
		return "an object";
	json_raw(j, v, &p, &n);
	return safe(p, n);
}

int node_wrong(const struct json *j, const struct field *f, const char *problem,
	       const char *why, struct node_error *e)
{
	e->line = e->column = 0;
	if (f->v >= 0)
		json_where(j, f->v, &e->line, &e->column);
	snprintf(e->what, sizeof e->what, "%s%s%s: %s%s%s%s%s", f->in,
		 *f->in && *f->key ? "." : "", f->key,
		 f->v >= 0 ? shown(j, f->v) : "", f->v >= 0 ? " " : "",
		 problem, why ? ": " : "", why ? why : "");
	return -1;
}

int node_missing(const struct json *j, const char *in, jv obj, const char *key,
		 struct node_error *e)
{
	json_where(j, obj, &e->line, &e->column);
	snprintf(e->what, sizeof e->what, "%s%s%s: missing", in,
		 *in ? "." : "", key);
	return -1;
}

int node_error(struct node_error *e, const char *fmt, ...)
{
	va_list ap;

	e->line = e->column = 0;
	va_start(ap, fmt);
	vsnprintf(e->what, sizeof e->what, fmt, ap);
	va_end(ap);
	return -1;
}

int node_json(struct json *j, const char *p, size_t n, unsigned flags,
	      struct node_error *e)
{
	struct json_error je;

	if (json_parse(j, p, n, NODES_TEXT, flags, &je) == 0)
		return 0;
	node_error(e, "%s", je.what);
	e->line = je.line;
	e->column = je.column;
	return -1;
}

/* --- one node --- */

static bool has_control(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	for (; *p; p++)
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
			return true;
	return false;
}

static bool is_utf8(const char *s)
{
	size_t n = strlen(s), step;

	for (; n; s += step, n -= step) {
		step = json_utf8(s, n);
		if (step == 0)
			return false;
	}
	return true;
}

static const char *text_problem(const char *s)
{
	if (strlen(s) > NODE_NAME)
		return "is longer than 255 bytes";
	if (!is_utf8(s))
		return "is not UTF-8";
	return has_control(s) ? "has a control character" : NULL;
}

const char *node_name_wrong(const char *s)
{
	if (!*s)
		return "is empty";
	if (strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return "is not a name";
	return text_problem(s);
}

/* Listening on every address means that one's own is among them. */
static void reachable(struct addr *a)
{
	if (strcmp(a->host, "0.0.0.0") == 0)
		memcpy(a->host, "127.0.0.1", sizeof "127.0.0.1");
	else if (strcmp(a->host, "::") == 0)
		memcpy(a->host, "::1", sizeof "::1");
}

static int settle_socket(struct node *nd, const struct json *j,
			 const struct field *port, struct node_error *e)
{
	const char *why = "a socket path begins with /";

	if (nd->port[0] != '/' || addr_parse(&nd->addr, nd->port, -1, &why) < 0)
		return node_wrong(j, port, "is not a socket", why, e);
	return 0;
}

static int settle_tcp(struct node *nd, const struct json *j,
		      const struct blame *b, struct node_error *e)
{
	int port = addr_port(nd->port, strlen(nd->port));
	const char *why;

	if (port < 0 || (port == 0 && !b->zero))
		return node_wrong(j, &b->port, "is not a port", NULL, e);
	if (addr_tcp(&nd->addr, nd->host, port, &why) < 0)
		return node_wrong(j, &b->host, "is not a host", why, e);
	reachable(&nd->addr);
	if (port == 0)
		memset(&nd->addr, 0, sizeof nd->addr);
	return 0;
}

int node_settle(struct node *nd, const struct json *j, const struct blame *b,
		struct node_error *e)
{
	const char *problem = node_name_wrong(nd->name);

	if (problem)
		return node_wrong(j, &b->name, problem, NULL, e);
	problem = text_problem(nd->host);
	if (problem)
		return node_wrong(j, &b->host, problem, NULL, e);
	problem = text_problem(nd->port);
	if (problem)
		return node_wrong(j, &b->port, problem, NULL, e);
	return strchr(nd->port, '/') ? settle_socket(nd, j, &b->port, e)
				     : settle_tcp(nd, j, b, e);
}

char *node_text(const struct json *j, const struct field *f, const char *number,
		struct node_error *e)
{
	enum json_type type = json_type(j, f->v);
	char *text;
	const char *p;
	size_t n;

	errno = 0;
	if (type == JSON_STRING) {
		text = json_dup(j, f->v);
		if (!text && errno != ENOMEM)
			node_wrong(j, f, "has a control character", NULL, e);
	} else if (type == JSON_NUMBER && number) {
		json_raw(j, f->v, &p, &n);
		text = strndup(p, n);
	} else {
		node_wrong(j, f, number ? number : "is not text", NULL, e);
		return NULL;
	}
	if (!text && errno == ENOMEM)
		node_error(e, "no memory for a node");
	return text;
}

/* A required field into *text, and where it is into *f. */
static int take(const struct json *j, const char *in, jv obj, const char *key,
		struct field *f, char **text, struct node_error *e)
{
	const char *number = strcmp(key, "port") == 0
		? "is neither a port nor a socket path" : NULL;

	*f = (struct field){ in, key, json_get(j, obj, key) };
	if (f->v < 0)
		return node_missing(j, in, obj, key, e);
	*text = node_text(j, f, number, e);
	return *text ? 0 : -1;
}

/* null and "" are none, as they are to the peer. */
static int take_proxy_id(const struct json *j, const char *in, jv obj,
			 char **text, struct node_error *e)
{
	struct field f = { in, "proxy_id", json_get(j, obj, "proxy_id") };
	const char *problem;

	if (f.v < 0 || json_type(j, f.v) == JSON_NULL || json_is(j, f.v, ""))
		return 0;
	*text = node_text(j, &f, NULL, e);
	if (!*text)
		return -1;
	problem = node_name_wrong(*text);
	return problem ? node_wrong(j, &f, problem, NULL, e) : 0;
}

int node_read(const struct json *j, const char *in, jv v, bool zero,
	      struct node *out, struct node_error *e)
{
	struct blame b = { .zero = zero };

	memset(out, 0, sizeof *out);
	if (json_type(j, v) != JSON_OBJECT)
		return node_wrong(j, &(struct field){ *in ? in : "node", "", v },
				  "is not an object with name, host and port",
				  NULL, e);
	if (take(j, in, v, "name", &b.name, &out->name, e) < 0
	    || take(j, in, v, "host", &b.host, &out->host, e) < 0
	    || take(j, in, v, "port", &b.port, &out->port, e) < 0
	    || take_proxy_id(j, in, v, &out->proxy_id, e) < 0)
		goto fail;
	out->port_number = json_type(j, b.port.v) == JSON_NUMBER;
	if (node_settle(out, j, &b, e) < 0)
		goto fail;
	return 0;
fail:
	node_free(out);
	return -1;
}

int node_parse(struct node *out, const struct json *j, jv v,
	       struct node_error *e)
{
	return node_read(j, "", v, false, out, e);
}

int node_make(struct node *nd, const char *name, const char *host,
	      const char *port, struct node_error *e)
{
	memset(nd, 0, sizeof *nd);
	nd->name = strdup(name);
	nd->host = strdup(host);
	nd->port = strdup(port);
	if (nd->name && nd->host && nd->port)
		return 0;
	node_free(nd);
	return node_error(e, "no memory for a node");
}

/* --- what nodes are put into --- */

/* Room for one more after n, in steps of powers of two. */
static void *grown(void *p, int n, size_t size)
{
	if (n & (n - 1))
		return p;
	return realloc(p, (n ? (size_t)n * 2 : 1) * size);
}

int proxy_append(struct proxy *p, const struct node *nd, struct node_error *e)
{
	struct node *nodes = grown(p->nodes, p->n, sizeof *nodes);

	if (!nodes)
		return node_error(e, "no memory for a node");
	p->nodes = nodes;
	p->nodes[p->n++] = *nd;
	return 0;
}

int nodes_append(struct nodes *ns, const struct node *self,
		 struct node_error *e)
{
	struct proxy *list = grown(ns->proxies, ns->n, sizeof *list);

	if (!list)
		return node_error(e, "no memory for a frontend");
	ns->proxies = list;
	list[ns->n++] = (struct proxy){ .self = *self };
	return 0;
}

int nodes_find(const struct nodes *ns, const char *name)
{
	int i;

	for (i = 0; i < ns->n; i++)
		if (strcmp(ns->proxies[i].self.name, name) == 0)
			return i;
	return -1;
}

int nodes_self(struct node *out, struct node_error *e)
{
	if (node_make(out, LOCAL_PROXY, "127.0.0.1", "0", e) < 0)
		return -1;
	out->port_number = true;
	return 0;
}

int nodes_local(struct nodes *ns, struct node_error *e)
{
	int i = nodes_find(ns, LOCAL_PROXY);
	struct node self;

	if (i >= 0)
		return i;
	if (nodes_self(&self, e) < 0)
		return -1;
	if (nodes_append(ns, &self, e) == 0)
		return ns->n - 1;
	node_free(&self);
	return -1;
}

/* --- written --- */

/* The object without its closing brace. */
static void print_open(const struct node *nd, struct buf *out)
{
	buf_puts(out, "{\"name\":");
	json_puts(out, nd->name);
	buf_puts(out, ",\"host\":");
	json_puts(out, nd->host);
	buf_puts(out, ",\"port\":");
	if (nd->port_number)
		buf_puts(out, nd->port);
	else
		json_puts(out, nd->port);
	if (nd->proxy_id) {
		buf_puts(out, ",\"proxy_id\":");
		json_puts(out, nd->proxy_id);
	}
}

int node_print(const struct node *nd, struct buf *out)
{
	print_open(nd, out);
	return buf_putc(out, '}');
}

void proxy_print_texts(const struct proxy *p, struct buf *out)
{
	for (int i = 0; i < PROXY_TEXTS; i++) {
		if (!p->text[i])
			continue;
		buf_printf(out, ",\"%s\":", proxy_text_names[i]);
		json_puts(out, p->text[i]);
	}
}

int nodes_print(const struct nodes *ns, struct buf *out)
{
	int i, k;

	buf_putc(out, '[');
	for (i = 0; i < ns->n; i++) {
		const struct proxy *p = &ns->proxies[i];

		if (i)
			buf_putc(out, ',');
		print_open(&p->self, out);
		proxy_print_texts(p, out);
		buf_puts(out, ",\"nodes\":[");
		for (k = 0; k < p->n; k++) {
			if (k)
				buf_putc(out, ',');
			node_print(&p->nodes[k], out);
		}
		buf_puts(out, "]}");
	}
	return buf_putc(out, ']');
}

/* --- freed --- */

void node_free(struct node *nd)
{
	free(nd->name);
	free(nd->host);
	free(nd->port);
	free(nd->proxy_id);
	memset(nd, 0, sizeof *nd);
}

void proxy_free(struct proxy *p)
{
	int i;

	for (i = 0; i < p->n; i++)
		node_free(&p->nodes[i]);
	for (i = 0; i < PROXY_TEXTS; i++)
		free(p->text[i]);
	free(p->nodes);
	node_free(&p->self);
	memset(p, 0, sizeof *p);
}

void nodes_free(struct nodes *ns)
{
	int i;

	for (i = 0; i < ns->n; i++)
		proxy_free(&ns->proxies[i]);
	free(ns->proxies);
	memset(ns, 0, sizeof *ns);
}
