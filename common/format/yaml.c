/* yaml.c - see yaml.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http.h"	/* struct span */
#include "json.h"
#include "yaml.h"

struct yaml {
	const char *p, *end;		/* what is left */
	int         line;		/* of p, from 1 */
	int         depth;
	struct buf *out;
	struct yaml_error *e;
};

struct keys {
	struct span name[YAML_KEYS];
	int n;
};

static int bad(struct yaml *y, const char *what)
{
	if (!y->e->line) {
		y->e->line = y->line;
		snprintf(y->e->what, sizeof y->e->what, "%s", what);
	}
	return -1;
}

static const char *eol(const struct yaml *y)
{
	const char *nl = memchr(y->p, '\n', (size_t)(y->end - y->p));

	return nl ? nl : y->end;
}

static void next_line(struct yaml *y)
{
	const char *nl = eol(y);

	y->p = nl < y->end ? nl + 1 : nl;
	y->line++;
}

/* Moves to the next line that says something. Its indentation, -1 at the
 * end, -2 when it is bad; p stays at the line's beginning. */
static int indent(struct yaml *y)
{
	const char *p;

	for (; y->p < y->end; next_line(y)) {
		for (p = y->p; p < y->end && *p == ' '; p++)
			;
		if (p == y->end || *p == '\n' || *p == '#' || *p == '\r')
			continue;
		if (*p == '\t')
			return bad(y, "a tab as indentation"), -2;
		return (int)(p - y->p);
	}
	return -1;
}

static void blanks(struct yaml *y)
{
	while (y->p < y->end && (*y->p == ' ' || *y->p == '\t'))
		y->p++;
}

static bool at_end(const struct yaml *y)
{
	return y->p == y->end || *y->p == '\n' ||
		(*y->p == '\r' && (y->p + 1 == y->end || y->p[1] == '\n'));
}

/* After a value only a comment may follow. */
static int finish_line(struct yaml *y)
{
	const char *before = y->p;

	blanks(y);
	if (!at_end(y) && !(*y->p == '#' && y->p > before))
		return bad(y, "something follows the value");
	next_line(y);
	return 0;
}

static bool one_of(struct span s, const char *const *words)
{
	for (; *words; words++)
		if (strlen(*words) == s.n && memcmp(*words, s.p, s.n) == 0)
			return true;
	return false;
}

static const char *const yes[] = {
	"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", NULL
};
static const char *const no[] = {
	"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", NULL
};
static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };

static size_t run(struct span s, size_t at, const char *set)
{
	size_t n = at;

	while (n < s.n && strchr(set, s.p[n]) && s.p[n])
		n++;
	return n - at;
}

/* Digits of base in s after its sign, "_" left out. 1, or -1. */
static int put_int(struct yaml *y, struct span s, size_t at, int base)
{
	char text[64];
	size_t n = 0;
	bool minus = s.p[0] == '-';

	for (; at < s.n; at++)
		if (s.p[at] != '_') {
			if (n == sizeof text - 1)
				return bad(y, "a number this long must be quoted");
			text[n++] = s.p[at];
		}
	text[n] = 0;
	errno = 0;
	if (base == 10)
		buf_printf(y->out, "%s%s", minus ? "-" : "", text);
	else
		buf_printf(y->out, "%s%llu", minus ? "-" : "", strtoull(text, NULL, base));
	return n == 0 || errno == ERANGE ? bad(y, "a number this long must be quoted") : 1;
}

static int put_float(struct yaml *y, struct span s)
{
	char text[64], clean[64];
	size_t i, n = 0;
	double v;
	int digits;

	for (i = 0; i < s.n && n < sizeof clean - 1; i++)
		if (s.p[i] != '_')
			clean[n++] = s.p[i];
	clean[n] = 0;
	v = strtod(clean, NULL);
	for (digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_puts(y->out, text);
	return strpbrk(text, ".en") ? 0 : buf_puts(y->out, ".0");
}

/* 1: written as a number; 0: no number; -1: refused. */
static int number(struct yaml *y, struct span s)
{
	size_t sign = s.n && (s.p[0] == '-' || s.p[0] == '+'), n, frac, e;

	if (s.n == sign)
		return 0;
	if (s.n - sign == 4 && (strncmp(s.p + sign, ".inf", 4) == 0 ||
	    strncmp(s.p + sign, ".Inf", 4) == 0 || strncmp(s.p + sign, ".INF", 4) == 0))
		return buf_puts(y->out, s.p[0] == '-' ? "-Infinity" : "Infinity"), 1;
	if (!sign && s.n == 4 && (strncmp(s.p, ".nan", 4) == 0 ||
	    strncmp(s.p, ".NaN", 4) == 0 || strncmp(s.p, ".NAN", 4) == 0))
		return buf_puts(y->out, "NaN"), 1;
	n = run(s, sign, "0123456789_");
	if (n && s.p[sign] == '_')
		return 0;
	if (n && sign + n == s.n) {
		if (s.p[sign] != '0' || n == 1)
			return put_int(y, s, sign, 10);
		return sign + run(s, sign, "01234567_") == s.n ?
			put_int(y, s, sign, 8) : 0;
	}
	if (n == 1 && s.p[sign] == '0' && s.n > sign + 2) {
		if (s.p[sign + 1] == 'x' &&
		    run(s, sign + 2, "0123456789abcdefABCDEF_") == s.n - sign - 2)
			return put_int(y, s, sign + 2, 16);
		if (s.p[sign + 1] == 'b' && run(s, sign + 2, "01_") == s.n - sign - 2)
			return put_int(y, s, sign + 2, 2);
	}
	if (n && sign + n < s.n && s.p[sign + n] == ':' &&
	    run(s, sign, "0123456789_:.") == s.n - sign && s.p[s.n - 1] != ':')
		return bad(y, "a base-60 number or a time: put it in quotes");
	if (!sign && n == 4 && s.n >= 8 && s.p[4] == '-' &&
	    run(s, 0, "0123456789-") >= 8)
		return bad(y, "a date: put it in quotes");
	if (sign + n == s.n || s.p[sign + n] != '.')
		return 0;
	frac = run(s, sign + n + 1, "0123456789_");
	if (!n && (!frac || s.p[sign + 1] == '_'))
		return 0;
	e = sign + n + 1 + frac;
	if (e < s.n) {
		if ((s.p[e] != 'e' && s.p[e] != 'E') || e + 2 >= s.n ||
		    (s.p[e + 1] != '-' && s.p[e + 1] != '+') ||
		    run(s, e + 2, "0123456789") != s.n - e - 2)
			return 0;
	}
	return put_float(y, s), 1;
}

static int put_plain(struct yaml *y, struct span s)
{
	int n;

	if (one_of(s, nulls))
		return buf_puts(y->out, "null");
	if (one_of(s, yes) || one_of(s, no))
		return buf_puts(y->out, one_of(s, yes) ? "true" : "false");
	n = number(y, s);
	if (n)
		return n < 0 ? -1 : 0;
	return json_put(y->out, s.p, s.n);
}

static struct span trim(const char *p, const char *end)
{
	while (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	return (struct span){ p, (size_t)(end - p) };
}

/* A plain scalar ends at ": ", " #", the line's end, and in flow at ",]}". */
static int plain(struct yaml *y, bool flow, bool key, struct span *s)
{
	const char *p = y->p, *end = eol(y);

	if (strchr("&*!|>%@`{}[],?", *p) && !(*p == '?' && p + 1 < end && p[1] != ' '))
		return bad(y, "this must be put in quotes (it begins like YAML syntax "
			   "that is not taken here)");
	for (; p < end; p++) {
		if (*p == '#' && p > y->p && (p[-1] == ' ' || p[-1] == '\t'))
			break;
		if (flow && strchr(",]}[{", *p))
			break;
		if (*p == ':' && (p + 1 == end || p[1] == ' ' || p[1] == '\t' || p[1] == '\r' ||
				  (flow && strchr(",]}", p[1])))) {
			if (!key)
				return bad(y, "a mapping inside a value: give it its own lines");
			break;
		}
	}
	*s = trim(y->p, p);
	y->p += s->n;
	return 0;
}

static int hex(struct yaml *y, int n, struct buf *text)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	uint32_t c = 0;
	const char *d;

	for (; n; n--, y->p++) {
		d = y->p < y->end ? memchr(digits, *y->p, 32) : NULL;
		if (!d)
			return bad(y, "a bad escape");
		c = c << 4 | (uint32_t)((d - digits) & 15);
	}
	if (c < 0x80)
		return buf_putc(text, (char)c);
	if (c > 0xffff || (c >= 0xd800 && c < 0xe000))
		return bad(y, "an escape beyond U+FFFF");
	if (c >= 0x800)
		buf_putc(text, (char)(0xe0 | c >> 12));
	buf_putc(text, (char)(c >= 0x800 ? 0x80 | (c >> 6 & 63) : 0xc0 | c >> 6));
	return buf_putc(text, (char)(0x80 | (c & 63)));
}

static int escape(struct yaml *y, struct buf *text)
{
	static const char from[] = "0abtnvfre \"/\\", to[] = "\0\a\b\t\n\v\f\r\033 \"/\\";
	const char *at;
	char c;

	if (y->p == y->end)
		return bad(y, "a bad escape");
	c = *y->p++;
	at = memchr(from, c, sizeof from - 1);
	if (at)
		return buf_putc(text, to[at - from]);
	return c == 'x' ? hex(y, 2, text) : c == 'u' ? hex(y, 4, text) : bad(y, "a bad escape");
}

static int quoted(struct yaml *y, struct buf *text)
{
	char quote = *y->p++;

	for (;;) {
		if (y->p == y->end || *y->p == '\n')
			return bad(y, "a quote that is not closed on its line");
		if (*y->p == quote) {
			y->p++;
			if (quote == '"' || y->p == y->end || *y->p != quote)
				return text->bad ? bad(y, "too long") : 0;
		}
		if (*y->p == '\\' && quote == '"') {
			y->p++;
			if (escape(y, text) < 0)
				return -1;
		} else {
			buf_putc(text, *y->p++);
		}
	}
}

static int put_quoted(struct yaml *y)
{
	struct buf text = BUF(JSON_MAX);
	int n = quoted(y, &text);

	if (n == 0)
		n = json_put(y->out, text.p ? text.p : "", text.len);
	buf_free(&text);
	return n;
}

/* A key as JSON, and after it the colon. */
static int key(struct yaml *y, bool flow, struct keys *ks)
{
	size_t from = y->out->len;
	struct span s;
	int i, n;

	if (*y->p == '"' || *y->p == '\'') {
		n = put_quoted(y);
	} else {
		n = plain(y, flow, true, &s);
		if (n == 0 && !s.n)
			return bad(y, "a key is missing");
		if (n == 0)
			n = json_put(y->out, s.p, s.n);
	}
	if (n < 0)
		return -1;
	blanks(y);
	if (y->p == y->end || *y->p != ':')
		return bad(y, "no \": \" after the key");
	y->p++;
	s.n = y->out->len - from;
	s.p = strndup(y->out->p + from, s.n);
	if (!s.p || ks->n == YAML_KEYS) {
		free((void *)s.p);
		return bad(y, "too many keys");
	}
	ks->name[ks->n++] = s;
	for (i = 0; i < ks->n - 1; i++)
		if (ks->name[i].n == s.n && memcmp(ks->name[i].p, s.p, s.n) == 0)
			return bad(y, "this key is there twice");
	return buf_puts(y->out, ": ");
}

static void keys_free(struct keys *ks)
{
	while (ks->n)
		free((void *)ks->name[--ks->n].p);
	free(ks);
}

static int flow_value(struct yaml *y);

/* [a, b] and {a: b}, on one line. */
static int flow(struct yaml *y)
{
	bool map = *y->p == '{';
	char close = map ? '}' : ']';
	struct keys *ks = calloc(1, sizeof *ks);
	int n = ks ? 0 : bad(y, "out of memory");

	buf_putc(y->out, *y->p++);
	for (bool first = true; n == 0; first = false) {
		blanks(y);
		if (at_end(y))
			n = bad(y, "a bracket that is not closed on its line");
		else if (*y->p == close)
			break;
		else if (!first && *y->p++ != ',')
			n = bad(y, "no \",\" between the items");
		blanks(y);
		if (n || at_end(y) || *y->p == close)
			continue;
		if (!first)
			buf_puts(y->out, ", ");
		if (map)
			n = key(y, true, ks);
		blanks(y);
		if (n == 0)
			n = flow_value(y);
	}
	if (n == 0)
		buf_putc(y->out, *y->p++);
	if (ks)
		keys_free(ks);
	return n;
}

static int flow_value(struct yaml *y)
{
	struct span s = { "", 0 };
	int n;

	if (at_end(y))
		return bad(y, "a bracket that is not closed on its line");
	if (*y->p == '"' || *y->p == '\'')
		return put_quoted(y);
	if (*y->p == '[' || *y->p == '{') {
		if (++y->depth > YAML_DEPTH)
			return bad(y, "too deep");
		n = flow(y);
		y->depth--;
		return n;
	}
	if (!strchr(",]}", *y->p) && plain(y, true, false, &s) < 0)
		return -1;
	return put_plain(y, s);
}

/* A value on the line of its key or dash. */
static int inline_value(struct yaml *y)
{
	struct span s;
	int n;

	if (*y->p == '"' || *y->p == '\'')
		n = put_quoted(y);
	else if (*y->p == '[' || *y->p == '{')
		n = flow(y);
	else if ((n = plain(y, false, false, &s)) == 0)
		n = put_plain(y, s);
	return n < 0 ? -1 : finish_line(y);
}

static int block(struct yaml *y, int at);

static bool dash(const struct yaml *y, int at)
{
	const char *p = y->p + at;

	return p < y->end && *p == '-' &&
		(p + 1 == y->end || strchr(" \n\r\t", p[1]));
}

/* What stands under a key: deeper lines, or dashes as deep as the key. */
static int under(struct yaml *y, int at)
{
	int in;

	next_line(y);
	in = indent(y);
	if (in == -2)
		return -1;
	if (in > at || (in == at && dash(y, in)))
		return block(y, in);
	return buf_puts(y->out, "null");
}

static int item(struct yaml *y, int at, bool map, struct keys *ks)
{
	y->p += at + (map ? 0 : 1);
	if (map && key(y, false, ks) < 0)
		return -1;
	if (!at_end(y) && *y->p != ' ' && *y->p != '\t')
		return bad(y, "no blank after \":\"");
	blanks(y);
	if (!at_end(y) && *y->p != '#')
		return inline_value(y);
	return map ? under(y, at) : bad(y, "an item without a value");
}

static int items(struct yaml *y, int at, bool map, struct keys *ks)
{
	int in;

	for (bool first = true; (in = indent(y)) == at; first = false) {
		if (map && dash(y, at))
			return bad(y, "a dash among keys");
		if (!map && !dash(y, at))
			return 0;
		if (!first)
			buf_puts(y->out, ", ");
		if (item(y, at, map, ks) < 0)
			return -1;
	}
	if (in == -2)
		return -1;
	return in > at ? bad(y, "deeper than the line above allows") : 0;
}

static int block(struct yaml *y, int at)
{
	bool map = !dash(y, at);
	struct keys *ks = calloc(1, sizeof *ks);
	int n;

	if (!ks || ++y->depth > YAML_DEPTH) {
		free(ks);
		return bad(y, ks ? "too deep" : "out of memory");
	}
	buf_putc(y->out, map ? '{' : '[');
	n = items(y, at, map, ks);
	buf_putc(y->out, map ? '}' : ']');
	y->depth--;
	keys_free(ks);
	return n;
}

int yaml_json(const char *p, size_t n, struct buf *out, struct yaml_error *e)
{
	struct yaml y = { p, p + n, 1, 0, out, e };
	int in;

	e->line = 0;
	if (n >= 3 && memcmp(p, "\357\273\277", 3) == 0)
		y.p += 3;
	if (memchr(p, 0, n))
		return bad(&y, "a NUL byte");
	in = indent(&y);
	if (in == 0 && y.end - y.p >= 3 && memcmp(y.p, "---", 3) == 0) {
		y.p += 3;
		if (finish_line(&y) < 0)
			return -1;
		in = indent(&y);
	}
	if (in == -1)
		return buf_puts(out, "{}");
	if (in == -2)
		return -1;
	if (dash(&y, in))
		return bad(&y, "a list where keys are expected");
	if (block(&y, in) < 0)
		return -1;
	if (indent(&y) != -1)
		return bad(&y, "less indented than the first key");
	return out->bad ? bad(&y, "too long") : 0;
}
