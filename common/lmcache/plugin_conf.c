/* plugin_conf.c - a plugin's configuration: file, then environment
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "file.h"
#include "json.h"
#include "plugin_env.h"
#include "pytext.h"
#include "yaml.h"

enum kind { TEXT, BOOL, INT, INTS, STRS, OBJECT, ONE_PATH };

/* The keys of protocol.md 6: what LMCACHE_<KEY> means depends on the key. The
 * old name comes last, and so wins when both are set, as upstream's loop has
 * it. */
static const struct conf_key {
	const char *name;
	enum kind   kind;
} conf_keys[] = {
	{ "lmcache_instance_id",                    TEXT },
	{ "internal_api_server_enabled",            BOOL },
	{ "internal_api_server_host",               TEXT },
	{ "internal_api_server_port_start",         INT },
	{ "internal_api_server_include_index_list", INTS },
	{ "internal_api_server_socket_path_prefix", TEXT },
	{ "script_allowed_imports",                 STRS },
	{ "run_script_api_enabled",                 BOOL },
	{ "enable_scheduler_bypass_lookup",         BOOL },
	{ "extra_config",                           OBJECT },
	{ "runtime_plugin_locations",               ONE_PATH },
	{ "plugin_locations",                       ONE_PATH },
};

enum { KEYS = sizeof conf_keys / sizeof conf_keys[0] };

static const char *env_of(const struct conf_key *k)
{
	char name[80] = "LMCACHE_";
	size_t i;

	for (i = 0; k->name[i]; i++)
		name[8 + i] = (char)toupper((unsigned char)k->name[i]);
	name[8 + i] = 0;
	return getenv(name);
}

static bool matching_quotes(struct span s)
{
	return s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0];
}

/* The inside of a Python string literal, its common escapes undone. */
static int unquote(struct span s, struct buf *out)
{
	static const char from[] = "\\'\"ntr", to[] = "\\'\"\n\t\r";
	const char *at;
	size_t i;

	for (i = 0; i < s.n; i++) {
		at = s.p[i] == '\\' && i + 1 < s.n ? memchr(from, s.p[i + 1], 6) : NULL;
		if (at)
			i++;
		buf_putc(out, at ? to[at - from] : s.p[i]);
	}
	return out->bad ? -1 : 0;
}

static int put_list(struct span s, bool quote, struct buf *out)
{
	const char *cut;
	struct span item;
	bool first = true;

	buf_putc(out, '[');
	while (s.n) {
		cut = memchr(s.p, ',', s.n);
		item = py_strip((struct span){ s.p, cut ? (size_t)(cut - s.p) : s.n });
		s.n -= cut ? (size_t)(cut - s.p) + 1 : s.n;
		s.p = cut ? cut + 1 : s.p;
		if (!item.n)
			continue;
		if (!first)
			buf_puts(out, ", ");
		first = false;
		if (quote)
			json_put(out, item.p, item.n);
		else
			buf_add(out, item.p, item.n);
	}
	return buf_putc(out, ']');
}

/* One variable's text as the JSON of its key's type. The caller parses the
 * whole afterwards, so a bad number or object is noticed there. */
static int put_env(const struct conf_key *k, const char *text, struct buf *out)
{
	struct span s = py_strip((struct span){ text, strlen(text) });
	struct buf plain = BUF(CONF_MAX);
	bool on;
	int bad;

	if (matching_quotes(s)) {
		if (unquote((struct span){ s.p + 1, s.n - 2 }, &plain) < 0)
			return -1;
		s = (struct span){ plain.p ? plain.p : "", plain.len };
	}
	on = (s.n == 4 && strncasecmp(s.p, "true", 4) == 0) || (s.n == 1 && *s.p == '1');
	switch (k->kind) {
	case BOOL:   bad = buf_puts(out, on ? "true" : "false"); break;
	case INT:
	case OBJECT: bad = s.n ? buf_add(out, s.p, s.n) : buf_puts(out, "null"); break;
	case INTS:   bad = put_list(s, false, out); break;
	case STRS:   bad = put_list(s, true, out); break;
	case ONE_PATH:
		buf_putc(out, '[');
		json_put(out, s.p, s.n);
		bad = buf_putc(out, ']');
		break;
	default:     bad = json_put(out, s.p, s.n); break;
	}
	buf_free(&plain);
	return bad;
}

/* json.dumps(indent=2) */
static void put_json(const struct json *j, jv v, int depth, struct buf *out)
{
	enum json_type type = json_type(j, v);
	bool object = type == JSON_OBJECT, first = true;
	const char *p;
	size_t n;
	jv at;

	if ((type != JSON_ARRAY && !object) || !json_count(j, v)) {
		json_raw(j, v, &p, &n);
		if (type == JSON_ARRAY || object)
			buf_puts(out, object ? "{}" : "[]");
		else
			buf_add(out, p, n);
		return;
	}
	buf_putc(out, object ? '{' : '[');
	for (at = json_first(j, v); at >= 0; at = json_next(j, v, at)) {
		buf_printf(out, "%s\n%*s", first ? "" : ",", 2 * (depth + 1), "");
		first = false;
		if (object) {
			json_raw(j, json_key(j, at), &p, &n);
			buf_add(out, p, n);
			buf_puts(out, ": ");
		}
		put_json(j, at, depth + 1, out);
	}
	buf_printf(out, "\n%*s%c", 2 * depth, "", object ? '}' : ']');
}

static int complain(char *why, size_t n, const char *name, const struct json_error *e)
{
	snprintf(why, n, "%s:%d:%d: %s", name, e->line, e->column, e->what);
	return -1;
}

/* The old name for locations counts only where the new one does not. */
static const char *new_name(const struct conf_key *k)
{
	return k->kind == ONE_PATH ? "runtime_plugin_locations" : k->name;
}

static int merge_env(const struct json *j, struct buf *out, char *why, size_t n)
{
	const char *text[KEYS], *p;
	struct json_error e;
	struct json one;
	bool first = true;
	size_t len, from;
	jv at;
	int i, k;

	for (i = 0; i < KEYS; i++)
		text[i] = env_of(&conf_keys[i]);
	if (text[KEYS - 1])
		text[KEYS - 2] = text[KEYS - 1];
	text[KEYS - 1] = NULL;
	buf_putc(out, '{');
	for (at = json_first(j, 0); at >= 0; at = json_next(j, 0, at)) {
		for (k = 0; k < KEYS; k++)
			if (text[k] && json_is(j, json_key(j, at), conf_keys[k].name))
				break;
		if (k < KEYS || (text[KEYS - 2] && json_is(j, json_key(j, at), "plugin_locations")))
			continue;
		buf_puts(out, first ? "" : ",");
		first = false;
		json_raw(j, json_key(j, at), &p, &len);
		buf_add(out, p, len);
		buf_putc(out, ':');
		json_raw(j, at, &p, &len);
		buf_add(out, p, len);
	}
	for (k = 0; k < KEYS; k++) {
		if (!text[k])
			continue;
		buf_printf(out, "%s\"%s\":", first ? "" : ",", new_name(&conf_keys[k]));
		first = false;
		from = out->len;
		if (put_env(&conf_keys[k], text[k], out) < 0 || out->bad ||
		    json_parse(&one, out->p + from, out->len - from, CONF_MAX, JSON_INF, &e) < 0) {
			snprintf(why, n, "the environment's value for %s is not of its type",
				 conf_keys[k].name);
			return -1;
		}
		json_free(&one);
	}
	return buf_putc(out, '}');
}

static int add_location(struct plugin_conf *c, const struct json *j, jv v)
{
	char **more = c->locations, *s = json_dup(j, v);
	int n = 0;

	while (more && more[n])
		n++;
	more = s ? realloc(more, ((size_t)n + 2) * sizeof *more) : NULL;
	if (!more) {
		free(s);
		return -1;
	}
	c->locations = more;
	more[n] = s;
	more[n + 1] = NULL;
	return 0;
}

static int locations(struct plugin_conf *c, const struct json *j, char *why, size_t n)
{
	jv mp = json_get(j, 0, "mp_config"), v, at;
	jv holder = mp >= 0 ? mp : 0;

	v = json_get(j, holder, "runtime_plugin_locations");
	if (v < 0)
		v = json_get(j, holder, "plugin_locations");
	if (v < 0 || json_type(j, v) == JSON_NULL)
		return 0;
	if (json_type(j, v) == JSON_STRING)
		return add_location(c, j, v);
	for (at = json_type(j, v) == JSON_ARRAY ? json_first(j, v) : v; at >= 0;
	     at = json_next(j, v, at)) {
		if (at != v && json_type(j, at) == JSON_STRING) {
			if (add_location(c, j, at) < 0)
				return -1;
			continue;
		}
		snprintf(why, n, "runtime_plugin_locations is neither text nor a list of texts");
		return -1;
	}
	return 0;
}

static int extra(struct plugin_conf *c, const struct json *j)
{
	struct buf b = BUF(CONF_MAX);
	jv v = json_get(j, 0, "runtime_plugin_extra_config");

	if (v < 0)
		v = json_get(j, 0, "extra_config");
	if (v < 0 || json_type(j, v) != JSON_OBJECT)
		return 0;
	put_json(j, v, 0, &b);
	c->extra = b.p;
	return b.bad ? -1 : 0;
}

/* From a checked JSON object to what a launch needs. */
static int settle(struct plugin_conf *c, const struct json *j, char *why, size_t n)
{
	struct buf b = BUF(CONF_MAX);

	if (locations(c, j, why, n) < 0 || extra(c, j) < 0)
		return -1;
	put_json(j, 0, 0, &b);
	c->json = b.p;
	c->len = b.len;
	return b.bad ? -1 : 0;
}

static int from_json(struct plugin_conf *c, const char *name, const char *p, size_t len,
		     char *why, size_t n)
{
	struct json_error e;
	struct json j, merged = { 0 };
	struct buf b = BUF(CONF_MAX);
	int bad;

	if (json_parse(&j, p, len, CONF_MAX, JSON_INF | JSON_SURROGATE, &e) < 0)
		return complain(why, n, name, &e);
	if (json_type(&j, 0) != JSON_OBJECT) {
		snprintf(why, n, "%s: the configuration is not an object", name);
		bad = -1;
	} else if (json_get(&j, 0, "mp_config") >= 0) {
		bad = settle(c, &j, why, n);
	} else if ((bad = merge_env(&j, &b, why, n)) == 0) {
		bad = json_parse(&merged, b.p, b.len, CONF_MAX,
				 JSON_INF | JSON_SURROGATE, &e);
		bad = bad ? complain(why, n, name, &e) : settle(c, &merged, why, n);
		json_free(&merged);
	}
	json_free(&j);
	buf_free(&b);
	return bad;
}

static int from_text(struct plugin_conf *c, const char *name, const char *p, size_t len,
		     char *why, size_t n)
{
	struct buf b = BUF(CONF_MAX);
	struct yaml_error e;
	size_t blank = 0;
	int bad;

	while (blank < len && isspace((unsigned char)p[blank]))
		blank++;
	if (blank < len && p[blank] == '{')
		return from_json(c, name, p, len, why, n);
	bad = yaml_json(p, len, &b, &e);
	if (bad)
		snprintf(why, n, "%s:%d: %s", name, e.line, e.what);
	else
		bad = from_json(c, name, b.p, b.len, why, n);
	buf_free(&b);
	return bad;
}

static int from_file(struct plugin_conf *c, const char *file, char *why, size_t n)
{
	size_t len;
	char *text = read_file(file, CONF_MAX, &len);
	int bad;

	if (!text) {
		snprintf(why, n, "unable to read %s: %s", file, strerror(errno));
		return -1;
	}
	bad = from_text(c, file, text, len, why, n);
	free(text);
	return bad;
}

static void no_locations(struct plugin_conf *c)
{
	size_t i;

	for (i = 0; c->locations && c->locations[i]; i++)
		free(c->locations[i]);
	free(c->locations);
	c->locations = NULL;
}

/* The launcher that gave it to us has read the environment for it, and runs
 * the locations in it itself: so must we not. */
static int from_launcher(struct plugin_conf *c, const char *name, char *why, size_t n)
{
	const char *text = getenv(name);
	struct json_error e;
	struct json j;
	int bad;

	if (json_parse(&j, text, strlen(text), CONF_MAX, JSON_INF | JSON_SURROGATE, &e) < 0)
		return complain(why, n, name, &e);
	bad = json_type(&j, 0) == JSON_OBJECT ? settle(c, &j, why, n) : 0;
	json_free(&j);
	no_locations(c);
	return bad;
}

int plugin_conf(struct plugin_conf *c, const char *file, char *why, size_t n)
{
	static const char *const given[] = {
		"LMCACHE_RUNTIME_PLUGIN_CONFIG", "LMCACHE_PLUGIN_CONFIG"
	};
	const char *env;
	size_t i;
	int bad;

	memset(c, 0, sizeof *c);
	if (file)
		return from_file(c, file, why, n);
	env = getenv("LMCACHE_RUNTIME_PLUGIN_CONFIG_FILE");
	if (env && *env) {
		bad = from_file(c, env, why, n);
		no_locations(c);
		return bad;
	}
	for (i = 0; i < 2; i++)
		if ((env = getenv(given[i])) && *env)
			return from_launcher(c, given[i], why, n);
	env = getenv("LMCACHE_CONFIG_FILE");
	if (env && *env)
		return from_file(c, env, why, n);
	return from_json(c, "the environment", "{}", 2, why, n);
}

void plugin_conf_free(struct plugin_conf *c)
{
	no_locations(c);
	free(c->json);
	free(c->extra);
	free(c->file);
	memset(c, 0, sizeof *c);
}
