/* expo_line.c - one line of Prometheus text 0.0.4 or OpenMetrics 1.0
 * SPDX-License-Identifier: Apache-2.0
 *
 * Text 0.0.4 allows blanks nearly everywhere, OpenMetrics nowhere but one
 * between tokens. Both may quote names (Prometheus 3).
 */
#include <stdio.h>
#include <string.h>

#include "expo_line.h"

struct cur {
	const char *line, *p, *end;
	enum expo_format   f;
	struct expo_error *e;
};

/* --- trouble ------------------------------------------------------------ */

static int fail(struct cur *c, const char *at, const char *what)
{
	c->e->column = (size_t)(at - c->line) + 1;
	snprintf(c->e->what, sizeof c->e->what, "%s", what);
	return -1;
}

static int want(struct cur *c, const char *what)
{
	char found[24];
	unsigned char ch;

	if (c->p >= c->end) {
		snprintf(found, sizeof found, "the end of the line");
	} else {
		ch = (unsigned char)*c->p;
		snprintf(found, sizeof found,
				ch < ' ' || ch > '~' ? "\\x%02x" : "'%c'", ch);
	}
	c->e->column = (size_t)(c->p - c->line) + 1;
	snprintf(c->e->what, sizeof c->e->what, "expected %s but found %s",
			what, found);
	return -1;
}

/* --- pieces ------------------------------------------------------------- */

static bool at(const struct cur *c, char ch)
{
	return c->p < c->end && *c->p == ch;
}

/* Blanks where text 0.0.4 allows any; OpenMetrics has none there. */
static void blanks(struct cur *c)
{
	while (c->f == EXPO_TEXT && c->p < c->end && is_blank(*c->p))
		c->p++;
}

static int number(struct cur *c, struct expo_span *out, const char *what)
{
	const char *q = expo_number_end(c->p, c->end);

	if (!q)
		return want(c, what);
	*out = (struct expo_span){ c->p, (size_t)(q - c->p) };
	c->p = q;
	return 0;
}

/* The name at the cursor, not empty. */
static int plain_name(struct cur *c, struct expo_span *out, bool colons,
		const char *what)
{
	const char *from = c->p;

	if (c->p >= c->end || is_digit(*c->p))
		return want(c, what);
	while (c->p < c->end && is_name(*c->p, colons))
		c->p++;
	if (c->p == from)
		return want(c, what);
	*out = (struct expo_span){ from, (size_t)(c->p - from) };
	return 0;
}

/* After the opening quote, to behind the closing one. */
static int quoted(struct cur *c, struct expo_span *out)
{
	const char *from = c->p;

	for (; !at(c, '"'); c->p++) {
		if (c->p >= c->end)
			return want(c, "'\"'");
		if (*c->p != '\\')
			continue;
		c->p++;
		if (at(c, 'n') || at(c, '"') || at(c, '\\'))
			continue;
		/* OpenMetrics: any other escaped byte stands for both bytes */
		if (c->f == EXPO_TEXT || c->p >= c->end)
			return want(c, "'n', '\"' or '\\' after '\\'");
	}
	*out = (struct expo_span){ from, (size_t)(c->p - from) };
	if (!expo_utf8(from, out->n))
		return fail(c, from, "expected UTF-8 between the quotes");
	c->p++;
	return 0;
}

/* --- labels ------------------------------------------------------------- */

static int label_is_new(struct cur *c, const struct expo_line *l,
		struct expo_span name)
{
	unsigned i;

	if (span_is(name, SPAN("__name__")))
		return fail(c, name.p, "the label name __name__ is reserved");
	for (i = 0; i < l->labels; i++)
		if (span_is(l->label[i].name, name))
			return fail(c, name.p, "this label name was there before");
	if (l->labels == EXPO_LABELS - EXPO_EXTRAS)
		return fail(c, name.p, "more labels than lmc takes");
	return 0;
}

static int label_value(struct cur *c, struct expo_line *l, struct expo_span name)
{
	struct expo_span value;

	if (!at(c, '='))
		return want(c, "'='");
	c->p++;
	blanks(c);
	if (!at(c, '"'))
		return want(c, "'\"'");
	c->p++;
	if (quoted(c, &value) < 0 || label_is_new(c, l, name) < 0)
		return -1;
	l->label[l->labels++] = (struct expo_label){ name, value };
	return 0;
}

/* label="value", or the metric's quoted name as the first thing. */
static int label(struct cur *c, struct expo_line *l, bool first)
{
	struct expo_span name;

	if (!at(c, '"')) {
		if (plain_name(c, &name, false, "a label name") < 0)
			return -1;
		blanks(c);
		return label_value(c, l, name);
	}
	c->p++;
	if (quoted(c, &name) < 0)
		return -1;
	if (!name.n)
		return fail(c, name.p, "expected a name between the quotes");
	blanks(c);
	if (first && l && !l->name.n && (at(c, ',') || at(c, '}'))) {
		l->name = name;
		return 0;
	}
	return label_value(c, l, name);
}

/* From '{' to behind '}'. */
static int labels(struct cur *c, struct expo_line *l)
{
	bool first = true;

	c->p++;
	blanks(c);
	while (!at(c, '}')) {
		if (label(c, l, first) < 0)
			return -1;
		first = false;
		blanks(c);
		if (at(c, '}'))
			break;
		if (!at(c, ','))
			return want(c, "',' or '}'");
		c->p++;
		blanks(c);
		if (c->f == EXPO_OPENMETRICS && at(c, '}'))
			return want(c, "a label name");
	}
	c->p++;
	return 0;
}

/* --- samples ------------------------------------------------------------ */

/* Both Prometheus parsers keep milliseconds in 64 bits. */
static bool fits(const char *p, size_t n)
{
	while (n > 1 && *p == '0')
		p++, n--;
	return n < 19 || (n == 19 && memcmp(p, "9223372036854775807", 19) <= 0);
}

static int text_time(struct cur *c, struct expo_line *l)
{
	const char *from, *d;

	blanks(c);
	if (c->p == c->end)
		return 0;
	from = c->p;
	if (*c->p == '-' || *c->p == '+')
		c->p++;
	d = c->p;
	c->p = expo_digits_end(c->p, c->end);
	if (c->p == d)
		return want(c, "a timestamp or the end of the line");
	if (!fits(d, (size_t)(c->p - d)))
		return fail(c, from, "expected a timestamp of 64 bits");
	l->time = (struct expo_span){ from, (size_t)(c->p - from) };
	blanks(c);
	return c->p == c->end ? 0 : want(c, "the end of the line");
}

/* " # {labels} value[ timestamp]" behind "# ". */
static int exemplar(struct cur *c, struct expo_line *l)
{
	struct expo_line own;	/* only its labels are checked */
	struct expo_span s;
	const char *from = c->p;

	own.labels = 0;
	own.name = (struct expo_span){ from, 1 };
	c->p++;
	if (!at(c, ' '))
		return want(c, "a space");
	c->p++;
	if (!at(c, '{'))
		return want(c, "'{'");
	if (labels(c, &own) < 0)
		return -1;
	if (!at(c, ' '))
		return want(c, "a space");
	c->p++;
	if (number(c, &s, "the exemplar's value") < 0)
		return -1;
	if (at(c, ' ')) {
		c->p++;
		if (number(c, &s, "the exemplar's timestamp") < 0)
			return -1;
	}
	l->exemplar = (struct expo_span){ from, (size_t)(c->p - from) };
	return c->p == c->end ? 0 : want(c, "the end of the line");
}

/* A timestamp of seconds is a decimal: NaN and infinities are no time. */
static int om_time(struct cur *c, struct expo_line *l)
{
	const char *d = c->p + (at(c, '-') || at(c, '+'));
	const char *q = expo_decimal_end(d, c->end);
	struct expo_span s = { d, 0 };
	char ms[EXPO_NUMBER + 24];
	double v;

	if (!q)
		return want(c, "a timestamp or '#'");
	s.n = (size_t)(q - d);
	if (expo_number(s, &v) < 0 || v > 1e16 || !fits(ms, expo_put_time(ms,
			s, EXPO_OPENMETRICS, EXPO_TEXT)))
		return fail(c, d, "expected a timestamp of 64 bits");
	l->time = (struct expo_span){ c->p, (size_t)(q - c->p) };
	c->p = q;
	return 0;
}

static int om_rest(struct cur *c, struct expo_line *l)
{
	if (c->p == c->end)
		return 0;
	if (!at(c, ' '))
		return want(c, "a space or the end of the line");
	c->p++;
	if (at(c, '#'))
		return exemplar(c, l);
	if (om_time(c, l) < 0)
		return -1;
	if (c->p == c->end)
		return 0;
	if (!at(c, ' '))
		return want(c, "a space or the end of the line");
	c->p++;
	return at(c, '#') ? exemplar(c, l) : want(c, "'#'");
}

static int sample(struct cur *c, struct expo_line *l)
{
	bool braces;

	l->kind = LINE_SAMPLE;
	if (!at(c, '{') && plain_name(c, &l->name, true,
			"a metric name, '#' or '{'") < 0)
		return -1;
	blanks(c);
	braces = at(c, '{');
	if (braces && labels(c, l) < 0)
		return -1;
	if (!l->name.n)
		return fail(c, c->line, "expected a metric name in these braces");
	if (!braces && !is_blank(c->p[-1]) && !at(c, ' '))
		return want(c, "'{' or a space");
	if (c->f == EXPO_OPENMETRICS) {
		if (!at(c, ' '))
			return want(c, "a space");
		c->p++;
	}
	blanks(c);
	if (number(c, &l->value, "a value") < 0)
		return -1;
	if (c->f == EXPO_OPENMETRICS)
		return om_rest(c, l);
	if (c->p < c->end && !is_blank(*c->p))
		return want(c, "a space or the end of the line");
	return text_time(c, l);
}

/* --- comments ----------------------------------------------------------- */

static int read_type(struct cur *c, struct expo_line *l)
{
	struct expo_span s = l->text;
	unsigned t;

	for (t = 0; t < EXPO_TYPES; t++) {
		if (c->f == EXPO_TEXT ? t > EXPO_SUMMARY : t == EXPO_UNTYPED)
			continue;
		if (s.n == strlen(expo_type_name(t)) &&
				!memcmp(s.p, expo_type_name(t), s.n)) {
			l->type = t;
			return 0;
		}
	}
	if (c->f == EXPO_OPENMETRICS && span_is(s, SPAN("unknown"))) {
		l->type = EXPO_UNTYPED;
		return 0;
	}
	c->p = s.p;
	return want(c, c->f == EXPO_TEXT ?
		"counter, gauge, histogram, summary or untyped" :
		"a type of OpenMetrics (counter, gauge, unknown...)");
}

static int meta_name(struct cur *c, struct expo_line *l)
{
	if (!at(c, '"'))
		return plain_name(c, &l->name, true, "a metric name");
	c->p++;
	if (quoted(c, &l->name) < 0)
		return -1;
	return l->name.n ? 0 : want(c, "a metric name");
}

/* Behind the keyword: the name, one blank or more, the text. */
static int meta(struct cur *c, struct expo_line *l, enum expo_kind kind)
{
	l->kind = kind;
	if (meta_name(c, l) < 0)
		return -1;
	if (c->p < c->end && !is_blank(*c->p))
		return want(c, "a space");
	if (c->f == EXPO_OPENMETRICS)
		c->p += c->p < c->end;
	else
		blanks(c);
	l->text = (struct expo_span){ c->p, (size_t)(c->end - c->p) };
	if (!expo_utf8(l->text.p, l->text.n))
		return fail(c, l->text.p, "expected UTF-8");
	if (kind != LINE_TYPE)
		return 0;
	if (!l->text.n && c->f == EXPO_TEXT) {
		l->kind = LINE_COMMENT;	/* as Prometheus reads it */
		return 0;
	}
	return read_type(c, l);
}

static bool keyword(struct cur *c, const char *word, size_t n)
{
	if ((size_t)(c->end - c->p) <= n || memcmp(c->p, word, n) ||
			!is_blank(c->p[n]))
		return false;
	c->p += n + 1;
	blanks(c);
	return true;
}

static int comment(struct cur *c, struct expo_line *l)
{
	l->kind = LINE_COMMENT;
	c->p++;
	if (c->p < c->end && is_blank(*c->p)) {
		c->p++;
		blanks(c);
		if (c->f == EXPO_TEXT && c->p == c->end)
			return 0;
		if (keyword(c, "HELP", 4))
			return c->p == c->end && c->f == EXPO_TEXT ? 0 :
				meta(c, l, LINE_HELP);
		if (keyword(c, "TYPE", 4))
			return c->p == c->end && c->f == EXPO_TEXT ? 0 :
				meta(c, l, LINE_TYPE);
		if (c->f == EXPO_OPENMETRICS && keyword(c, "UNIT", 4))
			return meta(c, l, LINE_UNIT);
	}
	if (c->f == EXPO_TEXT)
		return 0;
	if (c->end - c->line == 5 && !memcmp(c->line, "# EOF", 5)) {
		l->kind = LINE_EOF;
		return 0;
	}
	return want(c, "HELP, TYPE, UNIT or EOF");
}

int expo_line(struct expo_line *l, const char *p, size_t n,
		enum expo_format f, struct expo_error *e)
{
	struct cur c = { .line = p, .p = p, .end = p + n, .f = f, .e = e };

	l->name = l->text = l->value = l->time = l->exemplar =
		(struct expo_span){ NULL, 0 };
	l->start = p;
	l->labels = 0;
	if (n > EXPO_LINE)
		return fail(&c, p, "this line is longer than lmc takes");
	if (memchr(p, 0, n))
		return fail(&c, memchr(p, 0, n), "expected no NUL byte");
	blanks(&c);
	if (c.p == c.end) {
		l->kind = LINE_BLANK;
		return f == EXPO_TEXT ? 0 : want(&c, "no empty line");
	}
	return *c.p == '#' ? comment(&c, l) : sample(&c, l);
}
