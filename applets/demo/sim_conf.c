/* sim_conf.c - the configuration of a simulated node
 * SPDX-License-Identifier: Apache-2.0
 *
 * As in LMCache, a value that is set is neither converted nor checked, and a
 * value that cannot be written as JSON is set all the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "sim.h"

enum { FREE, FIXED };

static const struct {
	const char *key;
	bool        fixed;
	const char *value;
} rows[] = {
#define CONF(key, fixed, value) { #key, fixed, value },
#include "conf.def"
#undef CONF
};

enum { ROWS = sizeof rows / sizeof *rows };

static int row_of(const char *key)
{
	int i;

	for (i = 0; i < ROWS; i++)
		if (!strcmp(rows[i].key, key))
			return i;
	return -1;
}

static void set(struct sim *s, const char *key, const char *json)
{
	struct conf_item *c = &s->conf[row_of(key)];

	free(c->value);
	c->value = xstrdup(json);
}

static void set_string(struct sim *s, const char *key, const char *value)
{
	struct buf b = BUF(4096);

	json_puts(&b, value);
	if (!b.bad)
		set(s, key, b.p);
	buf_free(&b);
}

void conf_init(struct sim *s, const char *socket)
{
	int i;

	s->conf = xcalloc(ROWS, sizeof *s->conf);
	for (i = 0; i < ROWS; i++)
		s->conf[i].value = xstrdup(rows[i].value);
	set_string(s, "lmcache_instance_id", s->instance);
	set_string(s, "internal_api_server_socket_path_prefix", socket);
}

const char *conf_text(const struct sim *s, const char *key)
{
	int i = row_of(key);

	return i < 0 || !s->conf ? NULL : s->conf[i].value;
}

/* --- GET ---------------------------------------------------------------------- */

/* What getattr() finds on the configuration object besides the keys: a method
 * or a set, which json.dumps refuses. */
static bool attribute(const char *name)
{
	static const char *const others[] = {
		"to_dict", "to_json", "validate", "log_config", "from_env", "from_file",
		"from_dict", "get_extra_config_value", "_user_set_keys", "__init__",
		"__class__", "__eq__", "__repr__", NULL
	};
	int i;

	for (i = 0; others[i]; i++)
		if (!strcmp(name, others[i]))
			return true;
	return false;
}

static void put_row(struct buf *b, const char *key, const char *value)
{
	if (b->len > 1)
		buf_putc(b, ',');
	json_puts(b, key);
	buf_putc(b, ':');
	buf_puts(b, value);
}

static bool asked_before(const char *names, const char *at, size_t n)
{
	const char *p = names;
	size_t len;

	for (; p < at; p += len + 1) {
		len = strcspn(p, ",");
		if (len == n && !memcmp(p, at, n))
			return true;
	}
	return false;
}

static void chosen(struct ask *a, const char *names)
{
	struct buf b = BUF(PAGE_MAX);
	const char *p = names, *value;
	char key[128];
	size_t n;

	buf_putc(&b, '{');
	for (;;) {
		n = strcspn(p, ",");
		snprintf(key, sizeof key, "%.*s", (int)(n < 127 ? n : 127), p);
		value = n < 127 && !asked_before(names, p, n) ? conf_text(a->sim, key) : NULL;
		if (attribute(key)) {
			buf_free(&b);
			say_broken(a);
			return;
		}
		if (!strcmp(key, "__doc__"))
			value = "\"LMCacheEngineConfig, simulated\"";
		if (value)
			put_row(&b, key, value);
		if (!p[n])
			break;
		p += n + 1;
	}
	buf_putc(&b, '}');
	say_json(a, 200, INDENT_TEXT, &b);
}

void conf_get(struct ask *a)
{
	const char *names = ask_param(a, "names");
	struct buf b = BUF(PAGE_MAX);
	int i;

	if (names && *names) {
		chosen(a, names);
		return;
	}
	buf_putc(&b, '{');
	for (i = 0; i < ROWS; i++)
		put_row(&b, rows[i].key, a->sim->conf[i].value);
	buf_putc(&b, '}');
	say_json(a, 200, INDENT_TEXT, &b);
}

/* --- POST --------------------------------------------------------------------- */

/* json.loads() takes UTF-16 too and tells it by its zero bytes. A lone
 * surrogate comes out as bytes that the parser refuses. */
static void from_utf16(struct buf *b, const unsigned char *p, size_t n, bool big)
{
	size_t i = p[0] + p[1] == 0xfe + 0xff ? 2 : 0;
	uint32_t c, low;

	for (; i + 1 < n; i += 2) {
		c = (uint32_t)p[i + big] | (uint32_t)p[i + !big] << 8;
		if (c >= 0xd800 && c < 0xdc00 && i + 3 < n) {
			low = (uint32_t)p[i + 2 + big] | (uint32_t)p[i + 2 + !big] << 8;
			if (low >= 0xdc00 && low < 0xe000) {
				c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
				i += 2;
			}
		}
		py_put_utf8(b, c);
	}
}

static void body_text(const struct ask *a, struct buf *text)
{
	const unsigned char *p = (const unsigned char *)a->body;

	if (a->n >= 2 && (p[0] + p[1] == 0xfe + 0xff || !p[0] || !p[1]))
		from_utf16(text, p, a->n, !p[0] || p[0] == 0xfe);
	else if (a->n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
		buf_add(text, p + 3, a->n - 3);
	else
		buf_add(text, p, a->n);
}

static void not_json(struct ask *a, const struct buf *text, const struct json_error *e)
{
	char message[160];
	const char *p = text->p ? text->p : "", *next;
	long at = e->column - 1;
	int line;

	for (line = 1; line < e->line && (next = strchr(p, '\n')); line++) {
		at += next + 1 - p;
		p = next + 1;
	}
	snprintf(message, sizeof message, "Expecting value: line %d column %d (char %ld)",
		 e->line, e->column, at);
	say(a, 400, COMPACT, "{\"error\":\"Invalid JSON body\",\"message\":\"%s\"}", message);
}

/* A string for extra_config is read as JSON. 0, or -1: not set. */
static int extra_config(struct buf *value, const struct json *j, jv v, bool *good)
{
	struct buf inner_text = BUF(CONF_VALUE);
	struct json inner;
	struct json_error e;
	int r = -1;

	json_str(j, v, &inner_text);
	if (!inner_text.bad && inner_text.len &&
	    json_parse(&inner, inner_text.p, inner_text.len, CONF_VALUE,
		       JSON_INF | JSON_SURROGATE, &e) == 0) {
		*good &= py_put_value(value, &inner, 0);
		json_free(&inner);
		r = 0;
	}
	buf_free(&inner_text);
	return r;
}

/* NULL when it was set, or what to answer. */
static const char *set_one(struct sim *s, const struct json *j, jv v, struct buf *value, bool *good)
{
	char *key = json_dup(j, json_key(j, v));
	int row = key ? row_of(key) : -1;

	free(key);
	if (row < 0)
		return "Unknown config";
	if (rows[row].fixed)
		return "Config is not mutable at runtime";
	if (!strcmp(rows[row].key, "extra_config") && json_type(j, v) == JSON_STRING) {
		if (extra_config(value, j, v, good) < 0)
			return "Failed to set config value";
	} else {
		*good &= py_put_value(value, j, v);
	}
	if (value->bad)
		return "Failed to set config value";
	free(s->conf[row].value);
	s->conf[row].value = xstrdup(value->p);
	return NULL;
}

static void put_pair(struct buf *out, const struct json *j, jv v, const char *value, bool *good)
{
	if (out->len)
		buf_putc(out, ',');
	*good &= py_put_value(out, j, json_key(j, v));
	buf_putc(out, ':');
	buf_puts(out, value);
}

static void set_all(struct ask *a, const struct json *j)
{
	struct buf updated = BUF(PAGE_MAX), errors = BUF(PAGE_MAX), quoted = BUF(256);
	bool good = true;
	jv v;

	for (v = json_first(j, 0); v >= 0; v = json_next(j, 0, v)) {
		struct buf value = BUF(CONF_VALUE);
		const char *error = set_one(a->sim, j, v, &value, &good);

		if (error) {
			buf_reset(&quoted);
			json_puts(&quoted, error);
			put_pair(&errors, j, v, quoted.p, &good);
		} else {
			put_pair(&updated, j, v, value.p, &good);
		}
		buf_free(&value);
	}
	if (!good)
		say_broken(a);
	else
		say(a, errors.len && !updated.len ? 400 : 200, COMPACT,
		    "{\"updated\":{%s}%s%s%s}", updated.p ? updated.p : "",
		    errors.len ? ",\"errors\":{" : "", errors.p ? errors.p : "",
		    errors.len ? "}" : "");
	buf_free(&updated);
	buf_free(&errors);
	buf_free(&quoted);
}

void conf_post(struct ask *a)
{
	struct buf text = BUF(2 * BODY_MAX);
	struct json j;
	struct json_error e = { 1, 1, "" };

	body_text(a, &text);
	if (text.bad || !text.len ||
	    json_parse(&j, text.p, text.len, BODY_MAX, JSON_INF | JSON_SURROGATE, &e) < 0) {
		not_json(a, &text, &e);
	} else {
		if (json_type(&j, 0) != JSON_OBJECT)
			say(a, 400, COMPACT, "{\"error\":\"Request body must be a JSON object\"}");
		else
			set_all(a, &j);
		json_free(&j);
	}
	buf_free(&text);
}
