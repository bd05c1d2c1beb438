/* expo_text.c - what the two formats write differently
 * SPDX-License-Identifier: Apache-2.0
 *
 * Timestamps are milliseconds in text 0.0.4 and seconds in OpenMetrics. They
 * are converted as text: no digit passes through a double.
 */
#include <stdlib.h>
#include <string.h>

#include "expo_line.h"
#include "expo_rule.h"

/* --- timestamps --------------------------------------------------------- */

/* A decimal, its point moved by three places. Reading has seen to it that no
 * more than 20 digits are in front of the new point. */
struct decimal {
	const char *whole, *part;	/* digits on either side of the point */
	size_t whole_n, part_n;
	long   shift;
	bool   minus;
};

static size_t digits(const char *p, const char *end)
{
	const char *from = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return (size_t)(p - from);
}

static long exponent(const char *p, const char *end)
{
	bool minus = p < end && *p == '-';
	long v = 0;

	for (p += p < end && (*p == '-' || *p == '+'); p < end; p++)
		if (v < 100000)
			v = v * 10 + (*p - '0');
	return minus ? -v : v;
}

static struct decimal split(struct expo_span s, long shift)
{
	struct decimal d = { .shift = shift };
	const char *p = s.p, *end = s.p + s.n;

	d.minus = *p == '-';
	p += *p == '-' || *p == '+';
	d.whole = p;
	d.whole_n = digits(p, end);
	p += d.whole_n;
	if (p < end && *p == '.') {
		d.part = ++p;
		d.part_n = digits(p, end);
		p += d.part_n;
	}
	if (p < end)
		d.shift += exponent(p + 1, end);
	return d;
}

static char digit_at(const struct decimal *d, long i)
{
	if (i < 0 || i >= (long)(d->whole_n + d->part_n))
		return '0';
	return i < (long)d->whole_n ? d->whole[i] : d->part[i - (long)d->whole_n];
}

/* Whole digits, then at most places of them behind a point; what is finer is
 * cut off. No zeros in front or at the end that say nothing. */
static size_t put_decimal(char *to, const struct decimal *d, long places)
{
	long point = (long)d->whole_n + d->shift, i = 0, last;
	char *p = to;

	while (i < point - 1 && digit_at(d, i) == '0')
		i++;
	if (point <= 0)
		i = point - 1;
	for (last = point + places; last > point && digit_at(d, last - 1) == '0';)
		last--;
	if (d->minus)
		*p++ = '-';
	for (; i < last; i++) {
		if (i == point)
			*p++ = '.';
		*p++ = digit_at(d, i);
	}
	if (p == to + 2 && d->minus && p[-1] == '0') {
		*to = '0';
		p--;
	}
	return (size_t)(p - to);
}

size_t expo_put_time(char *to, struct expo_span s, enum expo_format from,
		enum expo_format out)
{
	struct decimal d;

	if (from == out) {
		memcpy(to, s.p, s.n);
		return s.n;
	}
	d = split(s, out == EXPO_TEXT ? 3 : -3);
	return put_decimal(to, &d, out == EXPO_TEXT ? 0 : 3);
}

/* --- escapes ------------------------------------------------------------ */

static bool escapes(const char *p, const char *end, const char *what)
{
	return p + 1 < end && p[1] && strchr(what, p[1]);
}

/* A backslash that escapes nothing is doubled. */
static size_t put_escaped(char *to, struct expo_span s, const char *known,
		bool quotes)
{
	const char *p = s.p, *end = s.p + s.n;
	char *q = to;

	for (; p < end; p++) {
		if (*p == '\\' && escapes(p, end, known))
			*q++ = *p++;
		else if (*p == '\\' || (quotes && *p == '"'))
			*q++ = '\\';
		*q++ = *p;
	}
	return (size_t)(q - to);
}

size_t expo_put_value(char *to, struct expo_span s)
{
	if (memchr(s.p, '\\', s.n))
		return put_escaped(to, s, "n\\\"", false);
	memcpy(to, s.p, s.n);
	return s.n;
}

/* OpenMetrics escapes quotes in HELP, text 0.0.4 does not know that. */
static size_t help_to_text(char *to, struct expo_span s)
{
	const char *p = s.p, *end = s.p + s.n;
	char *q = to;

	for (; p < end; p++) {
		if (*p == '\\' && escapes(p, end, "\""))
			p++;
		else if (*p == '\\' && escapes(p, end, "n\\"))
			*q++ = *p++;
		else if (*p == '\\')
			*q++ = '\\';
		*q++ = *p;
	}
	return (size_t)(q - to);
}

size_t expo_put_help(char *to, struct expo_span s, enum expo_format from,
		enum expo_format out)
{
	if (from == EXPO_OPENMETRICS && out == EXPO_TEXT)
		return help_to_text(to, s);
	if (from == EXPO_TEXT)
		return put_escaped(to, s, "n\\", out == EXPO_OPENMETRICS);
	memcpy(to, s.p, s.n);
	return s.n;
}

size_t expo_unescape(struct expo_span s, char *out)
{
	const char *p = s.p, *end = s.p + s.n;
	char *q = out;

	for (; p < end; p++) {
		if (*p == '\\' && escapes(p, end, "n\\\""))
			*q++ = *++p == 'n' ? '\n' : *p;
		else
			*q++ = *p;
	}
	return (size_t)(q - out);
}

const char *expo_text_type(enum expo_type t)
{
	if (t == EXPO_INFO || t == EXPO_STATESET)
		t = EXPO_GAUGE;
	return expo_type_name(t == EXPO_GAUGEHISTOGRAM ? EXPO_HISTOGRAM : t);
}

/* --- which format ------------------------------------------------------- */

static const char om_type[] = "application/openmetrics-text";

const char *expo_content_type(enum expo_format f)
{
	return f == EXPO_TEXT ? "text/plain; version=0.0.4; charset=utf-8" :
		"application/openmetrics-text; version=1.0.0; charset=utf-8";
}

enum expo_format expo_format_of(const char *type, size_t n)
{
	while (n && (*type == ' ' || *type == '\t'))
		type++, n--;
	return n >= sizeof om_type - 1 &&
		!strncasecmp(type, om_type, sizeof om_type - 1) ?
		EXPO_OPENMETRICS : EXPO_TEXT;
}

enum expo_format expo_sniff(const char *p, size_t n)
{
	if (n && p[n - 1] == '\n')
		n--;
	return n >= 5 && !memcmp(p + n - 5, "# EOF", 5) &&
		(n == 5 || p[n - 6] == '\n') ? EXPO_OPENMETRICS : EXPO_TEXT;
}

/* The q of one media range, in thousandths (RFC 9110, 12.4.2). */
static int quality(const char *p, const char *end)
{
	int q = 0, unit = 1000;

	for (; p + 3 < end; p++)
		if ((*p == ';' || *p == ' ') && (p[1] | 32) == 'q' && p[2] == '=')
			break;
	if (p + 3 >= end)
		return 1000;
	for (p += 3; p < end && unit; p++) {
		if (*p == '.')
			continue;
		if (*p < '0' || *p > '9')
			break;
		q += unit * (*p - '0');
		unit /= 10;
	}
	return q > 1000 ? 1000 : q;
}

static bool is_range(const char *p, const char *end, const char *type)
{
	size_t n = strlen(type);

	return (size_t)(end - p) >= n && !strncasecmp(p, type, n) &&
		(p + n == end || strchr("; \t", p[n]));
}

/* Version 1 or the older 0.0.1, which is written the same way; not 2. */
static bool is_known_om(const char *p, const char *end)
{
	const char *v = memmem(p, (size_t)(end - p), "version=", 8);

	return is_range(p, end, om_type) && (!v || v + 9 > end ||
			v[8] == '1' || v[8] == '0' || v[8] == '"');
}

enum expo_format expo_accept(const char *accept, size_t n)
{
	const char *p = accept, *all = accept + n, *end;
	int text = 0, any = 0, om = 0, q;

	for (; p < all; p = end + 1) {
		end = memchr(p, ',', (size_t)(all - p));
		if (!end)
			end = all;
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		q = quality(p, end);
		if (is_known_om(p, end))
			om = q > om ? q : om;
		else if (is_range(p, end, "text/plain"))
			text = q > text ? q : text;
		else if (is_range(p, end, "text/*") || is_range(p, end, "*/*"))
			any = q > any ? q : any;
	}
	return om > 0 && om >= text && om >= any ? EXPO_OPENMETRICS : EXPO_TEXT;
}
