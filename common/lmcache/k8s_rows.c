/* k8s_rows.c - who is ready in an object of the Kubernetes API, and where
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "k8s_rows.h"
#include "node.h"
#include "url.h"

/* A wrong one costs only itself, and is told by its name. */
static void no_good(struct buf *rows, const char *name, const char *why)
{
	buf_printf(rows, "%s: %s%c%c", name ? safe(name, strlen(name)) : "an object", why,
		   '\0', '\0');
}

/* No names: what resolves to where is not for an address to say. */
static bool literal(const char *s, bool v6)
{
	return s && *s && !s[strspn(s, v6 ? "0123456789abcdefABCDEF:." : "0123456789.")];
}

static void row(struct buf *rows, const char *ns, const char *name, const char *host,
		int64_t port)
{
	bool v6 = host && strchr(host, ':');

	if (!literal(host, v6)) {
		no_good(rows, name, "without an IP address");
		return;
	}
	if (name && ns && strlen(ns) + 1 + strlen(name) <= NODE_NAME)
		buf_printf(rows, "%s_%s", ns, name);
	buf_printf(rows, v6 ? "%c[%s]:%d%c" : "%c%s:%d%c", '\0', host, (int)port, '\0');
}

/* The port of this name in a list of them, or without a name the only one:
 * 0, or -1. */
static int named_port(const struct json *j, jv list, const char *name, const char *member,
		      int64_t *port)
{
	for (jv v = json_first(j, list); v >= 0; v = json_next(j, list, v)) {
		if (name ? !json_is(j, json_get(j, v, "name"), name) : json_count(j, list) != 1)
			continue;
		if (json_int(j, json_get(j, v, member), port) == 0 && *port > 0 && *port < 65536)
			return 0;
	}
	return -1;
}

static int container_port(const struct json *j, jv spec, const char *name, int64_t *port)
{
	static const char *const of[] = { "containers", "initContainers" };
	jv list, v;

	for (int i = 0; i < 2; i++) {
		list = json_get(j, spec, of[i]);
		for (v = json_first(j, list); v >= 0; v = json_next(j, list, v))
			if (named_port(j, json_get(j, v, "ports"), name, "containerPort",
				       port) == 0)
				return 0;
	}
	return -1;
}

static int find_port(const struct k8s_want *w, const struct json *j, jv object, int64_t *port)
{
	int number = w->port ? addr_port(w->port, strlen(w->port)) : -1;

	*port = number;
	if (number >= 0)
		return 0;
	if (w->pods)
		return container_port(j, json_get(j, object, "spec"), w->port, port);
	return named_port(j, json_get(j, object, "ports"), w->port, "port", port);
}

static const char *const no_port = "no such port, or without a name not just one";

/* ---- the kinds of objects ---- */

static bool is_false(const struct json *j, jv v)
{
	const char *p;
	size_t n;

	if (v < 0)
		return false;
	json_raw(j, v, &p, &n);
	return *p == 'f';
}

static void endpoint(const struct json *j, jv e, int64_t port, struct buf *rows)
{
	jv is = json_get(j, e, "conditions"), target = json_get(j, e, "targetRef");
	char *ns, *name, *host;

	if (is_false(j, json_get(j, is, "ready")) || json_true(j, json_get(j, is, "terminating")))
		return;
	ns = json_dup(j, json_get(j, target, "namespace"));
	name = json_dup(j, json_get(j, target, "name"));
	host = json_dup(j, json_first(j, json_get(j, e, "addresses")));
	row(rows, ns, name, host, port);
	free(ns);
	free(name);
	free(host);
}

static void slice(const struct json *j, jv object, int64_t port, struct buf *rows)
{
	jv list = json_get(j, object, "endpoints");

	for (jv e = json_first(j, list); e >= 0; e = json_next(j, list, e))
		endpoint(j, e, port, rows);
}

static bool pod_ready(const struct json *j, jv object)
{
	jv list = json_get(j, json_get(j, object, "status"), "conditions"), v;
	jv ends = json_get(j, json_get(j, object, "metadata"), "deletionTimestamp");

	if (ends >= 0 && json_type(j, ends) != JSON_NULL)
		return false;
	for (v = json_first(j, list); v >= 0; v = json_next(j, list, v))
		if (json_is(j, json_get(j, v, "type"), "Ready"))
			return json_is(j, json_get(j, v, "status"), "True");
	return false;
}

static void pod(const struct json *j, jv object, const char *name, int64_t port,
		struct buf *rows)
{
	char *ns = json_dup(j, json_get(j, json_get(j, object, "metadata"), "namespace"));
	char *host = json_dup(j, json_get(j, json_get(j, object, "status"), "podIP"));

	row(rows, ns, name, host, port);
	free(ns);
	free(host);
}

void k8s_rows(const struct k8s_want *w, const struct json *j, jv object, struct buf *rows)
{
	char *name;
	int64_t port;

	if (w->pods ? !pod_ready(j, object)
		    : json_count(j, json_get(j, object, "endpoints")) < 1)
		return;
	name = json_dup(j, json_get(j, json_get(j, object, "metadata"), "name"));
	if (find_port(w, j, object, &port) < 0)
		no_good(rows, name, no_port);
	else if (w->pods)
		pod(j, object, name, port, rows);
	else
		slice(j, object, port, rows);
	free(name);
}
