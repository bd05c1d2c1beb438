/* source.h - where the list of nodes comes from (design.md, "The command line")
 * SPDX-License-Identifier: Apache-2.0
 *
 * First that gives any: the options; $LMC_NODES; the plugin environment
 * (LMCACHE_RUNTIME_PLUGIN_CONFIG, then LMCACHE_PLUGIN_CONFIG);
 * $XDG_CONFIG_HOME/lmc/nodes.json (or ~/.config), /etc/lmc/nodes.json; the
 * live sockets under the default prefix.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "node.h"

struct source {
	const char *nodes;	/* --nodes JSON (begins with [ or {) or a FILE, or NULL */
	const char *config;	/* --config FILE, or NULL */
};

enum { SOURCE_FILE_MAX = 8 << 20 };	/* bytes of a node list */

/* 0 with *from a static phrase or the file's name ("--nodes", "$LMC_NODES",
 * "/etc/lmc/nodes.json", "live sockets"), or -1 with *e, whose text begins
 * with the source's name ("nodes.json:3:17: nodes[1].port: …"). Nothing
 * found anywhere: 0 with out->n == 0. */
int source_nodes(struct nodes *out, const struct source *s, const char **from,
		 struct node_error *e);

#endif
