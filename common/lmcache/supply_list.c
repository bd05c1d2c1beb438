/* supply_list.c - the lists that registries give, in all their shapes
 * SPDX-License-Identifier: Apache-2.0
 *
 * One malformed entry costs only itself. Addresses that a registry may not
 * name (threats.md T3, T13): sockets, and those of one link only, where clouds
 * keep their metadata.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "supply.h"

/* 169.254.0.0/16, fe80::/10 */
static bool one_link(const char *host)
{
	return !strncmp(host, "169.254.", 8) ||
	       (!strncmp(host, "fe", 2) && strspn(host + 2, "89ab") && strchr(host, ':'));
}

static void add(struct supply *s, const char *name, const struct addr *a,
		enum supply_what what, bool sockets)
{
	if (a->kind == ADDR_UNIX && !sockets)
		supply_bad(s, "%s: a registry may not name a socket", a->host);
	else if (one_link(a->host))
		supply_bad(s, "%s: an address of one link only", a->host);
	else
		supply_add(s, name, a, what);
}

void supply_address(struct supply *s, const char *name, const char *text,
		    enum supply_what what, bool sockets)
{
	const char *why;
	struct addr a;

	if (addr_parse(&a, text, -1, &why) < 0)
		supply_bad(s, "%s: %s", safe(text, strlen(text)), why);
	else
		add(s, name, &a, what, sockets);
}

/* {"processInfos":{"http://ip:port":{"lmCacheInfoEntities":[{"apiAddress"}]}}} */
static void read_infos(struct supply *s, const struct json *j, jv infos)
{
	jv v, list, e, at;
	char *text;

	for (v = json_first(j, infos); v >= 0; v = json_next(j, infos, v)) {
		list = json_get(j, v, "lmCacheInfoEntities");
		e = json_first(j, list);
		do {
			at = e < 0 ? json_key(j, v) : json_get(j, e, "apiAddress");
			text = json_dup(j, at);
			if (text)
				supply_address(s, NULL, text, SUPPLY_ANY, false);
			else
				supply_bad(s, "an entry without apiAddress");
			free(text);
		} while (e >= 0 && (e = json_next(j, list, e)) >= 0);
	}
}

/* {"instances":[{"instance_id","ip","http_port"}]} */
static void read_instances(struct supply *s, const struct json *j, jv list)
{
	char name[NODE_NAME + 8];
	const char *why = "without instance_id, ip and http_port";
	struct addr a;
	int64_t port;
	char *id, *ip;
	jv v;

	for (v = json_first(j, list); v >= 0; v = json_next(j, list, v)) {
		id = json_dup(j, json_get(j, v, "instance_id"));
		ip = json_dup(j, json_get(j, v, "ip"));
		snprintf(name, sizeof name, "mp_%s", id ? id : "");
		if (!id || !ip || json_int(j, json_get(j, v, "http_port"), &port) < 0 ||
		    port < 1 || port > 65535)
			supply_bad(s, "an instance without instance_id, ip and http_port");
		else if (addr_tcp(&a, ip, (int)port, &why) < 0)
			supply_bad(s, "%s: %s", safe(ip, strlen(ip)), why);
		else
			add(s, name, &a, SUPPLY_NODE, false);
		free(id);
		free(ip);
	}
}

/* A node list's entry, or an address by itself. A local_proxy is whoever wrote
 * the list: its nodes are entries themselves. */
static void read_entry(struct supply *s, const struct json *j, jv v, bool sockets)
{
	jv list = json_get(j, v, "children"), c, proxy = json_get(j, v, "is_proxy");
	struct node_error e;
	struct node nd;
	char *text;

	if (json_type(j, v) == JSON_STRING) {
		text = json_dup(j, v);
		supply_address(s, NULL, text ? text : "", SUPPLY_ANY, sockets);
		free(text);
		return;
	}
	if (list < 0)
		list = json_get(j, v, "nodes");
	if (json_is(j, json_get(j, v, "name"), LOCAL_PROXY)) {
		for (c = json_first(j, list); c >= 0; c = json_next(j, list, c))
			read_entry(s, j, c, sockets);
		return;
	}
	if (node_parse(&nd, j, v, &e) < 0) {
		supply_bad(s, "%s", e.what);
		return;
	}
	add(s, nd.name, &nd.addr, list >= 0 || json_true(j, proxy) ? SUPPLY_FRONTEND :
	    proxy >= 0 && json_type(j, proxy) == JSON_BOOL ? SUPPLY_NODE : SUPPLY_ANY, sockets);
	node_free(&nd);
}

int supply_read(struct supply *s, const char *p, size_t n, bool sockets,
		const char **why)
{
	static char text[SUPPLY_WHY];
	struct json_error e;
	struct json j;
	jv list = 0, v;

	*why = "neither a registry's list nor one of nodes";
	if (json_parse(&j, p, n, SUPPLY_TEXT, 0, &e) < 0) {
		snprintf(text, sizeof text, "line %d, column %d: %s", e.line, e.column,
			 e.what);
		*why = text;
		return -1;
	}
	if ((v = json_get(&j, 0, "processInfos")) >= 0) {
		read_infos(s, &j, v);
	} else if ((v = json_get(&j, 0, "instances")) >= 0) {
		read_instances(s, &j, v);
	} else {
		if (json_type(&j, 0) == JSON_OBJECT)
			list = json_get(&j, 0, "nodes");
		if (list < 0 || json_type(&j, list) != JSON_ARRAY) {
			json_free(&j);
			return -1;
		}
		for (v = json_first(&j, list); v >= 0; v = json_next(&j, list, v))
			read_entry(s, &j, v, sockets);
	}
	json_free(&j);
	return 0;
}
