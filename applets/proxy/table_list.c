/* table_list.c - lists of frontends and nodes: copied, searched, changed
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "table.h"

static char *dup_or_null(const char *s)
{
	return s ? strdup(s) : NULL;
}

static int node_copy(struct node *to, const struct node *from)
{
	*to = *from;
	to->name = dup_or_null(from->name);
	to->host = dup_or_null(from->host);
	to->port = dup_or_null(from->port);
	to->proxy_id = dup_or_null(from->proxy_id);
	if (to->name && (to->host || !from->host) && (to->port || !from->port))
		return 0;
	node_free(to);
	return -1;
}

int list_add(struct proxy *p, const struct node *nd)
{
	struct node *more = realloc(p->nodes, (size_t)(p->n + 1) * sizeof *more);

	if (!more)
		return -1;
	p->nodes = more;
	p->nodes[p->n++] = *nd;
	return 0;
}

int list_add_proxy(struct nodes *ns, const struct proxy *p)
{
	struct proxy *more = realloc(ns->proxies, (size_t)(ns->n + 1) * sizeof *more);

	if (!more)
		return -1;
	ns->proxies = more;
	ns->proxies[ns->n++] = *p;
	return 0;
}

static int proxy_copy(struct proxy *to, const struct proxy *from)
{
	struct node nd;

	*to = (struct proxy){ 0 };
	if (node_copy(&to->self, &from->self) < 0)
		return -1;
	for (int i = 0; i < PROXY_TEXTS; i++) {
		to->text[i] = dup_or_null(from->text[i]);
		if (!to->text[i] && from->text[i]) {
			proxy_free(to);
			return -1;
		}
	}
	for (int i = 0; i < from->n; i++) {
		if (node_copy(&nd, &from->nodes[i]) < 0 || list_add(to, &nd) < 0) {
			proxy_free(to);
			return -1;
		}
	}
	return 0;
}

int nodes_copy(struct nodes *to, const struct nodes *from)
{
	struct proxy p;

	*to = (struct nodes){ 0 };
	for (int i = 0; i < from->n; i++) {
		if (proxy_copy(&p, &from->proxies[i]) < 0 ||
		    list_add_proxy(to, &p) < 0) {
			nodes_free(to);
			return -1;
		}
	}
	return 0;
}

int list_node(const struct proxy *p, const char *name)
{
	for (int i = 0; i < p->n; i++)
		if (strcmp(p->nodes[i].name, name) == 0)
			return i;
	return -1;
}

void list_remove(struct proxy *p, int at)
{
	node_free(&p->nodes[at]);
	memmove(p->nodes + at, p->nodes + at + 1,
		(size_t)(--p->n - at) * sizeof *p->nodes);
}

void list_remove_proxy(struct nodes *ns, int at)
{
	proxy_free(&ns->proxies[at]);
	memmove(ns->proxies + at, ns->proxies + at + 1,
		(size_t)(--ns->n - at) * sizeof *ns->proxies);
}
