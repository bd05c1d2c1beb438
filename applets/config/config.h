/* config.h - what the parts of lmc config share
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "ask.h"

struct config_options {
	bool    dry;
	long    canary;
	int64_t verify;
};
extern struct config_options config_o;

extern const struct way config_get[], config_post[];
extern const char *const config_heads[];

struct change {			/* one key on one node */
	const char *key;
	struct buf  before, after;	/* JSON */
	bool        differs;
};

struct changes {		/* one node's */
	struct call_node *node;
	struct change *v;
	int   n, exit, status;
	bool  sent, done;
	char *error;
	struct call post, look;
};

/* Of an MP server, in sections. */
bool config_is_mp(const struct json *j);
/* A member by its name, or by "outer.inner" in an MP server's tree; -1. */
jv config_find(const struct json *j, const char *key);

/* KEY=VALUE or KEY:=JSON words; or all members of a file's object. */
int config_set(int n, char **words);
int config_apply(const char *file);
int config_diff(const char *file);

/* A configuration file, JSON or YAML; dies. */
void config_file(const char *path, struct json *j);
/* Is there a NaN in it? A node takes it, and answers 500 from then on. */
bool config_nan(const struct json *j);

#endif
