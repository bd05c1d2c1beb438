/* source.c - where the list of nodes comes from
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "file.h"
#include "source.h"

enum { COUNT_DIGITS = 4 };	/* of a number of workers */

/* Puts the source's name, and the place if there is one, before the text. */
static int named(struct node_error *e, const char *source)
{
	const char *name = safe(source, strlen(source));
	char what[sizeof e->what];

	memcpy(what, e->what, sizeof what);
	if (e->line)
		snprintf(e->what, sizeof e->what, "%s:%d:%d: %.400s", name,
			 e->line, e->column, what);
	else
		snprintf(e->what, sizeof e->what, "%s: %.400s", name, what);
	return -1;
}

static int failed(struct node_error *e, const char *source, const char *what)
{
	e->line = e->column = 0;
	snprintf(e->what, sizeof e->what, "%s", what);
	return named(e, source);
}

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static int from_text(struct nodes *out, const char *source, const char *text,
		     size_t n, struct node_error *e)
{
	return nodes_parse(out, text, n, e) < 0 ? named(e, source) : 0;
}

/* A file that was asked for by an option or a variable. */
static int from_file(struct nodes *out, const char *source, const char *path,
		     struct node_error *e)
{
	char why[400];
	size_t n;
	char *text = read_file(path, SOURCE_FILE_MAX, &n);
	int rc;

	if (!text) {
		snprintf(why, sizeof why, "unable to read %s: %s",
			 safe(path, strlen(path)), strerror(errno));
		return failed(e, source, why);
	}
	rc = from_text(out, path, text, n, e);
	free(text);
	return rc;
}

/* JSON, or the file that has it. */
static int from_value(struct nodes *out, const char *source, const char *value,
		      const char **from, struct node_error *e)
{
	const char *p = value + strspn(value, " \t\r\n");

	*from = source;
	if (*p == '[' || *p == '{')
		return from_text(out, source, value, strlen(value), e);
	*from = value;
	return from_file(out, source, value, e);
}

/* A file that need not be there. */
static int from_default(struct nodes *out, const char *path,
			struct node_error *e)
{
	size_t n;
	char *text = read_file(path, SOURCE_FILE_MAX, &n);
	int rc;

	if (!text && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!text)
		return failed(e, path, strerror(errno));
	rc = from_text(out, path, text, n, e);
	free(text);
	return rc;
}

/* The workers that the plugin launcher tells of; it did not always. */
static int worker_count(int *count, struct node_error *e)
{
	static const char *const names[] = {
		"LMCACHE_RUNTIME_PLUGIN_WORKER_COUNT",
		"LMCACHE_PLUGIN_WORKER_COUNT",
	};
	const char *value = variable(names[0]), *name = names[!value];
	char source[64];
	size_t n;

	*count = 1;
	value = value ? value : variable(name);
	if (!value)
		return 0;
	n = strspn(value, "0123456789");
	if (n > 0 && n <= COUNT_DIGITS && value[n] == '\0') {
		*count = (int)strtol(value, NULL, 10);
		return 0;
	}
	snprintf(e->what, sizeof e->what, "%s is not a number of workers",
		 safe(value, strlen(value)));
	e->line = e->column = 0;
	snprintf(source, sizeof source, "$%s", name);
	return named(e, source);
}

static int from_plugin(struct nodes *out, const char **from,
		       struct node_error *e)
{
	static const char *const sources[] = {
		"$LMCACHE_RUNTIME_PLUGIN_CONFIG",
		"$LMCACHE_PLUGIN_CONFIG",
	};
	const char *file = variable("LMCACHE_RUNTIME_PLUGIN_CONFIG_FILE");
	const char *config = variable(sources[0] + 1);
	char *text = NULL;
	int workers, bad;
	size_t n;

	*from = file ? file : sources[!config];
	if (file && !(config = text = read_file(file, SOURCE_FILE_MAX, &n)))
		return failed(e, file, strerror(errno));
	config = config ? config : variable(*from + 1);
	if (!config)
		return 0;
	bad = worker_count(&workers, e);
	if (!bad && nodes_from_plugin(out, config, text ? n : strlen(config), workers, e) < 0)
		bad = named(e, *from);
	free(text);
	return bad;
}

/* The user's own list; NULL when it has no place. Static buffer. */
static const char *user_file(void)
{
	static char path[PATH_MAX];
	const char *base = variable("XDG_CONFIG_HOME");
	const char *rest = "/lmc/nodes.json";
	int n;

	/* relative ones are to be ignored, says the XDG specification */
	if (!base || *base != '/') {
		base = variable("HOME");
		rest = "/.config/lmc/nodes.json";
	}
	if (!base)
		return NULL;
	n = snprintf(path, sizeof path, "%s%s", base, rest);
	return n > 0 && (size_t)n < sizeof path ? path : NULL;
}

/* The sources that nobody named, until one has a node. */
static int from_defaults(struct nodes *out, const char **from,
			 struct node_error *e)
{
	const char *files[] = { user_file(), "/etc/lmc/nodes.json" };
	size_t i;

	if (from_plugin(out, from, e) < 0)
		return -1;
	for (i = 0; i < 2 && out->n == 0; i++) {
		if (!files[i])
			continue;
		*from = files[i];
		if (from_default(out, files[i], e) < 0)
			return -1;
	}
	if (out->n)
		return 0;
	*from = "live sockets";
	if (nodes_from_sockets(out, SOURCE_SOCKETS, e) < 0)
		return named(e, *from);
	return 0;
}

int source_nodes(struct nodes *out, const struct source *s, const char **from,
		 struct node_error *e)
{
	const char *value = variable("LMC_NODES");

	memset(out, 0, sizeof *out);
	if (s->nodes)
		return from_value(out, "--nodes", s->nodes, from, e);
	if (s->config) {
		*from = s->config;
		return from_file(out, "--config", s->config, e);
	}
	if (value)
		return from_value(out, "$LMC_NODES", value, from, e);
	return from_defaults(out, from, e);
}
