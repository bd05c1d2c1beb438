/* source.h - where the list of nodes comes from (design.md, "The command line")
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first of these that is there decides:
 *   --nodes, --config, $LMC_NODES          (an empty list is an answer)
 *   the plugin environment: the file LMCACHE_RUNTIME_PLUGIN_CONFIG_FILE names,
 *     LMCACHE_RUNTIME_PLUGIN_CONFIG or else LMCACHE_PLUGIN_CONFIG, with …_WORKER_COUNT
 *   $XDG_CONFIG_HOME/lmc/nodes.json (or ~/.config), /etc/lmc/nodes.json
 *   the live sockets under the default prefix
 * and from the plugin environment on the first that has any node. A variable
 * that is set but empty is not set. A default file need not be there; whatever
 * is there and wrong is an error, never passed over.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "node.h"

struct source {
	const char *nodes;	/* --nodes JSON (begins with [ or {) or a FILE, or NULL */
	const char *config;	/* --config FILE, or NULL */
};

enum { SOURCE_FILE_MAX = 8 << 20 };	/* bytes of a node list */

#define SOURCE_SOCKETS "/tmp/lmcache_internal_api_server/socket_"

/* 0 with *from a static phrase or the file's name ("--nodes", "$LMC_NODES",
 * "/etc/lmc/nodes.json", "live sockets"), or -1 with *e, whose text begins
 * with the source's name ("nodes.json:3:17: nodes[1].port: …"). Nothing
 * found anywhere: 0 with out->n == 0. */
int source_nodes(struct nodes *out, const struct source *s, const char **from,
		 struct node_error *e);

#endif
