/* plugin_env.h - the configuration and environment a plugin is given
 * SPDX-License-Identifier: Apache-2.0
 *
 * Configuration, first that is there: the file named; what the launcher gave
 * us when we are a plugin ourselves ($LMCACHE_RUNTIME_PLUGIN_CONFIG_FILE,
 * $LMCACHE_RUNTIME_PLUGIN_CONFIG, $LMCACHE_PLUGIN_CONFIG), without its
 * locations; $LMCACHE_CONFIG_FILE. YAML (yaml.h) or JSON with Python's
 * Infinity and NaN. LMCACHE_<KEY> in the environment wins over a file's key,
 * parsed as upstream parses it (protocol.md 6). An MP configuration (one with
 * "mp_config") takes nothing from the environment.
 */
#ifndef PLUGIN_ENV_H
#define PLUGIN_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "opt.h"
#include "plugin.h"

enum {
	CONF_MAX      = 4 << 20,	/* bytes of a configuration */
	CONF_ENV_VARS = 16		/* variables that a plugin gets from us */
};

struct plugin_conf {
	char  *json;		/* indented by 2, or NULL: none */
	size_t len;
	char  *extra;		/* the extra configuration's JSON, or NULL */
	char  *file;		/* where json is when it is too long for a variable */
	char **locations;	/* ends with NULL, or NULL */
};

/* 0, or -1 with why ("lmc.yaml:3: a tab as indentation"). Nothing found
 * anywhere is 0 with .json NULL. */
int  plugin_conf(struct plugin_conf *c, const char *file, char *why, size_t n);
void plugin_conf_free(struct plugin_conf *c);

/* The variables of one launch as "NAME=value", in out; returns how many, or
 * -1 with errno. The strings live until plugin_vars_free(). */
int  plugin_vars(char *out[CONF_ENV_VARS], const struct plugin_rules *r,
		 const struct plugin_conf *c);
void plugin_vars_free(char *out[CONF_ENV_VARS], int n);

/* A whole environment: ours (clean: only an allow-list and the names in
 * pass), without any plugin variable that came from outside, plus vars.
 * malloc'd, its strings borrowed. NULL with errno. */
char **plugin_environ(bool clean, const struct strs *pass, char *const *vars, int n,
		      bool keep_foreign);

/* One row as a JSON object: file, runs, decision, reason, argv, env. With
 * who, also the role and worker id it was decided for. */
int  plugin_json(struct buf *out, const struct plugin *p, const struct plugin_rules *r,
		 const struct plugin_conf *c, bool who);
/* One row as a line: decision, file, and the reason or the command. */
int  plugin_text(struct buf *out, const struct plugin *p, int width);

#endif
