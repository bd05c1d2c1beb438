/* node.c - fuzz: lists of nodes and configurations of plugins
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int holds)
{
	if (!holds)
		abort();
}

/* What a frontend relies on, whatever it was that was read. */
static void check_node(const struct node *nd, bool self)
{
	size_t len = strlen(nd->name);

	must(len > 0 && len <= NODE_NAME);
	must(strcmp(nd->name, ".") != 0 && strcmp(nd->name, "..") != 0);
	must(nd->addr.kind != ADDR_NONE || self);
	must(nd->addr.kind != ADDR_TCP || nd->addr.port > 0);
	must(nd->addr.kind != ADDR_UNIX || nd->addr.host[0] == '/');
	must(strcmp(nd->addr.host, "0.0.0.0") != 0 && strcmp(nd->addr.host, "::") != 0);
}

static void check(const struct nodes *ns)
{
	int i, k, leaves = 0;

	for (i = 0; i < ns->n; i++) {
		check_node(&ns->proxies[i].self, true);
		for (k = 0; k < ns->proxies[i].n; k++)
			check_node(&ns->proxies[i].nodes[k], false);
		leaves += ns->proxies[i].n;
	}
	must(leaves <= NODES_MAX);
}

/* A list that was written is read again, and written the same. */
static void same_again(const struct nodes *ns)
{
	struct buf first = BUF(1 << 24), second = BUF(1 << 24);
	struct node_error e;
	struct nodes again;

	must(nodes_print(ns, &first) == 0);
	must(nodes_parse(&again, first.p, first.len, &e) == 0);
	must(nodes_print(&again, &second) == 0);
	must(strcmp(first.p, second.p) == 0);
	nodes_free(&again);
	buf_free(&first);
	buf_free(&second);
}

static void take(int rc, struct nodes *ns, const struct node_error *e)
{
	if (rc < 0) {
		must(e->what[0] && ns->n == 0 && !ns->proxies);
		return;
	}
	check(ns);
	same_again(ns);
	nodes_free(ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct node_error e = { 0 };
	const char *text;
	struct nodes ns;
	int workers;

	if (n == 0 || n > 1 << 16)
		return 0;
	workers = data[0] % 8;
	text = (const char *)data + 1;
	take(nodes_parse(&ns, text, n - 1, &e), &ns, &e);
	memset(&e, 0, sizeof e);
	take(nodes_from_plugin(&ns, text, n - 1, workers, &e), &ns, &e);
	return 0;
}
