/* json_check.c - is it JSON, and if not, where and why
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "json.h"

enum { WORD_SHOWN = 24 };	/* bytes of a wrong word in a message */

struct check {
	const char *text, *p, *end;
	unsigned    flags;
	struct json_error *e;
	long        tokens;
	int         depth;
	bool        fresh;		/* just after '[' or '{' */
	char        close[JSON_DEPTH];	/* what ends each open container */
};

void json_place(const char *text, size_t offset, int *line, int *column)
{
	const char *p = text, *end = text + offset, *nl;

	*line = 1;
	while (p < end && (nl = memchr(p, '\n', (size_t)(end - p)))) {
		p = nl + 1;
		++*line;
	}
	*column = (int)(end - p) + 1;
}

size_t json_utf8(const char *p, size_t n)
{
	const unsigned char *s = (const unsigned char *)p;
	unsigned lo = 0x80, hi = 0xbf;	/* what the second byte may be */
	size_t len, i;

	if (n == 0)
		return 0;
	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		lo = 0xa0;	/* else it would fit in two bytes */
	else if (s[0] == 0xed)
		hi = 0x9f;	/* surrogates */
	else if (s[0] == 0xf0)
		lo = 0x90;
	else if (s[0] == 0xf4)
		hi = 0x8f;	/* over U+10FFFF */
	if (n < len || s[1] < lo || s[1] > hi)
		return 0;
	for (i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

__attribute__((format(printf, 3, 4)))
static int bad(struct check *c, const char *at, const char *fmt, ...)
{
	va_list ap;

	json_place(c->text, (size_t)(at - c->text), &c->e->line, &c->e->column);
	va_start(ap, fmt);
	vsnprintf(c->e->what, sizeof c->e->what, fmt, ap);
	va_end(ap);
	return -1;
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool word_byte(char c)
{
	return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
		|| (c && strchr("+-._", c));
}

static size_t word_length(const struct check *c)
{
	const char *q = c->p;

	while (q < c->end && word_byte(*q))
		q++;
	return (size_t)(q - c->p);
}

static int expected(struct check *c, const char *what)
{
	size_t n = word_length(c);
	unsigned char ch;

	if (c->p == c->end)
		return bad(c, c->p, "expected %s but found the end", what);
	if (n)
		return bad(c, c->p, "expected %s but found '%.*s'%s", what,
			   (int)(n < WORD_SHOWN ? n : WORD_SHOWN), c->p,
			   n > WORD_SHOWN ? "..." : "");
	ch = (unsigned char)*c->p;
	if (ch == '"')
		return bad(c, c->p, "expected %s but found a string", what);
	if (ch > ' ' && ch < 0x7f)
		return bad(c, c->p, "expected %s but found '%c'", what, ch);
	return bad(c, c->p, "expected %s but found byte 0x%02X", what, ch);
}

static void blanks(struct check *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\n'
				 || *c->p == '\t' || *c->p == '\r'))
		c->p++;
}

static bool at(const struct check *c, char ch)
{
	return c->p < c->end && *c->p == ch;
}

/* The value of the \uXXXX at p, or -1. */
static long unit(const char *p, const char *end)
{
	long v = 0;
	int i;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (i = 2; i < 6; i++) {
		if (digit(p[i]))
			v = v << 4 | (p[i] - '0');
		else if ((p[i] | 32) >= 'a' && (p[i] | 32) <= 'f')
			v = v << 4 | ((p[i] | 32) - 'a' + 10);
		else
			return -1;
	}
	return v;
}

static int unicode_escape(struct check *c)
{
	long high = unit(c->p, c->end), low;

	if (high < 0)
		return bad(c, c->p, "\\u needs four hexadecimal digits");
	low = unit(c->p + 6, c->end);
	if (high >= 0xd800 && high <= 0xdbff && low >= 0xdc00 && low <= 0xdfff)
		c->p += 6;
	else if (high >= 0xd800 && high <= 0xdfff
		 && !(c->flags & JSON_SURROGATE))
		return bad(c, c->p, "\\u%04lx is half a surrogate pair", high);
	c->p += 6;
	return 0;
}

static int escape(struct check *c)
{
	char ch = c->end - c->p > 1 ? c->p[1] : '\0';

	if (ch == 'u')
		return unicode_escape(c);
	if (!ch || !strchr("\"\\/bfnrt", ch))
		return bad(c, c->p, ch > ' ' && ch < 0x7f
			   ? "'\\%c' is not an escape of JSON"
			   : "a '\\' that escapes nothing", ch);
	c->p += 2;
	return 0;
}

static int control(struct check *c)
{
	if (*c->p == '\n' || *c->p == '\r')
		return bad(c, c->p, "a line break inside a string");
	return bad(c, c->p, "control character 0x%02X inside a string",
		   (unsigned char)*c->p);
}

static int string(struct check *c)
{
	const char *start = c->p++;
	size_t n;

	c->tokens++;
	while (c->p < c->end && *c->p != '"') {
		if ((unsigned char)*c->p < 0x20)
			return control(c);
		if (*c->p == '\\') {
			if (escape(c) < 0)
				return -1;
			continue;
		}
		n = json_utf8(c->p, (size_t)(c->end - c->p));
		if (n == 0)
			return bad(c, c->p, "byte 0x%02X is not UTF-8 here",
				   (unsigned char)*c->p);
		c->p += n;
	}
	if (c->p == c->end)
		return bad(c, start, "a string without its closing '\"'");
	c->p++;
	return 0;
}

static const char *digits(const char *p, const char *end)
{
	while (p < end && digit(*p))
		p++;
	return p;
}

/* RFC 8259, 6: [-] int [frac] [exp], nothing after it. */
static bool number(const char *p, const char *end)
{
	const char *q;

	if (p < end && *p == '-')
		p++;
	q = digits(p, end);
	if (q == p || (*p == '0' && q - p > 1))
		return false;
	p = q;
	if (p < end && *p == '.') {
		q = digits(p + 1, end);
		if (q == p + 1)
			return false;
		p = q;
	}
	if (p < end && (*p | 32) == 'e') {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		q = digits(p, end);
		if (q == p)
			return false;
		p = q;
	}
	return p == end;
}

static bool among(const char *p, size_t n, const char *const *words)
{
	for (; *words; words++)
		if (n == strlen(*words) && memcmp(p, *words, n) == 0)
			return true;
	return false;
}

/* true, false, null, a number, or what Python writes for infinity. */
static int word(struct check *c)
{
	static const char *const literals[] = { "true", "false", "null", NULL };
	static const char *const infinite[] = {
		"NaN", "Infinity", "-Infinity", NULL
	};
	size_t n = word_length(c);
	int shown = (int)(n < WORD_SHOWN ? n : WORD_SHOWN);

	if (n == 0)
		return expected(c, "a value");
	c->tokens++;
	if (among(c->p, n, infinite)) {
		if (!(c->flags & JSON_INF))
			return bad(c, c->p, "%.*s is not JSON", shown, c->p);
	} else if (!among(c->p, n, literals) && !number(c->p, c->p + n)) {
		if (!digit(*c->p) && *c->p != '-')
			return expected(c, "a value");
		return bad(c, c->p, "'%.*s'%s is not a number of JSON", shown,
			   c->p, n > WORD_SHOWN ? "..." : "");
	}
	c->p += n;
	return 0;
}

static int open(struct check *c)
{
	if (c->depth == JSON_DEPTH)
		return bad(c, c->p, "nesting deeper than %d", JSON_DEPTH);
	c->close[c->depth++] = *c->p == '[' ? ']' : '}';
	c->fresh = true;
	c->tokens++;
	c->p++;
	return 0;
}

static int value(struct check *c)
{
	blanks(c);
	if (at(c, '[') || at(c, '{'))
		return open(c);
	return at(c, '"') ? string(c) : word(c);
}

static int member_name(struct check *c)
{
	blanks(c);
	if (!at(c, '"'))
		return expected(c, "a name in double quotes");
	if (string(c) < 0)
		return -1;
	blanks(c);
	if (!at(c, ':'))
		return expected(c, "':'");
	c->p++;
	return 0;
}

/* One step inside the innermost open container: its next element or its end. */
static int step(struct check *c)
{
	char close = c->close[c->depth - 1];
	bool fresh = c->fresh;

	c->fresh = false;
	blanks(c);
	if (at(c, close)) {
		c->depth--;
		c->p++;
		return 0;
	}
	if (!fresh) {
		if (!at(c, ','))
			return expected(c, close == ']' ? "',' or ']'"
							: "',' or '}'");
		c->p++;
	}
	if (close == '}' && member_name(c) < 0)
		return -1;
	return value(c);
}

static int document(struct check *c)
{
	if (c->end - c->p >= 3 && memcmp(c->p, "\xef\xbb\xbf", 3) == 0)
		return bad(c, c->p, "a byte order mark before the JSON text");
	blanks(c);
	if (c->p == c->end)
		return bad(c, c->p, "expected a value but the text is empty");
	if (value(c) < 0)
		return -1;
	while (c->depth)
		if (step(c) < 0)
			return -1;
	blanks(c);
	return c->p == c->end ? 0 : expected(c, "the end of the text");
}

long json_check(const char *p, size_t n, unsigned flags, struct json_error *e)
{
	struct check c = { .text = p, .p = p, .end = p + n,
			   .flags = flags, .e = e };

	return document(&c) < 0 ? -1 : c.tokens;
}
