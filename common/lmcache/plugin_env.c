/* plugin_env.c - the environment of a launch (protocol.md 1.5)
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin_env.h"

static const char old_family[] = "LMCACHE_PLUGIN_";
static const char new_family[] = "LMCACHE_RUNTIME_PLUGIN_";

/* ROLE is not stable between the generations (protocol.md 1.5). */
static const char *role_text(const struct plugin_rules *r)
{
	static const char *const lower[] = { "", "scheduler", "worker" };
	static const char *const dotted[] = {
		"", "KVConnectorRole.SCHEDULER", "KVConnectorRole.WORKER"
	};

	return r->gen == GEN_LMC || r->gen == GEN_RUNTIME_STR ?
		lower[r->role] : dotted[r->role];
}

__attribute__((format(printf, 3, 4)))
static int var(char **out, int *n, const char *fmt, ...)
{
	va_list ap;
	int len;

	if (*n == CONF_ENV_VARS) {
		errno = E2BIG;
		return -1;
	}
	va_start(ap, fmt);
	len = vasprintf(&out[*n], fmt, ap);
	va_end(ap);
	if (len < 0)
		return -1;
	(*n)++;
	return 0;
}

static int family(char **out, int *n, const char *prefix, const struct plugin_rules *r,
		  const struct plugin_conf *c)
{
	bool fits = c->len + strlen(prefix) + sizeof "CONFIG=" <= PLUGIN_VAR;
	bool old = prefix == old_family;

	if (var(out, n, "%sROLE=%s", prefix, role_text(r)) < 0 ||
	    var(out, n, "%sWORKER_ID=%ld", prefix, r->worker_id) < 0)
		return -1;
	/* the recorded 0.3.x launcher gave the old family a count as well */
	if (var(out, n, "%sWORKER_COUNT=%ld", prefix, r->worker_count) < 0)
		return -1;
	if (c->json && (fits || r->gen != GEN_LMC))
		return var(out, n, "%sCONFIG=%s", prefix, c->json);
	return !old && c->file ? var(out, n, "%sCONFIG_FILE=%s", prefix, c->file) : 0;
}

int plugin_vars(char *out[CONF_ENV_VARS], const struct plugin_rules *r,
		const struct plugin_conf *c)
{
	int n = 0, bad = 0;

	if (r->gen != GEN_PLUGIN_ENUM)
		bad = family(out, &n, new_family, r, c);
	if (!bad)
		bad = family(out, &n, old_family, r, c);
	if (!bad && (r->gen == GEN_LMC || r->gen == GEN_RUNTIME_STR))
		bad = var(out, &n, "PYTHONUNBUFFERED=1");
	if (!bad && r->gen == GEN_LMC && c->extra &&
	    strlen(c->extra) + sizeof "LMCACHE_RUNTIME_PLUGIN_EXTRA_CONFIG=" <= PLUGIN_VAR)
		bad = var(out, &n, "%sEXTRA_CONFIG=%s", new_family, c->extra);
	if (!bad)
		return n;
	plugin_vars_free(out, n);
	return -1;
}

void plugin_vars_free(char *out[CONF_ENV_VARS], int n)
{
	while (n)
		free(out[--n]);
}

static bool named(const char *var_text, const char *name)
{
	size_t n = strlen(name);

	return strncmp(var_text, name, n) == 0 && var_text[n] == '=';
}

/* What a program needs to run at all, and nothing that may hold a secret. */
static bool allowed(const char *v, const struct strs *pass)
{
	static const char *const always[] = {
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ",
		"TMPDIR", "TERM", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV",
		"XDG_RUNTIME_DIR", "HOSTNAME", "PYTHONHASHSEED", NULL
	};
	int i;

	for (i = 0; always[i]; i++)
		if (named(v, always[i]))
			return true;
	if (strncmp(v, "LC_", 3) == 0)
		return true;
	for (i = 0; i < pass->n; i++)
		if (named(v, pass->v[i]))
			return true;
	return false;
}

static bool foreign(const char *v)
{
	return strncmp(v, old_family, sizeof old_family - 1) == 0 ||
		strncmp(v, new_family, sizeof new_family - 1) == 0;
}

static bool replaced(const char *v, char *const *vars, int n)
{
	size_t len = strcspn(v, "=") + 1;
	int i;

	for (i = 0; i < n; i++)
		if (strncmp(v, vars[i], len) == 0)
			return true;
	return false;
}

char **plugin_environ(bool clean, const struct strs *pass, char *const *vars, int n,
		      bool keep_foreign)
{
	char **out, **e;
	int have = 0, i;

	for (e = environ; *e; e++)
		have++;
	out = calloc((size_t)have + (size_t)n + 1, sizeof *out);
	if (!out)
		return NULL;
	have = 0;
	for (e = environ; *e; e++) {
		if (replaced(*e, vars, n) || (clean && !allowed(*e, pass)) ||
		    (!keep_foreign && foreign(*e) && strchr(*e, '=') &&
		     strncmp(*e, "LMCACHE_PLUGIN_LOCATIONS=", 25) != 0))
			continue;
		out[have++] = *e;
	}
	for (i = 0; i < n; i++)
		out[have++] = vars[i];
	return out;
}
