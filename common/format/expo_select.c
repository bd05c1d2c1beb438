/* expo_select.c - NAME{label="v",label=~"re"}: does it select this sample?
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who asks may be a viewer of the frontend: the size of everything is
 * limited, and what would make a regular expression slow is refused.
 */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expo_line.h"

enum op { OP_IS, OP_IS_NOT, OP_MATCHES, OP_MATCHES_NOT };

struct matcher {
	enum op op;
	char   *name, *value;
	size_t  name_n, value_n;
	regex_t re;	/* when .compiled */
	bool    compiled;
};

struct expo_selector {
	unsigned n;
	struct matcher m[EXPO_MATCHERS];
};

struct cur {
	const char *from, *p, *end;
	struct expo_error *e;
};

static int want(struct cur *c, const char *what)
{
	c->e->line = 1;
	c->e->column = (size_t)(c->p - c->from) + 1;
	snprintf(c->e->what, sizeof c->e->what, "expected %s", what);
	return -1;
}

static bool at(const struct cur *c, char ch)
{
	return c->p < c->end && *c->p == ch;
}

static void blanks(struct cur *c)
{
	while (at(c, ' ') || at(c, '\t') || at(c, '\n'))
		c->p++;
}

/* --- reading ------------------------------------------------------------ */

static char *word(struct cur *c, bool colons, size_t *n)
{
	struct expo_span s = { c->p, 0 };

	while (c->p + s.n < c->end && expo_plain_name((struct expo_span){ s.p,
			s.n + 1 }, colons))
		s.n++;
	if (!s.n)
		return NULL;
	c->p += s.n;
	*n = s.n;
	return strndup(s.p, s.n);
}

/* A quoted string with the escapes that a metric's own values have. */
static char *string(struct cur *c, size_t *n)
{
	char quote = *c->p++, *out = malloc((size_t)(c->end - c->p) + 1), *q = out;

	for (; out && c->p < c->end && *c->p != quote; c->p++) {
		if (*c->p != '\\' || quote == '`') {
			*q++ = *c->p;
			continue;
		}
		c->p++;
		if (!at(c, '\\') && !at(c, '"') && !at(c, '\'') && !at(c, 'n'))
			break;
		*q++ = *c->p == 'n' ? '\n' : *c->p;
	}
	if (!out || !at(c, quote)) {
		want(c, out ? "the closing quote (\\ goes before \\, n and "
				"quotes only)" : "memory");
		free(out);
		return NULL;
	}
	c->p++;
	*q = 0;
	*n = (size_t)(q - out);
	return out;
}

static bool is_quote(const struct cur *c)
{
	return at(c, '"') || at(c, '\'') || at(c, '`');
}

static int read_op(struct cur *c, enum op *op)
{
	static const struct {
		char text[3];
		enum op op;
	} ops[] = {	/* the longer ones first */
		{ "!=", OP_IS_NOT }, { "=~", OP_MATCHES },
		{ "!~", OP_MATCHES_NOT }, { "=", OP_IS },
	};
	size_t i, n;

	for (i = 0; i < sizeof ops / sizeof *ops; i++) {
		n = strlen(ops[i].text);
		if ((size_t)(c->end - c->p) < n ||
				memcmp(c->p, ops[i].text, n))
			continue;
		c->p += n;
		*op = ops[i].op;
		return 0;
	}
	return want(c, "=, !=, =~ or !~");
}

/* What POSIX has not, and what costs memory or time without limit. */
static bool tame(const char *re, size_t n)
{
	unsigned braces = 0;
	size_t i;

	if (n > EXPO_REGEX || memchr(re, 0, n))
		return false;
	for (i = 0; i < n; i++) {
		if (re[i] == '\\' && i + 1 < n) {
			i++;
			if (re[i] >= '1' && re[i] <= '9')
				return false;
			continue;
		}
		if (re[i] == '(' && i + 1 < n && re[i + 1] == '?')
			return false;
		braces += re[i] == '{';
	}
	return braces <= 1;
}

static int compile(struct cur *c, struct matcher *x)
{
	char text[EXPO_REGEX + 8];

	if (!tame(x->value, x->value_n))
		return want(c, "a POSIX extended regular expression of at "
				"most 256 bytes, without (?, \\1 or a second {");
	snprintf(text, sizeof text, "^(%s)$", x->value);
	if (regcomp(&x->re, text, REG_EXTENDED | REG_NOSUB))
		return want(c, "a POSIX extended regular expression");
	x->compiled = true;
	return 0;
}

static struct matcher *matcher(struct cur *c, struct expo_selector *s)
{
	if (s->n == EXPO_MATCHERS) {
		want(c, "no more matchers");
		return NULL;
	}
	return &s->m[s->n++];
}

static int by_name(struct cur *c, struct expo_selector *s, char *name, size_t n)
{
	struct matcher *x = name ? matcher(c, s) : NULL;

	if (!x) {
		free(name);
		return -1;
	}
	*x = (struct matcher){ .op = OP_IS, .value = name, .value_n = n };
	return 0;
}

static int read_matcher(struct cur *c, struct expo_selector *s)
{
	struct matcher *x;
	char *name;
	size_t n;
	bool quoted = is_quote(c);

	name = quoted ? string(c, &n) : word(c, false, &n);
	if (!name)
		return quoted ? -1 : want(c, "a label name");
	blanks(c);
	if (quoted && (at(c, ',') || at(c, '}')))
		return by_name(c, s, name, n);
	x = matcher(c, s);
	if (!x) {
		free(name);
		return -1;
	}
	x->name = name;
	x->name_n = n;
	if (read_op(c, &x->op) < 0)
		return -1;
	blanks(c);
	if (!is_quote(c))
		return want(c, "a quote");
	x->value = string(c, &x->value_n);
	if (!x->value)
		return -1;
	return x->op < OP_MATCHES ? 0 : compile(c, x);
}

static int read_matchers(struct cur *c, struct expo_selector *s)
{
	for (c->p++, blanks(c); !at(c, '}'); blanks(c)) {
		if (read_matcher(c, s) < 0)
			return -1;
		blanks(c);
		if (at(c, '}'))
			break;
		if (!at(c, ','))
			return want(c, "',' or '}'");
		c->p++;
	}
	c->p++;
	return 0;
}

static int read_selector(struct cur *c, struct expo_selector *s)
{
	char *name;
	size_t n;

	blanks(c);
	name = word(c, true, &n);
	if (name && by_name(c, s, name, n) < 0)
		return -1;
	blanks(c);
	if (at(c, '{') && read_matchers(c, s) < 0)
		return -1;
	blanks(c);
	if (!s->n)
		return want(c, "a metric name or {label=\"value\"}");
	return c->p == c->end ? 0 : want(c, "the end of the selector");
}

struct expo_selector *expo_selector_new(const char *p, size_t n,
		struct expo_error *e)
{
	struct expo_selector *s = calloc(1, sizeof *s);
	struct cur c = { .from = p, .p = p, .end = p + n, .e = e };

	if (s && read_selector(&c, s) == 0)
		return s;
	if (!s)
		want(&c, "memory");
	expo_selector_free(s);
	return NULL;
}

void expo_selector_free(struct expo_selector *s)
{
	unsigned i;

	for (i = 0; s && i < s->n; i++) {
		free(s->m[i].name);
		free(s->m[i].value);
		if (s->m[i].compiled)
			regfree(&s->m[i].re);
	}
	free(s);
}

/* --- matching ----------------------------------------------------------- */

static struct expo_span subject(const struct matcher *x,
		const struct expo_sample *s)
{
	unsigned i;

	if (!x->name || (x->name_n == 8 && !memcmp(x->name, "__name__", 8)))
		return s->name;
	for (i = 0; i < s->labels; i++)
		if (s->label[i].name.n == x->name_n &&
				!memcmp(s->label[i].name.p, x->name, x->name_n))
			return s->label[i].value;
	return SPAN("");
}

static bool matches(const struct matcher *x, const struct expo_sample *s)
{
	struct expo_span v = subject(x, s);
	char small[512], *text = v.n < sizeof small ? small : malloc(v.n + 1);
	size_t n;
	bool hit;

	if (!text)
		return false;
	n = expo_unescape(v, text);
	text[n] = 0;
	if (x->compiled)
		hit = regexec(&x->re, text, 0, NULL, 0) == 0;
	else
		hit = n == x->value_n && !memcmp(text, x->value, n);
	if (text != small)
		free(text);
	return hit != (x->op == OP_IS_NOT || x->op == OP_MATCHES_NOT);
}

bool expo_selects(const struct expo_selector *s, const struct expo_sample *x)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (!matches(&s->m[i], x))
			return false;
	return true;
}
