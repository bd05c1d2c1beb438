/* json.c - JSON values read and strings written
 * SPDX-License-Identifier: Apache-2.0
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parent links keep jsmn linear; once it is done that field of every token
 * says which token follows the value instead. */
#define JSMN_STATIC
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "json.h"

struct json_tok { jsmntok_t t; };

_Static_assert(sizeof(struct json_tok) == sizeof(jsmntok_t),
	       "an array of one is an array of the other");

static int refuse(struct json_error *e, const char *fmt, size_t n)
{
	e->line = e->column = 1;
	snprintf(e->what, sizeof e->what, fmt, n);
	return -1;
}

static const jsmntok_t *token(const struct json *j, jv v)
{
	return &j->tok[v].t;
}

static const char *start(const struct json *j, jv v)
{
	return j->text + token(j, v)->start;
}

static size_t length(const struct json *j, jv v)
{
	return (size_t)(token(j, v)->end - token(j, v)->start);
}

static bool is_a(const struct json *j, jv v, jsmntype_t type)
{
	return v >= 0 && token(j, v)->type == type;
}

/* The token after v and all that is in it. */
static jv after(const struct json *j, jv v)
{
	return token(j, v)->parent;
}

/* From the last token back, so that the members' own are known: all in all
 * one step for each token. */
static void link_values(struct json *j)
{
	jv v, next;
	int left;

	for (v = j->n - 1; v >= 0; v--) {
		next = v + 1;
		for (left = json_count(j, v); left > 0; left--)
			next = after(j, next + is_a(j, v, JSMN_OBJECT));
		j->tok[v].t.parent = next;
	}
}

int json_parse(struct json *j, const char *p, size_t n, size_t max,
	       unsigned flags, struct json_error *e)
{
	jsmn_parser parser;
	long tokens;

	memset(j, 0, sizeof *j);
	if (n > max || n > INT_MAX)
		return refuse(e, "longer than %zu bytes",
			      max < INT_MAX ? max : INT_MAX);
	tokens = json_check(p, n, flags, e);
	if (tokens < 0)
		return -1;
	j->tok = calloc((size_t)tokens, sizeof *j->tok);
	if (!j->tok)
		return refuse(e, "no memory for %zu values", (size_t)tokens);
	j->text = p;
	j->len = n;
	j->n = (int)tokens;
	jsmn_init(&parser);
	if (jsmn_parse(&parser, p, n, &j->tok->t, (unsigned)tokens) != tokens) {
		json_free(j);
		return refuse(e, "unable to split the text into %zu values",
			      (size_t)tokens);
	}
	link_values(j);
	return 0;
}

void json_free(struct json *j)
{
	free(j->tok);
	memset(j, 0, sizeof *j);
}

enum json_type json_type(const struct json *j, jv v)
{
	switch (token(j, v)->type) {
	case JSMN_OBJECT:
		return JSON_OBJECT;
	case JSMN_ARRAY:
		return JSON_ARRAY;
	case JSMN_STRING:
		return JSON_STRING;
	default:
		break;
	}
	switch (*start(j, v)) {
	case 't':
	case 'f':
		return JSON_BOOL;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

int json_count(const struct json *j, jv v)
{
	if (is_a(j, v, JSMN_ARRAY) || is_a(j, v, JSMN_OBJECT))
		return token(j, v)->size;
	return 0;
}

jv json_first(const struct json *j, jv container)
{
	if (json_count(j, container) == 0)
		return -1;
	return is_a(j, container, JSMN_OBJECT) ? container + 2 : container + 1;
}

jv json_next(const struct json *j, jv container, jv child)
{
	jv next;

	if (container < 0 || child < 0)
		return -1;
	next = after(j, child);
	if (next >= after(j, container))
		return -1;
	return is_a(j, container, JSMN_OBJECT) ? next + 1 : next;
}

jv json_key(const struct json *j, jv member_value)
{
	(void)j;
	return member_value > 0 ? member_value - 1 : -1;
}

jv json_get(const struct json *j, jv obj, const char *key)
{
	jv v, found = -1;

	if (!is_a(j, obj, JSMN_OBJECT))
		return -1;
	for (v = json_first(j, obj); v >= 0; v = json_next(j, obj, v))
		if (json_is(j, json_key(j, v), key))
			found = v;
	return found;
}

jv json_at(const struct json *j, jv arr, int i)
{
	jv v;

	if (!is_a(j, arr, JSMN_ARRAY) || i < 0)
		return -1;
	for (v = json_first(j, arr); v >= 0 && i > 0; i--)
		v = json_next(j, arr, v);
	return v;
}

/* --- strings --- */

static long hex4(const char *p)
{
	char text[5] = { p[0], p[1], p[2], p[3], '\0' };

	return strtol(text, NULL, 16);
}

static size_t utf8(long c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* The \uXXXX at *p, with its other half if it is a pair. */
static size_t unicode(const char **p, const char *end, char *out)
{
	long c = hex4(*p + 2), low = 0;

	*p += 6;
	if (c < 0xd800 || c > 0xdfff)
		return utf8(c, out);
	if (c < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u')
		low = hex4(*p + 2);
	if (low >= 0xdc00 && low <= 0xdfff) {
		*p += 6;
		return utf8(0x10000 + ((c - 0xd800) << 10) + low - 0xdc00, out);
	}
	if (c >= 0xdc80 && c <= 0xdcff) {
		out[0] = (char)(c - 0xdc00);
		return 1;
	}
	return utf8(0xfffd, out);
}

static char simple_escape(char c)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *at = strchr(from, c);

	return at ? to[at - from] : c;
}

/* The next part of a valid string's inside: a run without escapes, or one
 * escape decoded into tmp. Moves *p behind it; 0 at the end. */
static size_t piece(const char **p, const char *end, char tmp[4],
		    const char **out)
{
	const char *stop;
	size_t n;

	*out = tmp;
	if (*p == end)
		return 0;
	if (**p == '\\') {
		if ((*p)[1] == 'u')
			return unicode(p, end, tmp);
		tmp[0] = simple_escape((*p)[1]);
		*p += 2;
		return 1;
	}
	*out = *p;
	stop = memchr(*p, '\\', (size_t)(end - *p));
	n = (size_t)((stop ? stop : end) - *p);
	*p += n;
	return n;
}

bool json_is(const struct json *j, jv v, const char *s)
{
	const char *p, *end, *out;
	char tmp[4];
	size_t n;

	if (!is_a(j, v, JSMN_STRING))
		return false;
	p = start(j, v);
	end = p + length(j, v);
	while ((n = piece(&p, end, tmp, &out))) {
		if (strnlen(s, n) < n || memcmp(out, s, n) != 0)
			return false;
		s += n;
	}
	return *s == '\0';
}

int json_str(const struct json *j, jv v, struct buf *b)
{
	const char *p, *end, *out;
	char tmp[4];
	size_t n;

	if (v < 0 || is_a(j, v, JSMN_OBJECT) || is_a(j, v, JSMN_ARRAY))
		return -1;
	p = start(j, v);
	end = p + length(j, v);
	if (!is_a(j, v, JSMN_STRING))
		return buf_add(b, p, length(j, v));
	while ((n = piece(&p, end, tmp, &out)))
		buf_add(b, out, n);
	return b->bad ? -1 : 0;
}

char *json_dup(const struct json *j, jv v)
{
	const char *p, *end, *out;
	char tmp[4], *copy;
	size_t n, len = 0;

	if (!is_a(j, v, JSMN_STRING))
		return NULL;
	p = start(j, v);
	end = p + length(j, v);
	copy = malloc(length(j, v) + 1);
	if (!copy)
		return NULL;
	while ((n = piece(&p, end, tmp, &out))) {
		memcpy(copy + len, out, n);
		len += n;
	}
	copy[len] = '\0';
	if (strlen(copy) == len)
		return copy;
	free(copy);
	return NULL;
}

/* --- other values --- */

bool json_true(const struct json *j, jv v)
{
	return is_a(j, v, JSMN_PRIMITIVE) && *start(j, v) == 't';
}

int json_int(const struct json *j, jv v, int64_t *out)
{
	const char *p;
	size_t n, i = 0;
	int64_t value = 0;
	bool minus;

	if (v < 0 || json_type(j, v) != JSON_NUMBER)
		return -1;
	p = start(j, v);
	n = length(j, v);
	minus = p[0] == '-';
	for (i = minus; i < n; i++) {
		if (p[i] < '0' || p[i] > '9'
		    || __builtin_mul_overflow(value, 10, &value)
		    || __builtin_sub_overflow(value, p[i] - '0', &value))
			return -1;
	}
	/* summed up below zero, where there is room for INT64_MIN */
	if (!minus && __builtin_sub_overflow(0, value, &value))
		return -1;
	*out = value;
	return 0;
}

int json_num(const struct json *j, jv v, double *out)
{
	enum { SHORT = 64 };
	char text[SHORT], *copy = text;
	bool over;
	size_t n;

	if (v < 0 || json_type(j, v) != JSON_NUMBER)
		return -1;
	n = length(j, v);
	if (n >= SHORT)
		copy = malloc(n + 1);
	if (!copy)
		return -1;
	memcpy(copy, start(j, v), n);
	copy[n] = '\0';
	*out = strtod(copy, NULL);	/* takes "NaN", "-Infinity" too */
	over = isinf(*out) && !strchr(copy, 'I');
	if (n >= SHORT)
		free(copy);
	return over ? -1 : 0;
}

void json_raw(const struct json *j, jv v, const char **p, size_t *n)
{
	bool quotes = is_a(j, v, JSMN_STRING);

	*p = v < 0 ? "" : start(j, v) - quotes;
	*n = v < 0 ? 0 : length(j, v) + 2 * quotes;
}

void json_where(const struct json *j, jv v, int *line, int *column)
{
	const char *p;
	size_t n;

	*line = *column = 0;
	if (v < 0)
		return;
	json_raw(j, v, &p, &n);
	json_place(j->text, (size_t)(p - j->text), line, column);
}

/* --- writing --- */

static void put_special(struct buf *b, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *at = c ? strchr(from, c) : NULL;

	if (at)
		buf_add(b, (char[]){ '\\', to[at - from] }, 2);
	else
		buf_printf(b, c < 0x20 ? "\\u%04x" : "\\udc%02x", c);
}

int json_put(struct buf *b, const char *p, size_t n)
{
	size_t from = 0, i = 0, step;

	buf_putc(b, '"');
	while (i < n) {
		/* long lists are mostly plain ASCII */
		while (i < n && (signed char)p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
			i++;
		step = i < n && (unsigned char)p[i] >= 0x80 ? json_utf8(p + i, n - i) : 0;
		i += step;
		if (step || i == n)
			continue;
		buf_add(b, p + from, i - from);
		put_special(b, (unsigned char)p[i]);
		from = ++i;
	}
	buf_add(b, p + from, n - from);
	return buf_putc(b, '"');
}

int json_puts(struct buf *b, const char *s)
{
	return s ? json_put(b, s, strlen(s)) : buf_puts(b, "null");
}
