/* tree.h - the nodes that registries name, once or for ever
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef NODES_TREE_H
#define NODES_TREE_H

#include "muster.h"
#include "opt.h"

struct tree_conf {
	struct strs from;
	int64_t interval;
	const char *self;
};

/* output: "table", "name", "json" or "jsonl". The exit status. */
int tree_run(const struct tree_conf *c, bool follow, const char *output);

#endif
